import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import PluginHost
import Testing

/// What the operator does to plugins that run.
@Suite(.serialized) struct ControlTests {
    @Test func aStoppedPluginStaysDownUntilStartAndMissesNothing() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        try scenario.hot("control")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a", "control")
            try await scenario.populate()
            try await scenario.send(["one"])
            try await wait("the first") { scenario.texts("a") == ["one"] }
            let answer = try await host.act(.stop, on: "a")
            #expect(["draining", "stopped"].contains(answer["state"]?.string ?? ""))
            try await wait("the stop") { try await scenario.state(host, "a") == "stopped" }
            #expect(try await scenario.reason(host, "a") == "stopped by the operator")
            #expect(try await scenario.states(host)["a"]?.pid == nil)
            try await scenario.send(["two"])
            // A change of its manifest is no start.
            try scenario.hot("a", config: "tag = \"new\"")
            _ = try host.reload()
            try await wait("the control") { scenario.texts("control") == ["one", "two"] }
            #expect(try await scenario.state(host, "a") == "stopped")
            #expect(scenario.texts("a") == ["one"])
            _ = try await host.act(.start, on: "a")
            try await wait("the rest") { scenario.texts("a") == ["one", "two"] }
            #expect(scenario.tags("a") == ["", "new"])
            try await scenario.waitLive(host, "a")
            _ = try await host.act(.start, on: "a")
            #expect(try await scenario.state(host, "a") == "live")
        }
        #expect(scenario.seen("a").filter { $0["kind"]?.string == "start" }.count == 2)
    }

    @Test func aRestartIsAnotherProcessAndNothingComesTwice() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try await scenario.send(["one"])
            try await wait("the first") { scenario.texts("a") == ["one"] }
            let pid = try await scenario.states(host)["a"]?.pid
            _ = try await host.act(.restart, on: "a")
            try await wait("another process") {
                let now = try await scenario.states(host)["a"]
                return now?.state == "live" && now?.pid != pid
            }
            try await scenario.send(["two"])
            try await wait("the second") { scenario.texts("a") == ["one", "two"] }
            #expect(try await scenario.states(host)["a"]?.restarts == 0)
        }
    }

    @Test func aPausedPluginKeepsItsProcessAndItsTime() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let keys = "types = [\"MESSAGE_SENT\"]\n[retry]\nack_deadline = \"300ms\""
        try scenario.hot("a", config: "hold = true", keys)
        try scenario.hot("control")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a", "control")
            try await scenario.populate(channels: ["general", "other"])
            try await scenario.send(["held"])
            try await wait("it to be held") { scenario.texts("a") == ["held"] }
            #expect(try await host.act(.pause, on: "a")["state"]?.string == "paused")
            try await wait("the hold to be noted") { scenario.lines.all.contains { $0.contains("paused by the op") } }
            let pid = try await scenario.states(host)["a"]?.pid
            try await scenario.send(["more"], to: "other")
            try await wait("the control") { scenario.texts("control") == ["held", "more"] }
            // Nothing is to happen well over its deadline.
            try await Task.sleep(for: .milliseconds(900))
            let paused = try await scenario.states(host)["a"]
            #expect(paused?.state == "paused" && paused?.pid == pid && paused?.restarts == 0)
            #expect(scenario.texts("a") == ["held"])
            _ = try await host.act(.resume, on: "a")
            try await wait("the other") { scenario.texts("a").contains("more") }
            // Now its time runs again.
            try await wait("the kill") { try await scenario.states(host)["a"]?.restarts ?? 0 > 0 }
        }
    }

    @Test func aBadConfigurationStaysDownUntilItChangesOrIsStarted() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let needed = scenario.folder.appending(path: "needed").path
        try scenario.hot("a", config: "needs = \"\(needed)\"")
        try scenario.hot("b", config: "exit = 78")
        try await scenario.run { host in
            for name in ["a", "b"] {
                try await wait("\(name) to fail") { try await scenario.state(host, name) == "failed" }
            }
            #expect(try await scenario.reason(host, "a").contains("a.toml:4: config.needs: it is not there"))
            await #expect(throws: ControlRefusal.notRunning("a")) { try await host.act(.pause, on: "a") }
            _ = FileManager.default.createFile(atPath: needed, contents: nil)
            #expect(try await scenario.state(host, "a") == "failed")
            _ = try await host.act(.start, on: "a")
            try await scenario.waitLive(host, "a")
            try scenario.hot("b", config: "tag = \"good\"")
            try await scenario.waitLive(host, "b")
        }
    }

    @Test func wishesThatCannotBeAreRefusedWithTheReason() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("off", "enabled = false")
        try "command = [".write(to: scenario.manifest("broken"), atomically: true, encoding: .utf8)
        try scenario.hot("a")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            await #expect(throws: ControlRefusal.unknown("nobody")) { try await host.act(.start, on: "nobody") }
            await #expect(throws: ControlRefusal.notEnabled(scenario.manifest("off").path)) {
                try await host.act(.start, on: "off")
            }
            await #expect(throws: ControlRefusal.self) { try await host.act(.start, on: "broken") }
            await #expect(throws: ControlRefusal.running("a")) { try await host.forget("a", isConfirmed: true) }
            await #expect(throws: ControlRefusal.noQueue(plugin: "a", queue: "x", known: ["main"])) {
                try await host.setCursor(of: "a", queue: "x", to: .beginning)
            }
            await #expect(throws: ControlRefusal.noEvent("none")) {
                try await host.setCursor(of: "a", queue: nil, to: .after(eventId: "none"))
            }
            await #expect(throws: ControlRefusal.noQueues("off")) {
                try await host.setCursor(of: "off", queue: nil, to: .beginning)
            }
        }
    }

    @Test func showAndLogsTellWhatTheHostKnows() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.variables["CONTROL_SECRET"] = "squeamish"
        try scenario.hot(
            "a", config: "print = { env = \"CONTROL_SECRET\" }", "types = [\"MESSAGE_SENT\"]\nwindow = 7")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            let shown = try await host.show("a")
            #expect(shown["state"]?.string == "live" && shown["version"]?.string == "2")
            #expect(shown["manifest"]?["window"]?.int == 7)
            #expect(shown["manifest"]?["types"]?.array?.first?.string == "MESSAGE_SENT")
            #expect(shown["queues"]?.array?.first?["name"]?.string == "main")
            #expect(!String(decoding: shown.bytes, as: UTF8.self).contains("squeamish"))
            try await wait("its line") {
                try await host.logs(of: "a", after: 0, limit: 10).array?.contains { $0["source"]?.string == "stderr" }
                    ?? false
            }
            let lines = try await host.logs(of: "a", after: 0, limit: 10).array ?? []
            #expect(lines.first { $0["source"]?.string == "stderr" }?["text"]?.string == "***")
            let last = try #require(lines.last?["number"]?.int)
            #expect(try await host.logs(of: "a", after: last, limit: 10).array?.isEmpty == true)
            #expect(try await host.logs(of: "a", after: 0, limit: 1).array?.count == 1)
        }
    }

    @Test func aPluginThatDoesNotGoKeepsNobodyWaiting() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("deaf", config: "mode = \"deaf\"", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await scenario.waitLive(host, "deaf")
            let pid = try await scenario.states(host)["deaf"]?.pid
            #expect(try await host.act(.stop, on: "deaf")["state"]?.string == "draining")
            #expect(try await host.act(.restart, on: "deaf")["state"]?.string == "draining")
            #expect(try await host.setCursor(of: "deaf", queue: nil, to: .now)["state"]?.string == "draining")
            #expect(try await host.show("deaf")["pid"]?.int == pid)
            #expect(try await host.logs(of: "deaf", after: 0, limit: 10).array?.isEmpty == false)
            // It is killed after 17 s, and what was wanted last comes then.
            try await wait("another process") {
                let now = try await scenario.states(host)["deaf"]
                return now?.state == "live" && now?.pid != pid
            }
            // Its end need not take as long once more.
            let next = try #require(try await scenario.states(host)["deaf"]?.pid)
            #expect(next > 1 && kill(pid_t(next), SIGKILL) == 0)
        }
    }

    @Test func aCursorIsSetOnARunningPluginAndItsStateStays() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        try scenario.hot("control")
        try await scenario.run { host in
            try await scenario.waitLive(host, "a", "control")
            try await scenario.populate()
            try await scenario.send(["1", "2", "3"])
            try await wait("all") { scenario.texts("a") == ["1", "2", "3"] }
            let position = try #require(scenario.seen("a").last { $0["position"] != nil }?["position"]?.int)
            // Before what was settled last is stored, the process must not be gone for good.
            try await wait("the cursor") {
                try await scenario.store.queues(of: "a")["main"]?.cursor?.position == position
            }
            _ = try await host.setCursor(of: "a", queue: nil, to: .beginning)
            try await wait("all again") { scenario.texts("a") == ["1", "2", "3", "1", "2", "3"] }
            let start = scenario.seen("a").last { $0["kind"]?.string == "start" }
            #expect(start?["queues"]?.array?.first?["cursor"] == .null)
            #expect(start?["queues"]?.array?.first?["state"]?["last"]?.int == position)
            // One that is down stays so, and goes on from there when it is started.
            _ = try await host.act(.stop, on: "a")
            try await wait("the stop") { try await scenario.state(host, "a") == "stopped" }
            let second = try await scenario.log.read(after: position - 2, limit: 1, maxBytes: 1 << 20)
            let event = try JSONObject(parsing: second.json(second.entries[0])).string("eventId") ?? ""
            _ = try await host.setCursor(of: "a", queue: "main", to: .after(eventId: event))
            try await wait("the cursor") {
                try await scenario.store.queues(of: "a")["main"]?.cursor?.eventId == event
            }
            #expect(try await scenario.state(host, "a") == "stopped")
            _ = try await host.act(.start, on: "a")
            try await wait("the third") { scenario.texts("a").count == 7 }
            #expect(scenario.texts("a").last == "3")
            #expect(try await scenario.states(host)["a"]?.restarts == 0)
        }
        #expect(scenario.texts("control") == ["1", "2", "3"])
    }

    @Test func aSetCursorDropsRetriesAndClearsDiverged() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        let id = QueueID(plugin: "a", queue: "main")
        let retry = QueueRecord.Retry(
            position: 7, deliveries: 3, counted: 3, due: 0, code: "x", message: "y", first: 0)
        let record = QueueRecord(
            cursor: LogEntryID(position: 5, eventId: "of-another-log"), bornAt: 4, settled: [9...10], retries: [retry],
            state: Array(#"{"last":1}"#.utf8))
        let letter = DeadLetter(
            id: id, entry: LogEntryID(position: 2, eventId: "e2"), code: "gone", message: "", attempts: 1, first: 1,
            last: 1)
        try await scenario.store.save([id: record], deadLetters: [letter])
        try await scenario.run { host in
            try await wait("it to be diverged") { try await scenario.state(host, "a") == "diverged" }
            try await scenario.populate()
            try await scenario.send(["1"])
            _ = try await host.setCursor(of: "a", queue: nil, to: .beginning)
            try await wait("the message") { scenario.texts("a") == ["1"] }
            try await scenario.waitLive(host, "a")
            let now = try await scenario.store.queues(of: "a")["main"]
            #expect(now?.bornAt == 4 && now?.retries == [] && now?.settled == [])
            #expect(try await scenario.store.deadLetters(of: "a", queue: nil, limit: 9).count == 1)
        }
        let start = scenario.seen("a").first { $0["kind"]?.string == "start" }
        #expect(start?["queues"]?.array?.first?["state"]?["last"]?.int == 1)
    }

    @Test func whatIsForgottenIsGoneAndNothingIsLostUnasked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.hot("a")
        let old = QueueID(plugin: "old", queue: "main")
        try await scenario.store.save([old: QueueRecord(cursor: nil, bornAt: 0)], deadLetters: [])
        try await scenario.run { host in
            try await scenario.waitLive(host, "a")
            try await scenario.populate()
            try await scenario.send(["1"])
            try await wait("the message") { scenario.texts("a") == ["1"] }
            // One that only left its queues behind is listed, so that it can be found.
            #expect(try await scenario.states(host)["old"]?.state == "stopped")
            await #expect(throws: ControlRefusal.unconfirmed("1 queue")) {
                try await host.forget("old", isConfirmed: false)
            }
            #expect(try await host.forget("old", isConfirmed: true)["queues"]?.int == 1)
            try await wait("it to be gone") { try await scenario.states(host)["old"] == nil }
            await #expect(throws: ControlRefusal.unknown("old")) { try await host.forget("old", isConfirmed: true) }
            // And may come at once, as a new one.
            try scenario.hot("old", config: "tag = \"anew\"")
            _ = try host.reload()
            try await scenario.waitLive(host, "old")
            // One with a manifest stays in the list and begins anew.
            _ = try await host.act(.stop, on: "a")
            try await wait("the stop") { try await scenario.state(host, "a") == "stopped" }
            await #expect(throws: ControlRefusal.self) { try await host.forget("a", isConfirmed: false) }
            _ = try await host.forget("a", isConfirmed: true)
            #expect(try await scenario.store.plugins() == ["old"])
            #expect(scenario.seen("a").isEmpty)
            #expect(try await host.show("a")["queues"]?.array?.isEmpty == true)
            #expect(try await scenario.state(host, "a") == "stopped")
            _ = try await host.act(.start, on: "a")
            try await scenario.waitLive(host, "a")
            try await scenario.send(["2"])
            try await wait("only the new one") { scenario.texts("a") == ["2"] }
        }
    }
}
