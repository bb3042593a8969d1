import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import PluginHost
import Testing

/// The command phase with real processes, beside a plugin of the event phase that must not notice.
@Suite(.serialized) struct CheckTests {
    private static let checker = HostScenario.plugin.replacing("/plugin.py", with: "/checker.py")

    private func add(_ name: String, to scenario: HostScenario, _ keys: String = "", config: String = "") throws {
        let text = "command = [\"\(Self.checker)\"]\nphase = \"command\"\n\(keys)\n[config]\n\(config)\n"
        let file = scenario.folder.appending(path: "plugins.d/\(name).toml")
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    private func live(_ scenario: HostScenario, _ host: PluginHost) async throws {
        try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
    }

    private func submit(_ text: String, _ scenario: HostScenario, eventId: String? = nil) async throws -> Receipt {
        let command = Command(
            .sendMessage, .sendMessage(text, messageId: nil, kind: nil, replyTo: nil), eventId: eventId,
            channelId: "general")
        return try await scenario.ingest.submit(Ingest.Request(command, actor: "ann"))
    }

    private func refusal(_ text: String, _ scenario: HostScenario) async throws -> String {
        do {
            _ = try await submit(text, scenario)
            return "stored"
        } catch let error as CommandError {
            return "\(error)"
        }
    }

    /// The stored event.
    private func event(_ receipt: Receipt, _ scenario: HostScenario) async throws -> JSON {
        let page = try await scenario.log.read(positions: [receipt.position])
        return try JSON(parsing: page.json(page.entries[0]))
    }

    private func checks(_ host: PluginHost, _ name: String) async throws -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for member in try await host.show(name)["checks"]?.members ?? [] { counts[member.key] = member.value.int }
        return counts
    }

