import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// `crowbar plugins test-send` and `deliveries` against a real server.
@Suite(.serialized) struct WebhookVerbTests {
    @Test func anOperatorTestsAnEndpointAndSeesItsLastTries() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let folder = server.folder
        let url = "http://127.0.0.1:\(server.port)"
        try server.configure([
            server.endpoint("good", url + "/secret-path"), server.endpoint("bad", url + "/codes/500"),
        ])
        try await server.waitLive()
        let good = folder.crowbar("plugins", "test-send", "webhook", "good")
        #expect(good.status == 0, "\(good.error)")
        #expect(good.output.hasPrefix("good: delivered: 200, ") && good.output.hasSuffix(" ms\nok\n"))
        let bad = folder.crowbar("plugins", "test-send", "webhook", "bad", "--json")
        #expect(bad.status == 1)
        let record = try JSON(parsing: Array(bad.output.utf8))
        #expect(record["outcome"]?.string == "500" && record["delivered"]?.bool == false)
        try await server.expect([
            "/secret-path This is a test of the endpoint 'good', sent by an operator.",
            "/codes/500 This is a test of the endpoint 'bad', sent by an operator.",
        ])
        try await server.send(["hello"])
        try await server.expect(["/secret-path hello", "/codes/500 hello"])
        #expect(
            folder.poll {
                folder.crowbar("plugins", "deliveries", "webhook").output.split(separator: "\n").count == 3
            })
        let table = folder.crowbar("plugins", "deliveries", "webhook").output
        #expect(table.hasPrefix("TIME") && table.contains("good") && !table.contains("secret"))
        let listed = folder.crowbar("plugins", "deliveries", "webhook", "good", "--json").output
        let deliveries = try #require(try JSON(parsing: Array(listed.utf8)).array)
        #expect(deliveries.map { $0["outcome"]?.string } == ["200"])
        #expect(deliveries.first?["answer"]?.string == "ok")
        let unknown = folder.crowbar("plugins", "test-send", "webhook", "nobody")
        #expect(unknown.status == 1 && unknown.error.contains("there is no endpoint 'nobody'"))
        let nowhere = folder.crowbar("plugins", "deliveries", "elsewhere")
        #expect(nowhere.status == 1 && nowhere.error.contains("there is no plugin 'elsewhere'"))
        let slashed = folder.crowbar("plugins", "deliveries", "webhook/good", "--json").output
        #expect(slashed == listed)
        let tested = folder.crowbar("plugins", "test-send", "webhook/good")
        #expect(tested.status == 0 && tested.output.hasPrefix("good: delivered: 200, "), "\(tested.error)")
        for wrong in [["webhook"], ["webhook/good", "good"], ["webhook/"]] {
            let refused = folder.verb(["plugins", "test-send"] + wrong)
            #expect(refused.status == 64, "\(wrong): \(refused.error)")
        }
        let free = folder.crowbar("plugins", "resume", "webhook/good")
        #expect(free.status == 0 && free.output == "webhook/good: nothing held it\n", "\(free.error)")
        let wrong = folder.crowbar("plugins", "resume", "webhook/nobody")
        #expect(wrong.status == 1 && wrong.error.contains("there is no endpoint 'nobody'"))
        // Each endpoint's line says what is its own.
        #expect(
            folder.poll {
                let rows = folder.crowbar("plugins").output.split(separator: "\n").map { $0.split(separator: " ") }
                let (good, bad) = (rows.first { $0.contains("good") }, rows.first { $0.contains("bad") })
                return good?[1] == "live" && good?[2] == "ok" && good?.last == "-" && bad?[1] == "waiting"
            })
        // A plugin that knows no such question is not asked.
        folder.write(
            "plugins.d/simple.toml",
            """
            command = ["/bin/sh", "-c", "read hello; echo '{\\"type\\":\\"ready\\",\\"protocol\\":1}'; cat > /dev/null"]
            ping = false
            """)
        #expect(folder.poll { folder.crowbar("plugins", "show", "simple").output.contains("state: live") })
        let simple = folder.crowbar("plugins", "deliveries", "simple")
        #expect(simple.status == 1 && simple.error.contains("knows no 'deliveries'"))
        // What the host itself holds back needs no plugin that knows of it.
        #expect(folder.crowbar("plugins", "pause", "simple/main").output == "simple/main: paused\n")
        let main = folder.crowbar("plugins", "resume", "simple/main")
        #expect(main.output == "simple/main: resumed; it was paused by the operator\n", "\(main.error)")
        #expect(folder.crowbar("plugins", "stop", "webhook").status == 0)
        #expect(folder.poll { folder.crowbar("plugins", "show", "webhook").output.contains("state: stopped") })
        let stopped = folder.crowbar("plugins", "test-send", "webhook", "good")
        #expect(stopped.status == 1 && stopped.error.contains("is not running"))
    }

    /// Each endpoint's line has its own reasons, the most urgent one first.
    @Test func aReasonIsOfItsEndpointAndTheMostUrgentIsShown() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let folder = server.folder
        let url = "http://127.0.0.1:\(server.port)"
        try server.configure([
            server.endpoint("gone", url + "/codes/410", "channels = [\"general\", \"generl\"]"),
            server.endpoint("slow", url + "/codes/500,500,500", "order = \"total\""),
            server.endpoint("typo", url + "/typo", "channels = [\"lost\"]"), server.endpoint("well", url + "/well"),
            server.endpoint("wait", url + "/wait/429/3600"),
        ])
        try await server.waitLive()
        try await server.send(["one"])
        try await server.expect(["/codes/410 one", "/codes/500,500,500 one", "/well one", "/wait/429/3600 one"])
        // The second try comes after 5 s, the third one 5 min later, as an endpoint with the order 'total' tells too.
        func row(_ name: String) -> (health: String, reason: String) {
            let rows = folder.crowbar("plugins").output.split(separator: "\n")
            let row = rows.first { $0.split(separator: " ").contains(Substring(name)) } ?? ""
            let cells = row.split(separator: " ")
            // What is behind the eleventh column.
            return (cells.count > 2 ? String(cells[2]) : "", cells.dropFirst(11).joined(separator: " "))
        }
        let missing = "the chat has no channel 'lost', which queue 'typo' of this plugin names; correct the name"
        #expect(folder.poll { row("gone").health == "down" && row("slow").health == "degraded" })
        #expect(folder.poll { row("wait").reason.hasPrefix("asked to wait, next try at 2") })
        let command = "'crowbar plugins resume webhook/gone'"
        let gone = "gone (410): it gets nothing until its configuration changes or \(command) (+1 more)"
        #expect(row("gone").reason == gone)
        #expect(row("slow").reason.hasPrefix("waits for its next try at 2"), "\(row("slow"))")
        #expect(row("slow").reason.contains("after 2 tries: http_500: the receiver answered 500"), "\(row("slow"))")
        #expect(row("typo").health == "degraded" && row("typo").reason.hasPrefix(missing), "\(row("typo"))")
        #expect(row("well").health == "ok" && row("well").reason == "-")
        let plugin = try server.plugin()
        let reasons = (plugin["healthReasons"]?.array ?? []).compactMap(\.string)
        #expect(reasons.first?.hasPrefix("gone (410)") == true && reasons.last?.hasPrefix(missing) == true)
        // Whoever asks for all of it gets it, a reason a line.
        let page = folder.crowbar("plugins", "show", "webhook").output
        #expect(page.contains("health: down\n  gone (410)") && page.contains("\n  the chat has no channel 'generl'"))
        let queues = try server.plugin()["queues"]?.array ?? []
        #expect(queues.contains { ($0["nextTryAt"]?.int ?? 0) > 1_700_000_000_000 })
    }

    /// An endpoint that answered 410 gets the refused event and all behind it once it is resumed, also after a restart
    /// of the server, which remembers the 410.
    @Test(arguments: [false, true]) func anEndpointThatWasGoneIsResumed(restarts: Bool) async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let folder = server.folder
        try server.configure([server.endpoint("old", "http://127.0.0.1:\(server.port)/codes/410,200")])
        try await server.waitLive()
        try await server.send(["one"])
        try await server.expect(["/codes/410,200 one"])
        func isGone() -> Bool { folder.crowbar("plugins").output.contains("gone (410)") }
        #expect(folder.poll { isGone() })
        // The log names what ends it, and so does the listing.
        let advice = "it gets nothing until its configuration changes or 'crowbar plugins resume webhook/old'"
        #expect(
            folder.poll {
                folder.read("serve.err").split(separator: "\n").contains {
                    $0.contains(" warning endpoint 'old'") && $0.contains("410 Gone") && $0.contains(advice)
                }
            }, "\(folder.read("serve.err"))")
        #expect(folder.crowbar("plugins", "show", "webhook").output.contains(advice))
        if restarts {
            server.stop()
            try server.start()
            // It need not become live: what the queue holds back may keep it from catching up.
            #expect(folder.poll { isGone() })
        }
        let resumed = folder.crowbar("plugins", "resume", "webhook/old")
        #expect(resumed.output == "webhook/old: resumed; it was gone\n", "\(resumed.error)")
        try await server.expect(["/codes/410,200 one"])
        #expect(folder.poll { !isGone() })
    }

    /// Answers that only ask to wait use up no try, also those that another process of the plugin had: the first
    /// refusal behind them is tried again.
    @Test func whatAskedToWaitCostsNoTryOverARestartOfThePlugin() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let folder = server.folder
        let path = "/codes/429,429,400,200"
        try server.configure([server.endpoint("busy", "http://127.0.0.1:\(server.port)\(path)")])
        try await server.waitLive()
        try await server.send(["one"])
        func waiting() -> JSON? {
            (try? server.plugin())?["queues"]?.array?.first { $0["name"]?.string == "busy" }?["waiting"]
        }
        for _ in 1...3 {
            try await server.expect(["\(path) one"])
            #expect(folder.poll { waiting()?.int == 1 })
            #expect(folder.crowbar("plugins", "stop", "webhook").status == 0)
            #expect(folder.poll { (try? server.plugin())?["state"]?.string == "stopped" })
            #expect(folder.crowbar("plugins", "start", "webhook").status == 0)
            try await server.waitLive()
            #expect(folder.crowbar("plugins", "restart", "webhook/busy").status == 0)
        }
        try await server.expect(["\(path) one"])
        #expect(folder.poll { waiting()?.int == 0 })
        #expect(folder.crowbar("dead-letters", "list", "webhook").output.contains("http_400") == false)
    }
}
