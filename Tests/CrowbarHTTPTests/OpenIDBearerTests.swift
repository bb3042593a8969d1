import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Glibc
import Identity
import JSONBytes
import Logging
import NIOHTTP1
import OpenID
import OpenSSL
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Tokens of an OpenID provider over the wire. The provider is a key set in memory.
@Suite struct OpenIDBearerTests {
    /// A provider with one key of Ed25519, and the accounts of a server.
    private final class Provider: Sendable {
        let issuer = "https://accounts.example.org"
        let accounts: AccountsDatabase
        private let key: Ed25519PrivateKey
        private let folder: String

        init() throws {
            var template = Array("/tmp/crowbar-bearer-XXXXXX".utf8CString)
            mkdtemp(&template)
            folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            accounts = try AccountsDatabase(path: folder + "/accounts.db")
            key = try #require(Ed25519PrivateKey([UInt8](1...32)))
        }

        deinit {
            for suffix in ["", "-wal", "-shm"] { unlink(folder + "/accounts.db" + suffix) }
            rmdir(folder)
        }

        static func encode(_ bytes: some Sequence<UInt8>) -> String {
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
            let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
            return String(
                stride(from: 0, to: bits.count, by: 6).map { start in
                    alphabet[(start..<start + 6).reduce(0) { $0 << 1 | ($1 < bits.count ? Int(bits[$1]) : 0) }]
                })
        }

