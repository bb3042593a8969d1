import CrowbarTesting
import Glibc
import JSONBytes
import Testing

@testable import crowbar

/// NAME/QUEUE in every verb that takes a plugin's name, and what is asked before events are delivered again.
@Suite(.serialized) struct QueueVerbTests {
    /// The verbs that take a plugin's name, which stands for `@`; each is about one queue where NAME/QUEUE is given.
    static let verbs: [[String]] = [
        ["plugins", "show", "@"], ["plugins", "logs", "@"], ["plugins", "pause", "@"], ["plugins", "resume", "@"],
        ["plugins", "stop", "@"], ["plugins", "start", "@"], ["plugins", "restart", "@"],
        ["plugins", "test-send", "@"], ["plugins", "deliveries", "@"], ["plugins", "forget", "@", "--yes"],
        ["cursor", "show", "@"], ["cursor", "set", "@", "now"], ["dead-letters", "list", "@"],
        ["dead-letters", "show", "@", "--all"], ["dead-letters", "retry", "@", "--all"],
        ["dead-letters", "drop", "@", "--all"], ["replay", "@", "--from", "beginning"],
    ]

    /// A server whose webhook plugin has the endpoints `audit` and `ops`.
    private static func server() async throws -> WebhookServer {
        let server = try await WebhookServer()
        let url = "http://127.0.0.1:\(server.port)"
        try server.configure([server.endpoint("audit", url + "/audit"), server.endpoint("ops", url + "/ops")])
        try await server.waitLive()
        return server
    }

    private static func queue(_ server: WebhookServer, _ name: String) throws -> JSON? {
        try server.plugin()["queues"]?.array?.first { $0["name"]?.string == name }
    }

