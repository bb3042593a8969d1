import CrowbarCore
import CrowbarMetrics
import CrowbarTesting
import HTTPTypes
import Logging
import NIOHTTP1
import ServiceLifecycle
import Testing

@testable import CrowbarHTTP

/// `GET /metrics` on the API's listener and on that of its own, and what the API counts.
@Suite(.serialized) struct MetricsRouteTests {
    private static func lines(_ counters: HTTPMetrics, _ name: String) -> [String] {
        var report = MetricsReport()
        counters.write(to: &report)
        return String(decoding: report.text, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(name) }
    }

    @Test func theAPIAsksForAScope() async throws {
        let accounts = TestAccounts()
        accounts.set("monitor", Principal(userId: "root", scopes: [.metrics]))
        try await TestServer.run(accounts: accounts, configure: { $0.metrics = { Array("the text\n".utf8) } }) {
            server in
            for (token, status) in [(nil, 401), ("wrong", 401), ("alice", 403), ("monitor", 200), ("root", 200)] {
                let answer = try await server.client.call(.GET, "/metrics", token: token)
                #expect(Int(answer.status) == status, "\(token ?? "-"): \(answer.text)")
                guard status == 200 else { continue }
                #expect(answer.text == "the text\n")
                #expect(answer.headers["content-type"] == [MetricsReport.contentType])
                #expect(answer.headers["cache-control"] == ["no-store"])
            }
            // The scope opens nothing else.
            #expect(try await server.client.call(.GET, "/api/events", token: "monitor").status == 403)
        }
    }

