import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Pages of other origins, by table and over the wire.
@Suite struct CORSTests {
    private static let origin = "https://page.example.org"
    private static let rules = ListenerRules(
        hosts: HostRule(hosts: ["chat.example.org"], listening: "127.0.0.1"), cors: CORSRule(origins: [origin]))

    @Test(arguments: [
        "https://page.example.org", "https://page.example.org:8443", "http://localhost:3000", "http://127.0.0.1:1",
        "https://[2001:db8::1]", "https://[2001:db8::1]:8443", "http://a",
    ])
    func anOriginIsAccepted(text: String) { #expect(CORSRule.problem(text) == nil) }

    @Test(arguments: [
        ("*", "one by one"), ("", "is not an origin"), ("null", "is not an origin"), ("page.example.org", "is not an"),
        ("https://page.example.org/", "must not end in '/'"), ("https://page.example.org/a", "is not an origin"),
        ("https://page.example.org:443", "leave ':443' out"), ("http://page.example.org:80", "leave ':80' out"),
        ("https://Page.example.org", "lower case"), ("ftp://page.example.org", "is not an origin"),
        ("https://*.example.org", "is not an origin"), ("https://", "is not an origin"),
        ("https://user@page.example.org", "is not an origin"), ("https://page.example.org:", "is not an origin"),
        ("https://page.example.org:x", "is not an origin"), ("https://page.example.org https://b", "is not an origin"),
    ])
    func anotherTextIsRefused(text: String, words: String) throws {
        #expect(try #require(CORSRule.problem(text)).contains(words))
    }

    /// A call, and the status of its answer.
    private static let calls: [(method: HTTPMethod, path: String, token: String?, status: Int)] = [
        (.GET, "/api/events", "alice", 200), (.GET, "/api/events", nil, 401), (.GET, "/api/events", "wrong", 401),
        (.GET, "/api/events?bogus=1", "alice", 422), (.GET, "/api/events?token=x", "alice", 400),
        (.GET, "/nothing", "alice", 404), (.PUT, "/api/commands", "alice", 405), (.POST, "/api/commands", "alice", 400),
        (.POST, "/api/commands", "reader", 403), (.GET, "/healthz", nil, 200), (.POST, "/hooks/none", nil, 404),
        (.GET, "/", nil, 200), (.GET, "/api/openapi.json", nil, 200), (.OPTIONS, "/api/events", nil, 405),
    ]

    @Test func everyAnswerToAListedOriginSaysSo() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            try await server.seed()
            for call in Self.calls {
                let answer = try await server.client.call(
                    call.method, call.path, token: call.token, headers: [("origin", Self.origin)])
                #expect(answer.status == call.status, "\(call): \(answer.text)")
                #expect(answer.headers["access-control-allow-origin"] == [Self.origin], "\(call)")
                let exposed = "etag, retry-after, crowbar-after, crowbar-request-id"
                #expect(answer.headers["access-control-expose-headers"] == [exposed])
                #expect(answer.headers["access-control-allow-credentials"].isEmpty)
                #expect(answer.headers["vary"].joined(separator: ", ").contains("Origin"), "\(call)")
            }
            let stream = try await server.client.call(
                .GET, "/api/events/stream", token: "alice", headers: [("origin", Self.origin)], until: { _ in true })
            #expect(stream.headers["access-control-allow-origin"] == [Self.origin])
        }
    }

    @Test func aRefusedHostIsToldToAListedOrigin() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            let raw = try await RawClient(port: server.client.port).send(
                "GET /api/events HTTP/1.1\r\nHost: evil.example\r\nOrigin: \(Self.origin)\r\nConnection: close\r\n\r\n")
            #expect(raw.hasPrefix("HTTP/1.1 421 "), "\(raw)")
            #expect(raw.lowercased().contains("access-control-allow-origin: \(Self.origin)\r\n"))
            #expect(raw.contains("add it to [http] hosts"))
        }
    }

    @Test func anotherOriginIsToldNothing() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            try await server.seed()
            for origin in [
                "https://evil.example", "null", "https://page.example.org.evil.example", "http://page.example.org",
                "https://page.example.org:8443", "https://PAGE.example.org",
            ] {
                let answer = try await server.client.call(
                    .GET, "/api/events", token: "alice", headers: [("origin", origin)])
                #expect(answer.status == 200)
                #expect(answer.headers["access-control-allow-origin"].isEmpty, "\(origin)")
                // A cache must not give this answer to a listed origin.
                #expect(answer.headers["vary"] == ["Origin"])
                let preflight = try await server.client.call(
                    .OPTIONS, "/api/events", headers: [("origin", origin), ("access-control-request-method", "GET")])
                #expect(preflight.status == 405)
                #expect(preflight.headers["access-control-allow-methods"].isEmpty)
            }
        }
        // Without the setting nothing changes.
        try await TestServer.run { server in
            let answer = try await server.client.call(.GET, "/healthz", headers: [("origin", Self.origin)])
            #expect(answer.headers["access-control-allow-origin"].isEmpty)
            #expect(answer.headers["vary"].isEmpty)
        }
    }

    @Test func aPreflightNeedsNoToken() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            for path in ["/api/commands", "/api/events", "/views/allchannels.json", "/api/read"] {
                let answer = try await server.client.call(
                    .OPTIONS, path,
                    headers: [
                        ("origin", Self.origin), ("access-control-request-method", "POST"),
                        ("access-control-request-headers", "authorization"),
                    ])
                #expect(answer.status == 204 && answer.body.isEmpty)
                #expect(answer.headers["access-control-allow-origin"] == [Self.origin])
                #expect(answer.headers["access-control-allow-methods"] == ["GET, POST, PUT, PATCH, DELETE"])
                #expect(
                    answer.headers["access-control-allow-headers"]
                        == ["authorization, content-type, last-event-id, if-none-match, traceparent"])
                #expect(answer.headers["access-control-max-age"] == ["7200"])
                #expect(answer.headers["access-control-allow-credentials"].isEmpty)
            }
        }
    }

    @Test(arguments: [
        "access_token=x", "token=x", "Token=", "id_token=x", "authorization=Bearer%20x", "bearer=x", "api_key=x",
        "after=1&access_token=x", "after=cb_" + String(repeating: "a", count: 64), "x=eyJhbGciOiJub25lIn0.e30.",
    ])
    func aTokenInAnAddressIsRefused(query: String) async throws {
        try await TestServer.run { server in
            try await server.seed()
            for path in [
                "/api/events", "/api/events/stream", "/api/commands", "/views/allchannels.json", "/api/admin/x",
            ] {
                let method = path == "/api/commands" ? HTTPMethod.POST : .GET
                let answer = try await server.client.call(method, "\(path)?\(query)", token: "alice")
                #expect(answer.status == 400 && answer.code == "malformed", "\(path): \(answer.text)")
                #expect(answer.text.contains("'Authorization: Bearer TOKEN'"))
                #expect(!answer.text.contains("eyJhb") && !answer.text.contains("aaaa"))
            }
            #expect(try await server.client.call(.GET, "/api/events?after=1", token: "alice").status != 400)
        }
    }
}
