import Glibc
import JSONBytes
import Testing

/// The server answers as its document says: `openapi_check.py` runs schemathesis against it.
@Suite(.serialized) struct OpenAPITests {
    private static let tests = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()

    /// Requests for each route, valid and invalid ones together. The whole check has 500:
    /// `CROWBAR_OPENAPI_EXAMPLES=500`.
    private static let examples = getenv("CROWBAR_OPENAPI_EXAMPLES").map { String(cString: $0) } ?? "50"

    private static let users = (1...20).map { "user-\($0)" }

    private func prepare() -> CommandLineFolder {
        let folder = CommandLineFolder()
        folder.write(
            "crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n")
        folder.makeFolder("plugins.d")
        folder.write(
            "plugins.d/word-filter.toml",
            """
            command = ["\(Self.tests)/../examples/word_filter.py"]
            phase = "command"
            types = ["SET_TOPIC"]
            on_failure = "allow"
            [config]
            words = ["darn"]
            """)
        return folder
    }

    private func token(_ folder: CommandLineFolder, _ user: String, _ options: String...) throws -> JSON {
        let added = folder.verb(["user", "add", user] + options)
        try #require(added.status == 0, "\(added.error)")
        let made = folder.crowbar("token", user)
        try #require(made.status == 0, "\(made.error)")
        return .string(String(made.output.dropLast()))
    }

    @Test func theServerAnswersAsItsDocumentSays() throws {
        let folder = prepare()
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        let admin = try token(folder, "root", "--admin")
        let users = try Self.users.map { try token(folder, $0) }
        #expect(folder.crowbar("channel", "add", "hooked").status == 0)
        let hook = folder.crowbar("hooks", "add", "ci", "hooked")
        try #require(hook.status == 0, "\(hook.error)")
        let settings = JSON.object([
            .init("url", .string("http://127.0.0.1:\(server.port)")), .init("admin", admin),
            .init("users", .array(users)), .init("names", .array(Self.users.map { .string($0) })),
            .init("hook", .string(String(hook.output.dropLast()))), .init("plugin", .string("word-filter")),
            .init("document", .string(folder.file("openapi.json"))),
            .init("examples", .int(Int64(Self.examples) ?? 50)),
        ])
        folder.write("settings.json", String(decoding: settings.bytes, as: UTF8.self))
        // If this does not start, script/bootstrap --tests was not run.
        let check = folder.program(
            Self.tests + "/../.build/test-python/bin/python", "-I", Self.tests + "/EndToEndTests/openapi_check.py",
            folder.file("settings.json"))
        #expect(check.status == 0, "\(check.output.suffix(20_000))\n\(check.error.suffix(4_000))")
        #expect(!CommandLineFolder.hasEnded(server.pid), "\(folder.read("serve.err").suffix(2_000))")
    }
}
