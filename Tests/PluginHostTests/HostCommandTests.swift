import CrowbarCore
import CrowbarSQLite
import Foundation
import Glibc
import JSONBytes
import Testing

@testable import PluginHost

@Suite(.serialized) struct HostCommandTests {
    private static let echo = "types = [\"MESSAGE_SENT\"]\ncommands = [\"SEND_MESSAGE\"]"

    private func events(_ scenario: HostScenario) async throws -> [JSONObject] {
        let page = try await scenario.log.read(after: 0, limit: 10_000, maxBytes: 16 << 20)
        return try page.entries.map { try JSONObject(parsing: page.json($0)) }
    }

    @Test func anEmittedCommandBecomesAnEventWithItsOriginAndIsNotEchoed() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("echo", config: "mode = \"echo\"", Self.echo)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["echo"]?.state == "live" }
            try await scenario.populate()
            try await scenario.admit("echo")
            try await scenario.send(["one", "two"])
            try await wait("the answers") { scenario.seen("echo").filter { $0["type"]?.string == "result" }.count == 2 }
            try await wait("no lag") { try await scenario.states(host)["echo"]?.lag == 0 }
        }
        // Its own events were not delivered to it, or it would have answered them too.
        #expect(scenario.messages("echo") == ["one", "two"])
        let echoes = try await events(scenario).filter {
            $0.string("userId") == "echo/bot" && $0.string("message") != nil
        }
        #expect(echoes.compactMap { $0.string("message") } == ["echo of one", "echo of two"])
        #expect(echoes.first?.object("origin")?.string("plugin") == "echo")
        #expect(echoes.first?.object("origin")?.string("ref") == "test")
        // A version 8 UUID, derived from the cause.
        #expect(echoes.allSatisfy { $0.string("eventId")?.dropFirst(14).first == "8" })
    }

    @Test func aCommandEmittedBeforeACrashIsOneEvent() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("echo", config: "mode = \"echo-crash\"", Self.echo)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["echo"]?.state == "live" }
            try await scenario.populate()
            try await scenario.admit("echo")
            try await scenario.send(["one"])
            try await wait("the second delivery") { scenario.messages("echo") == ["one", "one#2"] }
            try await wait("no lag") { try await scenario.states(host)["echo"]?.lag == 0 }
        }
        let results = scenario.seen("echo").filter { $0["type"]?.string == "result" }
        #expect(results.last?["duplicate"]?.bool == true)
        let echoes = try await events(scenario).filter { $0.string("message") == "echo of one" }
        #expect(echoes.count == 1)
    }

    @Test func anotherCommandUnderAKeyIsRefusedAndTheSameOneIsADuplicate() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("echo", config: "mode = \"keyed\"", Self.echo)
        func results() -> [JSON] { scenario.seen("echo").filter { $0["type"]?.string == "result" } }
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["echo"]?.state == "live" }
            try await scenario.populate()
            try await scenario.admit("echo")
            try await scenario.send(["one", "two", "one"])
            try await wait("the answers") { results().count == 3 }
            try await wait("no lag") { try await scenario.states(host)["echo"]?.lag == 0 }
        }
        #expect(results().map { $0["duplicate"]?.bool } == [false, nil, true])
        #expect(results()[1]["error"]?["code"]?.string == "event_id_conflict")
        #expect(results()[1]["error"]?["message"]?.string?.contains("'the key'") == true)
        let echoes = try await events(scenario).compactMap { $0.string("message") }.filter { $0.hasPrefix("echo") }
        #expect(echoes == ["echo of one"])
    }

    @Test func aPluginIsToldOfAnAckThatIsRefusedAndSoIsTheOperator() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("large", config: "mode = \"oversized\"", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["large"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send(["one"])
            try await wait("the second ack") { try await scenario.states(host)["large"]?.lag == 0 }
            try await wait("the reason") {
                try await scenario.states(host)["large"]?.reason
                    == "rejected 'ack' message: a state of 70002 bytes; at most 65536 are kept; nothing is settled"
            }
            #expect(try await scenario.states(host)["large"]?.restarts == 0)
        }
        let told = scenario.seen("large").filter { $0["type"]?.string == "error" }
        #expect(told.count == 1 && told[0]["message"]?.string == "ack" && told[0]["delivery"]?.int == 1)
        #expect(told[0]["reason"]?.string?.contains("at most 65536") == true)
    }

    @Test func twoPluginsThatAnswerEachOtherAreStopped() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("a", config: "mode = \"echo\"", Self.echo)
        try scenario.add("b", config: "mode = \"echo\"", Self.echo)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.admit("a")
            try await scenario.admit("b")
            try await scenario.send(["hi"])
            try await wait("the refusal") {
                (scenario.seen("a") + scenario.seen("b")).contains { $0["error"]?["code"]?.string == "loop" }
            }
            try await wait("rest") { try await scenario.states(host).values.allSatisfy { $0.lag == 0 } }
        }
        let echoes = try await events(scenario).compactMap { $0.string("message") }.filter { $0.hasPrefix("echo") }
        #expect(echoes.map { $0.components(separatedBy: "echo of").count - 1 }.max() == 16)
    }

    @Test func whatTheManifestDoesNotAllowIsRefused() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("none", config: "mode = \"echo\"", #"types = ["MESSAGE_SENT"]"#)
        try scenario.add("other", config: "mode = \"echo\"\nuser = \"ann\"", Self.echo)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host).values.allSatisfy { $0.state == "live" } }
            try await scenario.populate()
            try await scenario.send(["hi"])
            for name in ["none", "other"] {
                try await wait("the refusal of \(name)") {
                    scenario.seen(name).contains { $0["error"]?["code"]?.string == "forbidden" }
                }
            }
        }
        #expect(try await events(scenario).filter { $0.string("message") != nil }.count == 1)
    }

    @Test func noiseIsLoggedStruckAndMaskedAndHarmsNothing() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.variables["CROWBAR_TEST_SECRET"] = "hunter2-hunter2"
        try scenario.add("noisy", config: "mode = \"noisy\"\nsecret = { env = \"CROWBAR_TEST_SECRET\" }")
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["noisy"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send(["hi"])
            try await wait("the event") { scenario.messages("noisy") == ["hi"] }
            try await wait("its words") { scenario.lines.all.contains { $0.contains("secret is ***") } }
            try await wait("its status") { try await host.listing().array?.first?["status"] != nil }
            let status = try await host.listing().array?.first?["status"]
            #expect(status?["message"]?.string == "I know ***")
            #expect(status?["details"]?["secret"]?.string == "***")
            #expect(status?["details"]?["n"]?.int == 1)
        }
        let lines = scenario.lines.all
        #expect(lines.contains { $0.contains("hello from a library") && $0.contains("stdout") })
        #expect(lines.filter { $0.contains("protocol: ") }.count == 2)
        #expect(!lines.contains { $0.contains("hunter2") })
    }

    @Test("Fault 30: a secret is masked wherever and however a plugin tells it") func leaks() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        scenario.variables["CROWBAR_TEST_WORD"] = #"p"w0rd\secret"#
        scenario.variables["CROWBAR_TEST_PLAIN"] = "plain-secret-of-a-test"
        let pem = "-----BEGIN KEY-----\nFIRSTSECRETLINE\nSECONDSECRETLINE\n-----END KEY-----\n"
        for (name, text) in [("key.pem", pem), ("token", "token-with-a-break\r\n")] {
            try text.write(to: scenario.folder.appending(path: name), atomically: true, encoding: .utf8)
        }
        let config = """
            mode = "leaky"
            word = { env = "CROWBAR_TEST_WORD" }
            plain = { env = "CROWBAR_TEST_PLAIN" }
            pem = { file = "../key.pem" }
            token = { file = "../token" }
            """
        try scenario.add("leaky", config: config, #"types = ["MESSAGE_SENT"]"#)
        var told: [JSON] = []
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["leaky"]?.state == "live" }
            try await scenario.populate()
            try await scenario.send(["reject", "retry"])
            try await wait("the dead letters") { try await scenario.states(host)["leaky"]?.deadLetters == 2 }
            try await wait("its words") { scenario.lines.all.filter { $0.contains("stderr") }.count == 6 }
            try await wait("its status") { try await scenario.states(host)["leaky"]?.status?.hasPrefix("yyy") == true }
            told = [
                try await host.listing(), try await host.show("leaky"),
                try await host.deadLetters(of: "leaky", queue: nil),
                try await host.logs(of: "leaky", after: 0, limit: 1_000),
            ]
        }
        // The break that an editor left is no part of it.
        #expect(scenario.seen("leaky").compactMap { $0["token"]?.string } == ["token-with-a-break"])
        let shown = scenario.lines.all + told.map { String(decoding: $0.bytes, as: UTF8.self) }
        for secret in ["w0rd", "plain-s", "SECRETLINE", "token-with"] {
            #expect(!shown.contains { $0.contains(secret) }, "\(secret)")
        }
        #expect(told[0].array?.first?["status"]?["details"]?["word"]?.string == "***")
        #expect(told[2].array?.allSatisfy { $0["code"]?.string == "***" && $0["message"]?.string == "***" } == true)
    }

    @Test func nothingThatAPluginStartsSurvivesIt() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("daemon", config: "mode = \"daemon\"")
        var daemon: pid_t = 0
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["daemon"]?.state == "live" }
            let noted = scenario.seen("daemon").compactMap { $0["daemon"]?.int }
            daemon = pid_t(try #require(noted.first))
            #expect(kill(daemon, 0) == 0)
            let pid = pid_t(try #require(try await scenario.states(host)["daemon"]?.pid))
            kill(pid, SIGKILL)
            try await wait("its end") { kill(daemon, 0) != 0 }
            try await wait("the restart") { try await scenario.states(host)["daemon"]?.restarts == 1 }
            try await wait("life") { try await scenario.states(host)["daemon"]?.state == "live" }
        }
        let all = scenario.seen("daemon").compactMap { $0["daemon"]?.int }
        #expect(all.count == 2)
        #expect(all.allSatisfy { kill(pid_t($0), 0) != 0 })
    }

    @Test func aLogThatIsNotTheOneTheCursorIsOfStopsDelivery() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("a", "start = \"beginning\"")
        try await scenario.run { host in
            try await scenario.populate()
            try await scenario.send(["one"])
            try await wait("the event") { scenario.messages("a") == ["one"] }
            try await wait("no lag") { try await scenario.states(host)["a"]?.lag == 0 }
        }
        let record = try #require(try await scenario.store.queues(of: "a")["main"])
        var forged = record
        forged.cursor = LogEntryID(position: 2, eventId: "another-logs-event")
        try await scenario.store.save([QueueID(plugin: "a", queue: "main"): forged], deadLetters: [])
        let again = try HostScenario(reopening: scenario.folder)
        try await again.run { host in
            try await wait("divergence") { try await again.states(host)["a"]?.state == "diverged" }
            #expect(try await again.states(host)["a"]?.reason.contains("another-logs-event") == true)
        }
        #expect(again.messages("a") == ["one"])
    }

    @Test func aRestartOfTheHostDeliversWhatWasOpenAndKeepsTheState() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("a", config: "mode = \"hold\"", #"types = ["MESSAGE_SENT"]"#)
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["a"]?.state == "live" }
            try await scenario.populate(channels: ["general", "other"])
            try await scenario.send(["one", "two"])
            try await scenario.send(["three"], to: "other")
            try await wait("the first of each") { scenario.messages("a") == ["one", "three"] }
        }
        let again = try HostScenario(reopening: scenario.folder)
        try again.add("a", config: "state = true", #"types = ["MESSAGE_SENT"]"#)
        try await again.run { host in
            try await wait("all") { again.messages("a").count == 5 }
            try await wait("no lag") { try await again.states(host)["a"]?.lag == 0 }
        }
        #expect(Set(again.messages("a").suffix(3)) == ["one", "two", "three"])
        let state = try await again.store.queues(of: "a")["main"]?.state.map { String(decoding: $0, as: UTF8.self) }
        #expect(state?.contains("last") == true)
    }

    @Test func severalQueuesHaveTheirOwnFiltersAndWindows() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        let queues = """
            queues = [{ name = "general", channels = ["general"] }, { name = "dev", channels = ["dev-*"], window = 0 },
                      { name = "names", types = ["USER_RENAMED"] }]
            """
        try scenario.add("a", config: queues, #"channels = ["general", "dev-*"]"#)
        try await scenario.run { host in
            try await wait("its start") {
                ["catchingUp", "live"].contains(try await scenario.states(host)["a"]?.state)
            }
            try await scenario.populate(channels: ["general", "dev-x", "off"])
            for channel in ["general", "dev-x", "off"] { try await scenario.send(["to \(channel)"], to: channel) }
            _ = try await scenario.submit([Command(.renameUser, .renameUser(name: "Anna"))])
            try await wait("both") {
                scenario.seen("a").contains { $0["queue"]?.string == "names" && $0["delivery"] != nil }
                    && scenario.messages("a").contains("to general")
            }
        }
        let delivered = scenario.seen("a").compactMap { line -> String? in
            guard let queue = line["queue"]?.string, let type = line["type"]?.string, line["delivery"] != nil else {
                return nil
            }
            return "\(queue) \(type) \(line["channel"]?.string ?? "")"
        }
        #expect(!delivered.contains { $0.hasPrefix("dev ") })
        #expect(!delivered.contains { $0.hasSuffix(" off") })
        #expect(delivered.filter { $0.hasPrefix("names ") } == ["names USER_RENAMED "])
    }

    @Test func aPluginThatWantsToBeTriedLaterDoesNotHoldUpAShutdown() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("later", config: "mode = \"later\"")
        // The end of the host is waited for by `run`, and comes before the 30 s to the next try are over.
        try await scenario.run { host in
            try await wait("the wait") { try await scenario.states(host)["later"]?.state == "backingOff" }
            #expect(try await scenario.states(host)["later"]?.reason.contains("exit status 75") == true)
        }
    }

    @Test func aCommandBeforeStartIsAStrike() async throws {
        let scenario = try HostScenario()
        defer { scenario.remove() }
        try scenario.add("early", config: "mode = \"early\"", "commands = [\"SEND_MESSAGE\"]")
        try await scenario.run { host in
            try await wait("live") { try await scenario.states(host)["early"]?.state == "live" }
        }
        #expect(scenario.lines.all.contains { $0.contains("'command' before 'start'") })
    }
}
