import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import PluginHost
import Testing

/// Events that a plugin cannot take: those that kill it, those whose target is away, those that were given up on. A
/// healthy plugin beside it notices nothing.
@Suite(.serialized) struct TroubleTests {
    @Test("Fault 16: a poison event is isolated and dead-lettered, and the next ones flow") func poison() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("sick", config: #"mode = "poison""#, #"start = "beginning""#)
        try scenario.add("well", #"start = "beginning""#)
        try await scenario.run { host in
            try await scenario.populate(channels: ["general", "dev"])
            try await scenario.send((1...5).map { "a\($0)" })
            try await scenario.send(["b1", "poison", "b2"], to: "dev")
            try await scenario.send((6...9).map { "a\($0)" })
            try await wait("the dead letter") { try await scenario.states(host)["sick"]?.deadLetters == 1 }
            try await wait("what comes behind it") { scenario.messages("sick").contains { $0 == "b2" } }
            try await wait("all of it") { try await scenario.states(host)["sick"]?.lag == 0 }
            let letter = try #require(try await host.deadLetters(of: "sick", queue: nil).array?.first)
            #expect(letter["code"]?.string == "crash")
            #expect(letter["attempts"]?.int ?? 0 >= 4)
            #expect(try await scenario.states(host)["sick"]?.state == "live")
            // Each channel in its order, nothing lost.
            for (prefix, expected) in [("a", (1...9).map { "a\($0)" }), ("b", ["b1", "b2"])] {
                var seen: [String] = []
                for text in scenario.messages("sick").map({ String($0.prefix { $0 != "#" }) })
                where text.hasPrefix(prefix) && !seen.contains(text) { seen.append(text) }
                #expect(seen == expected)
            }
            #expect(scenario.messages("well").count == 12)
            #expect(try await scenario.states(host)["well"]?.restarts == 0)
        }
    }

    @Test("Fault 17: channels whose target is away are parked, and a restart brings nothing settled again")
    func parked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("far", config: "mode = \"away\"\nwait = 3_600_000", "start = \"beginning\"\nwindow = 8")
        try await scenario.run { host in
            try await scenario.populate(channels: ["general", "dev", "ops"])
            try await scenario.send(["away 1", "d2", "d3"], to: "dev")
            try await scenario.send(["away 1", "o2"], to: "ops")
            try await scenario.send((1...30).map { "g\($0)" })
            try await wait("the free channel") { scenario.messages("far").contains("g30") }
            try await wait("the cursor") { try await scenario.states(host)["far"]?.lag == 0 }
            let queue = try #require(try await host.listing().array?.first?["queues"]?.array?.first)
            #expect(queue["parked"]?.int == 2)
            #expect(queue["inFlight"]?.int == 0)
        }
        let before = scenario.messages("far")
        // The bookkeeping is as if an hour had passed: the lanes are due.
        let record = try #require(try await scenario.store.queues(of: "far")["main"])
        #expect(record.parked.map(\.lane).sorted() == ["#dev", "#ops"])
        var due = record
        for i in due.parked.indices { due.parked[i].first.due = 1 }
        try await scenario.store.save([QueueID(plugin: "far", queue: "main"): due], deadLetters: [])
        try scenario.add("far", "start = \"beginning\"\nwindow = 8")
        let again = try HostScenario(reopening: scenario.folder)
        try await again.run { host in
            try await again.send(["d4"], to: "dev")
            try await wait("both channels") {
                let seen = again.messages("far")
                return seen.contains("d4") && seen.contains("o2")
            }
            try await wait("nothing parked") {
                try await host.listing().array?.first?["queues"]?.array?.first?["parked"]?.int == 0
            }
            let after = Array(again.messages("far").dropFirst(before.count))
            #expect(after.filter { !$0.hasPrefix("o") && $0 != "away 1#2" } == ["d2", "d3", "d4"])
            #expect(after.filter { $0.hasPrefix("o") } == ["o2"])
            #expect(after.filter { $0 == "away 1#2" }.count == 2)
        }
    }