    @Test func requestsAreCountedByRouteAndStatus() async throws {
        let counters = HTTPMetrics()
        try await TestServer.run(configure: { $0.counters = counters }) { server in
            try await server.seed()
            let text = Array(#"{"type":"SEND_MESSAGE","channelId":"general","message":"hello"}"#.utf8)
            // The first goes the long way, the others are short commands.
            for _ in 0..<3 {
                #expect(try await server.client.call(.POST, "/api/commands", token: "alice", body: text).status == 200)
            }
            _ = try await server.client.call(.GET, "/views/channel/secret-room.json", token: "root")
            _ = try await server.client.call(.GET, "/hooks/ci-token")
            _ = try await server.client.call(.GET, "/nowhere/42")
            _ = try await server.client.call(.GET, "/")
            _ = try await server.client.call(.GET, "/api/events", token: "wrong")
            _ = try await server.client.call(.GET, "/metrics", token: "alice")
        }
        let counts = Self.lines(counters, "crowbar_http_request_seconds_count")
        func count(_ route: String, _ status: String) -> Int {
            let start = "crowbar_http_request_seconds_count{route=\"\(route)\",status=\"\(status)\"} "
            return counts.first { $0.hasPrefix(start) }.flatMap { Int($0.dropFirst(start.count)) } ?? 0
        }
        #expect(count("/api/commands", "2xx") == 3, "\(counts)")
        #expect(count("/views/channel/{channelId}.json", "4xx") == 1, "\(counts)")
        #expect(count("none", "4xx") == 1, "\(counts)")
        #expect(count("page", "2xx") == 1, "\(counts)")
        #expect(!counts.contains { $0.contains("secret") || $0.contains("ci-token") || $0.contains("42") }, "\(counts)")
        let rejected = Self.lines(counters, "crowbar_http_rejected_total")
        #expect(rejected.contains(#"crowbar_http_rejected_total{reason="unauthorized"} 1"#), "\(rejected)")
        #expect(rejected.contains(#"crowbar_http_rejected_total{reason="forbidden"} 1"#), "\(rejected)")
    }

    @Test(arguments: [(200, "success"), (401, "failure"), (429, "rate_limited"), (503, "unavailable"), (400, nil)])
    func signInsAreCountedByTheirStatus(status: Int, outcome: String?) {
        let counters = HTTPMetrics()
        for path in [AccountRoutes.login, OpenIDRoute.path, AccountRoutes.me] {
            counters.note(route: RouteTable.number(of: path), status: status, nanoseconds: 1)
        }
        let lines = Self.lines(counters, "crowbar_logins_total").filter { !$0.hasSuffix(" 0") }
        #expect(lines == (outcome.map { ["crowbar_logins_total{outcome=\"\($0)\"} 2"] } ?? []))
    }

    @Test func openStreamsAreCounted() async throws {
        let counters = HTTPMetrics()
        try await TestServer.run(configure: { $0.counters = counters }) { server in
            try await server.seed()
            let answer = try await server.client.call(
                .GET, "/api/events/stream", token: "root",
                until: { _ in
                    Self.lines(counters, "crowbar_stream_clients") == ["crowbar_stream_clients 1"]
                })
            #expect(answer.status == 200)
            try await waitUntil("the stream's end") {
                Self.lines(counters, "crowbar_stream_clients") == ["crowbar_stream_clients 0"]
            }
        }
    }

    // MARK: The listener of its own

    /// Runs the listener for the time of a test.
    private static func serve(
        text: @escaping @Sendable () async throws -> [UInt8] = { Array("the text\n".utf8) },
        _ body: @Sendable @escaping (_ port: Int) async throws -> Void
    ) async throws {
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        let logger = Logger(label: "test") { _ in LogLines() }
        let server = MetricsServer(
            address: .tcp(host: "127.0.0.1", port: 0), hosts: HostRule(hosts: [], listening: "127.0.0.1"),
            metrics: text, now: TestServer.now, logger: logger
        ) { found.yield($0 ?? 0) }
        let listener = Listener(server, logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            for await port in ports {
                try await body(port)
                break
            }
            // As at a shutdown of the server: it ends by itself.
            await listener.shutDown()
            try await group.waitForAll()
        }
    }

    @Test func itsListenerServesMetricsAndNothingElse() async throws {
        try await Self.serve { port in
            let client = TestClient(port: port)
            let answer = try await client.call(.GET, "/metrics")
            #expect(answer.status == 200 && answer.text == "the text\n")
            #expect(answer.headers["content-type"] == [MetricsReport.contentType])
            #expect(try await client.call(.GET, "/metrics?x=1").status == 200)
            for path in ["/", "/api/events", "/healthz", "/metrics/", "/api/admin/users"] {
                #expect(try await client.call(.GET, path).status == 404, "\(path)")
            }
            let post = try await client.call(.POST, "/metrics", body: Array("x".utf8))
            #expect(post.status == 405 && post.headers["allow"] == ["GET, HEAD"])
        }
    }

    @Test func itsListenerHasTheLimitsOfTheAPI() async throws {
        try await Self.serve { port in
            let raw = RawClient(port: port)
            let head = "HTTP/1.1\r\nHost: localhost\r\n"
            let foreign = try await raw.send(
                "GET /metrics HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n")
            #expect(foreign.hasPrefix("HTTP/1.1 421"), "\(foreign)")
            let missing = try await raw.send("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")
            #expect(missing.hasPrefix("HTTP/1.1 400"), "\(missing)")
            let long = String(repeating: "x", count: APIConfiguration.Limit.headers)
            let large = try await raw.send("GET /metrics \(head)X-Long: \(long)\r\n\r\n")
            #expect(!large.hasPrefix("HTTP/1.1 200"), "\(large.prefix(200))")
            // A body is not read: its connection ends.
            let body = try await raw.send("POST /metrics \(head)Content-Length: 1000000\r\n\r\nabc")
            #expect(body.hasPrefix("HTTP/1.1 405") && body.lowercased().contains("connection: close"), "\(body)")
        }
    }

    @Test func aFailureIsAnsweredWithoutItsReason() async throws {
        struct Failure: Error {}
        try await Self.serve(text: { throw Failure() }) { port in
            let answer = try await TestClient(port: port).call(.GET, "/metrics")
            #expect(answer.status == 503 && answer.code == "unavailable", "\(answer.text)")
        }
    }
}