    @Test func everyVerbThatTakesAPluginTakesAQueue() async throws {
        let server = try await Self.server()
        defer { server.stop() }
        let folder = server.folder
        // The table has them all.
        var found: Set<[String]> = []
        func collect(_ command: JSON, _ path: [String]) {
            for argument in command["arguments"]?.array ?? [] where argument["kind"]?.string == "positional" {
                if argument["abstract"]?.string?.hasPrefix("The plugin") == true { found.insert(path) }
            }
            for inner in command["subcommands"]?.array ?? [] {
                collect(inner, path + [inner["commandName"]?.string ?? ""])
            }
        }
        let help = try JSON(parsing: Array(folder.crowbar("--experimental-dump-help").output.utf8))
        collect(try #require(help["command"]), [])
        #expect(found == Set(Self.verbs.map { Array($0.prefix { $0 != "@" }) }))

        for verb in Self.verbs {
            let unknown = folder.verb(verb.map { $0 == "@" ? "webhook/nope" : $0 })
            #expect(unknown.status == 1, "\(verb): \(unknown.output)")
            let known = "; it has: audit, ops\n"
            #expect(unknown.error.contains("nope") && unknown.error.hasSuffix(known), "\(unknown.error)")
            #expect(unknown.error.split(separator: "\n").count == 1 && unknown.output.isEmpty, "\(unknown.error)")
            let nameless = folder.verb(verb.map { $0 == "@" ? "webhook/" : $0 })
            #expect(nameless.status == 64 && nameless.error.contains("names no queue"), "\(nameless.error)")
            let nobody = folder.verb(verb.map { $0 == "@" ? "nobody/audit" : $0 })
            #expect(nobody.status == 1 && nobody.error.contains("nobody"), "\(verb): \(nobody.error)")
            if verb[1] == "forget" { continue }
            let done = folder.verb(verb.map { $0 == "@" ? "webhook/audit" : $0 })
            #expect(done.status == 0, "\(verb): \(done.error)")
            #expect(folder.poll { (try? server.plugin())?["state"]?.string == "live" })
        }
        // A queue that is in use is not forgotten; one that the plugin names no more is.
        let used = folder.crowbar("plugins", "forget", "webhook/audit", "--yes")
        #expect(used.status == 1 && used.error.contains("uses its queue 'audit'"), "\(used.error)")
        try server.configure([server.endpoint("ops", "http://127.0.0.1:\(server.port)/ops")])
        #expect(folder.poll { (try? Self.queue(server, "audit"))??["droppedAt"] != nil })
        let asked = folder.crowbar("plugins", "forget", "webhook/audit")
        #expect(asked.status == 64 && asked.error.contains("would drop the queue 'audit'; give --yes"))
        #expect(folder.crowbar("plugins", "forget", "webhook/audit", "--yes").status == 0)
        #expect(try Self.queue(server, "audit") == nil)
        #expect(try Self.queue(server, "ops")?["state"]?.string == "live")
    }

    @Test func aPausedQueueGetsNothingAndTheOthersGoOn() async throws {
        let server = try await Self.server()
        defer { server.stop() }
        let folder = server.folder
        #expect(folder.crowbar("plugins", "pause", "webhook/audit").output == "webhook/audit: paused\n")
        try await server.send(["one"])
        try await server.expect(["/ops one"])
        #expect(try server.plugin()["state"]?.string == "live")
        let paused = try #require(try Self.queue(server, "audit"))
        #expect(paused["state"]?.string == "paused" && paused["health"]?.string == "degraded")
        #expect(paused["reason"]?.string?.contains("crowbar plugins resume webhook/audit") == true)
        #expect(try Self.queue(server, "ops")?["state"]?.string == "live")
        #expect(folder.crowbar("plugins", "show", "webhook/audit").output.contains("paused by the operator"))
        #expect(!folder.crowbar("plugins", "show", "webhook/audit").output.contains("ops"))
        // It outlives the process.
        #expect(folder.crowbar("plugins", "restart", "webhook").status == 0)
        try await server.send(["two"])
        try await server.expect(["/ops two"])
        let resumed = folder.crowbar("plugins", "resume", "webhook/audit")
        #expect(resumed.output == "webhook/audit: resumed; it was paused by the operator\n", "\(resumed.error)")
        try await server.expect(["/audit one", "/audit two"])
        #expect(folder.crowbar("plugins", "resume", "webhook/audit").output == "webhook/audit: nothing held it\n")
        // Its lines, and only those.
        let lines = folder.crowbar("plugins", "logs", "webhook/audit").output
        #expect(lines.contains("queue 'audit' was paused by the operator") && !lines.contains("ready:"))
        // The whole plugin's 'resume' is for all of its queues.
        #expect(folder.crowbar("plugins", "stop", "webhook/ops").output == "webhook/ops: paused\n")
        #expect(folder.crowbar("plugins", "pause", "webhook").status == 0)
        let within = folder.crowbar("plugins", "resume", "webhook/audit").output
        #expect(within == "webhook/audit: nothing held it; 'webhook' as a whole is paused\n")
        try await server.send(["three"])
        #expect(folder.crowbar("plugins", "resume", "webhook").status == 0)
        try await server.expect(["/audit three", "/ops three"])
    }

    @Test func aRestartedQueueTriesAtOnce() async throws {
        let server = try await WebhookServer()
        defer { server.stop() }
        let folder = server.folder
        let path = "/codes/500,500,200"
        try server.configure([server.endpoint("bad", "http://127.0.0.1:\(server.port)\(path)")])
        try await server.waitLive()
        try await server.send(["one"])
        for tries in 1...2 {
            try await server.expect(["\(path) one"])
            #expect(folder.poll { (try? Self.queue(server, "bad"))??["waiting"]?.int == 1 })
            if tries == 2 {
                // What a channel waits for stands in the listing, and makes the plugin count as degraded.
                let waits = "#general waits for its next try at "
                #expect(folder.poll { folder.crowbar("plugins").output.contains(waits) })
                let next = try #require(try Self.queue(server, "bad")?["nextTryAt"]?.int)
                let time = DisplayTime.text(next).prefix(19) + "Z"
                let reason = "\(waits)\(time) after 2 tries: http_500: "
                #expect(folder.crowbar("plugins").output.contains(reason))
                #expect(folder.crowbar("plugins", "show", "webhook/bad").output.contains(reason))
                #expect(folder.crowbar("status").output.contains("1 degraded"), "\(folder.crowbar("status").output)")
            }
            // The third try would be five minutes after the second.
            let restarted = folder.crowbar("plugins", "restart", "webhook/bad").output
            #expect(restarted == "webhook/bad: nothing held it; what waits is tried now\n")
        }
        try await server.expect(["\(path) one"])
        #expect(folder.poll { (try? Self.queue(server, "bad"))??["waiting"]?.int == 0 })
    }

    /// Runs a verb at a terminal whose owner types a line.
    private func atTerminal(_ folder: CommandLineFolder, _ line: String, _ arguments: [String]) -> (Int32, String) {
        let program = "import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))\n"
        folder.write("typist.py", program)
        let quoted = arguments.map { "'\($0)'" }.joined(separator: " ")
        let outcome = folder.shell("printf '\(line)\\n' | python3 typist.py \"$0\" \(quoted)")
        return (outcome.status, outcome.output + outcome.error)
    }

    @Test func whatIsDeliveredAgainIsSaidAndAskedFor() async throws {
        let server = try await Self.server()
        defer { server.stop() }
        let folder = server.folder
        try await server.send(["one", "two"])
        let all = ["/audit one", "/audit two", "/ops one", "/ops two"]
        try await server.expect(all)
        #expect(folder.poll { (try? Self.queue(server, "ops"))??["lag"]?.int == 0 })
        #expect(folder.poll { (try? Self.queue(server, "audit"))??["lag"]?.int == 0 })
        let sizes = "2 events to 'audit', 2 events to 'ops'"
        let (replay, rewind) = (
            ["replay", "webhook", "--from", "beginning"], ["cursor", "set", "webhook", "beginning"]
        )
        for verb in [replay, rewind] {
            let asked = folder.verb(verb)
            #expect(asked.status == 64 && asked.error.contains(sizes), "\(asked.error)")
            #expect(asked.error.contains("give --yes to go on") && asked.output.isEmpty)
            let (status, text) = atTerminal(folder, "n", verb)
            #expect(status == 1 && text.contains(sizes) && text.contains("Go on? [y/N]"), "\(text)")
            #expect(text.contains("nothing was done"))
        }
        // Only what is behind the place counts.
        let exported = folder.crowbar("events", "export").output.split(separator: "\n").map(String.init)
        let one = try #require(exported.first { $0.contains(#""message":"one""#) })
        let id = try #require(try JSONObject(parsing: Array(one.utf8)).string("eventId"))
        for verb in [["replay", "webhook", "--from", "id:\(id)"], ["cursor", "set", "webhook", "id:\(id)"]] {
            let asked = folder.verb(verb)
            let words = "1 event to 'audit', 1 event to 'ops'"
            #expect(asked.status == 64 && asked.error.contains(words), "\(asked.error)")
        }
        // Nothing was begun by that, and nothing posted: what comes next is what is asked for next.
        #expect(folder.crowbar("replay", "webhook", "--resume").error.contains("there is no replay of 'webhook'"))
        let single = folder.crowbar("replay", "webhook/ops", "--from", "beginning")
        #expect(single.status == 0 && single.error.contains("100 % of 2 events"), "\(single.error)")
        #expect(single.output.hasPrefix("webhook/ops: 2 events settled"), "\(single.output)")
        try await server.expect(["/ops one", "/ops two"])
        let whole = folder.verb(replay + ["--yes"])
        #expect(whole.status == 0, "\(whole.error)")
        try await server.expect(all)
        let (status, text) = atTerminal(folder, "y", replay)
        #expect(status == 0, "\(text)")
        try await server.expect(all)
        let back = folder.crowbar("cursor", "set", "webhook/ops", "beginning", "--yes")
        #expect(back.output == "webhook: 1 queue set to beginning; it starts again\n", "\(back.error)")
        try await server.expect(["/ops one", "/ops two"])
        #expect(folder.poll { (try? Self.queue(server, "ops"))??["lag"]?.int == 0 })
        // Forwards nothing comes again, and nothing is asked.
        #expect(folder.crowbar("cursor", "set", "webhook", "now").status == 0)
        let none = folder.crowbar("replay", "webhook/nope", "--from", "beginning", "--yes")
        #expect(none.status == 1 && none.error.contains("it has: audit, ops"), "\(none.error)")
    }
}
