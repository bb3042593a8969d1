import JSONBytes
import PluginWire
import Testing

/// What a strict reader refuses and any other ignores.
@Suite struct StrictTests {
    /// A line, and what a strict reader says of it.
    static let unknown: [(line: String, reason: String)] = [
        (#"{"type":"akc","delivery":1}"#, "there is no message 'akc'; did you mean 'ack'?"),
        (#"{"type":"something"}"#, "there is no message 'something'"),
        (#"{"type":"pong","n":1,"m":2}"#, "pong: there is no field 'm'; did you mean 'n'?"),
        (#"{"type":"ack","delivery":1,"stat":{}}"#, "ack: there is no field 'stat'; did you mean 'state'?"),
        (#"{"type":"drained","why":"x"}"#, "drained: there is no field 'why'"),
        (#"{"type":"retry","delivery":1,"code":"c","after":1}"#, "retry: there is no field 'after'"),
        (
            #"{"type":"ready","protocol":1,"pipeline":true}"#,
            "ready: there is no field 'pipeline'; did you mean 'pipelined'?"
        ),
        (
            #"{"type":"queues","queues":[{"name":"a"},{"name":"b","channel":["x"]}]}"#,
            "queues: there is no field 'channel'; did you mean 'channels'?"
        ),
        (#"{"type":"command","id":1,"command":{},"Key":"k"}"#, "command: there is no field 'Key'; did you mean 'key'?"),
    ]

    @Test(arguments: unknown) func whatIsNotKnown(_ line: String, _ reason: String) throws {
        _ = try PluginMessage(line: line.utf8)
        do {
            _ = try PluginMessage(line: line.utf8, isStrict: true)
            Issue.record("taken: \(line)")
        } catch {
            #expect(error.description == reason)
        }
    }

    @Test(arguments: MessageTests.plugin) func whatIsKnown(_ message: PluginMessage) throws {
        if case .unknown = message { return }
        #expect(try PluginMessage(line: message.line, isStrict: true) == message)
    }

    /// A line, and what an error says of it besides the reason.
    static let refused: [(line: String, message: String, delivery: Int64?, id: MessageID?)] = [
        (#"{"type":"ack","delivery":7,"state":1}"#, "ack", 7, nil), (#"{"type":"ack","upTo":9}"#, "ack", 9, nil),
        (#"{"type":"command","id":"x","command":1}"#, "command", nil, MessageID("x")),
        (#"{"type":"reject","delivery":"7","code":1}"#, "reject", nil, nil), ("{no json", "line", nil, nil),
        (#"{"type":1}"#, "line", nil, nil), (#"{"type":"a\nb"}"#, "line", nil, nil),
        (#"{"type":"\#(String(repeating: "a", count: 33))"}"#, "line", nil, nil),
    ]

    @Test(arguments: refused)
    func whatALineSays(_ line: String, _ message: String, _ delivery: Int64?, _ id: MessageID?) {
        let said = HostMessage.Refused(line: line.utf8, reason: "r")
        #expect(said == .init(message: message, delivery: delivery, id: id, reason: "r"))
    }
}
