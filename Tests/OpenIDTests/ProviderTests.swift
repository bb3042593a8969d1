import HTTPClient
import Identity
import Testing

@testable import OpenID

/// Addresses and documents of a provider, as tables.
@Suite struct ProviderTests {
    @Test(arguments: [
        ("https://accounts.example.org", "https://accounts.example.org/"),
        ("https://accounts.example.org:8443/a/b?c=d", "https://accounts.example.org:8443/a/b?c=d"),
        ("https://10.0.0.1/", "https://10.0.0.1/"),
        ("http://localhost:4593/api/oidc", "http://localhost:4593/api/oidc"),
        ("http://127.0.0.1/", "http://127.0.0.1/"), ("http://[::1]:80/x", "http://[::1]/x"),
        ("https://x.example?y", "https://x.example/?y"),
    ])
    func aURLOfTheProviderIsRead(text: String, written: String) throws {
        #expect("\(try #require(ProviderURL(text)))" == written)
    }

    @Test(arguments: [
        "", "accounts.example.org", "http://accounts.example.org", "http://10.0.0.1/", "ftp://localhost/",
        "https://user:password@example.org/", "https://example.org/#x", "https://example.org/a b", "https://",
        "https:///x", "http://localhost.example.org/", "http://127.0.0.1.example.org/", "https://exämple.org/",
        "https://example.org/" + String(repeating: "x", count: 2_048), "file:///etc/passwd",
    ])
    func anotherURLIsRefused(text: String) { #expect(ProviderURL(text) == nil) }

    @Test(arguments: [
        ("https://a.example", "https://a.example/.well-known/openid-configuration"),
        ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
        ("https://a.example/realms/x", "https://a.example/realms/x/.well-known/openid-configuration"),
    ])
    func theDiscoveryDocumentStandsBelowTheIssuer(issuer: String, document: String) throws {
        #expect("\(try #require(ProviderURL(issuer)).discovery)" == document)
    }

    private static let url = "https://a.example/keys"

    private static func fetch(_ outcomes: Outcome...) throws -> DocumentFetch.Action {
        var fetch = DocumentFetch(try #require(ProviderURL(url)))
        var action = fetch.first
        for outcome in outcomes {
            guard case .get = action else { return action }
            action = fetch.next(outcome)
        }
        return action
    }

    private static func redirect(_ location: String) -> Outcome {
        .answered(.init(status: 302, headers: ["location": location]))
    }

    @Test func aDocumentIsFetched() throws {
        #expect(try Self.fetch() == .get(try #require(ProviderURL(Self.url))))
        #expect(try Self.fetch(.answered(.init(status: 200, body: [1, 2]))) == .end(.success([1, 2])))
        for location in ["https://a.example/other", "/other", "https://a.example:443/other#x"] {
            #expect(
                try Self.fetch(Self.redirect(location)) == .get(try #require(ProviderURL("https://a.example/other"))),
                "\(location)")
        }
        #expect(
            try Self.fetch(Self.redirect("/b"), .answered(.init(status: 200, body: [3]))) == .end(.success([3])))
    }

    @Test(arguments: [
        "https://b.example/keys", "//b.example/keys", "http://a.example/keys", "https://a.example:8443/keys", "",
        "keys",
        "http://127.0.0.1/", "https://user@a.example/", "file:///etc/passwd",
    ])
    func aRedirectToAnotherHostIsNotFollowed(location: String) throws {
        guard case .end(.failure(let failure)) = try Self.fetch(Self.redirect(location)) else {
            Issue.record("it is followed")
            return
        }
        #expect("\(failure)".contains("redirects to another host"))
    }

    @Test func aDocumentIsRefused() throws {
        let loop = Self.redirect("/x")
        let rows: [(DocumentFetch.Action, String)] = [
            (try Self.fetch(loop, loop, loop, loop), "more than 3 times"),
            (try Self.fetch(.answered(.init(status: 500))), "status 500"),
            (try Self.fetch(.answered(.init(status: 200, wasCut: true))), "more than 1 MiB"),
            (try Self.fetch(.failed(code: "dns", message: "no host")), "dns: no host"),
        ]
        for (action, words) in rows {
            guard case .end(.failure(let failure)) = action else {
                Issue.record("\(words): \(action)")
                continue
            }
            #expect("\(failure)".contains(words))
            #expect("\(failure)".contains("a.example"))
        }
    }

    private static func document(_ changes: [String: String?] = [:]) -> [UInt8] {
        var members: [String: String] = [
            "issuer": #""https://a.example""#, "authorization_endpoint": #""https://a.example/authorize""#,
            "token_endpoint": #""https://a.example/token""#, "jwks_uri": #""https://a.example/keys""#,
        ]
        for (name, value) in changes { members[name] = value }
        return Array(("{" + members.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}").utf8)
    }

    @Test func aDiscoveryDocumentIsRead() throws {
        let endpoints = try ProviderMetadata.endpoints(
            Self.document(["end_session_endpoint": #""https://a.example/end""#, "x": "{}"]), issuer: "https://a.example"
        )
        #expect("\(endpoints.authorize)" == "https://a.example/authorize")
        #expect("\(endpoints.token)" == "https://a.example/token")
        #expect(endpoints.keys == .url(try #require(ProviderURL("https://a.example/keys"))))
        #expect(endpoints.endSession.map { "\($0)" } == "https://a.example/end")
        #expect(try ProviderMetadata.endpoints(Self.document(), issuer: "https://a.example").endSession == nil)
    }

    @Test(arguments: [
        ("issuer", nil, "no 'issuer'"), ("issuer", #""https://a.example/""#, "of the issuer 'https://a.example/'"),
        ("token_endpoint", nil, "no 'token_endpoint'"), ("jwks_uri", "1", "no 'jwks_uri'"),
        ("authorization_endpoint", #""http://a.example/""#, "neither https nor on loopback"),
        ("jwks_uri", #""http://169.254.169.254/""#, "neither https nor on loopback"),
        ("end_session_endpoint", #""javascript:alert(1)""#, "neither https nor on loopback"),
    ])
    func anotherDiscoveryDocumentIsRefused(name: String, value: String?, words: String) throws {
        let failure = try #require(throws: ProviderFailure.self) {
            try ProviderMetadata.endpoints(Self.document([name: value]), issuer: "https://a.example")
        }
        #expect("\(failure)".contains(words), "\(failure)")
    }

    @Test func aDiscoveryDocumentIsFetchedEachHour() throws {
        let endpoints = try CodeExchangeTests.endpoints()
        var cache = MetadataCache()
        #expect(cache.decide(now: 1_000) == .fetch)
        #expect(cache.decide(now: 1_001) == .join)
        cache.failed()
        #expect(cache.decide(now: 2_000) == .unavailable)
        #expect(cache.decide(now: 11_000) == .fetch)
        cache.fetched(endpoints, now: 11_500)
        #expect(cache.decide(now: 11_500 + 3_599_999) == .use(endpoints))
        #expect(cache.decide(now: 11_500 + 3_600_000) == .fetch)
        cache.failed()
        // The old one is kept.
        #expect(cache.decide(now: 11_500 + 3_600_001) == .use(endpoints))
        #expect(cache.decide(now: 11_500 + 3_610_000) == .fetch)
        // A clock that was set back.
        cache.fetched(endpoints, now: 50_000_000)
        #expect(cache.decide(now: 1) == .fetch)
    }
}
