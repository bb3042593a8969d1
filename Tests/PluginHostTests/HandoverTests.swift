import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import PluginHost
import Testing

/// A changed manifest is handed over from one process to the next (faults.md, 32).
@Suite(.serialized) struct HandoverTests {
    /// When each process was at work, by the clock that all of the machine's processes share.
    private static func intervals(_ lines: [JSON]) -> [(start: Int64, end: Int64)] {
        let byProcess = Dictionary(grouping: lines) { $0["pid"]?.int ?? 0 }
        return byProcess.values.map { lines in
            let times = lines.compactMap { $0["at"]?.int }
            return (times.min() ?? 0, times.max() ?? 0)
        }.sorted { $0.start < $1.start }
    }

    @Test func neverAreTwoAtWorkAndNothingIsLostOrDoubled() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a", config: "tag = \"0\"\nslow = 0.002")
        try scenario.hot("control")
        let messages = (0..<400).map { "m\($0)" }
        try await scenario.run { host in
            try await scenario.waitLive(host, "a", "control")
            try await scenario.populate()
            for round in 1...4 {
                try await scenario.send(Array(messages[(round - 1) * 100..<round * 100]))
                try scenario.hot("a", config: "tag = \"\(round)\"\nslow = 0.002")
                try await wait("round \(round)") {
                    scenario.seen("a").contains { $0["kind"]?.string == "start" && $0["tag"]?.string == "\(round)" }
                }
            }
            try await wait("all of them") { scenario.texts("a").count >= 400 }
            try await wait("the control") { scenario.texts("control").count == 400 }
            #expect(try await scenario.states(host)["a"]?.restarts == 0)
            #expect(try await scenario.states(host)["control"]?.restarts == 0)
        }
        #expect(scenario.texts("a") == messages)
        #expect(scenario.seen("a").compactMap { $0["acked"]?.string } == messages)
        let intervals = Self.intervals(scenario.seen("a"))
        #expect(intervals.count == 5)
        for (one, next) in zip(intervals, intervals.dropFirst()) { #expect(one.end < next.start) }
        // Each began with what the one before it had stored last.
        for (index, line) in scenario.seen("a").enumerated() where line["kind"]?.string == "start" && index > 0 {
            let before = scenario.seen("a")[..<index].last { $0["acked"]?.string != nil }
            let position = scenario.seen("a")[..<index].last { $0["position"]?.int != nil }?["position"]?.int
            #expect(before == nil || line["queues"]?.array?.first?["state"]?["last"]?.int == position)
        }
    }

    @Test func whatTheOldOneHeldComesToTheNewOne() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a", config: "hold = true\ntag = \"old\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate(channels: ["general", "other"])
            try await scenario.send(["1"])
            try await scenario.send(["2"], to: "other")
            try await wait("both to be held") { scenario.texts("a") == ["1", "2"] }
            try scenario.hot("a", config: "tag = \"new\"")
            try await wait("both again") { scenario.messages("a") == ["1", "2", "1#2", "2#2"] }
        }
        #expect(scenario.tags("a") == ["old", "old", "new", "new"])
    }

    @Test(arguments: [
        ("exit = 3", "exit status 3"), ("needs = \"/nowhere/at/all\"", "a.toml:4: config.needs: it is not there"),
        ("exit = 75", "exit status 75"), ("silent = true", "no 'ready' within 10 s"),
    ])
    func aSuccessorThatDoesNotGetReadyIsReportedAndTheOldOneGoesOn(config: String, reason: String) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a", config: "tag = \"old\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            let pid = try await scenario.states(host)["a"]?.pid
            try scenario.hot("a", config: config)
            try await wait("the report") { try await scenario.reason(host, "a").contains(reason) }
            try await scenario.send(["1"])
            try await wait("the message") { scenario.tags("a") == ["old"] }
            let now = try await scenario.states(host)["a"]
            #expect(now?.state == "live" && now?.pid == pid && now?.restarts == 0)
            try scenario.hot("a", config: "tag = \"new\"")
            try await wait("the successor") { try await scenario.reason(host, "a").isEmpty }
            try await wait("it to be at work") { try await scenario.states(host)["a"]?.pid != pid }
            try await scenario.waitLive(host, "a")
            try await scenario.send(["2"])
            try await wait("the second") { scenario.tags("a") == ["old", "new"] }
        }
    }

    @Test func aProgramThatIsMissingIsReportedAndTheOldOneGoesOn() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a", config: "tag = \"old\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try "command = [\"./gone\"]".write(to: scenario.manifest("a"), atomically: true, encoding: .utf8)
            try await wait("the report") { try await scenario.reason(host, "a").contains("No such file") }
            #expect(try await scenario.state(host, "a") == "live")
        }
    }

    @Test func aCommandBeforeStartIsAStrikeAndNothingElse() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let keys = "types = [\"MESSAGE_SENT\"]\ncommands = [\"SEND_MESSAGE\"]\nact_as = [\"*\"]"
        try scenario.hot("a", config: "tag = \"old\"", keys)
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try scenario.hot("a", config: "tag = \"new\"\nearly = true", keys)
            try await wait("the strike") { scenario.lines.all.contains { $0.contains("'command' before 'start'") } }
            try await wait("the handover") {
                scenario.seen("a").contains { $0["kind"]?.string == "start" && $0["tag"]?.string == "new" }
            }
            try await scenario.waitLive(host, "a")
            #expect(try await host.show("a")["strikes"]?.int == 1)
            let head = try await scenario.log.head()?.position ?? 0
            #expect(try await scenario.log.count(after: 0, through: head) == 2)
        }
    }

    @Test func aConfigurationThatIsNotAnsweredIsHandedOver() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a", config: "reload = true\ntag = \"old\"")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try scenario.hot("a", config: "reload = true\ntag = \"new\"\nmute = true")
            try await wait("a new process") {
                scenario.seen("a").contains { $0["kind"]?.string == "start" && $0["tag"]?.string == "new" }
            }
            try await scenario.send(["1"])
            try await wait("the message") { scenario.tags("a") == ["new"] }
        }
        #expect(scenario.lines.all.contains { $0.contains("no 'configured' within 10 s") })
    }
}
