import CrowbarCore
import CrowbarSQLite
import Foundation
import PluginHost
import Testing

/// Faults of time and of number: silence, jumping clocks, long histories, many plugins.
@Suite(.serialized) struct TimeTests {
    private static let only = #"types = ["MESSAGE_SENT"]"#

    private func live(_ scenario: HostScenario, _ host: PluginHost) async throws {
        try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
    }

    @Test("Fault 2: a process that was stopped is killed for its silence, and nobody waits for it")
    func stopped() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.limits.ping = 200
        scenario.limits.silence = 1_000
        scenario.limits.look = 50
        try scenario.add("frozen", Self.only)
        try scenario.add("control", Self.only)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            try await scenario.send(["before"])
            try await wait("both") { scenario.messages("frozen") == ["before"] }
            let pid = try #require(try await scenario.states(host)["frozen"]?.pid)
            kill(pid_t(pid), SIGSTOP)
            let texts = (0..<2_000).map { "m\($0) " + String(repeating: "x", count: 1_000) }
            try await scenario.send(texts)
            try await wait("the control") { scenario.messages("control") == ["before"] + texts }
            try await wait("its successor") { scenario.messages("frozen").count >= 2_001 }
            let shown = try await scenario.states(host)
            #expect(shown["frozen"]?.restarts == 1 && shown["control"]?.restarts == 0)
            #expect(scenario.lines.all.contains { $0.contains("not a byte for 1 s: it hangs") })
            // In order, none missing; what was out at the kill may come twice.
            let plain = scenario.messages("frozen").map { $0.split(separator: "#")[0] }
            #expect(plain.filter { $0 == "before" }.count == 1 && Set(plain).count == 2_001)
        }
    }

    @Test("Fault 29: a clock that jumps an hour makes no retry early or late, and kills nobody", arguments: [1, -1])
    func jumpingClock(direction: Int64) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let waitMs: Int64 = 1_200
        try scenario.add(
            "late", config: "mode = \"away\"\nwait = \(waitMs)", Self.only + "\n[retry]\nmax_attempts = 1000")
        try scenario.add("control", Self.only)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            let start = ContinuousClock.now
            try await scenario.send(["away 1", "next"])
            try await wait("the first try") { scenario.messages("late") == ["away 1"] }
            scenario.jump.set(direction * 3_600_000)
            // A restart reads what was stored by the clock of the day before the jump.
            let pid = try #require(try await scenario.states(host)["late"]?.pid)
            try await wait("the save") {
                try await scenario.store.queues(of: "late")["main"]?.retries.isEmpty == false
            }
            kill(pid_t(pid), SIGKILL)
            try await wait("the second try") { scenario.messages("late").contains("away 1#2") }
            #expect(ContinuousClock.now - start >= .milliseconds(waitMs))
            try await wait("the control") { scenario.messages("control") == ["away 1", "next"] }
            let shown = try await scenario.states(host)
            #expect(shown["late"]?.restarts == 1 && shown["control"]?.restarts == 0)
            #expect(shown["late"]?.deadLetters == 0)
        }
    }

    @Test("Fault 29: a clock that was set over a restart of the host parks no channel for longer", arguments: [1, -1])
    func jumpOverARestart(direction: Int64) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("far", config: "mode = \"away\"\nwait = 3_600_000", "start = \"beginning\"")
        let id = QueueID(plugin: "far", queue: "main")
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            try await scenario.send(["away 1", "next"])
            try await wait("the parked channel") {
                try await scenario.store.queues(of: "far")["main"]?.parked.isEmpty == false
            }
        }
        var record = try #require(try await scenario.store.queues(of: "far")["main"])
        // Nearly all of its hour has passed; then the clock is set.
        let savedAt = try #require(record.savedAt)
        record.parked[0].first.due = savedAt + 200
        try await scenario.store.save([id: record], deadLetters: [])
        try scenario.add("far", "start = \"beginning\"")
        let again = try HostScenario(reopening: scenario.folder)
        again.jump.set(direction * 86_400_000)
        try await again.run { _ in
            try await wait("the next try") { again.messages("far").suffix(2) == ["away 1#2", "next"] }
        }
    }

    @Test("Fault 24: a history is caught up over a crash while others stay current") func history() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("control", Self.only)
        try await scenario.run { host in
            try await live(scenario, host)
            try await scenario.populate()
            var texts: [String] = []
            for part in 0..<20 {
                let more = (0..<1_000).map { "m\(part * 1_000 + $0)" }
                try await scenario.send(more)
                texts += more
            }
            try scenario.add("late", Self.only + "\nstart = \"beginning\"")
            try await wait("some of it") { scenario.messages("late").count > 2_000 }
            let pid = try #require(try await scenario.states(host)["late"]?.pid)
            kill(pid_t(pid), SIGKILL)
            try await scenario.send(["now"])
            texts.append("now")
            try await wait("the control") { scenario.messages("control").last == "now" }
            try await wait("the whole history") {
                scenario.messages("late").contains { $0.hasPrefix("now") }
            }
            var seen: Set<Substring> = []
            let first = scenario.messages("late").map { $0.split(separator: "#")[0] }.filter {
                seen.insert($0).inserted
            }
            #expect(first.map(String.init) == texts)
            #expect(scenario.messages("late").count - texts.count <= 256 + 2_000)
            #expect(scenario.messages("control") == texts)
        }
    }

    @Test("Fault 31: many plugins cost a few descriptors each and no thread that stays") func many() async throws {
        // What is not a pipe or a process is opened once as it is needed: the log's readers, the pools' pollers.
        func descriptors() -> Int {
            let folder = "/proc/self/fd/"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.count { name in
                let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: folder + name)) ?? ""
                return target.hasPrefix("pipe:") || target.contains("pidfd")
            }
        }
        func threads() -> Int {
            (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? .max
        }
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let plugins = 30
        for number in 0..<plugins { try scenario.add("p\(number)", Self.only) }
        let before = descriptors()
        try await scenario.run { host in
            try await wait("all") {
                try await scenario.states(host).values.allSatisfy { $0.state == "live" }
            }
            let with = descriptors()
            #expect(with - before >= plugins * 3 && with - before <= plugins * 5 + 10, "\(before) \(with)")
            // Threads are those of the pools, whatever the number of plugins.
            #expect(threads() <= 64)
        }
        try await wait("the descriptors") { descriptors() <= before }
    }
}
