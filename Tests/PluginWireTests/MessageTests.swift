import JSONBytes
import PluginWire
import Testing

@Suite struct MessageTests {
    static let host: [HostMessage] = [
        .hello(
            .init(
                plugin: "irc", phase: "event", purpose: .live, session: "s1",
                config: .object([.init("nick", .string("crow\u{2028}"))]), dataDir: "/d")),
        .start([
            .init(name: "main", cursor: nil), .init(name: "q", cursor: "e1", state: .object([.init("n", .int(1))])),
        ]),
        .event(.init(queue: "m\"x", delivery: 1, position: 9, event: Array(#"{"a":1}"#.utf8))),
        .event(.init(queue: "q", delivery: 2, position: .max, attempt: 3, mode: .history, event: Array("{}".utf8))),
        .event(.init(queue: "q", delivery: 2, position: 1, attempt: 3, mode: .replay, event: Array("{}".utf8))),
        .event(.init(queue: "q", delivery: 2, position: 1, attempt: 3, uncounted: 2, event: Array("{}".utf8))),
        .event(.init(queue: "q", delivery: 2, position: 1, attempt: 3, mode: .redrive, event: Array("{}".utf8))),
        .caughtUp(queue: "q"), .voided(delivery: 3, through: 9),
        .config(id: MessageID(4), config: .object([.init("a", .bool(true))])),
        .check(id: MessageID("x"), deadlineMs: 200, command: Array(#"{"type":"X"}"#.utf8)),
        .result(.init(id: MessageID(1), outcome: .stored(eventId: "e", position: 5, duplicate: true))),
        .result(.init(id: MessageID("a\"b"), outcome: .refused(code: "forbidden", message: "no"))),
        .ask(id: MessageID(1), what: "deliveries", queue: nil), .ask(id: MessageID(1), what: "deliveries", queue: "q"),
        .ping(n: 7), .drain(deadlineMs: 10_000, why: "shutdown"), .unknown(type: "later"),
        .error(.init(message: "ack", delivery: 7, reason: "a state of 70000 bytes")),
        .error(.init(message: "command", id: MessageID("a\"b"), reason: "'command' must be object")),
    ]

    @Test(arguments: host) func hostLinesComeBack(_ message: HostMessage) throws {
        #expect(!message.line.contains(0x0A))
        #expect(try HostMessage(line: message.line) == message)
    }

    static let plugin: [PluginMessage] = [
        .ready(.init(name: "n", programVersion: "1")),
        .ready(
            .init(
                name: "n", programVersion: "1", reload: true, pipelined: true,
                queues: [
                    .init(name: "a"),
                    .init(
                        name: "b", types: ["MESSAGE_SENT"], channels: ["g*"], window: 0, order: "none", start: "now",
                        maxAttempts: 5, writes: ["general"]),
                ])),
        .ack(.one(1), state: nil), .ack(.many([1, 2]), state: .object([.init("a", .null)])),
        .ack(.upTo(9), state: .null),
        .state(queue: "q", state: .object([])),
        .retry(.init(delivery: 1, code: "c")),
        .retry(.init(delivery: 1, afterMs: 5, counted: false, code: "c", message: "m")),
        .reject(delivery: 1, code: "c", message: "m", deadLetter: false),
        .reject(delivery: 1, code: "c", message: "m", deadLetter: true),
        .working(delivery: nil, ms: 5), .working(delivery: 3, ms: 5), .window(queue: "q", events: 0),
        .queues([.init(name: "a")]),
        .command(.init(id: MessageID(1), command: Array("{}".utf8))),
        .command(.init(id: MessageID(1), command: Array("{}".utf8), cause: 4, key: "k", ref: "r")),
        .verdict(.allow(id: MessageID(1), command: nil)),
        .verdict(.allow(id: MessageID(1), command: Array(#"{"a":1}"#.utf8))),
        .verdict(.deny(id: MessageID(1), code: "c", message: "m")),
        .configured(id: MessageID(1), problem: nil),
        .configured(id: MessageID(1), problem: .init(path: "a.b", message: "m")),
        .status(level: .degraded, message: "m", details: nil),
        .status(level: .ok, message: "m", details: .object([.init("a", .array([]))])),
        .log(level: "info", message: "m", fields: nil), .log(level: "info", message: "m", fields: .object([])),
        .pong(n: 7), .answer(id: MessageID(3), .told(.array([.int(1)]))), .answer(id: MessageID(4), .refused("no")),
        .drained, .fatal(code: "c", problem: .init(message: "m"), retry: true), .unknown(type: "later"),
    ]

    @Test(arguments: plugin) func pluginLinesComeBack(_ message: PluginMessage) throws {
        #expect(!message.line.contains(0x0A))
        #expect(try PluginMessage(line: message.line) == message)
    }

    @Test(
        arguments: [
            // The bytes of each queue's state, and the queues of each line.
            ([], [0]), ([0], [1]), (Array(repeating: 0, count: 4_096), [4_096]),
            (Array(repeating: Wire.maxState, count: 17), [15, 2]),
            ([10, Wire.maxState, 10] + Array(repeating: Wire.maxState, count: 31), [17, 15, 2]),
        ] as [([Int], [Int])])
    func noStartLineIsTooLong(states: [Int], expected: [Int]) throws {
        let queues = states.enumerated().map { index, bytes in
            HostMessage.QueueStart(
                name: "q\(index)", cursor: "0192f3c4-0000-7000-8000-000000000000",
                state: bytes == 0 ? .null : .string(String(repeating: "s", count: bytes - 2)))
        }
        let starts = HostMessage.starts(queues)
        #expect(starts.allSatisfy { $0.line.count <= Wire.maxLine })
        var got: [HostMessage.QueueStart] = []
        var counts: [Int] = []
        for line in starts {
            guard case .start(let part) = try HostMessage(line: line.line) else { continue }
            counts.append(part.count)
            got += part
        }
        #expect(got == queues && counts == expected)
    }

    @Test func readyNamesWhatItAnswersAndWritesTo() throws {
        var ready = PluginMessage.Ready(name: "n", programVersion: "1")
        ready.asks = ["deliveries"]
        ready.writes = ["general", "ops"]
        let line = PluginMessage.ready(ready).line
        #expect(String(decoding: line, as: UTF8.self).hasSuffix(#""writes":["general","ops"]}"#))
        #expect(try PluginMessage(line: line) == .ready(ready))
    }

    @Test(arguments: ["{}", #"{"type":1}"#, "[]", "x", #"{"type":"ping"}"#, #"{"type":"event","queue":"q"}"#])
    func brokenHostLines(_ line: String) {
        #expect(throws: WireError.self) { _ = try HostMessage(line: Array(line.utf8)) }
    }

    @Test(arguments: [
        "{}", "x", #"{"type":"ack"}"#, #"{"type":"ready"}"#, #"{"type":"command","id":1}"#,
        #"{"type":"command","id":{},"command":{}}"#, #"{"type":"pong","n":"1"}"#, #"{"type":"pong","n":-1}"#,
        #"{"type":"ack","deliveries":[1,-9223372036854775808]}"#, #"{"type":"ack","deliveries":[-1]}"#,
    ])
    func brokenPluginLines(_ line: String) {
        #expect(throws: WireError.self) { _ = try PluginMessage(line: Array(line.utf8)) }
    }

    @Test(arguments: [("a", true), ("a-b_9", true), ("", false), ("-a", false), ("A", false), ("a/b", false)])
    func names(_ name: String, _ valid: Bool) {
        #expect(Wire.isName(name) == valid)
        #expect(!Wire.isName(String(repeating: "a", count: 65)))
    }
}
