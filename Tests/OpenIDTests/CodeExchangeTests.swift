import CrowbarCore
import HTTPClient
import Identity
import Testing

@testable import OpenID

/// The exchange of a code as a table: inputs and what the machine asks for.
@Suite struct CodeExchangeTests {
    static let redirect = "https://chat.example.org/"
    static let request = CodeExchange.Request(
        code: "c0de", verifier: String(repeating: "v", count: 43), redirectUri: redirect, nonce: "n0nce")

    static func settings(secret: String? = "s+/= ä") throws -> OpenIDSettings {
        let issuer = "https://accounts.example.org"
        return OpenIDSettings(
            rules: TokenRules(issuer: issuer, clientId: "crow bar"), issuer: try #require(ProviderURL(issuer)),
            clientSecret: secret.map { ClientSecret($0) }, redirects: [redirect])
    }

    static func endpoints() throws -> OpenIDSettings.Endpoints {
        let url = try #require(ProviderURL("https://accounts.example.org/token"))
        return .init(authorize: url, token: url, keys: .url(url))
    }

    static let token = VerifiedToken(
        kind: .identity, issuer: "https://accounts.example.org", subject: "u-1", userId: "oidc:u-1", name: "Ann",
        expires: 1)
    static let session = OpenIDService.SignedIn(
        token: "cb_1", userId: "oidc:u-1", name: "Ann", isAdmin: false, expires: 2)

    @Test func aSignInGoesThroughItsSteps() throws {
        var exchange = CodeExchange(Self.request, settings: try Self.settings())
        #expect(exchange.start() == .findProvider)
        guard case .post(let form) = exchange.next(.provider(try Self.endpoints())) else {
            Issue.record("no request")
            return
        }
        #expect("\(form.url)" == "https://accounts.example.org/token")
        #expect(
            String(decoding: form.body, as: UTF8.self)
                == "client_id=crow%20bar&code=c0de&code_verifier=\(String(repeating: "v", count: 43))"
                + "&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fchat.example.org%2F")
        // base64("crow%20bar:s%2B%2F%3D%20%C3%A4")
        let expected = "Basic Y3JvdyUyMGJhcjpzJTJCJTJGJTNEJTIwJUMzJUE0"
        #expect(form.headers.first { $0.name == "authorization" }?.value == expected)
        let answer = Outcome.Answer(status: 200, body: Array(#"{"id_token":"a.b.c","access_token":"x"}"#.utf8))
        #expect(exchange.next(.outcome(.answered(answer))) == .verify(Array("a.b.c".utf8), nonce: "n0nce"))
        #expect(exchange.next(.verified(Self.token)) == .admit(Self.token))
        #expect(exchange.next(.admitted(.success(Self.session))) == .end(.success(Self.session)))
    }

    @Test func aPublicClientSendsNoSecret() throws {
        var exchange = CodeExchange(Self.request, settings: try Self.settings(secret: nil))
        _ = exchange.start()
        guard case .post(let form) = exchange.next(.provider(try Self.endpoints())) else {
            Issue.record("no request")
            return
        }
        #expect(!form.headers.contains { $0.name == "authorization" })
        #expect(form.form["client_id"] == "crow bar")
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var code: CommandError.Code
        var field: String?
        var change: @Sendable (inout CodeExchange.Request) -> Void
        var testDescription: String { name }
    }

    static let refusals = [
        Refusal(name: "no code", code: .invalidCommand, field: "code") { $0.code = "" },
        Refusal(name: "a long code", code: .invalidCommand, field: "code") {
            $0.code = String(repeating: "c", count: 2_049)
        },
        Refusal(name: "a blank in the nonce", code: .invalidCommand, field: "nonce") { $0.nonce = "a b" },
        Refusal(name: "a short verifier", code: .invalidCommand, field: "verifier") { $0.verifier = "v" },
        Refusal(name: "a long verifier", code: .invalidCommand, field: "verifier") {
            $0.verifier = String(repeating: "v", count: 129)
        },
        Refusal(name: "a verifier with a slash", code: .invalidCommand, field: "verifier") {
            $0.verifier = String(repeating: "/", count: 43)
        },
        Refusal(name: "another page", code: .forbidden, field: "redirectUri") {
            $0.redirectUri = "https://chat.example.org/x"
        },
        Refusal(name: "a page's start", code: .forbidden, field: "redirectUri") {
            $0.redirectUri = "https://chat.example.org"
        },
        Refusal(name: "another host", code: .forbidden, field: "redirectUri") {
            $0.redirectUri = "https://evil.example/"
        },
    ]

    @Test(arguments: refusals) func aWrongRequestAsksTheProviderNothing(_ row: Refusal) throws {
        var request = Self.request
        row.change(&request)
        var exchange = CodeExchange(request, settings: try Self.settings())
        guard case .end(.failure(let error)) = exchange.start() else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == row.code)
        #expect(error.field == row.field)
    }