        func token(_ subject: String, lifetime: Int64 = 300_000, more: String = "") throws -> String {
            let exp = Double(TestServer.now() + lifetime) / 1_000
            let header = Self.encode(#"{"alg":"EdDSA","kid":"k"}"#.utf8)
            let claims = #"{"iss":"\#(issuer)","aud":"crowbar","sub":"\#(subject)","exp":\#(exp)\#(more)}"#
            let signed = header + "." + Self.encode(claims.utf8)
            return signed + "." + Self.encode(try #require(key.sign(Array(signed.utf8))))
        }

        func service(
            _ log: SQLiteLog, _ ingest: Ingest, _ change: (inout OpenIDSettings) -> Void
        ) throws -> OpenIDService {
            let url = try #require(ProviderURL(issuer))
            var settings = OpenIDSettings(
                rules: TokenRules(issuer: issuer, clientId: "crowbar", groupsClaim: "groups", adminGroup: "admins"),
                issuer: url, redirects: ["https://chat.example.org/"])
            settings.endpoints = .init(authorize: url, token: url, keys: .file("keys"))
            change(&settings)
            let x = Self.encode(try #require(key.publicKey))
            let keys = Array(#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"\#(x)"}]}"#.utf8)
            let ids = EventIDSource(now: TestServer.now, random: { UInt64.random(in: 0 ... .max) })
            let registrar = Registrar(
                store: accounts, log: RegistrationLog(ingest: ingest, log: log), now: TestServer.now,
                newEventId: { ids.next() })
            let surroundings = OpenIDService.Surroundings(
                accounts: accounts, registrar: registrar, nameOfUser: { try await log.userName($0) },
                rename: { _, _ in }, newToken: { Array("cb_x".utf8) },
                readFile: { $0 == "keys" ? keys : nil }, now: TestServer.now, monotonic: TestServer.now,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            return try #require(OpenIDService(settings, userAgent: "crowbar/test", surroundings))
        }
    }

    private static func run(
        rules: ListenerRules = ListenerRules(), _ change: @Sendable @escaping (inout OpenIDSettings) -> Void = { _ in },
        _ body: @Sendable @escaping (TestServer, Provider) async throws -> Void
    ) async throws {
        let provider = try Provider()
        try await TestServer.run(
            rules: rules, openID: { log, ingest in try provider.service(log, ingest, change) },
            { server in
                try await server.seed()
                try await body(server, provider)
            })
    }

    private static let create = #"{"type":"CREATE_CHANNEL","channelId":"x"}"#

    @Test func aProgramActsAsItsSubject() async throws {
        try await Self.run { server, provider in
            let token = try provider.token("u/1")
            #expect(try await server.client.post(Self.create, token: token).status == 200)
            let events = try await server.client.call(.GET, "/api/events", token: token)
            #expect(events.text.contains(#""type":"USER_REGISTERED""#))
            #expect(events.text.contains(#""userId":"oidc:u~2F1""#))
            #expect(try await server.client.call(.GET, "/api/admin/plugins", token: token).status == 403)
            let admin = try provider.token("u/1", more: #","groups":["admins"]"#)
            #expect(try await server.client.call(.GET, "/api/admin/plugins", token: admin).status == 200)
        }
    }

    @Test func aBadTokenIsToldWhy() async throws {
        try await Self.run { server, provider in
            let good = try provider.token("u")
            let rows = [
                (try provider.token("u", lifetime: -61_000), "has expired"), (good + "A", "signature"),
                (String(repeating: "x", count: 8_190) + ".a.b", "more than 8192 bytes"), ("a.b.c", "malformed"),
            ]
            for (token, words) in rows {
                let answer = try await server.client.call(.GET, "/api/events", token: token)
                #expect(answer.status == 401 && answer.headers["www-authenticate"] == ["Bearer"], "\(words)")
                #expect(answer.text.contains(words), "\(answer.text)")
            }
            // Within the leeway.
            let late = try provider.token("u", lifetime: -20_000)
            #expect(try await server.client.call(.GET, "/api/events", token: late).status == 200)
            #expect(try await server.client.post(Self.create, token: late).status == 200)
            // Crowbar's own tokens are what they were.
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 200)
            #expect(try await server.client.call(.GET, "/api/events", token: "none").status == 401)
        }
    }

    @Test func aStreamEndsAtTheTokensExpiry() async throws {
        try await Self.run { server, provider in
            let token = try provider.token("u", lifetime: 700)
            let answer = try await server.client.call(.GET, "/api/events/stream", token: token)
            #expect(answer.status == 200)
            #expect(answer.text.contains("event: end\ndata: {\"error\":{\"code\":\"unauthorized\""), "\(answer.text)")
        }
    }

    @Test func aStreamEndsWithItsAccount() async throws {
        var rules = ListenerRules()
        rules.times.recheck = 50
        try await Self.run(rules: rules) { server, provider in
            let token = try provider.token("u")
            #expect(try await server.client.call(.GET, "/api/events", token: token).status == 200)
            let answer = try await server.client.call(
                .GET, "/api/events/stream", token: token,
                until: { _ in
                    _ = try? provider.accounts.changeUser("oidc:u", isDisabled: true)
                    return false
                })
            #expect(answer.text.contains("event: end\ndata: {\"error\":{\"code\":\"unauthorized\""), "\(answer.text)")
            try await waitUntil("the token is refused") {
                try await server.client.call(.GET, "/api/events", token: token).status == 401
            }
        }
    }

    @Test func aSynchronizedNameIsTheProviders() async throws {
        try await Self.run({ $0.syncsNames = true }) { server, provider in
            let token = try provider.token("u")
            #expect(try await server.client.call(.GET, "/api/events", token: token).status == 200)
            let rename = #"{"type":"RENAME_USER","name":"Bea"}"#
            let refused = try await server.client.post(rename, token: token)
            #expect(refused.status == 403 && refused.code == "forbidden", "\(refused.text)")
            let lines = try await server.client.postLines([rename, Self.create], token: token)
            #expect(lines.lines.first?.contains(#""code":"forbidden""#) == true)
            #expect(lines.lines.last?.contains("eventId") == true)
            // Nor may an admin, whose change would not last. Others may.
            let byAdmin = #"{"type":"RENAME_USER","name":"Bea","userId":"oidc:u"}"#
            #expect(try await server.client.post(byAdmin, token: "root").status == 403)
            #expect(try await server.client.post(rename, token: "alice").status == 200)
        }
        try await Self.run { server, provider in
            let rename = #"{"type":"RENAME_USER","name":"Bea"}"#
            let answer = try await server.client.post(rename, token: try provider.token("u"))
            #expect(answer.status == 200, "\(answer.text)")
        }
    }

    @Test func withoutTheGroupNobodyIsRegistered() async throws {
        try await Self.run({ $0.rules.requiredGroup = "staff" }) { server, provider in
            let answer = try await server.client.call(.GET, "/api/events", token: try provider.token("u"))
            #expect(answer.status == 403 && answer.code == "forbidden")
            #expect(try await provider.accounts.account(of: "oidc:u") == nil)
            let staff = try provider.token("u", more: #","groups":["staff"]"#)
            #expect(try await server.client.call(.GET, "/api/events", token: staff).status == 200)
        }
    }

    @Test func aHookRegistersCognitosUsers() async throws {
        let pool = "us-east-1_X"
        let body = { @Sendable (source: String, pool: String) in
            Array(
                (#"{"triggerSource":"\#(source)","userPoolId":"\#(pool)","#
                    + #""request":{"userAttributes":{"sub":"s-1","name":"Ann"}}}"#).utf8)
        }
        try await Self.run({ $0.rules.issuer = "https://cognito-idp.us-east-1.amazonaws.com/" + pool }) {
            server, provider in
            for _ in 0..<2 {
                let answer = try await server.client.call(
                    .POST, "/hooks/cognito-token", body: body("PostConfirmation_ConfirmSignUp", pool))
                #expect(answer.status == 204, "\(answer.text)")
            }
            let events = try await server.client.call(.GET, "/api/events", token: "alice")
            #expect(events.lines.count { $0.contains(#""userId":"oidc:s-1""#) && $0.contains("Ann") } == 1)
            let other = body("PostConfirmation_ConfirmForgotPassword", "x")
            #expect(try await server.client.call(.POST, "/hooks/cognito-token", body: other).status == 204)
            let wrong = body("PostConfirmation_ConfirmSignUp", "us-east-1_Y")
            #expect(try await server.client.call(.POST, "/hooks/cognito-token", body: wrong).status == 422)
            let message = Array(#"{"text":"hello"}"#.utf8)
            #expect(try await server.client.call(.POST, "/hooks/cognito-token", body: message).status == 422)
        }
        try await TestServer.run { server in
            let answer = try await server.client.call(
                .POST, "/hooks/cognito-token", body: body("PostConfirmation_ConfirmSignUp", pool))
            #expect(answer.status == 403)
        }
    }

    @Test func aboutTellsThePageWhereToSignIn() async throws {
        let provider = try Provider()
        let folder = try TemporaryFolder()
        try await TestServer.run(
            openID: { log, ingest in
                try provider.service(log, ingest) {
                    $0.endpoints?.endSession = ProviderURL("https://accounts.example.org/end")
                }
            }, configure: { try $0.addAccounts(in: folder) }
        ) { server in
            let about = try JSON(parsing: await server.client.call(.GET, "/api/about").body)["oidc"]
            #expect(about?["label"]?.string == "Single sign-on" && about?["clientId"]?.string == "crowbar")
            #expect(about?["authorize"]?.string == "https://accounts.example.org/")
            #expect(about?["scopes"]?.string == "openid profile")
            #expect(about?["endSession"]?.string == "https://accounts.example.org/end")
        }
    }

    @Test func aSignInsBodyIsLookedAt() async throws {
        try await Self.run { server, _ in
            func post(_ text: String) async throws -> TestClient.Answer {
                try await server.client.call(.POST, "/api/oidc", body: Array(text.utf8))
            }
            #expect(try await post("x").code == "malformed")
            #expect(try await post("{}").field == "code")
            let verifier = String(repeating: "v", count: 43)
            let request = { (redirect: String, more: String) in
                #"{"code":"c","verifier":"\#(verifier)","nonce":"n","redirectUri":"\#(redirect)"\#(more)}"#
            }
            #expect(try await post(request("https://evil.example/", "")).status == 403)
            #expect(try await post(request("https://chat.example.org/", #","x":1"#)).field == "x")
            #expect(try await post(request(String(repeating: "x", count: 20_000), "")).status == 413)
            // Who fails again and again is slowed down.
            var last = 0
            for _ in 0..<200 where last != 429 { last = try await post(request("https://evil.example/", "")).status }
            #expect(last == 429)
        }
        try await TestServer.run { server in
            let answer = try await server.client.call(.POST, "/api/oidc", body: Array("{}".utf8))
            #expect(answer.status == 404 && answer.text.contains("[auth.oidc]"))
        }
    }
}
