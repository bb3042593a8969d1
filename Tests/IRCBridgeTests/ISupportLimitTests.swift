import PluginWire
import Testing

@testable import IRCBridge

/// Limits that no server means: none, zero, less than anything fits in, more than a number has digits for.
@Suite struct ISupportLimitTests {
    private func supports(_ tokens: String) -> ISupport {
        var supports = ISupport()
        supports.take(tokens.split(separator: " ").map(String.init))
        return supports
    }

    @Test(
        "limits",
        arguments: [
            ("NICKLEN", 9, [("1", 1), ("16", 16), ("400", 255)]), ("USERLEN", 10, [("1", 1), ("12", 12), ("400", 64)]),
            ("HOSTLEN", 63, [("14", 63), ("15", 15), ("100", 100), ("400", 255)]),
            ("TOPICLEN", 390, [("15", 390), ("16", 16), ("80", 80), ("307", 307), ("9999", 4096)]),
            ("LINELEN", 510, [("100", 510), ("511", 510), ("512", 510), ("2048", 2046), ("9999", 8190)]),
        ] as [(String, Int, [(String, Int)])])
    func limits(name: String, preset: Int, cases: [(String, Int)]) {
        func read(_ token: String) -> Int {
            let read = supports(token)
            return switch name {
            case "NICKLEN": read.nickLength
            case "USERLEN": read.userLength
            case "HOSTLEN": read.hostLength
            case "TOPICLEN": read.topicLength
            default: read.longestLine
            }
        }
        // Zero and what is no number say nothing.
        for value in ["", "0", "00", "-1", "-4", "x", "1x", "0x10", "+9", "1.5", "\(Int.min)"] {
            #expect(read("\(name)=\(value)") == preset, "\(name)=\(value)")
        }
        #expect(read(name) == preset && read("NAME=1") == preset)
        for (value, length) in cases { #expect(read("\(name)=\(value)") == length, "\(name)=\(value)") }
        // What was said before stays.
        if let (value, length) = cases.last { #expect(read("\(name)=\(value) \(name)=0") == length) }
        #expect(read("\(name)=99999999999999999999") == cases.last?.1)
    }

    /// Limits of what the bridge does not do, or does one by one.
    @Test(arguments: ["CHANNELLEN", "MODES", "MAXTARGETS", "KICKLEN", "AWAYLEN", "MAXLIST", "MAXCHANNELS", "CHANLIMIT"])
    func otherLimitsChangeNothing(name: String) {
        for value in ["", "=", "=0", "=1", "=-1", "=99999999999999999999", "=#:0"] {
            #expect(supports(name + value) == ISupport(), "\(name)\(value)")
        }
    }

    @Test(arguments: [
        ("MONITOR", true), ("MONITOR=", true), ("MONITOR=100", true), ("MONITOR=0", false), ("MONITOR=x", true),
    ])
    func aListOfNoneIsNoOffer(token: String, hasMonitor: Bool) {
        #expect(supports(token).hasMonitor == hasMonitor)
    }

    @Test(arguments: [
        ("CHATHISTORY=0", 0), ("CHATHISTORY=-3", 0), ("CHATHISTORY=", 0), ("CHATHISTORY=x", 0), ("CHATHISTORY=50", 50),
    ])
    func aHistoryWithoutALimit(token: String, length: Int) { #expect(supports(token).historyLength == length) }

    @Test(arguments: ["TOPICLEN=0", "TOPICLEN=0 LINELEN=100", "TOPICLEN=1", "TOPICLEN=", "TOPICLEN=-1 LINELEN=0"])
    func aTopicIsNotCutToNothing(tokens: String) throws {
        var machine = try Tables.machine(hearing: [
            ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 366 crow #room :x",
            ":s 005 crow \(tokens) :are supported",
        ])
        let json = #"{"type":"CHANNEL_TOPIC_SET","userId":"ann","channelId":"general","topic":"hello topic"}"#
        let event = HostMessage.EventDelivery(queue: "net", delivery: 1, position: 1, event: Array(json.utf8))
        #expect(machine.deliver(event, now: 0).lines.first == "TOPIC #room :hello topic")
    }
}