    struct Answer: Sendable, CustomTestStringConvertible {
        var name: String
        var outcome: Outcome
        var code: CommandError.Code
        var words: String
        var testDescription: String { name }
    }

    static let answers = [
        Answer(
            name: "code refused",
            outcome: .answered(.init(status: 400, body: Array(#"{"error":"invalid_grant"}"#.utf8))),
            code: .unauthorized, words: "'invalid_grant'"),
        Answer(
            name: "client refused",
            outcome: .answered(.init(status: 401, body: Array(#"{"error":"invalid_client"}"#.utf8))),
            code: .unavailable, words: "client_secret"),
        Answer(
            name: "a hostile word",
            outcome: .answered(.init(status: 400, body: Array(#"{"error":"<script>\n"}"#.utf8))),
            code: .unavailable, words: "'script'"),
        Answer(name: "no JSON", outcome: .answered(.init(status: 500)), code: .unavailable, words: "status 500"),
        Answer(
            name: "no ID token", outcome: .answered(.init(status: 200, body: Array(#"{"access_token":"x"}"#.utf8))),
            code: .unavailable, words: "'openid'"),
        Answer(
            name: "a long answer",
            outcome: .answered(.init(status: 200, body: Array(#"{"id_token":"a.b.c"}"#.utf8), wasCut: true)),
            code: .unavailable, words: "status 200"),
        Answer(
            name: "no answer", outcome: .failed(code: "timeout", message: "after 5 s"), code: .unavailable,
            words: "timeout"),
    ]

    @Test(arguments: answers) func theProvidersRefusalsAreTold(_ row: Answer) throws {
        var exchange = CodeExchange(Self.request, settings: try Self.settings())
        _ = exchange.start()
        _ = exchange.next(.provider(try Self.endpoints()))
        guard case .end(.failure(let error)) = exchange.next(.outcome(row.outcome)) else {
            Issue.record("it goes on")
            return
        }
        #expect(error.code == row.code)
        #expect(error.message.contains(row.words), "\(error.message)")
        #expect(!error.message.contains("c0de"))
    }

    @Test func aRefusedTokenEndsTheSignIn() throws {
        for (refusal, code) in [(TokenRefusal.nonce, CommandError.Code.unauthorized), (.group, .forbidden)] {
            var exchange = CodeExchange(Self.request, settings: try Self.settings())
            _ = exchange.start()
            _ = exchange.next(.provider(try Self.endpoints()))
            _ = exchange.next(.outcome(.answered(.init(status: 200, body: Array(#"{"id_token":"a.b.c"}"#.utf8)))))
            guard case .end(.failure(let error)) = exchange.next(.refused(refusal)) else {
                Issue.record("\(refusal): it goes on")
                continue
            }
            #expect(error.code == code)
        }
    }

    @Test func anInputOutOfTurnEndsTheSignIn() throws {
        var exchange = CodeExchange(Self.request, settings: try Self.settings())
        _ = exchange.start()
        guard case .end(.failure(let error)) = exchange.next(.verified(Self.token)) else {
            Issue.record("a token nobody verified is admitted")
            return
        }
        #expect(error.code == .unavailable)
    }

    @Test func aSecretIsInNoDescription() throws {
        let settings = try Self.settings(secret: "hunter2")
        #expect(!"\(settings)".contains("hunter2"))
        #expect(!String(reflecting: settings).contains("hunter2"))
        var text = ""
        dump(settings, to: &text)
        #expect(!text.contains("hunter2"))
    }

    @Test func base64IsThatOfTheRFC() {
        let rows = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ]
        for (text, base64) in rows { #expect(TokenRequest.base64(Array(text.utf8)) == base64) }
    }
}
