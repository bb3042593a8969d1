import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

/// Lines whose JSON readers disagree about.
@Suite struct HostileLineTests {
    private static func line(_ head: String, _ token: [UInt8], _ tail: String) -> [UInt8] {
        Array(head.utf8) + token + Array(tail.utf8)
    }

    @Test(arguments: HostileJSON.texts) func aTextHasOneAnswer(_ text: HostileJSON.Text) {
        let log = try? PluginMessage(line: Self.line(#"{"type":"log","message":"#, text.token, "}"))
        #expect(log == text.value.map { .log(level: "info", message: $0, fields: nil) })
        let drain = try? HostMessage(line: Self.line(#"{"type":"drain","deadlineMs":1,"why":"#, text.token, "}"))
        #expect(drain == text.value.map { .drain(deadlineMs: 1, why: $0) })
        #expect((try? JSON(parsing: text.token)) == text.value.map { .string($0) })
    }

    @Test(arguments: [
        #"{"\u0074ype":"ack","delivery":3}"#, #"{"type":"ack","d\u0065livery":3}"#,
        #"{"type":"ack","\u0064\u0065\u006c\u0069\u0076\u0065\u0072\u0079":3}"#,
        #"{"type":"\u0061ck","delivery":3}"#, #"{"type":"ack","delivery":3.0}"#, #"{"type":"ack","delivery":30e-1}"#,
    ])
    func aKeyIsTheSameHoweverItIsWritten(_ line: String) throws {
        #expect(try PluginMessage(line: Array(line.utf8)) == .ack(.one(3), state: nil))
    }

    @Test(arguments: [
        #"{"type":"ack","delivery":3,"delivery":4}"#, #"{"type":"ack","delivery":3,"d\u0065livery":4}"#,
        #"{"type":"ack","\u0064elivery":3,"d\u0065livery":4}"#, #"{"type":"ack","t\u0079pe":"pong","delivery":3}"#,
        #"{"type":"ack","delivery":3,"state":{"a":1,"\u0061":2}}"#,
        #"{"type":"queues","queues":[{"name":"a","n\u0061me":"b"}]}"#,
    ])
    func aKeyTwiceIsRefused(_ line: String) {
        #expect(throws: WireError.self) { _ = try PluginMessage(line: Array(line.utf8)) }
    }

    @Test(arguments: HostileJSON.numbers.map { ($0.token, $0.value) })
    func aWholeNumberIsOneHoweverItIsWritten(_ token: String, _ value: Int64?) {
        // Neither side's numbers are negative; null stands for a field that is left out.
        let expected = token == "null" ? nil : value.flatMap { $0 >= 0 ? $0 : nil }
        #expect(
            (try? PluginMessage(line: Array(#"{"type":"pong","n":\#(token)}"#.utf8))) == expected.map { .pong(n: $0) })
        #expect(
            (try? HostMessage(line: Array(#"{"type":"ping","n":\#(token)}"#.utf8))) == expected.map { .ping(n: $0) })
        let many = try? PluginMessage(line: Array(#"{"type":"ack","deliveries":[1,\#(token)]}"#.utf8))
        #expect(many == expected.map { .ack(.many([1, $0]), state: nil) })
    }

    /// The host compares an answer's id by its number; a plugin's own id goes back as it came.
    @Test(arguments: [("7", 7), ("7.0", 7), ("70e-1", 7), ("7.5", nil), ("\"7\"", nil)] as [(String, Int64?)])
    func anIdIsComparedByItsNumber(_ token: String, _ number: Int64?) throws {
        let line = #"{"type":"configured","ok":true,"id":\#(token)}"#
        guard case .configured(let id, nil) = try PluginMessage(line: Array(line.utf8)) else {
            Issue.record("another message")
            return
        }
        #expect(id.number == number && id.token == token)
    }

    /// An event as deep as a command may be is read by a plugin within its line.
    @Test func anEventAsDeepAsACommandMayBeCanBeDelivered() throws {
        let event = HostMessage.EventDelivery(
            queue: "q", delivery: 1, position: 1, event: Array(HostileJSON.nested(64).utf8))
        #expect(try HostMessage(line: HostMessage.event(event).line) == .event(event))
        let deeper = #"{"type":"ack","delivery":1,"state":\#(HostileJSON.nested(JSONObject.maxDepth))}"#
        #expect(throws: WireError.self) { _ = try PluginMessage(line: Array(deeper.utf8)) }
    }

    @Test func veryManyAndVeryLongKeysAreReadOnce() throws {
        let many = (0..<50_000).map { #","\u006b\#($0)":0"# }.joined()
        #expect(try PluginMessage(line: Array(#"{"type":"pong"\#(many),"n":1}"#.utf8)) == .pong(n: 1))
        #expect(throws: WireError.self) {
            _ = try PluginMessage(line: Array(#"{"type":"pong"\#(many),"n":1,"k\u0030":1}"#.utf8))
        }
        let long = String(repeating: "k", count: 500_000)
        #expect(try PluginMessage(line: Array(#"{"type":"pong","n":1,"\#(long)":0}"#.utf8)) == .pong(n: 1))
        #expect(throws: WireError.self) {
            _ = try PluginMessage(
                line: Array(#"{"type":"pong","n":1,"\#(long)":0,"\u006b\#(long.dropFirst())":0}"#.utf8))
        }
    }
}
