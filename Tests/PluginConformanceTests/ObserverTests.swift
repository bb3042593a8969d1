import JSONBytes
import PluginConformance
import PluginHost
import PluginWire
import Testing

/// What the observer finds in conversations that are given line by line.
@Suite struct ObserverTests {
    /// A conversation, its lines with their arrows, and what is found: the rule and the number of the line at fault.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var lines: [String]
        var found: [String]

        init(_ name: String, _ lines: [String], _ found: [String] = []) {
            self.name = name
            self.lines = lines
            self.found = found
        }

        var testDescription: String { name }
    }

    static let hello =
        #"→ {"type":"hello","protocol":1,"plugin":"p","phase":"event","purpose":"live","session":"s","config":{},"#
        + #""dataDir":"/"}"#
    static let ready = #"← {"type":"ready","protocol":1,"name":"p","version":"1"}"#
    static let pipelined = #"← {"type":"ready","protocol":1,"name":"p","version":"1","pipelined":true}"#
    static let start = #"→ {"type":"start","queues":[{"name":"main","cursor":null,"state":null}]}"#
    static let begin = [hello, ready, start]

    static func event(_ delivery: Int, _ channel: String = "general") -> String {
        let event = #"{"eventId":"e\#(delivery)","type":"MESSAGE_SENT","userId":"ann","channelId":"\#(channel)"}"#
        return #"→ {"type":"event","queue":"main","delivery":\#(delivery),"position":\#(delivery),"attempt":1,"#
            + #""mode":"live","event":\#(event)}"#
    }

    static let cases: [Case] = [
        Case("a plugin that is right", begin + [event(1), #"← {"type":"ack","delivery":1}"#]),
        Case("settled twice", begin + [event(1), ack(1), ack(1)], ["P43 6"]),
        Case("settled twice by 'upTo'", begin + [event(1), upTo(1), upTo(1)], ["P43 6"]),
        Case("'upTo' settles what is below", begin + [event(1), event(2), upTo(2), ack(1)], ["P43 7"]),
        Case("the future", begin + [event(1), ack(2)], ["P44 5"]),
        Case("one of several", begin + [event(1), #"← {"type":"ack","deliveries":[1,7]}"#], ["P44 5"]),
        Case("a stray print", [hello, "← loading…"], ["P20 2"]),
        Case("no JSON", [hello, #"← {"type":"ready""#], ["P1 2"]),
        Case("a key twice", begin + [#"← {"type":"pong","n":1,"n":1}"#], ["P22 4"]),
        Case("an unknown type", begin + [#"← {"type":"akc","delivery":1}"#], ["P26 4"]),
        Case("an unknown field", begin + [event(1), #"← {"type":"ack","delivery":1,"sate":{}}"#], ["P26 5"]),
        Case("a wrong field", begin + [#"← {"type":"pong","n":"1"}"#], ["P21 4"]),
        Case("a malformed ready", [hello, #"← {"type":"ready","protocol":"1"}"#], ["P6 2"]),
        Case("ready twice", [hello, ready, ready], ["P40 3"]),
        Case("settled before start", [hello, ready, #"← {"type":"ack","delivery":1}"#], ["P4 3"]),
        Case("a command before start", [hello, ready, command(1)], ["P17 3"]),
        Case("log and status before start", [hello, #"← {"type":"log","level":"info","message":"x"}"#, ready]),
        Case("a state of no queue", begin + [#"← {"type":"state","queue":"other","state":1}"#], ["P46 4"]),
        Case("a window of no queue", begin + [#"← {"type":"window","queue":"other","events":1}"#], ["P51 4"]),
        Case("a retry of nothing", begin + [#"← {"type":"retry","delivery":3,"code":"x"}"#], ["P47 4"]),
        Case("a pong without ping", begin + [#"← {"type":"pong","n":1}"#], ["P56 4"]),
        Case("a pong of its ping", begin + [#"→ {"type":"ping","n":1}"#, #"← {"type":"pong","n":1}"#]),
        Case("drained without drain", begin + [#"← {"type":"drained"}"#], ["P57 4"]),
        Case(
            "a word after drained",
            begin + [drain, #"← {"type":"drained"}"#, #"← {"type":"log","level":"info","message":"x"}"#], ["P57 6"]),
        Case(
            "another id for a config",
            begin + [#"→ {"type":"config","id":1,"config":{}}"#, #"← {"type":"configured","id":2,"ok":true}"#],
            ["P34 5"]),
        Case("configured without config", begin + [#"← {"type":"configured","id":2,"ok":true}"#], ["P53 4"]),
        Case(
            "answered twice",
            begin + [
                #"→ {"type":"ask","id":1,"what":"x"}"#, #"← {"type":"answer","id":1,"ok":true,"answer":1}"#,
                #"← {"type":"answer","id":1,"ok":true,"answer":1}"#,
            ], ["P54 6"]),
        Case("a cause that was never", begin + [command(1, cause: 9)], ["P52 4"]),
        Case(
            "a command for somebody else",
            begin + [event(1), command(1, cause: 1), refused("forbidden", "'eve' is not under 'p/'")], ["P79 5"]),
        Case("a key for two", begin + [command(1), refused("event_id_conflict", "other")], ["P83 4"]),
        Case("the host's rejection", begin + [state, rejected("state", "a state of 70000 bytes")], ["P45 4"]),
        Case("in order", [hello, pipelined, start, event(1), event(2), ack(1), ack(2)]),
        Case("out of order", [hello, pipelined, start, event(1), event(2), ack(2), ack(1)], ["P74 7"]),
        Case("two channels", [hello, pipelined, start, event(1), event(2, "random"), ack(2), ack(1)]),
        Case("not go-back-N", [hello, pipelined, start, event(1), event(2), retry(1), ack(2)], ["P75 7"]),
        Case(
            "go-back-N",
            [
                hello, pipelined, start, event(1), event(2), retry(1), #"→ {"type":"voided","delivery":1,"through":2}"#,
                event(3), event(4), ack(3), ack(4),
            ]),
        Case("settled after a void", [hello, pipelined, start, event(1), event(2), retry(1), voided, ack(2)]),
    ]

    static func ack(_ delivery: Int) -> String { #"← {"type":"ack","delivery":\#(delivery)}"# }
    static func upTo(_ delivery: Int) -> String { #"← {"type":"ack","upTo":\#(delivery)}"# }
    static func retry(_ delivery: Int) -> String { #"← {"type":"retry","delivery":\#(delivery),"code":"busy"}"# }
    static let voided = #"→ {"type":"voided","delivery":1,"through":2}"#
    static let drain = #"→ {"type":"drain","deadlineMs":10000,"why":"x"}"#
    static let state = #"← {"type":"state","queue":"main","state":1}"#

    static func command(_ id: Int, cause: Int? = nil) -> String {
        let cause = cause.map { #","cause":\#($0)"# } ?? ""
        let command = #"{"type":"SEND_MESSAGE","userId":"p/bot","channelId":"general","message":"x"}"#
        return #"← {"type":"command","id":\#(id),"command":\#(command)\#(cause)}"#
    }

    static func refused(_ code: String, _ message: String) -> String {
        #"→ {"type":"result","id":1,"ok":false,"error":{"code":"\#(code)","message":"\#(message)"}}"#
    }

    static func rejected(_ message: String, _ reason: String) -> String {
        #"→ {"type":"error","message":"\#(message)","reason":"\#(reason)"}"#
    }

    private static func observe(_ lines: [String], _ observer: inout ProtocolObserver) {
        for (i, line) in lines.enumerated() {
            observer.observe(line.hasPrefix("→") ? .toPlugin : .fromPlugin, Array(line.dropFirst(2).utf8), at: Int64(i))
        }
    }

    @Test(arguments: cases) func aConversation(_ given: Case) throws {
        var observer = ProtocolObserver()
        Self.observe(given.lines, &observer)
        let found = observer.findings.map { "\($0.rule.number) \($0.lines.last?.number ?? 0)" }
        #expect(found == given.found, "\(observer.findings.map(\.reason))")
    }

    @Test func whatIsLate() {
        var observer = ProtocolObserver()
        Self.observe(Self.begin + [Self.event(1), #"→ {"type":"ping","n":1}"#], &observer)
        observer.look(at: 10_004)
        #expect(observer.findings.isEmpty)
        observer.look(at: 10_005)
        #expect(observer.findings.map(\.rule) == [.pong])
        observer.look(at: 60_004)
        #expect(observer.findings.map(\.rule) == [.pong, .settleEach] && observer.open == 0)
        var silent = ProtocolObserver()
        Self.observe([Self.hello], &silent)
        silent.look(at: 10_001)
        #expect(silent.findings.map(\.rule) == [.readyInTime])
    }

    @Test func workingMovesADeadlineOn() {
        var observer = ProtocolObserver()
        Self.observe(Self.begin + [Self.event(1), #"← {"type":"working","delivery":1,"ms":30000}"#], &observer)
        observer.look(at: 90_000)
        #expect(observer.findings.isEmpty)
        observer.look(at: 90_005)
        #expect(observer.findings.map(\.rule) == [.settleEach])
    }

    @Test func theEndOfAProcess() {
        func end(_ lines: [String], status: Int32?, wasKilled: Bool = false, at: Int64 = 100) -> [Rule] {
            var observer = ProtocolObserver()
            Self.observe(lines, &observer)
            observer.ended(status: status, wasKilled: wasKilled, reason: "x", at: at)
            return observer.findings.map(\.rule)
        }
        let drained = Self.begin + [Self.drain, #"← {"type":"drained"}"#]
        #expect(end(drained, status: 0).isEmpty)
        #expect(end(drained, status: 1) == [.exitStatus])
        #expect(end(drained, status: nil) == [.exitStatus])
        #expect(end(drained, status: 0, at: 20_000) == [.drain])
        #expect(end(Self.begin + [Self.drain], status: 0) == [.drain])
        #expect(end(Self.begin, status: 0) == [.exitStatus])
        #expect(end(Self.begin, status: nil, wasKilled: true).isEmpty)
    }

    /// A burst leaves nothing behind.
    @Test func settledDeliveriesAreForgotten() {
        var observer = ProtocolObserver()
        Self.observe(Self.begin, &observer)
        for delivery in 1...50_000 { Self.observe([Self.event(delivery), Self.ack(delivery)], &observer) }
        #expect(observer.findings.isEmpty && observer.open == 0)
    }
}