    @Test func itAllowsRefusesAndChangesAndTheEventSaysSo() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let plain = try await event(try await submit("hello", scenario), scenario)
            #expect(
                plain["checks"]
                    == .array([.object([.init("plugin", .string("filter")), .init("verdict", .string("allowed"))])]))
            let loud = try await event(try await submit("shout it", scenario), scenario)
            #expect(loud["message"] == .string("SHOUT IT"))
            #expect(loud["checks"]?.array?.first?["fields"] == .array([.string("message")]))
            #expect(
                try await refusal("deny me", scenario)
                    == "refused: refused by the plugin 'filter': mind your words (rude)")
            try await wait("the other plugin") { scenario.messages("control") == ["hello", "SHOUT IT"] }
            let counts = try await checks(host, "filter")
            #expect(counts["asked"] == 3 && counts["allowed"] == 1 && counts["changed"] == 1 && counts["refused"] == 1)
            // What is not of its types it was not asked about.
            #expect(scenario.seen("filter").allSatisfy { $0["command"]?["type"] == .string("SEND_MESSAGE") })
            #expect(scenario.seen("filter").count == 3)
            #expect(try await host.show("filter")["phase"] == .string("command"))
        }
    }

    @Test func whatWasStoredOnceIsNotAskedAboutAgain() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let first = try await submit("shout once", scenario, eventId: "mine")
            let again = try await submit("shout once", scenario, eventId: "mine")
            #expect(again.isDuplicate && again.position == first.position && scenario.seen("filter").count == 1)
            // The hash is that of the command as it was sent.
            await #expect { try await submit("SHOUT ONCE", scenario, eventId: "mine") } throws: {
                ($0 as? CommandError)?.code == .eventIdConflict
            }
        }
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var text: String
        var reason: String
        var strikes: Int64 = 0
        var testDescription: String { "Fault 27: \(text)" }
    }

    @Test(arguments: [
        Fault(text: "hang on", reason: "timeout"), Fault(text: "late reply", reason: "timeout"),
        Fault(text: "crash now", reason: "crash"), Fault(text: "forge it", reason: "nonsense", strikes: 1),
        Fault(text: "nonsense here", reason: "timeout", strikes: 1),
    ])
    func whoDoesNotAnswerIsPassedOverByItsRule(_ fault: Fault) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("lenient", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let stored = try await event(try await submit(fault.text, scenario), scenario)
            #expect(stored["message"] == .string(fault.text))
            let verdict = stored["checks"]?.array?.first
            #expect(verdict?["verdict"] == .string("skipped") && verdict?["reason"] == .string(fault.reason))
            try await wait("the control") { scenario.messages("control") == [fault.text] }
            #expect(try await scenario.states(host)["control"]?.restarts == 0)
            if fault.strikes > 0 {
                try await wait("a strike") { try await host.show("lenient")["strikes"] == .int(fault.strikes) }
            }
            // It is as good as new.
            try await wait("its answer") {
                try await event(try await submit("hello", scenario), scenario)["checks"]?.array?.first?["verdict"]
                    == .string("allowed")
            }
        }
    }

    @Test func aPluginOfThisPhaseGetsNoQueueHoweverItAsks() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let asking = try await event(try await submit("queue me", scenario), scenario)
            #expect(asking["checks"]?.array?.first?["verdict"] == .string("allowed"))
            try await wait("a strike") { try await host.show("filter")["strikes"] == .int(1) }
            let after = try await event(try await submit("hello", scenario), scenario)
            #expect(after["checks"]?.array?.first?["verdict"] == .string("allowed"), "it goes on")
            #expect(try await host.show("filter")["queues"]?.array?.isEmpty ?? true)
        }
    }

    @Test func theStrictRuleRefusesWhatCannotBeAsked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("strict", to: scenario, "types = [\"SEND_MESSAGE\"]\non_failure = \"refuse\"")
        try await scenario.run { host in
            // Also before its process has come so far.
            try await scenario.populate()
            try await wait("live") { try await scenario.states(host)["strict"]?.state == "live" }
            #expect(try await refusal("hang on", scenario).contains("has to approve this and cannot now (timeout)"))
            #expect(try await refusal("hello", scenario) == "stored")
            // Paused or stopped it is not asked: that is the operator's word.
            _ = try await host.act(.pause, on: "strict")
            #expect(try await refusal("deny me", scenario) == "stored")
            _ = try await host.act(.resume, on: "strict")
            #expect(try await refusal("deny me", scenario).contains("mind your words"))
            let asked = scenario.seen("strict").count
            _ = try await host.act(.stop, on: "strict")
            #expect(try await refusal("deny me", scenario) == "stored")
            #expect(scenario.seen("strict").count == asked)
        }
        let failing = try HostScenario()
        defer { failing.remove() }
        let text =
            "command = [\"./missing\"]\nphase = \"command\"\non_failure = \"refuse\"\ntypes = [\"SEND_MESSAGE\"]\n"
        try text.write(
            to: failing.folder.appending(path: "plugins.d/strict.toml"), atomically: true, encoding: .utf8)
        try await failing.run { host in
            try await wait("failed") { try await failing.states(host)["strict"]?.state == "failed" }
            try await failing.populate()
            #expect(try await refusal("hello", failing).contains("cannot now (absent)"))
        }
    }

    @Test func afterFiveFailuresNobodyWaitsForItAnyMore() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            for _ in 0..<5 { _ = try await submit("hang on", scenario) }
            let resting = try await event(try await submit("deny me", scenario), scenario)
            #expect(resting["checks"]?.array?.first?["reason"] == .string("breaker"))
            #expect(scenario.seen("filter").count == 5)
            let shown = try await host.show("filter")
            #expect(shown["checks"]?["resting"] == .bool(true))
            // Whoever looks sees it, whoever reads the log too, and once.
            #expect(shown["health"]?.string == "down" && shown["state"]?.string == "live")
            #expect(shown["healthReason"]?.string?.contains("its checks are suspended") == true)
            #expect(try await host.listing().array?.first?["health"]?.string == "down")
            let opened = scenario.lines.all.filter { $0.contains("its checks are suspended for 30 s: 5 failures") }
            #expect(opened.count == 1 && opened[0].contains("the last: timeout; meanwhile on_failure = \"allow\""))
            #expect(!scenario.lines.all.contains { $0.contains("its checks go on") })
            _ = try await host.act(.restart, on: "filter")
            try await wait("the new process") {
                try await host.show("filter")["health"]?.string == "ok"
                    && scenario.lines.all.count { $0.contains("its checks go on: a new process") } == 1
            }
            #expect(try await refusal("deny me", scenario).contains("mind your words"))
        }
    }

    @Test func severalAreAskedInOrderAndNoneAboutItsOwnCommands() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("second", to: scenario, "types = [\"SEND_MESSAGE\"]\npriority = 2")
        try add("first", to: scenario, "types = [\"SEND_MESSAGE\"]\npriority = 1")
        try scenario.add(
            "echo", config: "mode = \"echo\"\nuser = \"ann\"",
            "commands = [\"SEND_MESSAGE\"]\nact_as = [\"ann\"]\ntypes = [\"MESSAGE_SENT\"]")
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let event = try await event(try await submit("shout hi", scenario), scenario)
            #expect(event["checks"]?.array?.map { $0["plugin"]?.string } == ["first", "second"])
            #expect(scenario.seen("second").first?["command"]?["message"] == .string("SHOUT HI"))
            // A plugin's command is asked about like any other.
            try await wait("the echo") {
                scenario.seen("first").contains {
                    $0["command"]?["message"] == .string("echo of SHOUT HI")
                        && $0["command"]?["origin"]?["plugin"] == .string("echo")
                }
            }
        }
    }

    @Test func aHandoverLeavesNoCommandUnasked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, "types = [\"SEND_MESSAGE\"]\non_failure = \"refuse\"")
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let first = try await scenario.states(host)["filter"]?.pid
            try add("filter", to: scenario, "types = [\"SEND_MESSAGE\"]\non_failure = \"refuse\"\npriority = 7")
            try await wait("the other process") {
                #expect(try await refusal("hello", scenario) == "stored")
                let shown = try await scenario.states(host)["filter"]
                return shown?.state == "live" && shown?.pid != first
            }
            #expect(try await refusal("hello", scenario) == "stored")
            #expect(Set(scenario.seen("filter").compactMap { $0["pid"]?.int }).count == 2)
        }
    }

    @Test func aBatchKeepsItsOrderAndIsAskedAboutWhole() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, #"types = ["SEND_MESSAGE"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let texts = (0..<300).map { $0 % 3 == 0 ? "deny \($0)" : "m\($0)" }
            let outcomes = await scenario.ingest.submit(
                texts.map {
                    Ingest.Request(
                        Command(
                            .sendMessage, .sendMessage($0, messageId: nil, kind: nil, replyTo: nil),
                            channelId: "general"), actor: "ann")
                })
            let stored = zip(texts, outcomes).filter { (try? $1.get()) != nil }.map(\.0)
            #expect(stored == texts.filter { $0.hasPrefix("m") })
            try await wait("all") { scenario.messages("control") == stored }
            #expect(scenario.seen("filter").count == 300)
        }
    }

    @Test func queuesInTheCommandPhaseAreRefused() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("filter", to: scenario, config: #"queues = [{ name = "main" }]"#)
        try await scenario.run { host in
            try await wait("failed") { try await scenario.states(host)["filter"]?.state == "failed" }
            #expect(try await scenario.states(host)["filter"]?.reason.contains("there are no queues") == true)
        }
    }
}
