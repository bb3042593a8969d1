import CrowbarCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Incoming hooks over the wire. TestServer knows one hook, "ci" in general, by the token `ci-token`.
@Suite struct HookTests {
    private static func withServer(_ body: @Sendable @escaping (TestServer) async throws -> Void) async throws {
        try await TestServer.run { server in
            try await server.seed()
            for command in [
                Command(.registerUser, .registerUser(name: "ci"), userId: "incoming/ci"),
                Command(.joinChannel, .joinChannel, channelId: "general"),
            ] { _ = try await server.ingest.submit(Ingest.Request(command, actor: "incoming/ci")) }
            try await body(server)
        }
    }

    /// The last event's JSON.
    private static func last(_ server: TestServer) async throws -> JSON {
        let answer = try await server.client.call(.GET, "/api/events", token: "alice")
        let line = try JSON(parsing: try #require(answer.lines.last).utf8)
        return try #require(line["event"])
    }

    @Test func aTextBecomesAMessageOfTheHook() async throws {
        try await Self.withServer { server in
            let answer = try await server.client.call(
                .POST, "/hooks/ci-token", body: Array(#"{"text":"built 😀","username":"main","icon":1}"#.utf8))
            #expect(answer.status == 204 && answer.text.isEmpty)
            let event = try await Self.last(server)
            #expect(event["type"]?.string == "MESSAGE_SENT" && event["message"]?.string == "built 😀", "\(event)")
            #expect(event["userId"]?.string == "incoming/ci" && event["channelId"]?.string == "general")
            #expect(event["meta"]?["username"]?.string == "main")
        }
    }

    @Test(arguments: [
        ("/hooks/other", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/ci-token/", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/ci-token", "text", 400, "malformed"),
        ("/hooks/ci-token", "{}", 422, "invalid_command"),
        ("/hooks/ci-token", #"{"text":1}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"text":" "}"#, 422, "empty_message"),
        ("/hooks/ci-token", #"{"text":"x","username":""}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"text":"x","username":7}"#, 422, "invalid_command"),
    ]) func whatIsNoMessageIsRefused(
        _ path: String, _ body: String, _ status: Int, _ code: String
    ) async throws {
        try await Self.withServer { server in
            let answer = try await server.client.call(.POST, path, body: Array(body.utf8))
            #expect(answer.status == status)
            #expect(answer.text.contains("\"\(code)\"") && !answer.text.contains("ci-token"), "\(answer.text)")
        }
    }

    @Test func aBodyThatIsTooLargeOrAnotherMethodIsRefused() async throws {
        try await Self.withServer { server in
            let text = String(repeating: "x", count: APIConfiguration.Limit.hook)
            let large = try await server.client.call(
                .POST, "/hooks/ci-token", body: Array(#"{"text":"\#(text)"}"#.utf8))
            #expect(large.status == 413)
            let get = try await server.client.call(.GET, "/hooks/ci-token")
            #expect(get.status == 405 && !get.text.contains("ci-token"))
        }
    }

    @Test func whoGuessesIsSlowedDown() async throws {
        try await Self.withServer { server in
            var statuses: [Int] = []
            for _ in 0...FailureLimiter.burst {
                statuses.append(try await server.client.call(.POST, "/hooks/guess", body: Array("{}".utf8)).status)
            }
            #expect(statuses.contains(429))
        }
    }
}
