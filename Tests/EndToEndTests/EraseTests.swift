import Glibc
import JSONBytes
import Testing

@testable import crowbar

/// `crowbar erase` and `[log] keep_deleted`, by the real server and the command line.
@Suite(.serialized) struct EraseTests {
    private static func toml(keep: String) -> String {
        "data = \"d\"\n[log]\nkeep_deleted = \"\(keep)\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
    }

    private func end(_ pid: pid_t) {
        kill(pid, SIGTERM)
        _ = CommandLineFolder.wait(pid)
    }

    private func events(_ folder: CommandLineFolder) -> [JSON] {
        folder.crowbar("events", "export").output.split(separator: "\n").compactMap {
            try? JSON(parsing: Array($0.utf8))
        }
    }

    /// Whether a file of the data folder has these bytes: the log, its WAL, the views, the search index.
    private func filesHave(_ text: String, _ folder: CommandLineFolder) -> Bool {
        folder.program("/usr/bin/grep", "-rqF", text, folder.file("d")).status == 0
    }

    private func send(
        _ text: String, _ folder: CommandLineFolder, as user: String, to channel: String = "general"
    ) throws -> String {
        let sent = folder.crowbar("send", channel, text, "--as", user)
        #expect(sent.status == 0, "\(sent.error)")
        return String(sent.output.dropLast())
    }

    /// How many read markers there are.
    private func markers(_ folder: CommandLineFolder) -> String {
        let count = "import sqlite3; d = sqlite3.connect('file:d/markers.db?mode=ro', uri=True); "
        return folder.program(
            "/usr/bin/env", "python3", "-c", count + "print(d.execute('SELECT count(*) FROM markers').fetchone())"
        ).output
    }

    private func makeChat(_ folder: CommandLineFolder) {
        for user in ["root", "ann", "bob"] {
            let flags = user == "root" ? ["--admin"] : []
            #expect(folder.verb(["user", "add", user] + flags).status == 0)
        }
        #expect(folder.crowbar("channel", "add", "general", "--as", "ann").status == 0)
    }

