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
            try await server.waitLive()
            #expect(folder.poll { isGone() })
        }
        let resumed = folder.crowbar("plugins", "resume", "webhook/old")
        #expect(resumed.output == "webhook/old: resumed; it was gone\n", "\(resumed.error)")
        try await server.expect(["/codes/410,200 one"])
        #expect(folder.poll { !isGone() })
    }
}
