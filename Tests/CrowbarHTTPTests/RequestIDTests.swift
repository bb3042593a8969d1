import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// The id of each request, and the trace that a command belongs to.
@Suite struct RequestIDTests {
    private static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    private func rules(trusting proxies: [String]) throws -> ListenerRules {
        var wrong = ""
        return ListenerRules(proxies: try #require(TrustedProxies(proxies, wrong: &wrong)))
    }

    private func id(_ answer: TestClient.Answer) -> String {
        answer.headers["crowbar-request-id"].joined(separator: ",")
    }

    @Test func everyAnswerHasOneOfItsOwn() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
            let client = server.client
            let answers = [
                // Short commands, which are known after the first call, and longer ones.
                try await client.post(message, token: "alice"), try await client.post(message, token: "alice"),
                try await client.post("{}", token: "alice"), try await client.post(message, token: "wrong"),
                try await client.postLines([message, message], token: "alice"),
                try await client.call(.GET, "/api/events", token: "alice"), try await client.call(.GET, "/nowhere"),
                try await client.call(.HEAD, "/healthz"), try await client.call(.GET, "/"),
                try await client.call(.PUT, "/api/commands", token: "alice"),
                try await client.call(
                    .GET, "/api/events/stream", token: "alice", until: { _ in true }),
            ]
            let ids = answers.map(id)
            for (answer, id) in zip(answers, ids) {
                #expect(id.wholeMatch(of: /[0-9a-f]{16}/) != nil, "\(answer.status) \(id)")
            }
            #expect(Set(ids).count == ids.count)
        }
    }

    @Test func onlyATrustedProxyNamesRequests() async throws {
        let given = [("x-request-id", "from-the-proxy_1.2")]
        let message = Array(#"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#.utf8)
        for (proxies, isTrusted) in [([], false), (["192.0.2.1"], false), (["127.0.0.0/8"], true)] {
            try await TestServer.run(rules: try rules(trusting: proxies)) { server in
                try await server.seed()
                for _ in 0..<2 {
                    let answer = try await server.client.call(
                        .POST, "/api/commands", token: "alice", headers: given, body: message)
                    #expect(answer.status == 200)
                    #expect((id(answer) == "from-the-proxy_1.2") == isTrusted, "\(proxies) \(id(answer))")
                }
                for headers in [
                    [("x-request-id", String(repeating: "x", count: 65))], [("x-request-id", "a b")],
                    [("x-request-id", "a"), ("x-request-id", "b")], [("crowbar-request-id", "mine")],
                ] {
                    let answer = try await server.client.call(.GET, "/healthz", headers: headers)
                    #expect(id(answer).wholeMatch(of: /[0-9a-f]{16}/) != nil, "\(headers) \(id(answer))")
                }
            }
        }
    }

    @Test func theAuditLogHasTheIdOfTheAnswer() async throws {
        try await AccountServer.run { server in
            let admin = try await server.admin()
            let answer = try await server.call(.POST, "/api/admin/invites", "{}", token: admin)
            #expect(answer.status == 200, "\(answer.text)")
            let line = try #require(try await server.accounts.lines(before: nil, limit: 1).first)
            #expect(line.requestId == id(answer), "\(line)")
            let listed = try JSON(parsing: await server.call(.GET, "/api/admin/audit?limit=1", token: admin).body)
            #expect(listed.array?.first?["requestId"]?.string == id(answer))
        }
    }

    /// Of one command, by both ways, of many, and of a hook.
    @Test func aTraceIsInTheEventsOrigin() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let client = server.client
            func message(_ n: Int) -> [UInt8] {
                Array(#"{"type":"SEND_MESSAGE","channelId":"general","eventId":"e\#(n)","message":"x"}"#.utf8)
            }
            for n in 1...2 {
                let answer = try await client.call(
                    .POST, "/api/commands", token: "alice", headers: [("traceparent", Self.trace)], body: message(n))
                #expect(answer.status == 200)
            }
            let many = try await client.call(
                .POST, "/api/commands", token: "alice",
                headers: [("traceparent", Self.trace), ("content-type", "application/x-ndjson")],
                body: message(3) + [0x0A] + message(4))
            #expect(many.lines.count == 2)
            for headers in [
                [("traceparent", Self.trace.uppercased())], [("traceparent", Self.trace), ("traceparent", Self.trace)],
                [("traceparent", "")], [],
            ] {
                _ = try await client.call(
                    .POST, "/api/commands", token: "alice", headers: headers, body: message(5 + headers.count))
            }
            // The same command in another trace is the same command.
            let again = try await client.call(.POST, "/api/commands", token: "alice", body: message(1))
            #expect(again.status == 200 && again.text.contains("\"duplicate\":true"), "\(again.text)")
            let events = try await client.call(.GET, "/api/events", token: "alice").lines
            for n in 1...4 {
                let event = try #require(events.first { $0.contains("\"eventId\":\"e\(n)\"") })
                #expect(event.contains(#""origin":{"traceparent":"\#(Self.trace)"}"#), "\(event)")
            }
            #expect(events.count { $0.contains("\"origin\"") } == 4, "\(events)")
        }
    }

    @Test func aTraceOfAHookIsInTheEventsOrigin() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let hook = Command(.registerUser, .registerUser(name: "ci"), userId: "incoming/ci")
            _ = try await server.ingest.submit(Ingest.Request(hook, actor: "incoming/ci"))
            let join = Command(.joinChannel, .joinChannel, channelId: "general")
            _ = try await server.ingest.submit(Ingest.Request(join, actor: "incoming/ci"))
            let answer = try await server.client.call(
                .POST, "/hooks/ci-token", headers: [("traceparent", Self.trace), ("content-type", "application/json")],
                body: Array(#"{"text":"built"}"#.utf8))
            #expect(answer.status == 204, "\(answer.text)")
            let events = try await server.client.call(.GET, "/api/events", token: "alice").lines
            #expect(events.last?.contains(#""origin":{"traceparent":"\#(Self.trace)"}"#) == true, "\(events)")
        }
    }
}