    @Test func aMessageIsErasedWithAServer() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml(keep: "forever"))
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        makeChat(folder)
        let id = try send("swordfish", folder, as: "ann")
        let kept = try send("marlin", folder, as: "ann")
        // Without a terminal nobody can answer.
        let asked = folder.crowbar("erase", "message", "general", id)
        #expect(asked.status != 0 && asked.error.contains("--yes"), "\(asked.error)")
        #expect(filesHave("swordfish", folder))

        let erased = folder.crowbar("erase", "message", "general", id, "--yes")
        #expect(erased.status == 0, "\(erased.error)")
        #expect(
            erased.output.hasPrefix("message '\(id)' deleted, erased in 1 event\nnot reached:\n"), "\(erased.output)")
        // What it cannot reach is named.
        let unreached = erased.output.split(separator: "not reached:\n").last ?? ""
        for words in ["IRC networks", "webhook receivers", "  backups\n", "buckets", "WAL", "read and kept"] {
            #expect(unreached.contains(words), "\(words): \(erased.output)")
        }
        let again = folder.crowbar("erase", "message", "general", id, "--yes", "--json")
        #expect(
            again.output.hasPrefix(#"{"deleted":false,"events":0,"erasedBefore":1,"notReached":["#), "\(again.output)")
        let all = events(folder)
        let event = try #require(all.first { $0["eventId"]?.string == id })
        #expect(event["message"]?.string == "" && event["erased"]?.bool == true, "\(event)")
        #expect(all.contains { $0["type"]?.string == "MESSAGE_DELETED" && $0["messageId"]?.string == id })
        #expect(all.contains { $0["eventId"]?.string == kept && $0["message"]?.string == "marlin" })

        #expect(folder.poll { !filesHave("swordfish", folder) })
        #expect(filesHave("marlin", folder))

        for (arguments, reason) in [
            (["general", "nothing"], "the log has no message 'nothing' in a channel 'general'"),
            (["nowhere", id], "'nowhere'"),
        ] {
            let outcome = folder.verb(["erase", "message"] + arguments + ["--yes"])
            #expect(outcome.status == 1 && outcome.error.contains(reason), "\(outcome.error)")
        }
    }

    @Test(arguments: [true, false]) func aUserIsErased(withServer isRunning: Bool) throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml(keep: "forever"))
        var server = try #require(folder.serve())
        makeChat(folder)
        let token = String(folder.crowbar("token", "ann").output.dropLast())
        #expect(folder.crowbar("hooks", "add", "ci", "general").status == 0)
        let read = try send("tuna", folder, as: "ann")
        let marked = folder.program(
            "/usr/bin/curl", "-sS", "--fail", "-H", "Authorization: Bearer \(token)", "-d",
            #"{"channelId":"general","eventId":"\#(read)"}"#, "http://127.0.0.1:\(server.port)/api/read")
        #expect(marked.status == 0 && markers(folder) == "(1,)\n", "\(marked)")
        for number in 0..<3 { _ = try send("swordfish \(number)", folder, as: "ann") }
        for channel in ["den", "vault"] {
            #expect(folder.crowbar("channel", "add", channel, "--private", "--as", "bob").status == 0)
            #expect(folder.crowbar("channel", "invite", channel, "ann", "--as", "bob").status == 0)
        }
        _ = try send("open up", folder, as: "ann", to: "den")
        _ = try send("marlin", folder, as: "bob")
        if !isRunning { end(server.pid) }
        let erased = folder.crowbar("erase", "user", "ann", "--yes")
        #expect(erased.status == 0, "\(erased.error)")
        #expect(erased.output.contains("user 'ann' erased: messages deleted: 5, "), "\(erased.output)")
        #expect(erased.error.contains("100 % of the log"), "\(erased.error)")
        let stranger = folder.crowbar("erase", "user", "nobody", "--yes")
        #expect(stranger.status == 1 && stranger.error.contains("there is no user 'nobody'"), "\(stranger.error)")
        let hook = folder.crowbar("erase", "user", "incoming/ci", "--yes")
        #expect(hook.status == 1 && hook.error.contains("'crowbar hooks revoke ci' first"), "\(hook.error)")
        let last = folder.crowbar("erase", "user", "root", "--yes")
        #expect(last.status == 1 && last.error.contains("last enabled admin"), "\(last.error)")
        if !isRunning { server = try #require(folder.serve()) }
        defer { end(server.pid) }
        #expect(folder.crowbar("user", "show", "ann").output.contains("erased"))
        #expect(!folder.crowbar("token", "list").output.contains("ann"))
        let all = events(folder).map { String(decoding: $0.bytes, as: UTF8.self) }
        #expect(all.contains { $0.contains("marlin") })
        #expect(!all.contains { $0.contains("swordfish") })
        #expect(all.filter { $0.contains(#""erased":true"#) }.count == 5)
        #expect(markers(folder) == "(0,)\n")
        #expect(all.contains { $0.contains("USER_REGISTERED") && $0.contains(#""name":"erased""#) })
        #expect(folder.poll { !filesHave("swordfish", folder) })
        // The user is in no channel and cannot be invited; what helps a disabled user is not advised.
        let gone = all.filter { $0.contains("USER_LEFT_CHANNEL") || $0.contains("USER_REMOVED") }
        #expect(gone.count == 3 && gone.allSatisfy { $0.contains(#""userId":"ann""#) }, "\(gone)")
        let invited = folder.crowbar("channel", "invite", "vault", "ann", "--as", "bob")
        #expect(invited.status == 1 && invited.error.contains("the user 'ann' was erased"), "\(invited.error)")
        for verb in [["token", "ann"], ["user", "enable", "ann"]] {
            let refused = folder.verb(verb)
            let isRight = refused.error.contains("was erased") && !refused.error.contains("enable ann")
            #expect(refused.status == 1 && isRight, "\(refused.error)")
        }
    }

    /// A client that goes on sending with a token that the server has looked up before is not faster than the erasing.
    @Test func whoGoesOnSendingIsErasedToo() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml(keep: "forever"))
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        makeChat(folder)
        let token = String(folder.crowbar("token", "ann").output.dropLast())
        folder.write("headers", "Authorization: Bearer \(token)\n")
        folder.write(
            "loop.sh",
            """
            body='{"type":"SEND_MESSAGE","channelId":"general","message":"swordfish"}'
            while [ ! -e stop ]; do curl -sS -H @headers -d "$body" \
            http://127.0.0.1:\(server.port)/api/commands >> answers 2>&1; done
            """)
        let sender = try #require(folder.start([], "loop", under: ["/bin/sh", "loop.sh"]))
        #expect(folder.poll { folder.read("answers").contains("eventId") })
        let erased = folder.crowbar("erase", "user", "ann", "--yes")
        #expect(erased.status == 0, "\(erased.error)")
        folder.write("stop", "")
        _ = CommandLineFolder.wait(sender)
        #expect(folder.read("answers").contains("unauthorized"))
        #expect(events(folder).allSatisfy { $0["message"]?.string != "swordfish" })
    }

    @Test func deletedTextsGoAfterTheirTime() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml(keep: "0s"))
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        makeChat(folder)
        let id = try send("swordfish", folder, as: "ann")
        let kept = try send("marlin", folder, as: "ann")
        let deleted = folder.shell(
            """
            exec curl -sS --fail -H "Authorization: Bearer $("$0" token ann)" \
            -d '{"type":"DELETE_MESSAGE","channelId":"general","messageId":"\(id)"}' \
            http://127.0.0.1:\(server.port)/api/commands
            """)
        #expect(deleted.status == 0, "\(deleted.output) \(deleted.error)")
        #expect(folder.poll { !filesHave("swordfish", folder) })
        #expect(events(folder).contains { $0["eventId"]?.string == id && $0["erased"]?.bool == true })
        #expect(events(folder).contains { $0["eventId"]?.string == kept && $0["message"]?.string == "marlin" })
    }

    @Test(
        arguments: [
            ("30d", KeepDeleted.milliseconds(2_592_000_000)), ("12h", .milliseconds(43_200_000)),
            ("15m", .milliseconds(900_000)), ("0s", .milliseconds(0)), ("36500d", .milliseconds(3_153_600_000_000)),
            ("forever", .forever), ("36501d", nil), ("", nil), ("30", nil), ("d", nil), ("-1d", nil), ("1.5h", nil),
            ("1w", nil), ("30D", nil), ("30 d", nil), ("+1d", nil), ("Forever", nil), ("99999999999999999999s", nil),
        ] as [(String, KeepDeleted?)])
    func times(_ text: String, _ expected: KeepDeleted?) { #expect(KeepDeleted(text) == expected) }

    @Test(arguments: ["", "[log]\n", "[log]\nlevel = \"info\"\n"])
    func textsAreKeptForThirtyDaysIfNothingIsSaid(_ toml: String) throws {
        let reader = ConfigurationReader(environment: [:]) { _ in Array(toml.utf8) }
        let keep = try reader.configuration(named: "crowbar.toml").keepDeleted
        #expect(keep == .milliseconds(2_592_000_000) && keep == KeepDeleted("30d"))
    }

    @Test func whatIsDue() {
        #expect(KeepDeleted.forever.due(now: 5_000) == nil)
        #expect(KeepDeleted.milliseconds(0).due(now: 5_000) == 5_001)
        #expect(KeepDeleted.milliseconds(2_000).due(now: 5_000) == 3_001)
        #expect([KeepDeleted.forever, .milliseconds(0), .standard].map(\.interval) == [5, 1, 5])
    }

    /// The calls of `erase user`, and what people see of them.
    @Test func theStepsOfAUser() throws {
        var run = UserErasureRun(user: "ann", isTerminal: false)
        func answer(_ text: String) throws -> JSON { try JSON(parsing: Array(text.utf8)) }
        #expect(run.next == ["user": .string("ann")])
        #expect(
            try run.note(answer(#"{"step":"messages","changed":0,"pauseMs":6000}"#))
                == "waiting until the user's tokens have ended everywhere\n")
        #expect(run.pause == 6_000)
        #expect(run.next == ["user": .string("ann"), "step": .string("messages")])
        #expect(try run.note(answer(#"{"step":"messages","changed":200}"#)) == nil)
        #expect(run.pause == nil)
        #expect(try run.note(answer(#"{"step":"log","position":0,"changed":0}"#)) == nil)
        #expect(run.next == ["user": .string("ann"), "step": .string("log"), "position": .int(0)])
        #expect(
            try run.note(answer(#"{"step":"log","position":20000,"end":50000,"changed":7}"#))
                == "40 % of the log, 7 events changed\n")
        #expect(run.next?["position"] == .int(20_000))
        #expect(
            try run.note(answer(#"{"step":"files","end":50000,"changed":1}"#)) == "100 % of the log, 8 events changed\n"
        )
        // A reader may hold on to the files; the verb does not wait for ever.
        for _ in 0..<19 {
            #expect(try run.note(answer(#"{"step":"files","changed":0}"#)) == nil)
            #expect(run.next != nil && !run.isPurged)
        }
        var other = run
        #expect(try run.note(answer(#"{"step":"files","changed":0}"#)) == nil)
        #expect(run.next == nil && !run.isPurged && run.deleted == 200 && run.events == 8)
        #expect(try other.note(answer(#"{"step":"done","changed":0}"#)) == nil)
        #expect(other.next == nil && other.isPurged)
        #expect(throws: Refusal.self) { try other.note(.object([])) }
    }
}
