import CrowbarCore
import CrowbarSQLite
import Foundation
import JSONBytes
import PluginHost
import Testing

/// What a plugin may do wrong without harm to itself, to the host or to the healthy plugin beside it.
@Suite(.serialized) struct FaultTests {
    private static let texts = (1...40).map { "m\($0)" }
    private static let faulty = HostScenario.plugin.replacing("/plugin.py", with: "/faulty.py")

    private func add(_ fault: String, to scenario: HostScenario, _ keys: String = "") throws {
        let text = "command = [\"\(Self.faulty)\"]\n\(keys)\n[config]\nfault = \"\(fault)\"\n"
        let file = scenario.folder.appending(path: "plugins.d/faulty.toml")
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var number: String
        var fault: String
        var strikes: ClosedRange<Int64> = 0...0
        var ignored: ClosedRange<Int64> = 0...0
        /// What the operator reads of it.
        var logged = ""
        var testDescription: String { "Fault \(number): \(fault)" }
    }

    @Test(
        "Faults 4, 5, 7, 8, 9, 18: noise, floods and nonsense cost strikes at most",
        arguments: [
            Case(number: "4", fault: "stdout-flood", logged: "log lines of this plugin were dropped"),
            Case(number: "5", fault: "stderr-flood", logged: "on standard error was dropped"),
            Case(number: "5", fault: "stderr-lines", logged: "log lines of this plugin were dropped"),
            Case(number: "7", fault: "cut-ack", strikes: 1...1),
            Case(number: "8", fault: "long-line", strikes: 1...1, logged: "at most 1048576 are taken"),
            Case(number: "9", fault: "garbage", strikes: 4...8, ignored: 0...3),
            Case(number: "18", fault: "odd-acks", ignored: 6...8),
        ])
    func harmless(fault: Case) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add(fault.fault, to: scenario, #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.send(Self.texts)
            try await wait("the healthy one") { scenario.messages("control") == Self.texts }
            try await wait("the faulty one") { try await scenario.states(host)["faulty"]?.lag == 0 }
            #expect(scenario.messages("faulty") == Self.texts)
            let states = try await scenario.states(host)
            #expect(states["faulty"]?.restarts == 0 && states["control"]?.restarts == 0)
            #expect(states["faulty"]?.deadLetters == 0)
            let shown = try await host.show("faulty")
            #expect(fault.strikes.contains(shown["strikes"]?.int ?? -1), "\(shown["strikes"]?.int ?? -1) strikes")
            #expect(fault.ignored.contains(shown["ignored"]?.int ?? -1), "\(shown["ignored"]?.int ?? -1) ignored")
        }
        #expect(fault.logged.isEmpty || scenario.lines.all.contains { $0.contains(fault.logged) })
        // A flood does not become the operator's.
        #expect(scenario.lines.all.count < 2_000)
    }

    @Test("Fault 9: a flood of offences ends the process at the twentieth", arguments: [false, true])
    func offences(isDraining: Bool) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add(isDraining ? "drain-flood" : "strike-flood", to: scenario, #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.send(Self.texts)
            if isDraining {
                try await wait("the faulty one") { scenario.messages("faulty") == Self.texts }
                _ = try await host.act(.stop, on: "faulty")
                try await wait("its end") { try await scenario.states(host)["faulty"]?.pid == nil }
            } else {
                try await wait("the restart") { try await scenario.states(host)["faulty"]?.restarts == 1 }
                try await wait("the faulty one") { try await scenario.states(host)["faulty"]?.lag == 0 }
            }
            let reason = try #require(try await host.show("faulty")["lastEnd"]?["reason"]?.string)
            #expect(reason.contains("20 offences"), "\(reason)")
            try await wait("the healthy one") { scenario.messages("control") == Self.texts }
        }
        #expect(scenario.lines.all.filter { $0.contains("protocol: ") }.count == 20)
    }

    @Test("Fault 6: nothing that a plugin says looks like a line of the host's") func forgedLines() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("forger", to: scenario, #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["faulty"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send(["hi"])
            try await wait("the dead letter") { try await scenario.states(host)["faulty"]?.deadLetters == 1 }
            try await wait("its log") { scenario.lines.all.contains { $0.contains("c\u{FFFD}2026") } }
        }
        let lines = scenario.lines.all
        for beginning in ["ready: 1", "position 3: a", "c"] {
            #expect(lines.contains { $0.contains(beginning + "\u{FFFD}") }, "\(beginning)")
        }
        let controls: Set<Unicode.Scalar> = ["\n", "\u{1B}", "\u{2028}", "\u{85}"]
        #expect(!lines.contains { $0.unicodeScalars.contains(where: controls.contains) })
    }

    @Test("Fault 10: a text with every kind of line break is one line, and the log's bytes")
    func lineBreaks() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("raw", config: "raw = true", #"types = ["MESSAGE_SENT"]"#)
        let text = "a\u{2028}b\u{2029}c\u{85}d\u{0}e\n\r😀\"}\n{\"type\":\"drain\"}"
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["raw"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send([text, "next"])
            try await wait("both") { scenario.messages("raw") == [text, "next"] }
        }
        let page = try await scenario.log.read(after: 0, limit: 10, maxBytes: 1 << 20)
        let stored = page.entries.filter { $0.type == .messageSent }
            .map { String(decoding: page.json($0), as: UTF8.self) }
        let lines = scenario.seen("raw").compactMap { $0["raw"]?.string }
        #expect(lines.count == 2)
        for (line, event) in zip(lines, stored) { #expect(line.hasSuffix("\"event\":\(event)}\n")) }
    }

    @Test(
        "Fault 12: another protocol, and more rights than the manifest gives, are refused with both sides named",
        arguments: [("protocol", "2", "1"), ("rights", "secret", "general")])
    func refused(fault: String, theirs: String, ours: String) async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add(fault, to: scenario, #"channels = ["general"]"#)
        try scenario.add("control")
        try await scenario.run { host in
            try await wait("failed") { try await scenario.states(host)["faulty"]?.state == "failed" }
            let reason = try #require(try await scenario.states(host)["faulty"]?.reason)
            #expect(reason.contains(theirs) && reason.contains(ours), "\(reason)")
            try await wait("the healthy one") { try await scenario.states(host)["control"]?.state == "live" }
        }
    }

    @Test("Fault 14: a crash loop ends after five, says why, and a start clears it") func crashLoop() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        // No jitter: the waits between the crashes are none.
        scenario.random = { 0 }
        try add("crash-loop", to: scenario)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        func starts() -> Int {
            (try? String(contentsOf: scenario.folder.appending(path: "plugins/faulty/starts"), encoding: .utf8))?.count
                ?? 0
        }
        try await scenario.run { host in
            try await wait("failed") { try await scenario.states(host)["faulty"]?.state == "failed" }
            #expect(starts() == 5)
            #expect(try await scenario.states(host)["faulty"]?.reason.contains("5 times") == true)
            try await scenario.populate()
            try await scenario.send(Self.texts)
            try await wait("the healthy one") { scenario.messages("control") == Self.texts }
            #expect(starts() == 5)
            _ = try await host.act(.start, on: "faulty")
            try await wait("five more") { starts() == 10 }
            try await wait("failed") { try await scenario.states(host)["faulty"]?.state == "failed" }
        }
    }

    @Test("Fault 3: standard input that is never read costs bounded memory and nobody's time")
    func neverRead() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("deaf-ears", to: scenario, "types = [\"MESSAGE_SENT\"]\norder = \"none\"\nwindow = 65_536")
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            let long = String(repeating: "x", count: 1_000)
            // 8 MB of lines, where 1 MiB and the pipe may wait.
            for _ in 0..<8 { try await scenario.send((1...1_000).map { "\(long) \($0)" }) }
            try await wait("the healthy one") { scenario.messages("control").count == 8_000 }
            let queue = try await host.listing().array?.first { $0["name"]?.string == "faulty" }?["queues"]?.array?
                .first
            let inFlight = try #require(queue?["inFlight"]?.int)
            #expect(inFlight > 100 && inFlight < 3_000, "\(inFlight) are out")
            // Once it listens it misses nothing.
            try Data().write(to: scenario.folder.appending(path: "plugins/faulty/listen"))
            try await wait("the one that listens now") { try await scenario.states(host)["faulty"]?.lag == 0 }
            #expect(scenario.messages("faulty").count == 8_000)
        }
    }

    @Test("Fault 3: a plugin that asks and takes no answer is read no further, and does not stay so for ever")
    func deafTalk() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        (scenario.limits.ping, scenario.limits.silence) = (500, 3_000)
        try add("deaf-talk", to: scenario, #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("the control") { try await scenario.states(host)["control"]?.state == "live" }
            try await wait("its end") { try await scenario.states(host)["faulty"]?.restarts ?? 0 > 0 }
            let reason = try #require(try await host.show("faulty")["lastEnd"]?["reason"]?.string)
            #expect(reason.contains("it took no line"), "\(reason)")
            try await scenario.populate()
            try await scenario.send(Self.texts)
            try await wait("the healthy one") { scenario.messages("control") == Self.texts }
        }
        // 64 MiB were not read while 8 MiB of answers waited.
        let talked = scenario.folder.appending(path: "plugins/faulty/talked").path
        #expect(!FileManager.default.fileExists(atPath: talked))
    }

    @Test("Fault 3: a plugin that reads only between two writes is not waited for while it writes")
    func inTurns() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let keys = "types = [\"MESSAGE_SENT\"]\ncommands = [\"SEND_MESSAGE\"]\norder = \"none\"\nwindow = 10_000"
        try scenario.add("echo", config: #"mode = "echo""#, keys)
        // More than may wait for the pipe, twice; and each of its answers is as long as what it answers.
        let long = String(repeating: "x", count: 8_000)
        let texts = (1...400).map { "\(long) \($0)" }
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["echo"]?.state == "live" }
            try await scenario.populate()
            try await scenario.admit("echo")
            try await scenario.send(texts)
            try await wait("all of it") { try await scenario.states(host)["echo"]?.lag == 0 }
            #expect(scenario.messages("echo").count == 400)
            #expect(try await scenario.states(host)["echo"]?.restarts == 0)
        }
    }

    @Test("Fault 22: a filter that matches nothing moves the cursor to the head") func nothingMatches() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("picky", #"types = ["CHANNEL_DESTROYED"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["picky"]?.state == "live" }
            try await scenario.populate()
            for _ in 0..<5 { try await scenario.send((1...1_000).map { "m\($0)" }) }
            try await wait("the cursor") { try await scenario.states(host)["picky"]?.lag == 0 }
        }
        let head = try await scenario.log.head()
        #expect(head?.position == 5_002)
        // As it was stored: a restart begins here and reads nothing again.
        #expect(try await scenario.store.queues(of: "picky")["main"]?.cursor == head)
        #expect(scenario.messages("picky").isEmpty)
    }

    @Test("Fault 33: a target that is away uses up no attempts") func uncounted() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try add("uncounted", to: scenario, "types = [\"MESSAGE_SENT\"]\n[retry]\nmax_attempts = 2")
        try scenario.add("control", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.send(["a", "b", "c"])
            try await wait("the healthy one") { scenario.messages("control") == ["a", "b", "c"] }
            try await wait("all of it") { scenario.messages("faulty").contains("c#12") }
            try await wait("the settlement") { try await scenario.states(host)["faulty"]?.lag == 0 }
            #expect(try await scenario.states(host)["faulty"]?.deadLetters == 0)
            let tries = ["a", "b", "c"].flatMap { text in (1...12).map { $0 == 1 ? text : "\(text)#\($0)" } }
            #expect(scenario.messages("faulty") == tries)
        }
    }
}
