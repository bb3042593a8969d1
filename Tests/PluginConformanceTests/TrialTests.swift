import CrowbarTesting
import Foundation
import PluginConformance
import PluginHost
import PluginWire
import Testing

/// What is typed, what is recorded, and what is played from a recording.
@Suite struct TrialTests {
    @Test(
        arguments: [
            ("hello", .message("hello")), ("  two words", .message("  two words")), ("", .empty), ("   ", .empty),
            ("/join ops", .join("ops")), ("/edit new text", .edit("new text")), ("/delete", .delete),
            ("/topic a b", .topic("a b")), ("/topic", .topic("")), ("/user bob", .user("bob")), ("/leave", .leave),
            (#"!{"type":"x"}"#, .raw(#"{"type":"x"}"#)), ("!karma bob", .message("!karma bob")),
            ("//slash", .message("/slash")), ("/config", .config), ("/ask deliveries", .ask("deliveries")),
            ("/kill", .kill), ("/restart", .restart), ("/help", .help), ("/quit", .quit),
            ("/join", .wrong("say which channel: /join CHANNEL")),
            ("/nonsense x", .wrong("there is no command '/nonsense'; /help lists them")),
        ] as [(String, TypedLine)]) func aTypedLine(text: String, line: TypedLine)
    {
        #expect(TypedLine(text) == line)
    }

    private static func recording(_ lines: [String]) throws -> Recording {
        let exchanges = lines.enumerated().map { i, line in
            Exchange(
                number: i + 1, milliseconds: Int64(i), direction: line.hasPrefix("→") ? .toPlugin : .fromPlugin,
                line: Array(line.dropFirst(2).utf8))
        }
        return try Recording(reading: exchanges.flatMap { Recording.line($0) })
    }

    private static let conversation = [
        ObserverTests.hello, ObserverTests.ready, ObserverTests.start, ObserverTests.event(1),
        #"→ {"type":"ping","n":1}"#,
        #"← {"type":"pong","n":1}"#, ObserverTests.command(1, cause: 1), ObserverTests.ack(1), ObserverTests.drain,
        #"← {"type":"drained"}"#,
    ]

    private static func bytes(_ line: String) -> [UInt8] { Array(line.dropFirst(2).utf8) }

    @Test func aRecordingIsReadBack() throws {
        let recording = try Self.recording(Self.conversation)
        #expect(recording.exchanges.map(\.line) == Self.conversation.map(Self.bytes))
        // The first process alone.
        let two = try Self.recording(Self.conversation + Self.conversation)
        #expect(two.exchanges.count == Self.conversation.count)
    }

    @Test(arguments: [
        "", "{}", #"{"t":1,"dir":"up","line":"{}"}"#, #"{"t":1,"dir":"in"}"#, "[]",
        #"{"t":1,"dir":"out","line":"{\"type\":\"ready\"}"}"#,
    ]) func whatIsNoRecording(text: String) {
        #expect(throws: Recording.Failure.self) { _ = try Recording(reading: Array(text.utf8)) }
    }

    @Test func aReplayFindsTheFirstDifference() throws {
        let recording = try Self.recording(Self.conversation)
        var player = ReplayPlayer(recording, ignoring: ["log"])
        #expect(player.next() == [Self.bytes(ObserverTests.hello)])
        // Members may come in another order, and logs at any time.
        #expect(player.take(Array(#"{"level":"info","type":"log","message":"x"}"#.utf8)) == nil)
        #expect(player.take(Array(#"{"protocol":1,"version":"1","type":"ready","name":"p"}"#.utf8)) == nil)
        #expect(player.next().count == 3)
        #expect(player.take(Array(#"{"type":"pong","n":1}"#.utf8)) == nil)
        let other = Array(#"{"type":"ack","delivery":1}"#.utf8)
        let found = player.take(other)
        let difference = try #require(found)
        #expect(difference.expected?.number == 7 && difference.line == other)
    }

    @Test func aMockAnswersWithTheNumbersOfNow() throws {
        var mock = MockPlugin(try Self.recording(Self.conversation))
        #expect(mock.take(Self.bytes(ObserverTests.hello)).lines == [Self.bytes(ObserverTests.ready)])
        #expect(mock.take(Self.bytes(ObserverTests.start)).lines.isEmpty)
        #expect(mock.take(Array(#"{"type":"ping","n":9}"#.utf8)).lines == [PluginMessage.pong(n: 9).line])
        let answer = mock.take(Self.bytes(ObserverTests.event(5))).lines
        #expect(answer.count == 2 && answer[1] == PluginMessage.ack(.one(5), state: nil).line)
        if case .command(let sent) = try PluginMessage(line: answer[0]) {
            #expect(sent.cause == 5)
        } else {
            Issue.record("no command")
        }
        #expect(mock.take(Self.bytes(ObserverTests.event(6))).isMissing)
        let end = mock.take(Self.bytes(ObserverTests.drain))
        #expect(end.isOver && end.lines == [PluginMessage.drained.line])
    }
}

extension Recording.Failure: CustomTestStringConvertible {
    public var testDescription: String { description }
}

/// `crowbar plugins try`, `replay` and `mock` with real processes.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TryTests {
    private static func manifest(_ fault: String, secret: String = "") -> String {
        """
        command = ["\(KitScenario.plugins)/faulty.py"]
        commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]
        [config]
        fault = "\(fault)"
        \(secret)
        """
    }

    @Test func bothDirectionsAreShownAndMistakesExplained() async throws {
        let scenario = try KitScenario("trial", Self.manifest("twice"))
        let outcome = try await scenario.run(
            "try", arguments: [], input: ["hello", "/join ops", "in ops", "/nonsense"])
        #expect(outcome.status == .exited(1), "\(outcome.text)")
        #expect(outcome.output.contains { $0.contains("→ {\"type\":\"hello\"") })
        #expect(
            outcome.output.contains { $0.contains("→ {\"type\":\"event\"") && $0.contains("\"channelId\":\"ops\"") })
        let ack = try #require(outcome.output.firstIndex { $0.contains("^ P43 ") })
        #expect(outcome.output[ack - 1].contains("← {\"type\": \"ack\""))
        #expect(outcome.output.contains { $0.contains("there is no command '/nonsense'") })
        // It is no terminal.
        #expect(!outcome.text.contains("\u{1B}"))
    }

