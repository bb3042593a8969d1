import Glibc
import JSONBytes
import Testing

/// `crowbar user …` and `crowbar token …`, with a running server and without.
@Suite(.serialized) struct AccountVerbTests {
    private static let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"

    /// The status of a call of the API.
    private func status(_ path: String, _ token: String, _ port: String) -> String {
        CommandLineFolder().shell(
            "curl -sS --max-time 20 -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer \(token)' "
                + "http://127.0.0.1:\(port)\(path)"
        ).output
    }

    private func elements(_ outcome: CommandLineFolder.Outcome) -> [JSON] {
        (try? JSON(parsing: Array(outcome.output.utf8)))?.array ?? []
    }

    /// A folder on which a server has run, and runs still where that is wanted.
    private func serve(_ folder: CommandLineFolder, isRunning: Bool) throws -> pid_t {
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        if !isRunning {
            kill(server.pid, SIGTERM)
            #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        }
        return server.pid
    }

    private func end(_ pid: pid_t) {
        kill(pid, SIGKILL)
        _ = CommandLineFolder.wait(pid)
    }

    @Test(arguments: [true, false]) func theAuditLogIsShown(_ isRunning: Bool) throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        for name in ["ann", "bob", "cleo"] { #expect(folder.crowbar("user", "add", name).status == 0) }
        #expect(folder.crowbar("user", "disable", "bob").status == 0)
        #expect(folder.crowbar("user", "disable", "nobody").status == 1)
        if !isRunning {
            kill(server.pid, SIGTERM)
            #expect(folder.poll { CommandLineFolder.hasEnded(server.pid) })
        }
        let lines = elements(folder.crowbar("audit", "--json"))
        #expect(lines.map { $0["result"]?.string } == ["user_not_found", "ok", "ok", "ok", "ok"], "\(lines)")
        #expect(lines.map { $0["target"]?.string }.prefix(2) == ["nobody", "bob"], "\(lines)")
        #expect(lines.allSatisfy { $0["userId"]?.string == "cli" && $0["address"]?.string == "local" }, "\(lines)")
        let table = folder.crowbar("audit", "-n", "2").output.split(separator: "\n")
        #expect(table.count == 3 && table[0].hasPrefix("ID  TIME"), "\(table)")
        #expect(table[2].contains("  cli  local  ") && table[2].contains("  bob     ok"), "\(table)")
        let second = try #require(lines[1]["id"]?.int)
        let older = elements(folder.crowbar("audit", "--json", "--before", "\(second)"))
        #expect(older.map { $0["id"]?.int } == lines.dropFirst(2).map { $0["id"]?.int }, "\(older)")
        for wrong in [["--limit", "0"], ["--limit", "1001"], ["--before", "-1"], ["--before", "x"]] {
            #expect(folder.verb(["audit"] + wrong).status == 64, "\(wrong)")
        }
    }

    @Test(arguments: [true, false]) func usersAreListedAndChanged(_ isRunning: Bool) throws {
        let folder = CommandLineFolder()
        let pid = try serve(folder, isRunning: isRunning)
        defer { end(pid) }
        for name in ["list", "ann", "bob"] { #expect(folder.crowbar("user", "add", name).status == 0) }
        // A new server has no admin: whoever is there can be disabled, and made the first admin.
        #expect(folder.crowbar("user", "disable", "ann").status == 0)
        #expect(folder.crowbar("user", "enable", "ann").status == 0)
        let role = folder.crowbar("user", "role", "ann", "admin")
        #expect(role.status == 0 && role.output.contains("role          admin"), "\(role.output)\(role.error)")
        for verb in [["role", "ann", "member"], ["disable", "ann"]] {
            let refused = folder.verb(["user"] + verb)
            #expect(
                refused.status == 1 && refused.error.contains("'ann' is the last enabled admin"), "\(refused.error)")
        }
        for verb in [["role", "nobody", "admin"], ["disable", "nobody"], ["enable", "nobody"], ["show", "nobody"]] {
            let refused = folder.verb(["user"] + verb)
            #expect(refused.status == 1 && refused.error.contains("there is no account 'nobody'"), "\(refused.error)")
        }
        #expect(folder.crowbar("user", "role", "ann", "king").status == 64)
        #expect(folder.crowbar("token", "bob").status == 0)
        #expect(folder.crowbar("user", "disable", "bob").status == 0)
        let disabled = folder.crowbar("token", "bob")
        #expect(disabled.status == 1 && disabled.error.contains("'crowbar user enable bob'"), "\(disabled.error)")
        let users = elements(folder.crowbar("user", "list", "--json"))
        #expect(users.map { $0["userId"]?.string } == ["ann", "bob", "list"])
        #expect(users.map { $0["role"]?.string } == ["admin", "member", "member"])
        #expect(users.map { $0["disabled"]?.bool } == [false, true, false])
        #expect(users.map { $0["tokens"]?.int } == [0, 1, 0])
        let table = folder.crowbar("user", "list").output.split(separator: "\n")
        #expect(table.count == 4 && table[0].hasPrefix("USER"))
        #expect(table[2].wholeMatch(of: /bob +member +disabled +1 +20[^ ]*Z +-/) != nil, "\(table[2])")
        #expect(folder.crowbar("user", "show", "bob").output.contains("state         disabled"))
    }

    @Test(arguments: [true, false]) func tokensAreListedAndRevoked(_ isRunning: Bool) throws {
        let folder = CommandLineFolder()
        let pid = try serve(folder, isRunning: isRunning)
        defer { end(pid) }
        for name in ["list", "ann", "bob"] { #expect(folder.crowbar("user", "add", name).status == 0) }
        let secrets = [
            folder.crowbar("token", "ann"), folder.crowbar("token", "create", "list", "--expires", "30d"),
            folder.crowbar("token", "bob", "--scope", "read"),
        ].map { String($0.output.dropLast()) }
        #expect(secrets.allSatisfy { $0.hasPrefix("cb_") })
        let listed = folder.crowbar("token", "list", "--json")
        let tokens = elements(listed)
        #expect(tokens.map { $0["userId"]?.string } == ["ann", "list", "bob"])
        #expect(tokens.map { $0["state"]?.string } == ["valid", "valid", "valid"])
        #expect(tokens.map { $0["expires"]?.int != nil } == [false, true, false])
        let ids = tokens.compactMap { $0["id"]?.string }
        #expect(ids.count == 3 && ids.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{16}/) != nil })
        let sum = folder.shell("printf %s '\(secrets[0])' | sha256sum | cut -c1-16").output
        #expect(sum == ids[0] + "\n", "the id is the beginning of the token's hash")
        for text in [listed.output, folder.crowbar("token", "list").output] {
            #expect(!secrets.contains { text.contains($0.dropFirst(3)) })
        }
        let table = folder.crowbar("token", "list", "bob").output.split(separator: "\n")
        #expect(table.count == 2 && table[1].hasPrefix(ids[2] + "  bob   read"), "\(table)")
        #expect(folder.crowbar("token", "list", "nobody").error.contains("there is no account 'nobody'"))

        let revoked = folder.crowbar("token", "revoke", ids[2])
        #expect(revoked.status == 0 && revoked.output == "token \(ids[2]) of bob is revoked\n", "\(revoked.error)")
        #expect(folder.crowbar("token", "revoke", ids[2]).status == 0, "again changes nothing")
        #expect(elements(folder.crowbar("token", "list", "--json")).count == 2)
        #expect(elements(folder.crowbar("token", "list", "--json", "--revoked")).last?["state"]?.string == "revoked")
        let short = folder.crowbar("token", "revoke", String(ids[0].prefix(3)))
        #expect(short.status == 1 && short.error.contains("give 4 of its digits at least;"), "\(short.error)")
        for wrong in ["0000000000000000", "x", "%2F", "a/b"] {
            let refused = folder.crowbar("token", "revoke", wrong)
            #expect(refused.status == 1 && refused.error.contains("'crowbar token list'"), "\(refused.error)")
        }
    }

    @Test func aChangeIsFeltByARunningServerAndTheLastUseIsShown() throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", Self.toml)
        let server = try #require(folder.serve())
        defer { end(server.pid) }
        for (name, flags) in [("root", ["--admin"]), ("ann", ["--admin"]), ("bob", [])] {
            #expect(folder.verb(["user", "add", name] + flags).status == 0)
        }
        let ann = String(folder.crowbar("token", "ann").output.dropLast())
        let bob = String(folder.crowbar("token", "bob").output.dropLast())
        #expect(status("/api/admin/plugins", ann, server.port) == "200")
        #expect(status("/api/events", bob, server.port) == "200")
        let used = elements(folder.crowbar("token", "list", "bob", "--json")).first
        #expect(used?["lastUsed"]?.int != nil)
        #expect(folder.crowbar("user", "role", "ann", "member").status == 0)
        #expect(folder.poll { status("/api/admin/plugins", ann, server.port) == "403" })
        #expect(status("/api/events", ann, server.port) == "200")
        #expect(folder.crowbar("user", "disable", "bob").status == 0)
        #expect(folder.poll { status("/api/events", bob, server.port) == "401" })
        #expect(folder.crowbar("user", "enable", "bob").status == 0)
        #expect(folder.poll { status("/api/events", bob, server.port) == "200" })
        let id = try #require(used?["id"]?.string)
        #expect(folder.crowbar("token", "revoke", String(id.prefix(8))).status == 0)
        #expect(folder.poll { status("/api/events", bob, server.port) == "401" })
        #expect(folder.read("serve.err").contains("token \(id) of 'bob' revoked"))
    }
}
