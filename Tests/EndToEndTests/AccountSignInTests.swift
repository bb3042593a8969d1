import Glibc
import JSONBytes
import Testing

/// Accounts with the real program: from the setup link of a new server to a member who is disabled.
@Suite(.serialized) struct AccountSignInTests {
    private static func toml(_ auth: String) -> String {
        "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n[auth]\n\(auth)\n"
    }

    /// A running server and its folder.
    private struct Running {
        let folder: CommandLineFolder
        let pid: pid_t
        let port: String

        /// Makes a call by curl.
        /// - Returns: The status and the body.
        func call(_ method: String, _ path: String, _ body: String? = nil, token: String? = nil) -> (Int, JSON) {
            folder.write("body.json", body ?? "")
            let outcome = folder.program(
                ["/usr/bin/curl", "-sS", "--max-time", "30", "-w", "\n%{http_code}", "-X", method]
                    + (body == nil ? [] : ["--data-binary", "@body.json"])
                    + (token.map { ["-H", "Authorization: Bearer \($0)"] } ?? [])
                    + ["http://127.0.0.1:\(port)\(path)"])
            let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: true)
            let status = lines.last.flatMap { Int($0) } ?? 0
            return (status, (try? JSON(parsing: Array((lines.count > 1 ? lines[0] : "null").utf8))) ?? .null)
        }

