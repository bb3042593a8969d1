import CrowbarCore
import CrowbarSQLite
import Foundation
import Glibc
import JSONBytes
import Testing

@testable import PluginHost

@Suite(.serialized) struct HostTests {
    @Test func aPluginGetsEventsInOrderAndItsCursorFollows() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("a", config: "state = true\nraw = true", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["a"]?.state == "live" }
            try await scenario.populate(channels: ["general", "other"])
            try await scenario.send((0..<50).map { "m\($0)" })
            try await scenario.send(["\u{2028}\u{85}\0 \"}\n{ 👩‍👩‍👧"], to: "other")
            try await wait("all of them") { scenario.messages("a").count == 51 }
            #expect(scenario.messages("a").filter { $0.hasPrefix("m") } == (0..<50).map { "m\($0)" })
            try await wait("no lag") { try await scenario.states(host)["a"]?.lag == 0 }
            let shown = try #require(try await scenario.states(host)["a"])
            #expect(shown.state == "live")
            #expect(try #require(shown.pid) > 0)
        }
        // The event's bytes are the log's.
        let page = try await scenario.log.read(after: 0, limit: 1000, maxBytes: 1 << 20)
        let last = try #require(scenario.seen("a").last { $0["channel"]?.string == "other" })
        let raw = try #require(last["raw"]?.string)
        let entry = try #require(page.entries.last)
        #expect(raw.contains(String(decoding: page.json(entry), as: UTF8.self)))
        let record = try #require(try await scenario.store.queues(of: "a")["main"])
        #expect(record.cursor?.position == entry.position)
        #expect(record.cursor?.eventId == (try await scenario.log.head()?.eventId))
        #expect(record.state != nil)
    }

    @Test func aNewQueueBeginsWhereItIsToldAndHistoryIsMarked() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let door = Task.detachedIngest(scenario.ingest)
        try await scenario.populate()
        try await scenario.send(["one", "two", "three"])
        let all = try await scenario.log.read(after: 0, limit: 100, maxBytes: 1 << 20)
        door.cancel()
        await door.value
        let page = try JSONObject(parsing: all.json(all.entries[2])).string("eventId") ?? ""
        let again = try HostScenario(reopening: scenario.folder)
        try again.add("new", "start = \"now\"")
        try again.add("old", "start = \"beginning\"")
        try again.add("after", "start = \"id:\(page)\"")
        try again.add("lost", "start = \"id:nowhere\"")
        try await again.run { host in
            try await wait("live") {
                try await again.states(host).values.filter { $0.state == "live" }.count == 3
            }
            try await wait("the lost one") { try await again.states(host)["lost"]?.state == "failed" }
            #expect(try await again.states(host)["lost"]?.reason.contains("'nowhere'") == true)
            try await again.send(["four"])
            try await wait("the new one") { again.messages("new") == ["four"] }
            try await wait("the old ones") { again.messages("old") == ["one", "two", "three", "four"] }
            try await wait("those after") { again.messages("after") == ["two", "three", "four"] }
        }
        let modes = again.seen("old").compactMap { $0["mode"]?.string }
        #expect(modes == ["history", "history", "history", "history", "history", "live"])
    }

    /// A plugin asks for as many attempts as it likes, up to what its manifest allows.
    @Test(arguments: [(asked: 2, allowed: nil as Int?, made: 2), (4, 3, 3), (2, 3, 2)])
    func aManifestLimitsTheAttemptsOfQueues(_ row: (asked: Int, allowed: Int?, made: Int)) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let retry = row.allowed.map { "\n[retry]\nmax_attempts = \($0)" } ?? ""
        try scenario.add(
            "never", config: "mode = \"retry-always\"\nqueues = [{ name = \"main\", maxAttempts = \(row.asked) }]",
            "types = [\"MESSAGE_SENT\"]" + retry)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["never"]?.state == "live" }
            try await scenario.populate(channels: ["general"])
            try await scenario.send(["again"])
            try await wait("the dead letter") { try await scenario.states(host)["never"]?.deadLetters == 1 }
            let letter = try await host.deadLetters(of: "never", queue: nil).array?.first
            #expect(letter?["attempts"]?.int == Int64(row.made))
        }
        #expect(scenario.messages("never").count == row.made)
    }

    @Test func retriesComeAgainAndExhaustedOnesAreDeadLetters() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("once", config: "mode = \"retry-once\"", #"types = ["MESSAGE_SENT"]"#)
        try scenario.add(
            "never", config: "mode = \"retry-always\"", "types = [\"MESSAGE_SENT\"]\n[retry]\nmax_attempts = 3")
        try scenario.add("reject", config: "mode = \"reject\"", #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate(channels: ["general", "other"])
            try await scenario.send(["a", "again", "bad", "b"])
            try await scenario.send(["x"], to: "other")
            try await wait("the retry") { scenario.messages("once").contains("b") }
            try await wait("the dead letter") { scenario.messages("never").contains("b") }
            try await wait("the rejected") { scenario.messages("reject").contains("b") }
            try await wait("the counts") { try await scenario.states(host)["never"]?.deadLetters == 1 }
            let letters = try await host.deadLetters(of: "never", queue: nil).array ?? []
            #expect(letters.count == 1)
            #expect(letters.first?["code"]?.string == "never")
            #expect(letters.first?["attempts"]?.int == 3)
            #expect(letters.first?["message"]?.string == "no luck with this")
        }
        let general = ["a", "again", "bad", "b"]
        #expect(scenario.messages("once").filter { $0 != "x" } == ["a", "again", "again#2", "bad", "b"])
        #expect(scenario.messages("never").filter { $0 != "x" } == ["a", "again", "again#2", "again#3", "bad", "b"])
        #expect(scenario.messages("reject").filter { $0 != "x" } == general)
        #expect(scenario.messages("control").filter { $0 != "x" } == general)
        let rejected = try await scenario.store.deadLetters(of: "reject", queue: "main", limit: 10)
        #expect(rejected.map(\.code) == ["bad"])
    }

    @Test func aCrashRedeliversWhatWasOpenAndTheOthersDoNotNotice() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("crash", config: "mode = \"crash\"", #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.send(["a", "crash", "b"])
            try await wait("all") { scenario.messages("crash").last == "b" }
            #expect(try await scenario.states(host)["crash"]?.restarts == 1)
            #expect(scenario.messages("crash").filter { $0.hasPrefix("crash") } == ["crash", "crash#2"])
            #expect(scenario.messages("control") == ["a", "crash", "b"])
            #expect(try await scenario.states(host)["control"]?.restarts == 0)
        }
        #expect(scenario.lines.all.contains { $0.contains("SIGKILL") })
    }

    @Test func aHungHandlerIsKilledAfterItsDeadline() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add(
            "hang", config: "mode = \"hang-once\"", "types = [\"MESSAGE_SENT\"]\n[retry]\nack_deadline = \"300ms\"")
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["hang"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send(["hang", "b"])
            try await wait("the rest") { scenario.messages("hang") == ["hang", "hang#2", "b"] }
            #expect(try await scenario.states(host)["hang"]?.restarts == 1)
        }
    }

    @Test(arguments: [
        ("protocol", "protocol = 7", "", "it speaks protocol 7, the host speaks 1"),
        (
            "types", #"queues = [{name = "q", types = ["USER_RENAMED"]}]"#, #"types = ["MESSAGE_SENT"]"#,
            "manifest allows"
        ),
        ("channels", #"queues = [{name = "q", channels = ["*"]}]"#, #"channels = ["general"]"#, "manifest allows"),
        ("names", #"queues = [{name = "Q"}]"#, "", "no name of a queue"),
        ("twice", #"queues = [{name = "q"}, {name = "q"}]"#, "", "twice"),
        ("malformed", #"queues = "main""#, "", "malformed 'ready': 'queues' must be an array of objects"),
        (
            "strict", #"queues = [{name = "q", channel = "x"}]"#, "strict = true",
            "there is no field 'channel'; did you mean 'channels'?"
        ),
        ("order", #"queues = [{name = "q", order = "random"}]"#, "", "'order'"),
        ("fatal", "mode = \"fatal\"", "", ": config.networks[0]: unlucky (no_luck)"),
    ])
    func whatAPluginMayNotIsRefusedWithBothSidesNamed(
        name: String, config: String, keys: String, reason: String
    ) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add(name, config: config, keys)
        try scenario.add("control")
        try await scenario.run { host in
            try await wait("the refusal") { try await scenario.states(host)[name]?.state == "failed" }
            let shown = try #require(try await scenario.states(host)[name])
            #expect(shown.reason.contains(reason), "\(shown.reason)")
            try await wait("the control") { try await scenario.states(host)["control"]?.state == "live" }
        }
    }

    @Test func whatCannotBeRunFailsAtOnceWithTheReason() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        func add(_ name: String, _ text: String) throws {
            try text.write(
                to: scenario.folder.appending(path: "plugins.d/\(name).toml"), atomically: true, encoding: .utf8)
        }
        let text = scenario.folder.appending(path: "notes.txt").path
        let binary = scenario.folder.appending(path: "broken").path
        try "x".write(toFile: text, atomically: true, encoding: .utf8)
        try "\u{1}\u{2}".write(toFile: binary, atomically: true, encoding: .utf8)
        chmod(binary, 0o755)
        try add("missing", #"command = ["./nothing"]"#)
        try add("nowhere", #"command = ["no-such-program-at-all"]"#)
        try add("folder", #"command = ["/tmp"]"#)
        try add("text", "command = [\"\(text)\"]")
        try add("binary", "command = [\"\(binary)\"]")
        try add("toml", "command = [")
        try add("secret", "command = [\"/bin/cat\"]\n[config]\npassword = { env = \"NOT_SET_ANYWHERE\" }")
        try await scenario.run { host in
            try await wait("all to fail") {
                try await scenario.states(host).values.allSatisfy { $0.state == "failed" }
            }
            let states = try await scenario.states(host)
            let expected = [
                "missing": "No such file", "nowhere": "neither beside", "folder": "is a folder",
                "text": "not executable", "binary": "Exec format error", "toml": "toml.toml:1",
                "secret": "config.password: the environment variable NOT_SET_ANYWHERE is not set",
            ]
            for (name, reason) in expected {
                #expect(states[name]?.reason.contains(reason) == true, "\(name): \(states[name]?.reason ?? "")")
                #expect(states[name]?.restarts == 0, "\(name)")
            }
        }
    }
}

extension Task where Success == Void, Failure == Never {
    /// Lets a test append without a host; the test cancels it and waits for its end.
    static func detachedIngest(_ ingest: Ingest) -> Task<Void, Never> { Task { await ingest.run() } }
}
