import CrowbarTesting
import JSONBytes
import PluginConformance
import Testing

/// The kit finds what is wrong with a plugin, by number and line, and nothing wrong with one that is right.
@Suite(.serialized, .timeLimit(.minutes(15))) struct KitTests {
    /// A fault of `faulty.py`, the rules that it breaks, and what stands in the line that shows it.
    struct Fault: Sendable, CustomTestStringConvertible {
        var name: String
        var rules: Set<Rule>
        var line: String
        var burst = 1_000

        var testDescription: String { name }
    }

    static let faults: [Fault] = [
        Fault(name: "twice", rules: [.settleOnce], line: #""type": "ack""#),
        Fault(name: "future", rules: [.settleMade], line: #""delivery": 1001"#),
        Fault(name: "blocks", rules: [.settleEach, .pong], line: #""type":"event""#),
        Fault(name: "stray", rules: [.strayPrint], line: "counting"),
        Fault(name: "pong", rules: [.pong], line: #""type":"ping""#),
        Fault(name: "drain", rules: [.drain], line: #""type":"drain""#),
        Fault(name: "doubles", rules: [.sameCommand], line: #""message": "counted "#),
        Fault(name: "order", rules: [.ordered], line: #""type": "ack""#),
        Fault(name: "leak", rules: [.memory], line: "", burst: 5_000),
        Fault(name: "config", rules: [.configuredId], line: #""id": 7"#),
    ]

    private static func scenario(_ fault: String) throws -> KitScenario {
        try KitScenario(
            fault,
            """
            command = ["\(KitScenario.plugins)/faulty.py"]
            commands = ["REGISTER_USER", "JOIN_CHANNEL", "SEND_MESSAGE"]
            [config]
            fault = "\(fault)"
            """)
    }

    @Test(arguments: faults) func aFaultIsFound(fault: Fault) async throws {
        let scenario = try Self.scenario(fault.name)
        let outcome = try await scenario.run(arguments: [
            "--json", "--seed", "1", "--message", "!count", "--burst", String(fault.burst),
        ])
        #expect(outcome.status == .exited(1), "\(outcome.text)")
        #expect(outcome.numbers("failed") == Set(fault.rules.map(\.number)), "\(outcome.text)")
        for rule in outcome.rules("failed") {
            let finding = try #require(rule["findings"]?.array?.first)
            #expect(finding["reason"]?.string?.isEmpty == false && finding["scenario"]?.string?.isEmpty == false)
        }
        // A process' memory is no line.
        if fault.line.isEmpty { return }
        let findings = outcome.rules("failed").flatMap { $0["findings"]?.array ?? [] }
        let lines = findings.compactMap { $0["lines"]?.array?.last }
        #expect(lines.contains { $0["line"]?.string?.contains(fault.line) == true }, "\(lines)")
        #expect(lines.allSatisfy { ($0["number"]?.int ?? 0) > 0 })
    }

    @Test func aPluginWithoutFaultPasses() async throws {
        let scenario = try Self.scenario("none")
        let outcome = try await scenario.run(arguments: ["--json", "--seed", "1", "--message", "!count"])
        #expect(outcome.status == .exited(0), "\(outcome.text)")
        #expect(outcome.numbers("passed").count >= 42)
        // The time that the kit may take for a plugin that is right.
        #expect(outcome.report?["milliseconds"]?.int ?? .max <= 60_000)
        let unverified = outcome.rules("notVerified")
        #expect(unverified.allSatisfy { $0["reason"]?.string?.isEmpty == false })
    }

    @Test func theReportsSayTheSame() async throws {
        let scenario = try Self.scenario("stray")
        let arguments = ["--seed", "7", "--burst", "1000"]
        let text = try await scenario.run(arguments: arguments)
        #expect(text.output.contains { $0.hasPrefix("FAILED        P20 ") }, "\(text.text)")
        #expect(text.output.contains { $0.hasSuffix("← counting") })
        #expect(text.output.last?.hasSuffix("seed 7") == true)
        let tap = try await scenario.run(arguments: arguments + ["--tap"])
        #expect(tap.status == .exited(1) && tap.output.first == "TAP version 13")
        #expect(tap.output.contains { $0.hasPrefix("not ok 20 - P20 ") })
        #expect(tap.output.filter { $0.hasPrefix("ok ") || $0.hasPrefix("not ok ") }.count == Rule.allCases.count)
    }

    @Test func whatCannotRunIsSaid() async throws {
        let missing = try await KitScenario("gone", #"command = ["./gone"]"#).run(arguments: ["--burst", "1000"])
        #expect(missing.status == .exited(1) && missing.text.contains("gone"), "\(missing.text)")
        let wrong = try await KitScenario("wrong", "command = 7").run(arguments: [])
        #expect(wrong.status == .exited(1) && wrong.errors.contains("command"), "\(wrong.text)")
        let usage = try await Self.scenario("none").run(arguments: ["--json", "--tap"])
        #expect(usage.status == .exited(64), "\(usage.text)")
    }
}
