import CrowbarCore
import Testing

@testable import PluginHost

/// What the operator is told of channels that plugins name, and of whom.
@Suite struct MissingChannelsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// The channels by queue; those of commands under "".
        var channels: [String: [String]]
        var missing: [String] = []
        var hidden: [String] = []
        /// The queues of each hint; none where it is about each queue.
        var queues: [[String]]
        /// A part of the last hint's text.
        var says = ""
    }

    @Test(arguments: [
        Case(testDescription: "all are there", channels: ["a": ["x"], "b": ["y"]], queues: []),
        Case(
            testDescription: "one queue names it", channels: ["a": ["x"], "b": ["y"], "c": ["x", "y"]], missing: ["x"],
            queues: [["a", "c"]], says: "no channel 'x', which queues 'a', 'c' of this plugin name"),
        Case(
            testDescription: "two, each of another queue", channels: ["a": ["x"], "b": ["y"]], missing: ["x", "y"],
            queues: [["a"], ["b"]], says: "no channel 'y', which queue 'b' of this plugin names"),
        Case(
            testDescription: "no queue names it", channels: ["a": ["x"], "": ["z"]], missing: ["z"], queues: [[]],
            says: "no channel 'z', which this plugin writes to"),
        Case(
            testDescription: "a queue's own commands go there", channels: ["a": ["x"], "b": ["z"], "": ["z"]],
            missing: ["z"], queues: [["b"]], says: "which queue 'b' of this plugin names"),
        Case(
            testDescription: "it is private", channels: ["a": ["x"], "b": ["y"]], hidden: ["y"], queues: [["b"]],
            says: "the channel 'y' is private"),
        Case(
            testDescription: "more than are told by name",
            channels: ["a": (10..<32).map { "c\($0)" }, "b": ["c31"], "c": ["c10"]],
            missing: (10..<32).map { "c\($0)" },
            queues: [["a", "c"]] + Array(repeating: ["a"], count: 19) + [["a", "b"]],
            says: "2 more channels do not exist"),
    ])
    func aHintIsOfTheQueuesThatNameTheChannel(_ example: Case) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        var environment = scenario.environment
        environment.missingChannels = { names in names.filter { example.missing.contains($0) } }
        environment.privateChannels = { names in names.filter { example.hidden.contains($0) } }
        var manifest = Manifest(name: "p", file: "p.toml", command: ["p"])
        manifest.commands = [.sendMessage]
        let hints = await MissingChannels.hints(example.channels, manifest, environment)
        #expect(hints.map(\.queues) == example.queues)
        if !example.says.isEmpty {
            let text = try #require(hints.last?.text)
            #expect(text.firstRange(of: example.says) != nil, "\(text)")
        }
        for hint in hints {
            #expect(hint.isAbout("a") == (hint.queues.isEmpty || hint.queues.contains("a")))
        }
    }

    @Test(
        arguments: [
            (true, ["vault"], ["vault"], #"channels = ["*", "vault"]"#),
            (true, ["vault", "cellar"], ["cellar", "vault"], #"channels = ["*", "vault", "cellar"]"#),
            // Somebody has thought of the public ones, or there is none that is private.
            (true, ["*", "vault"], ["vault"], nil), (true, ["general", "vault"], ["vault"], nil),
            (true, ["gen*", "vault"], ["vault"], nil), (true, ["general"], [], nil), (true, nil, [], nil),
            (true, [], [], nil), (false, ["vault"], ["vault"], nil),
        ] as [(Bool, [String]?, [String], String?)])
    func aListOfPrivateChannelsAloneIsTold(
        isPrivate: Bool, channels: [String]?, found: [String], advice: String?
    ) {
        var manifest = Manifest(name: "p", file: "p.toml", command: ["p"])
        manifest.isPrivate = isPrivate
        manifest.channels = channels
        let note = manifest.onlyPrivateNote(found)
        #expect((note == nil) == (advice == nil))
        if let advice { #expect(note?.hasSuffix(advice) == true, "\(note ?? "")") }
    }
}