    @Test func deadLettersAreRedrivenBesideTheOrder() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("p", config: #"mode = "reject""#, #"start = "beginning""#)
        try await scenario.run { host in
            try await scenario.populate()
            try await scenario.send(["one", "bad 1", "bad 2", "two"])
            try await wait("two dead letters") { try await scenario.states(host)["p"]?.deadLetters == 2 }
            let letters = try await host.deadLetters(of: "p", queue: nil).array ?? []
            let ids = letters.compactMap { $0["eventId"]?.string }
            // What fails once more stays a dead letter.
            let first = PluginHost.Letters(plugin: "p", queue: nil, eventIds: [ids[0]])
            #expect(try await host.retry(first)["count"]?.int == 1)
            try await wait("the redrive") { scenario.seen("p").contains { $0["mode"]?.string == "redrive" } }
            try await wait("its failure") { try await scenario.store.redrives(of: "p").isEmpty }
            #expect(try await scenario.states(host)["p"]?.deadLetters == 2)
            let shown = try await host.show(first).array?.first
            #expect(shown?["event"]?["message"]?.string == "bad 1")
            // The plugin is mended: both go through.
            try scenario.add("p", config: #"mode = "fixed""#, #"start = "beginning""#)
            _ = try host.reload()
            try await wait("the mended one") { scenario.seen("p").filter { $0["type"]?.string == "start" }.count == 2 }
            let cursor = try await host.cursors(of: "p", queue: nil)
            let all = PluginHost.Letters(plugin: "p", queue: "main", eventIds: nil)
            #expect(try await host.retry(all)["count"]?.int == 2)
            try await wait("no dead letter") { try await scenario.states(host)["p"]?.deadLetters == 0 }
            let redriven = scenario.seen("p").filter { $0["mode"]?.string == "redrive" }
            #expect(redriven.compactMap { $0["message"]?.string } == ["bad 1", "bad 1", "bad 2"])
            #expect(redriven.allSatisfy { $0["attempt"]?.int == 1 })
            #expect(try await host.cursors(of: "p", queue: nil) == cursor)
            await #expect(throws: ControlRefusal.noDeadLetter("p", ids[0])) { try await host.drop(first) }
        }
    }

    @Test func aPluginChangesItsQueuesWhileItRuns() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let queues = #"queues = [{ name = "a", channels = ["general"] }, { name = "b", channels = ["dev"] }]"#
        try scenario.add("p", config: "mode = \"swap\"\n\(queues)", #"start = "beginning""#)
        func seen(_ queue: String) -> [String] {
            scenario.seen("p").filter { $0["queue"]?.string == queue }.compactMap { $0["message"]?.string }
        }
        try await scenario.run { host in
            try await scenario.populate(channels: ["general", "dev"])
            try await scenario.send(["g1"])
            try await scenario.send(["d1"], to: "dev")
            try await wait("both queues") { seen("a") == ["g1"] && seen("b") == ["d1"] }
            // One goes, one comes, one stays.
            try await scenario.send([#"swap [{"name":"a","channels":["general"]},{"name":"c","start":"beginning"}]"#])
            try await wait("the new one") { seen("c").count == 3 }
            let starts = scenario.seen("p").filter { $0["type"]?.string == "start" }
            #expect(starts.last?["queues"]?.array?.compactMap { $0["name"]?.string } == ["c"])
            try await scenario.send(["d2"], to: "dev")
            try await scenario.send(["g2"])
            try await wait("those that are there") { seen("c").contains("g2") && seen("a").contains("g2") }
            #expect(seen("b") == ["d1"])
            let records = try await scenario.store.queues(of: "p")
            #expect(records["b"]?.droppedAt != nil && records["a"]?.droppedAt == nil)
            // It comes back within the week and goes on where it stood.
            try await scenario.send([#"swap [{"name":"a","channels":["general"]},{"name":"b","channels":["dev"]}]"#])
            try await wait("the one that came back") { seen("b") == ["d1", "d2"] }
            #expect(try await scenario.store.queues(of: "p")["b"]?.droppedAt == nil)
        }
    }

    @Test func moreStateThanALineHoldsComesInSeveral() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let names = (10..<27).map { "q\($0)" }
        let queues = names.map { #"{ name = "\#($0)" }"# }.joined(separator: ", ")
        try scenario.add("p", config: "queues = [\(queues)]")
        let state = JSON.string(String(repeating: "s", count: 65_534))
        let record = QueueRecord(cursor: nil, bornAt: 0, state: state.bytes)
        let records = names.map { (QueueID(plugin: "p", queue: $0), record) }
        try await scenario.store.save(Dictionary(uniqueKeysWithValues: records), deadLetters: [])
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["p"]?.state == "live" }
            func starts() -> [[JSON]] {
                scenario.seen("p").filter { $0["type"]?.string == "start" }.compactMap { $0["queues"]?.array }
            }
            try await wait("all of it") { starts().joined().count == names.count }
            #expect(starts().map(\.count) == [15, 2])
            #expect(starts().joined().compactMap { $0["name"]?.string } == names)
            #expect(starts().joined().allSatisfy { $0["state"] == state })
        }
    }

    @Test func aQueueThatIsNotNamedAnyMoreIsKeptForAWeek() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let both = #"queues = [{ name = "a" }, { name = "b" }]"#
        let one = #"queues = [{ name = "a" }]"#
        func cursors(after milliseconds: Int64) async throws -> [String] {
            scenario.jump.set(milliseconds)
            let again = try HostScenario(reopening: scenario.folder)
            again.jump.set(milliseconds)
            var names: [String] = []
            try await again.run { host in
                try await wait("it to be live") { try await again.states(host)["p"]?.state == "live" }
                // The purge is the first thing that a host does; a queue that is old goes at that.
                if milliseconds > 7 * day {
                    try await wait("its end") { try await again.store.queues(of: "p")["b"] == nil }
                }
                names = try await again.store.queues(of: "p").keys.sorted()
            }
            return names
        }
        let day: Int64 = 24 * 60 * 60 * 1000
        try scenario.add("p", config: both, #"start = "beginning""#)
        try await scenario.run { host in
            try await wait("it to be live") { try await scenario.states(host)["p"]?.state == "live" }
            try await scenario.populate()
            try await wait("a cursor") { try await scenario.store.queues(of: "p")["b"]?.cursor != nil }
        }
        try scenario.add("p", config: one, #"start = "beginning""#)
        #expect(try await cursors(after: 0) == ["a", "b"])
        #expect(try await cursors(after: 7 * day - 60_000) == ["a", "b"])
        #expect(try await cursors(after: 7 * day + 60_000) == ["a"])
    }
}