        func end(_ signal: Int32 = SIGTERM) {
            kill(pid, signal)
            _ = CommandLineFolder.wait(pid)
        }
    }

    private func serve(_ folder: CommandLineFolder, _ auth: String) throws -> Running {
        folder.write("crowbar.toml", Self.toml(auth))
        let server = try #require(folder.serve(), "\(folder.read("serve.err"))")
        return Running(folder: folder, pid: server.pid, port: server.port)
    }

    private func token(of link: String, _ screen: String) throws -> String {
        let parts = link.prefix { $0 != "\n" }.split(separator: "/#/\(screen)/")
        try #require(parts.count == 2, "\(link)")
        return String(parts[1])
    }

    /// The first admin by the setup link, an invite, a member, and a member who is disabled while they follow the log.
    @Test func aNewServerGetsAnAdminAndMembers() throws {
        let folder = CommandLineFolder()
        // What a new server has without a setting.
        let server = try serve(folder, "")
        defer { server.end(SIGKILL) }
        #expect(server.call("GET", "/api/about").1["registration"]?.string == "invite")
        // No terminal: the link is in a file for the owner alone, and in no log.
        let link = folder.read("d/setup-link")
        let setup = try token(of: link, "setup")
        #expect(link == "http://127.0.0.1:\(server.port)/#/setup/\(setup)\n")
        var status = stat()
        #expect(stat(folder.file("d/setup-link"), &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(folder.read("serve.err").contains("setup-link"))
        for file in ["serve.err", "serve.out"] { #expect(!folder.read(file).contains(setup), "\(file)") }
        #expect(server.call("GET", "/api/about").1["setup"]?.bool == true)

        let body = "{\"token\":\"\(setup)\",\"userId\":\"ann\",\"name\":\"Ann\",\"password\":\"correct horse\"}"
        let (made, session) = server.call("POST", "/api/setup", body)
        let admin = try #require(session["token"]?.string)
        #expect(made == 200 && session["role"]?.string == "admin" && session["name"]?.string == "Ann")
        #expect(server.call("GET", "/api/about").1["setup"]?.bool == false)
        #expect(access(folder.file("d/setup-link"), F_OK) != 0)
        #expect(server.call("POST", "/api/setup", body).0 == 403)
        let refused = folder.crowbar("setup-link")
        #expect(refused.status == 1 && refused.error.contains("there is an admin already"), "\(refused.error)")

        let (invited, invite) = server.call("POST", "/api/admin/invites", "{\"note\":\"for bob\"}", token: admin)
        #expect(invited == 200)
        let token = try token(of: try #require(invite["link"]?.string), "invite")
        let (registered, member) = server.call(
            "POST", "/api/register", "{\"userId\":\"bob\",\"password\":\"12345678\",\"invite\":\"\(token)\"}")
        #expect(registered == 200 && member["role"]?.string == "member")
        let bob = try #require(member["token"]?.string)

        // Bob's stream ends, and nothing of his works any more.
        let curl = "exec curl -sSN --max-time 60 -H 'Authorization: Bearer \(bob)'"
        let url = "http://127.0.0.1:\(server.port)/api/events/stream?mine=true"
        let stream = try #require(folder.start([], "stream", under: ["/bin/sh", "-c", "\(curl) '\(url)'"]))
        #expect(folder.poll { folder.read("stream.out").contains("event: hello") })
        let (changed, account) = server.call("PATCH", "/api/admin/users/bob", "{\"disabled\":true}", token: admin)
        #expect(changed == 200 && account["disabled"]?.bool == true)
        #expect(
            folder.poll {
                folder.read("stream.out").contains("event: end\ndata: {\"error\":{\"code\":\"unauthorized\"")
            })
        kill(stream, SIGKILL)
        _ = CommandLineFolder.wait(stream)
        #expect(server.call("GET", "/api/me", token: bob).0 == 401)
        #expect(server.call("POST", "/api/login", "{\"userId\":\"bob\",\"password\":\"12345678\"}").0 == 403)

        // The log of the server has no secret of all that.
        for secret in [admin, bob, token, setup, "12345678"] { #expect(!folder.read("serve.err").contains(secret)) }
        let lines = server.call("GET", "/api/admin/audit?limit=2", token: admin).1.array ?? []
        #expect(lines.first?["action"]?.string == "PATCH users disabled=true")
        #expect(lines.first?["target"]?.string == "bob" && lines.last?["action"]?.string == "POST invites")
    }

    /// Admins' calls about other people, with their refusals.
    @Test func adminsManageAccounts() throws {
        let folder = CommandLineFolder()
        let server = try serve(folder, "")
        defer { server.end(SIGKILL) }
        #expect(folder.crowbar("user", "add", "ann", "--admin").status == 0)
        let reset = folder.crowbar("user", "reset", "ann")
        #expect(reset.status == 0, "\(reset.error)")
        let link = try token(of: reset.output, "reset")
        let admin = try #require(
            server.call("POST", "/api/reset", "{\"token\":\"\(link)\",\"password\":\"12345678\"}").1["token"]?.string)

        let added = server.call("POST", "/api/admin/users", "{\"userId\":\"bob\",\"name\":\"Bob\"}", token: admin)
        let bobsLink = try token(of: try #require(added.1["link"]?.string), "reset")
        #expect(added.0 == 200 && added.1["userId"]?.string == "bob")
        // Someone whom only the log knows.
        let command = "{\"type\":\"REGISTER_USER\",\"userId\":\"logged\",\"name\":\"Logged\"}"
        #expect(server.call("POST", "/api/commands", command, token: admin).0 == 200)
        let rows: [(method: String, path: String, body: String?, status: Int)] = [
            ("POST", "users", "{\"userId\":\"bob\"}", 409), ("POST", "users", "{\"userId\":\"logged\"}", 409),
            ("POST", "users", "{\"userId\":\"oidc:1\"}", 422), ("POST", "users", "{\"userId\":\"Bob\"}", 422),
            ("POST", "users", "{\"userId\":\"root\"}", 422),
            ("POST", "users", "{\"userId\":\"x1\",\"role\":\"king\"}", 422),
            ("POST", "users", "{\"name\":\"x1\",\"admin\":true}", 422), ("GET", "users/bob", nil, 200),
            ("GET", "users/nobody", nil, 404), ("PATCH", "users/nobody", "{\"disabled\":true}", 404),
            ("PATCH", "users/ann", "{\"disabled\":true}", 403), ("PATCH", "users/ann", "{\"role\":\"member\"}", 403),
            ("POST", "users/nobody/reset", "{}", 404), ("POST", "users/nobody/logout", "{}", 404),
            ("POST", "users/bob/logout", "{\"all\":true}", 422), ("POST", "users/bob/link", "{\"sub\":\"1\"}", 404),
            ("POST", "invites", "{\"uses\":0}", 422), ("POST", "invites", "{\"uses\":1001}", 422),
            ("POST", "invites", "{\"expires\":\"91d\"}", 422), ("POST", "invites", "{\"expires\":\"5m\"}", 422),
            ("POST", "invites", "{\"note\":1}", 422), ("DELETE", "invites/0123456789abcdef", nil, 404),
            ("POST", "tokens", "{\"user\":\"bob\"}", 405), ("DELETE", "tokens/0123456789abcdef", nil, 404),
            ("GET", "tokens?user=nobody", nil, 404), ("POST", "setup-link", nil, 404), ("GET", "status", nil, 404),
            ("POST", "erase/user", "{\"user\":\"bob\"}", 404), ("DELETE", "hooks/nothing", nil, 404),
            ("POST", "hooks", "{\"name\":\"ci\",\"channel\":\"nowhere\"}", 404),
        ]
        for row in rows {
            let (status, answer) = server.call(row.method, "/api/admin/" + row.path, row.body, token: admin)
            #expect(status == row.status, "\(row): \(status) \(String(decoding: answer.bytes, as: UTF8.self))")
        }
        // Found by a part of the id or of the name; every element says who it is.
        for (text, found) in [("b", ["bob"]), ("BOB", ["bob"]), ("n", ["ann"]), ("", ["ann", "bob"]), ("zz", [])] {
            let users = server.call("GET", "/api/admin/users?q=\(text)", token: admin).1.array ?? []
            #expect(users.compactMap { $0["userId"]?.string } == found, "\(text)")
        }
        let page = server.call("GET", "/api/admin/users?limit=1&after=ann", token: admin).1.array ?? []
        #expect(page.count == 1 && page[0]["name"]?.string == "Bob" && page[0]["roleSource"]?.string == "local")

        // Bob chooses a password, and is signed out by the admin.
        let bob = try #require(
            server.call("POST", "/api/reset", "{\"token\":\"\(bobsLink)\",\"password\":\"abcdefgh\"}").1["token"]?
                .string)
        #expect(server.call("GET", "/api/me", token: bob).1["name"]?.string == "Bob")
        #expect(server.call("POST", "/api/admin/users/bob/logout", token: admin).0 == 204)
        #expect(folder.poll { server.call("GET", "/api/me", token: bob).0 == 401 })

        // A hook, which is listed without its secret.
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let hook = server.call("POST", "/api/admin/hooks", "{\"name\":\"ci\",\"channel\":\"general\"}", token: admin)
        let secret = try #require(hook.1["token"]?.string)
        #expect(server.call("POST", "/hooks/\(secret)", "{\"text\":\"green\"}").0 == 204)
        let hooks = server.call("GET", "/api/admin/hooks", token: admin).1
        #expect(!String(decoding: hooks.bytes, as: UTF8.self).contains(secret) && hooks.array?.count == 1)
        #expect(server.call("DELETE", "/api/admin/hooks/ci", token: admin).0 == 200)
        #expect(server.call("POST", "/hooks/\(secret)", "{\"text\":\"green\"}").0 == 404)
        // The command line's changes are in the audit log too.
        let audit = server.call("GET", "/api/admin/audit?limit=1000", token: admin).1.array ?? []
        #expect(audit.contains { $0["userId"]?.string == "cli" && $0["action"]?.string == "POST users admin=true" })
    }

    @Test(arguments: [true, false]) func invitesAndLinksByTheCommandLine(_ isRunning: Bool) throws {
        let folder = CommandLineFolder()
        var server = try serve(folder, "registration = \"invite\"")
        if !isRunning { server.end() }
        let setup = folder.crowbar("setup-link")
        #expect(setup.status == 0 && setup.output.contains("/#/setup/"), "\(setup.error)")
        #expect(access(folder.file("d/setup-link"), F_OK) != 0, "the link in the file is void")
        let invite = folder.crowbar("invite", "create", "--uses", "2", "--expires", "30d", "--note", "a\u{1B}[1mb")
        #expect(invite.status == 0, "\(invite.error)")
        let listed = folder.crowbar("invite", "list", "--json")
        let element = try #require((try? JSON(parsing: Array(listed.output.utf8)))?.array?.first)
        #expect(element["uses"]?.int == 2 && element["used"]?.int == 0 && element["creator"]?.string == "cli")
        let table = folder.crowbar("invite", "list").output
        #expect(!table.contains("\u{1B}") && !table.contains("/#/"), "\(table)")
        let id = try #require(element["id"]?.string)
        #expect(folder.crowbar("invite", "create").status == 0)
        #expect(folder.crowbar("invite", "revoke", "0123456789abcdef").status == 1)
        for wrong in [
            ["--uses", "0"], ["--uses", "1001"], ["--expires", "5m"], ["--expires", "91d"], ["--expires", "x"],
        ] {
            #expect(folder.verb(["invite", "create"] + wrong).status == 64, "\(wrong)")
        }
        #expect(folder.crowbar("user", "reset", "nobody").status == 1)
        if !isRunning { server = try serve(folder, "registration = \"invite\"") }
        defer { server.end(SIGKILL) }
        let token = try token(of: invite.output, "invite")
        func register(_ user: String) -> Int {
            server.call(
                "POST", "/api/register", "{\"userId\":\"\(user)\",\"password\":\"12345678\",\"invite\":\"\(token)\"}"
            ).0
        }
        #expect(register("ann") == 200)
        #expect(folder.crowbar("invite", "revoke", id).status == 0)
        #expect(register("bob") == 403)
        // A start without an admin made a link, which voided the one of the command line.
        let link = isRunning ? setup.output : folder.read("d/setup-link")
        let body = "{\"token\":\"\(try self.token(of: link, "setup"))\",\"userId\":\"boss\",\"password\":\"12345678\"}"
        #expect(server.call("POST", "/api/setup", body).0 == 200)
    }

    /// An invite that nobody can use is not made, beside a server and without one.
    @Test(arguments: ["registration = \"closed\"", "passwords = false"])
    func whereNobodyCanRegisterThereAreNoInvites(_ auth: String) throws {
        let reason = auth.contains("closed") ? "set registration = \"invite\" in [auth]" : "has no passwords"
        let folder = CommandLineFolder()
        // An admin and a session from before.
        let before = try serve(folder, "")
        let setup = try token(of: folder.read("d/setup-link"), "setup")
        let body = "{\"token\":\"\(setup)\",\"userId\":\"ann\",\"password\":\"12345678\"}"
        let admin = try #require(before.call("POST", "/api/setup", body).1["token"]?.string)
        let invite = try token(of: folder.crowbar("invite", "create").output, "invite")
        before.end()
        let server = try serve(folder, auth)
        #expect(server.call("GET", "/api/about").1["registration"]?.string == "closed")
        let (status, answer) = server.call("POST", "/api/admin/invites", "{}", token: admin)
        #expect(status == 403 && answer["error"]?["message"]?.string?.contains(reason) == true, "\(answer)")
        let registration = "{\"userId\":\"bob\",\"password\":\"12345678\",\"invite\":\"\(invite)\"}"
        #expect(server.call("POST", "/api/register", registration).0 == 403)
        let beside = folder.crowbar("invite", "create")
        server.end()
        for refused in [beside, folder.crowbar("invite", "create")] {
            #expect(refused.status == 1 && refused.error.contains(reason) && refused.output == "", "\(refused)")
        }
        #expect(folder.crowbar("invite", "list").status == 0)
    }

    /// A setup link works for an hour, a reset link for a day.
    @Test func linksHaveTheirTimes() throws {
        let folder = CommandLineFolder()
        try serve(folder, "").end()
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        for (verb, seconds) in [(["setup-link"], 3_600), (["user", "reset", "ann"], 86_400)] {
            let before = Int64(time(nil)) * 1_000
            let made = folder.verb(verb + ["--json"])
            let after = Int64(time(nil) + 1) * 1_000
            let expires = try #require((try? JSON(parsing: Array(made.output.utf8)))?["expires"]?.int, "\(made)")
            let lifetime = Int64(seconds) * 1_000
            #expect((before + lifetime...after + lifetime).contains(expires), "\(verb): \(expires)")
        }
    }

    /// On a terminal the link is printed, and stands in no file.
    @Test func aTerminalShowsTheSetupLink() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml(""))
        let terminal =
            "import os, pty, sys\nopen('pid', 'w').close()\npty.spawn(['/bin/sh', '-c', "
            + "'echo $$ > pid && exec \"$@\"', 'sh'] + sys.argv[1:])"
        let server = try #require(
            folder.serve(by: ["/usr/bin/python3", "-c", terminal]), "\(folder.read("serve.err"))")
        defer {
            if let pid = pid_t(folder.read("pid").filter(\.isNumber)) { kill(pid, SIGKILL) }
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let output = folder.read("serve.out")
        let lines = output.split(whereSeparator: \.isNewline)
        let line = try #require(lines.first { $0.contains("/#/setup/") }, "\(output)")
        #expect(line.contains("there is no admin yet; open this link within an hour"), "\(line)")
        #expect(access(folder.file("d/setup-link"), F_OK) != 0)
        let link = try #require(line.split(separator: " ").last)
        let setup = try token(of: String(link), "setup")
        let port = String(try #require(link.split(separator: ":").last).prefix(while: \.isNumber))
        let body = "{\"token\":\"\(setup)\",\"userId\":\"ann\",\"password\":\"12345678\"}"
        let running = Running(folder: folder, pid: server.pid, port: port)
        #expect(running.call("POST", "/api/setup", body).1["role"]?.string == "admin")
    }

    @Test func withoutPasswordsThereIsNoSetupLink() throws {
        let folder = CommandLineFolder()
        let server = try serve(folder, "passwords = false")
        defer { server.end(SIGKILL) }
        #expect(access(folder.file("d/setup-link"), F_OK) != 0)
        let log = folder.read("serve.err")
        #expect(log.contains("admin_group") && log.contains("crowbar user role USER admin"), "\(log)")
        #expect(folder.crowbar("setup-link").status == 1)
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        #expect(folder.crowbar("user", "reset", "ann").status == 1)
        for (path, body) in [
            ("register", "{\"userId\":\"bob\",\"password\":\"12345678\"}"),
            ("login", "{\"userId\":\"ann\",\"password\":\"12345678\"}"),
            ("setup", "{\"token\":\"x\",\"userId\":\"bob\",\"password\":\"12345678\"}"),
            ("reset", "{\"token\":\"x\",\"password\":\"12345678\"}"),
        ] { #expect(server.call("POST", "/api/" + path, body).0 == 403, "\(path)") }
    }

    /// A registration that a crash left pending is ended by the start of the server.
    @Test func aStartEndsPendingRegistrations() throws {
        let folder = CommandLineFolder()
        let first = try serve(folder, "")
        #expect(folder.crowbar("user", "add", "boss", "--admin").status == 0)
        first.end()
        folder.write(
            "pending.py",
            """
            import sqlite3
            db = sqlite3.connect("d/accounts.db")
            for user, event in ("ann", "event-ann"), ("boss2", "event-boss2"):
                db.execute("INSERT INTO accounts (userId, isAdmin, created, pending) VALUES (?, 0, 1, 1)", (user,))
                db.execute("INSERT INTO registrations VALUES (?, ?, 'Ann', 0, NULL, NULL, NULL)", (user, event))
            db.commit()
            """)
        #expect(folder.program("/usr/bin/python3", "pending.py").status == 0)
        let server = try serve(folder, "")
        defer { server.end(SIGKILL) }
        #expect(folder.poll { folder.crowbar("token", "ann").status == 0 })
        #expect(folder.poll { folder.crowbar("token", "boss2").status == 0 })
        let events = folder.crowbar("events", "export").output
        #expect(events.contains("\"event-ann\"") && events.contains("\"event-boss2\""), "\(events)")
    }

    /// An erased user's account cannot be used again, and nothing advises to enable it.
    @Test(arguments: [true, false]) func anErasedUserStaysErased(_ isRunning: Bool) throws {
        let folder = CommandLineFolder()
        let server = try serve(folder, "")
        defer { server.end(SIGKILL) }
        for user in [["boss", "--admin"], ["bob"]] { #expect(folder.verb(["user", "add"] + user).status == 0) }
        if !isRunning { server.end() }
        let erased = folder.crowbar("user", "erase", "bob", "--yes")
        #expect(erased.status == 0, "\(erased.error)")
        let rows: [[String]] = [
            ["token", "bob"], ["user", "enable", "bob"], ["user", "role", "bob", "admin"], ["user", "reset", "bob"],
            ["user", "disable", "bob"],
        ]
        for row in rows {
            let refused = folder.verb(row)
            #expect(
                refused.status == 1 && refused.error.contains("'bob' was erased")
                    && !refused.error.contains("user enable"), "\(row): \(refused.error)")
        }
        #expect(folder.crowbar("user", "add", "bob").status == 1)
        #expect(folder.crowbar("user", "show", "bob").output.contains("state         erased"))
    }
}