    @Test func secretsAreMasked() async throws {
        let scenario = try KitScenario("trial", Self.manifest("none", secret: #"key = { file = "key" }"#))
        try "correct horse".write(toFile: scenario.folder.file("key"), atomically: true, encoding: .utf8)
        let record = scenario.folder.file("record")
        let outcome = try await scenario.run("try", arguments: ["--record", record], input: ["hello"])
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        #expect(outcome.text.contains("***") && !outcome.text.contains("correct horse"))
        let recorded = try String(contentsOfFile: record, encoding: .utf8)
        #expect(recorded.contains("***") && !recorded.contains("correct horse"))
    }

    @Test func aRecordingIsReplayedAndMocked() async throws {
        let scenario = try KitScenario("trial", Self.manifest("none"))
        let record = scenario.folder.file("record")
        let typed = ["hello", "!count", "/config"]
        let tried = try await scenario.run("try", arguments: ["--record", record], input: typed)
        #expect(tried.status == .exited(0), "\(tried.text)")
        let same = try await scenario.run("replay", arguments: [record])
        #expect(same.status == .exited(0) && same.text.contains("lines are the same"), "\(same.text)")
        let other = try await KitScenario("trial", Self.manifest("future")).run("replay", arguments: [record])
        #expect(other.status == .exited(1) && other.text.contains("differs at line"), "\(other.text)")
        // The mock runs as a user of its own.
        chmod(scenario.folder.path, 0o755)
        chmod(record, 0o644)
        let mock = try KitScenario(
            "trial",
            """
            command = ["crowbar", "plugins", "mock", "\(record)"]
            commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]
            """)
        let mocked = try await mock.run("try", arguments: [], input: typed)
        #expect(mocked.status == .exited(0), "\(mocked.text)")
        #expect(mocked.output.contains { $0.contains("← {\"type\":\"command\"") })
    }
}
