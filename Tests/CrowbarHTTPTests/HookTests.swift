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

    /// What programs that were written for other services post, and what becomes of it.
    @Test(
        arguments: [
            (#"{"content":"from Discord","username":"bot"}"#, "from Discord", "bot"),
            (#"{"content":"x","text":"y"}"#, "y", nil), (#"{"content":"x","text":null,"username":null}"#, "x", nil),
            (#"{"attachments":[{"fallback":"down: db","text":"*db* is down","color":"red"}]}"#, "down: db", nil),
            (#"{"text":"alert","attachments":[{"text":"one"},{"fallback":"two"}]}"#, "alert\none\ntwo", nil),
            (#"{"text":"","attachments":[{"fallback":" ","pretext":"p","title":"t","text":"x"}]}"#, "p\nt\nx", nil),
            (#"{"text":"alert","attachments":[]}"#, "alert", nil), (#"{"text":"a","attachments":"b"}"#, "a", nil),
            ("payload=%7B%22text%22%3A%22a+b%26c+%C3%A9+%2B%22%2C%22username%22%3A%22ci%22%7D", "a b&c é +", "ci"),
            (#"payload={"text":"plain"}"#, "plain", nil),
            ("token=x&payload=%7b%22attachments%22%3a%5b%7b%22fallback%22%3a%22f%22%7d%5d%7d&x=1", "f", nil),
            (#"{"text":"see ?a=1&payload=2"}"#, "see ?a=1&payload=2", nil),
            // Slack's blocks stand in place of the text, Discord's embeds behind it.
            (
                #"{"blocks":[{"type":"header","text":{"type":"plain_text","text":"Down"}},{"type":"divider"},"#
                    + #"{"type":"section","text":{"type":"mrkdwn","text":"*db*"},"fields":["#
                    + #"{"text":"a"},{"text":"b"}]},"#
                    + #"{"type":"context","elements":[{"type":"image","alt_text":"!"},{"type":"mrkdwn","text":"c"}]},"#
                    + #"{"type":"actions","elements":[{"type":"button","text":{"text":"Press"}}]}]}"#,
                "Down\n*db*\na\nb\n!\nc", nil
            ),
            (
                #"{"text":" ","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":["#
                    + #"{"type":"text","text":"see "},{"type":"link","url":"https://e.org"},"#
                    + #"{"type":"emoji","name":"wave"}]},{"type":"rich_text_list","elements":["#
                    + #"{"type":"rich_text_section","elements":[{"type":"text","text":"one"}]}]}]}]}"#,
                "see https://e.org:wave:\none", nil
            ),
            (#"{"text":"plain","blocks":[{"type":"section","text":{"text":"rich"}}]}"#, "plain", nil),
            (
                #"{"attachments":[{"title":"t","fields":[{"title":"host","value":"db1"},{"value":"x"},1]}]}"#,
                "t\nhost: db1\nx", nil
            ),
            (#"{"attachments":[{"blocks":[{"type":"section","text":{"text":"in one"}}]},"x"]}"#, "in one", nil),
            (
                #"{"content":"","username":"bot","embeds":[{"title":"Failed","description":"main","#
                    + #""fields":[{"name":"by","value":"ann"}]},{"url":"x"},7]}"#, "Failed\nmain\nby: ann", "bot"
            ),
            (#"{"content":"hi","embeds":[{"description":"more"}]}"#, "hi\nmore", nil),
            (#"{"text":"a","embeds":{},"blocks":7}"#, "a", nil),
            (#"{"text":"a\u0000b","username":"c\u0000"}"#, "a\u{FFFD}b", "c\u{FFFD}"),
            (#"{"attachments":[{"fallback":"a\u0000b"}]}"#, "a\u{FFFD}b", nil),
        ] as [(String, String, String?)]) func formsOfOtherServicesAreRead(
            _ body: String, _ message: String, _ username: String?
        ) async throws
    {
        try await Self.withServer { server in
            let answer = try await server.client.call(.POST, "/hooks/ci-token", body: Array(body.utf8))
            #expect(answer.status == 204, "\(answer.text)")
            let event = try await Self.last(server)
            #expect(event["message"]?.string == message && event["meta"]?["username"]?.string == username, "\(event)")
        }
    }

    @Test(arguments: [
        ("/hooks/other", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/ci-token/", #"{"text":"x"}"#, 404, "not_found"),
        ("/hooks/ci-token", "text", 400, "malformed"),
        ("/hooks/ci-token", "{}", 422, "invalid_command"),
        ("/hooks/ci-token", #"{"text":1}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"content":1}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"attachments":[{"color":"red"}]}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"blocks":[{"type":"divider"}]}"#, 422, "invalid_command"),
        ("/hooks/ci-token", #"{"embeds":[{"color":7}]}"#, 422, "invalid_command"),
        ("/hooks/ci-token", "payload=", 400, "malformed"), ("/hooks/ci-token", "payload=%7", 400, "malformed"),
        ("/hooks/ci-token", "payload=%zz", 400, "malformed"), ("/hooks/ci-token", "text=x", 400, "malformed"),
        ("/hooks/ci-token", "payload=%7B%7D", 422, "invalid_command"),
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
