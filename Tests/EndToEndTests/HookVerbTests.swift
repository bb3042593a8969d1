import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// `crowbar hooks …` and the path that it gives, by curl.
@Suite(.serialized) struct HookVerbTests {
    private func post(_ path: String, _ body: String, _ port: String) async throws -> String {
        let curl = try LineProcess(
            "/usr/bin/curl",
            arguments: [
                "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}\n", "-d", body,
                "http://127.0.0.1:\(port)\(path)",
            ])
        return try await curl.first("a status", within: testDeadline) { String(decoding: $0, as: UTF8.self) }
    }

    @Test func aHookIsMadeUsedListedAndEnded() async throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        var server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let early = folder.crowbar("hooks", "add", "ci", "general")
        #expect(early.status == 1 && early.error.contains("'crowbar channel add general'"), "\(early.error)")
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        let added = folder.crowbar("hooks", "add", "ci", "general")
        #expect(added.status == 0 && added.output.hasPrefix("/hooks/hook_"), "\(added.error)")
        let path = String(added.output.dropLast())
        #expect(folder.crowbar("hooks", "add", "ci", "general").error.contains("'crowbar hooks revoke ci'"))
        #expect(folder.crowbar("hooks", "add", "A b", "general").error.contains("a hook's name is"))

        #expect(try await post(path, #"{"text":"built"}"#, server.port) == "204")
        #expect(folder.crowbar("events", "export").output.contains(#""userId":"incoming/ci""#))
        let listed = folder.crowbar("hooks", "list").output.split(separator: "\n").last ?? ""
        let row = /ci +message +general +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/
        #expect(listed.wholeMatch(of: row) != nil, "\(listed)")
        #expect(folder.crowbar("hooks", "list", "--json").output.contains(#""channelId":"general""#))
        let cognito = folder.crowbar("hooks", "add", "pool", "--kind", "cognito")
        #expect(cognito.status == 1 && cognito.error.contains("needs [auth.oidc]"), "\(cognito.error)")
        #expect(folder.crowbar("hooks", "add", "pool", "general", "--kind", "cognito").status == 64)
        #expect(folder.crowbar("hooks", "add", "pool").error.contains("needs one"))
        for name in ["d/accounts.db", "serve.err", "serve.out"] {
            #expect(!folder.read(name).contains(path.dropFirst("/hooks/".count)), "\(name) tells the token")
        }

        #expect(folder.crowbar("hooks", "revoke", "ci").status == 0)
        #expect(folder.crowbar("hooks", "revoke", "ci").error.contains("there is no hook 'ci'"))
        #expect(try await post(path, #"{"text":"again"}"#, server.port) == "404")

        // Without a server too; the name may come again, and its user with it.
        kill(server.pid, SIGTERM)
        _ = CommandLineFolder.wait(server.pid)
        let again = folder.crowbar("hooks", "add", "ci", "general")
        #expect(again.status == 0 && again.output != added.output, "\(again.error)")
        #expect(folder.crowbar("hooks", "add", "other", "general").status == 0)
        #expect(folder.crowbar("hooks", "revoke", "other").status == 0)
        server = try #require(folder.serve())
        #expect(try await post(String(again.output.dropLast()), #"{"text":"back"}"#, server.port) == "204")
    }
}
