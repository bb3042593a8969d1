import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// Sign-in with the real program: by Glewlwyd, by a small provider without CORS, and by Cognito as moto emulates it.
@Suite(.serialized) struct OpenIDSignInTests {
    private static let scripts =
        String(#filePath.dropLast("EndToEndTests/OpenIDSignInTests.swift".count)) + "OpenIDTests/"

    private static let function = scripts + "../../deploy/terraform/identity"

    private static func world(_ script: String, _ arguments: String...) throws -> LineProcess {
        try LineProcess(
            scripts + "../../.build/test-python/bin/python",
            arguments: ["-I", "-B", "-W", "ignore", scripts + script] + arguments)
    }

    private static func line(_ world: LineProcess) async throws -> JSON {
        try await world.first("the provider (script/bootstrap --tests installs what it needs)", within: .seconds(120)) {
            try JSON(parsing: $0)
        }
    }

    private static func ask(_ world: LineProcess, _ question: String) async throws -> JSON {
        try await world.send(line: Array(question.utf8))
        return try await line(world)
    }

    /// Runs a server for the time of a piece of work.
    private static func serve(
        _ folder: CommandLineFolder, port: Int, oidc: String, secret: String,
        _ body: (_ address: String) async throws -> Void
    ) async throws {
        folder.write("oidc.secret", secret + "\n")
        folder.write(
            "crowbar.toml",
            """
            data = "d"
            [http]
            listen = "127.0.0.1:\(port)"
            [auth.oidc]
            client_secret = { file = "oidc.secret" }
            \(oidc)
            """)
        let check = folder.crowbar("check")
        #expect(check.status == 0, "\(check.error)")
        let server = try #require(folder.serve(), "\(folder.read("serve.err"))")
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        try await body("http://127.0.0.1:\(port)")
        for file in ["serve.err", "serve.out"] { #expect(!folder.read(file).contains(secret), "\(file)") }
    }

    private static func status(_ folder: CommandLineFolder, _ url: String, _ token: String) -> String {
        folder.shell(
            "curl -sS --max-time 20 -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer \(token)' '\(url)'"
        ).output
    }

    private static func registrations(_ folder: CommandLineFolder, _ user: String) -> Int {
        folder.crowbar("events", "export").output.split(separator: "\n").count {
            $0.contains(#""type":"USER_REGISTERED""#) && $0.contains(#""userId":"\#(user)""#)
        }
    }

    @Test func byGlewlwyd() async throws {
        let folder = CommandLineFolder()
        let port = try LoopbackPort.free()
        folder.makeFolder("glewlwyd")
        let world = try Self.world("glewlwyd_world.py", folder.file("glewlwyd"), "http://localhost:\(port)/")
        let provider = try await Self.line(world)
        let issuer = try #require(provider["issuer"]?.string)
        let secret = try #require(provider["secret"]?.string)
        let oidc = "issuer = \"\(issuer)\"\nclient_id = \"crowbar\"\nscopes = \"openid\"\nname_claim = \"nickname\""
        try await Self.serve(folder, port: port, oidc: oidc, secret: secret) { address in
            var users: Set<String> = []
            for _ in 0..<2 {
                let result = try await Self.ask(world, #"{"sign in":{"server":"\#(address)"}}"#)
                #expect(result["status"]?.int == 200, "\(result)")
                let session = try #require(result["answer"])
                #expect(session["name"]?.string == "Ann of Glewlwyd" && session["role"]?.string == "member")
                let token = try #require(session["token"]?.string)
                #expect(Self.status(folder, address + "/api/events", token) == "200")
                users.insert(try #require(session["userId"]?.string))
            }
            #expect(users.count == 1)
            let user = try #require(users.first)
            #expect(user.hasPrefix("oidc:"))
            #expect(Self.registrations(folder, user) == 1)
        }
    }

    @Test func byAProviderThatPagesCannotCall() async throws {
        let folder = CommandLineFolder()
        let port = try LoopbackPort.free()
        let world = try Self.world("provider.py")
        let provider = try await Self.line(world)
        let issuer = try #require(provider["issuer"]?.string)
        let secret = try #require(provider["secret"]?.string)
        let oidc = "issuer = \"\(issuer)\"\nclient_id = \"crowbar\""
        let redirect = "http://localhost:\(port)/"
        try await Self.serve(folder, port: port, oidc: oidc, secret: secret) { address in
            // Two tabs at once, each with a code, which each sends twice.
            let signIn = #"{"sign in":{"server":"\#(address)","redirect":"\#(redirect)","tabs":2,"times":2}}"#
            let answers = try await Self.ask(world, signIn)["answers"]?.array ?? []
            #expect(answers.compactMap { $0["status"]?.int }.sorted() == [200, 200, 401, 401], "\(answers)")
            #expect(Self.registrations(folder, "oidc:u-1") == 1)
            // The page of another address.
            let other = #"{"sign in":{"server":"\#(address)","redirect":"http://localhost:\#(port)/x"}}"#
            let refused = try await Self.ask(world, other)["answers"]?.array?.first
            #expect(refused?["status"]?.int == 403, "\(refused ?? .null)")
            // An operator ties a local account to a subject, beside the server and without it.
            #expect(folder.crowbar("user", "add", "bob").status == 0)
            let linked = folder.crowbar("user", "link", "bob", "--sub", "u-2")
            #expect(linked.status == 0, "\(linked.error)")
            let taken = folder.crowbar("user", "link", "bob", "--sub", "u-3")
            #expect(taken.status == 1 && taken.error.contains("is linked to the subject 'u-2'"), "\(taken.error)")
            #expect(folder.crowbar("user", "link", "nobody", "--sub", "u-3").error.contains("there is no account"))
            _ = try await Self.ask(world, #"{"user":{"sub":"u-2","name":"Bob there"}}"#)
            let single = #"{"sign in":{"server":"\#(address)","redirect":"\#(redirect)"}}"#
            let session = try await Self.ask(world, single)["answers"]?.array?.first?["answer"]
            #expect(session?["userId"]?.string == "bob" && session?["name"]?.string == "bob", "\(session ?? .null)")
        }
        #expect(folder.crowbar("user", "add", "cid").status == 0)
        #expect(folder.crowbar("user", "link", "cid", "--sub", "u-9").status == 0)
    }

    @Test func byCognito() async throws {
        let folder = CommandLineFolder()
        let port = try LoopbackPort.free()
        let world = try Self.world("cognito_world.py")
        let provider = try await Self.line(world)
        func text(_ key: String) throws -> String { try #require(provider[key]?.string) }
        let oidc = """
            issuer = "\(try text("issuer"))"
            client_id = "\(try text("client"))"
            jwks = "\(try text("jwks"))"
            authorize = "\(try text("authorize"))"
            token = "\(try text("token"))"
            name_claim = "nickname"
            groups_claim = "cognito:groups"
            admin_group = "crowbar-admins"
            """
        try await Self.serve(folder, port: port, oidc: oidc, secret: try text("secret")) { address in
            let sub = try #require(try await Self.ask(world, #"{"sub":true}"#)["sub"]?.string)
            // The trigger comes first, twice, and once more with the words of a forgotten password.
            let added = folder.crowbar("hooks", "add", "pool", "--kind", "cognito")
            #expect(added.status == 0, "\(added.error)")
            let path = String(added.output.dropLast())
            for source in ["PostConfirmation_ConfirmSignUp", "PostConfirmation_ConfirmForgotPassword"] {
                let trigger =
                    #"{"version":"1","triggerSource":"\#(source)","userPoolId":"\#(try text("pool"))","#
                    + #""request":{"userAttributes":{"sub":"\#(sub)","nickname":"Ann of Cognito"}},"response":{}}"#
                // The function of deploy/terraform/identity as Lambda calls it, and the hook's answer to it.
                let call =
                    "import json, handler; "
                    + #"print(handler.handler(json.loads("""\#(trigger)"""), None)["version"])"#
                let called = folder.shell(
                    "HOOK_URL='\(address)\(path)' PYTHONPATH='\(Self.function)' python3 -B -c '\(call)'")
                #expect(called.output == "1\n", "\(called)")
                let posted = folder.shell(
                    "curl -sS --max-time 20 -o /dev/null -w '%{http_code}' -d '\(trigger)' '\(address)\(path)'")
                #expect(posted.output == "204", "\(posted)")
            }
            #expect(Self.registrations(folder, "oidc:" + sub) == 1)
            #expect(folder.crowbar("hooks", "list").output.contains("cognito"))
            let question = #"{"sign in":{"server":"\#(address)","redirect":"http://localhost:\#(port)/"}}"#
            let result = try await Self.ask(world, question)
            #expect(result["status"]?.int == 200, "\(result)")
            #expect(result["answer"]?["name"]?.string == "Ann of Cognito")
            #expect(result["answer"]?["role"]?.string == "admin")
            #expect(result["answer"]?["userId"]?.string == "oidc:" + sub)
            // Both of moto's tokens, as a program sends them.
            let tokens = try await Self.ask(world, #"{"tokens":true}"#)
            for kind in ["id", "access"] {
                let token = try #require(tokens[kind]?.string)
                #expect(Self.status(folder, address + "/api/events", token) == "200", "\(kind)")
                #expect(Self.status(folder, address + "/api/admin/plugins", token) == "200", "\(kind)")
                #expect(Self.status(folder, address + "/api/events", token + "x") == "401", "\(kind)")
                #expect(Self.status(folder, address + "/api/events?token=" + token, token) == "400", "\(kind)")
            }
            #expect(Self.registrations(folder, "oidc:" + sub) == 1)
        }
    }
}
