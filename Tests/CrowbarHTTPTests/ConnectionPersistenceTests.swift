import CrowbarTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Which answers end their connection.
@Suite struct ConnectionPersistenceTests {
    private static func head(_ version: HTTPVersion, _ headers: [(String, String)]) -> HTTPRequestHead {
        HTTPRequestHead(version: version, method: .GET, uri: "/", headers: HTTPHeaders(headers))
    }

    /// A request, and whether it ends the connection.
    private static let requests: [(version: HTTPVersion, headers: [(String, String)], ends: Bool)] = [
        (.http1_1, [], false), (.http1_1, [("connection", "keep-alive")], false),
        (.http1_1, [("connection", "te")], false), (.http1_1, [("connection", "close")], true),
        (.http1_1, [("Connection", "Close")], true), (.http1_1, [("connection", "te, CLOSE")], true),
        (.http1_0, [], true), (.http1_0, [("connection", "keep-alive")], true),
        (HTTPVersion(major: 0, minor: 9), [], true),
    ]

    @Test(arguments: requests.indices) func aRequestEndsItsConnection(_ row: Int) {
        let (version, headers, ends) = Self.requests[row]
        let isOld = version != .http1_1
        var rule = PersistenceRule()
        var head = Self.head(version, headers + [("expect", "100-continue")])
        let isAnswered = rule.receive(&head)
        #expect(isAnswered && rule.hasLast == ends)
        if ends { #expect(head.headers["connection"] == ["close"]) }
        #expect(head.headers["expect"].isEmpty == isOld)
        var next = Self.head(.http1_1, [])
        let isNextAnswered = rule.receive(&next)
        #expect(isNextAnswered == !ends, "nothing is answered behind the last one")
        var answer = HTTPResponseHead(version: .http1_1, status: .ok)
        rule.answer(&answer)
        #expect(answer.headers["connection"] == (ends ? ["close"] : []))
        #expect(answer.version == (isOld ? .http1_0 : .http1_1))
    }

    @Test func onlyTheLastAnswerSaysSo() {
        var rule = PersistenceRule()
        for headers in [[], [("connection", "close")]] {
            var head = Self.head(.http1_1, headers)
            let isAnswered = rule.receive(&head)
            #expect(isAnswered)
        }
        var answers: [[String]] = []
        for status in [HTTPResponseStatus.continue, .ok, .notFound, .ok] {
            var answer = HTTPResponseHead(version: .http1_1, status: status)
            rule.answer(&answer)
            answers.append(answer.headers["connection"])
        }
        #expect(answers == [[], [], ["close"], []])
    }

    /// What the server sends until it closes the connection. Without that, nothing after the deadline of tests.
    private static func answer(_ server: TestServer, _ text: String) async throws -> String {
        struct StaysOpen: Error {}
        return try await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { try await RawClient(port: server.client.port).send(text) }
            group.addTask {
                try await Task.sleep(for: testDeadline)
                throw StaysOpen()
            }
            defer { group.cancelAll() }
            return try await group.next() ?? ""
        }
    }

    private static let rules: ListenerRules = {
        var rules = ListenerRules()
        // An idle connection is not what is closed here.
        (rules.times.idle, rules.times.head) = (3_600_000, 3_600_000)
        return rules
    }()

    @Test(arguments: [
        "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Close\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: te, close\r\n\r\n",
        // What was sent behind the last request is not answered.
        "GET /healthz HTTP/1.0\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n",
    ]) func theConnectionIsClosed(_ request: String) async throws {
        try await TestServer.run(rules: Self.rules) { server in
            let text = try await Self.answer(server, request)
            let version = request.contains("HTTP/1.0") ? "HTTP/1.0" : "HTTP/1.1"
            #expect(text.hasPrefix("\(version) 200 OK\r\n"), "\(text)")
            #expect(text.lowercased().contains("\r\nconnection: close\r\n"), "\(text)")
            #expect(text.hasSuffix("{\"status\":\"alive\"}\n") && text.split(separator: "alive").count == 2, "\(text)")
        }
    }

    @Test func anOldClientGetsNoChunksAndNoContinue() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            try await server.seed()
            let authorization = "Host: localhost\r\nAuthorization: Bearer alice\r\n"
            let page = try await Self.answer(server, "GET /api/events HTTP/1.0\r\n\(authorization)\r\n")
            #expect(page.hasPrefix("HTTP/1.0 200 OK\r\n"), "\(page)")
            #expect(!page.lowercased().contains("transfer-encoding"), "\(page)")
            let lines = page.split(separator: "\r\n\r\n", maxSplits: 1).last?.split(separator: "\n") ?? []
            #expect(lines.count == 6 && lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") }, "\(page)")
            let body = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
            let length = "Content-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n"
            let posted = try await Self.answer(
                server, "POST /api/commands HTTP/1.0\r\n\(authorization)\(length)\r\n\(body)")
            #expect(posted.hasPrefix("HTTP/1.0 200 OK\r\n") && !posted.contains(" 100 "), "\(posted)")
        }
    }

    /// Others keep their connection.
    @Test func aConnectionIsKept() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            let text = try await Self.answer(
                server, "\(request)\r\n\(request)Connection: keep-alive\r\n\r\n\(request)Connection: close\r\n\r\n")
            #expect(text.split(separator: "alive").count == 4, "\(text)")
            #expect(text.lowercased().split(separator: "connection: close").count == 2, "\(text)")
        }
    }
}
