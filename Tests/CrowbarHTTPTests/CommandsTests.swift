import CrowbarCore
import CrowbarSQLite
import HTTPTypes
import HummingbirdCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

@Suite struct CommandsTests {
    private static let statuses: [String: Int] = [
        "malformed": 400, "unauthorized": 401, "forbidden": 403, "user_not_found": 404, "channel_not_found": 404,
        "message_not_found": 404, "event_not_found": 404, "not_found": 404, "user_exists": 409,
        "channel_exists": 409, "message_exists": 409, "already_a_member": 409, "not_a_member": 409,
        "already_invited": 409, "already_reacted": 409, "not_reacted": 409, "too_many_reactions": 422,
        "event_id_conflict": 409, "too_large": 413, "too_slow": 408, "misdirected": 421, "invalid_command": 422,
        "empty_message": 422, "idempotency_key_conflict": 409,
        "message_too_long": 422, "refused": 422, "replay": 422, "loop": 422, "rate_limited": 429, "unavailable": 503,
        "view_behind": 503,
    ]

    @Test(arguments: CommandError.Code.allCases) func everyCodeHasItsStatus(_ code: CommandError.Code) throws {
        #expect(APIFailure.status(of: code).code == Self.statuses[code.rawValue])
        let retryAfter = APIFailure(code, "x").response.headers[.retryAfter]
        #expect((retryAfter != nil) == ([.rateLimited, .unavailable, .viewBehind].contains(code)))
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var code: String
        var json: String
        var token: String? = "alice"
        var field: String?
        var testDescription: String { code }
    }

    static let refused = [
        Refused(code: "malformed", json: "{"),
        Refused(code: "malformed", json: "[]"),
        Refused(code: "malformed", json: ""),
        Refused(code: "unauthorized", json: "{}", token: nil),
        Refused(code: "unauthorized", json: "{}", token: "wrong"),
        Refused(code: "forbidden", json: #"{"type":"JOIN_CHANNEL","channelId":"general"}"#, token: "reader"),
        Refused(
            code: "forbidden", json: #"{"type":"JOIN_CHANNEL","channelId":"general","userId":"bob"}"#, field: "userId"),
        Refused(code: "forbidden", json: #"{"type":"REGISTER_USER","userId":"dave","name":"Dave"}"#, field: "userId"),
        Refused(code: "forbidden", json: #"{"type":"DESTROY_CHANNEL","channelId":"general"}"#, token: "bob"),
        Refused(code: "user_not_found", json: #"{"type":"JOIN_CHANNEL","channelId":"general"}"#, token: "nobody"),
        Refused(code: "channel_not_found", json: #"{"type":"JOIN_CHANNEL","channelId":"none"}"#),
        Refused(
            code: "message_not_found", json: #"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"none"}"#),
        Refused(code: "user_exists", json: #"{"type":"REGISTER_USER","userId":"alice","name":"A"}"#),
        Refused(code: "channel_exists", json: #"{"type":"CREATE_CHANNEL","channelId":"general"}"#),
        Refused(
            code: "message_exists",
            json: #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","messageId":"m1"}"#),
        Refused(code: "already_a_member", json: #"{"type":"JOIN_CHANNEL","channelId":"general"}"#),
        Refused(
            code: "not_a_member", json: #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#,
            token: "carol"),
        Refused(
            code: "event_id_conflict",
            json: #"{"type":"SEND_MESSAGE","channelId":"general","message":"other","eventId":"e1"}"#),
        Refused(code: "invalid_command", json: #"{"type":"SEND_MESSAGE","message":"x"}"#, field: "channelId"),
        Refused(
            code: "invalid_command", json: #"{"type":"SEND_MESSAGE","channelId":"general","message":1}"#,
            field: "message"),
        Refused(
            code: "invalid_command", json: #"{"type":"JOIN_CHANNEL","channelId":"general","origin":{}}"#,
            field: "origin"),
        Refused(
            code: "invalid_command", json: #"{"type":"JOIN_CHANNEL","channelId":"general","userId":"irc/x"}"#,
            token: "root", field: "userId"),
        Refused(code: "invalid_command", json: #"{"type":"RENAME_USER","name":"\u202Eecila"}"#, field: "name"),
        Refused(code: "invalid_command", json: #"{"type":"RENAME_USER","name":"e\u0301"}"#, field: "name"),
        Refused(
            code: "invalid_command", json: #"{"type":"REGISTER_USER","userId":"dave","name":"a\u2066b"}"#,
            token: "root", field: "name"),
        Refused(code: "empty_message", json: #"{"type":"SEND_MESSAGE","channelId":"general","message":" "}"#),
        Refused(
            code: "message_too_long",
            json:
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(String(repeating: "x", count: 16385))"}"#),
        Refused(code: "too_large", json: String(repeating: " ", count: 1 << 20) + "{}"),
    ]

    @Test func refusesWithCodeStatusAndField() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let first = try await server.client.post(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","messageId":"m1","eventId":"e1"}"#,
                token: "alice")
            #expect(first.status == 200, "\(first.text)")
            let head = try await server.log.head()
            for refused in Self.refused {
                let answer = try await server.client.post(refused.json, token: refused.token)
                #expect(answer.code == refused.code, "\(refused.json.prefix(100)): \(answer.text)")
                #expect(answer.status == Self.statuses[refused.code])
                #expect(answer.headers.first(name: "content-type") == "application/json")
                if let field = refused.field { #expect(answer.field == field) }
            }
            #expect(try await server.log.head() == head, "a refused command stores nothing")
        }
    }

    @Test func storesAndRepeatsUnderTheSameId() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","eventId":"e1"}"#
            let first = try await server.client.post(json, token: "bob")
            let again = try await server.client.post(json, token: "bob")
            let (a, b) = (try JSONObject(parsing: first.body), try JSONObject(parsing: again.body))
            #expect(a.string("eventId") == "e1" && a.int("position") != nil && a.int("timestamp") != nil)
            #expect(a.span("duplicate") == nil && b.bool("duplicate") == true)
            #expect(a.int("position") == b.int("position"))
        }
    }

    @Test func whatIsProbablyMeantIsSaid() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let send = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
            for (body, isLines) in [
                (send + "\n" + send + "\n", true), (send + "\n\n  " + send, true), (send + "\n" + "x", false),
                ("{\n\"type\":1", false), ("x\n" + send, false),
            ] {
                let answer = try await server.client.post(body, token: "bob")
                #expect(
                    answer.code == "malformed" && answer.text.contains("application/x-ndjson") == isLines, "\(body)")
            }
            let field = try await server.client.post(
                #"{"type":"SEND_MESSAGE","channelId":"general","text":"x"}"#, token: "bob")
            #expect(
                field.text.contains(
                    "'text' is not a field of SEND_MESSAGE; it has message, messageId, kind, replyTo, channelId, type"),
                "\(field.text)")
            // The same words for a channel that was never there and for one that nobody may know of.
            let create = #"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#
            #expect(try await server.client.post(create, token: "alice").status == 200)
            var answers: [String] = []
            for channel in ["vault", "never"] {
                let join = #"{"type":"JOIN_CHANNEL","channelId":"\#(channel)"}"#
                answers.append(
                    try await server.client.post(join, token: "carol").text.replacing(channel, with: "X"))
            }
            #expect(answers[0] == answers[1] && answers[0].contains("a private one is shown to those it invites"))
            for (path, hint) in [
                ("/views/unread", "views end in .json: /views/unread.json"), ("/views/messages/general", ".json"),
            ] {
                let answer = try await server.client.call(.GET, path, token: "bob")
                #expect(answer.status == 404 && answer.text.contains(hint), "\(answer.text)")
            }
            for path in ["/views/unred", "/views/messages", "/views/", "/api/event"] {
                let answer = try await server.client.call(.GET, path, token: "bob")
                #expect(answer.status == 404 && !answer.text.contains(".json"), "\(answer.text)")
            }
        }
    }

    @Test func anAdminActsForOthers() async throws {
        try await TestServer.run { server in
            try await server.seed()
            let answer = try await server.client.post(
                #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","userId":"bob","eventId":"e1"}"#,
                token: "root")
            #expect(answer.status == 200, "\(answer.text)")
            let register = try await server.client.post(
                #"{"type":"REGISTER_USER","userId":"dave","name":"Dave"}"#, token: "root")
            #expect(register.status == 200, "\(register.text)")
            let page = try await server.client.call(.GET, "/api/events?after=e1", token: "root")
            #expect(page.text.contains(#""userId":"dave""#))
        }
    }

    @Test func answersEveryLineInOrder() async throws {
        try await TestServer.run { server in
            try await server.seed()
            var lines: [String] = []
            for i in 0..<2_000 {
                lines.append(
                    i % 3 == 1
                        ? #"{"type":"SEND_MESSAGE","channelId":"none","message":"\#(i)"}"#
                        : #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(i)","eventId":"e\#(i)"}"#)
                if i % 100 == 0 { lines.append("") }
            }
            let answer = try await server.client.postLines(lines, token: "alice")
            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "content-type") == "application/x-ndjson")
            #expect(answer.lines.count == 2_000)
            for (i, line) in answer.lines.enumerated() {
                let object = try JSONObject(parsing: Array(line.utf8))
                if i % 3 == 1 {
                    #expect(object.object("error")?.string("code") == "channel_not_found")
                } else {
                    #expect(object.string("eventId") == "e\(i)")
                }
            }
            let mixed = try await server.client.postLines(
                [
                    "{", #"{"type":"JOIN_CHANNEL","channelId":"general"}"#,
                    String(repeating: " ", count: 1 << 20) + "{}",
                ],
                token: "carol")
            #expect(mixed.lines.count == 3)
            #expect(mixed.lines.first?.contains("malformed") == true && mixed.lines.last?.contains("too_large") == true)
            #expect(mixed.lines.dropFirst().first?.contains("position") == true)
        }
    }

    @Test(arguments: [false, true]) func refusesBodiesThatAreTooLong(chunked: Bool) async throws {
        try await TestServer.run { server in
            try await server.seed()
            let head = try await server.log.head()
            let one = try await server.client.call(
                .POST, "/api/commands", token: "alice", body: [UInt8](repeating: 0x20, count: 1 << 20 + 1),
                chunked: chunked)
            #expect(one.status == 413 && one.code == "too_large")
            let line = Array((#"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"# + "\n").utf8)
            let body = line + [UInt8](repeating: 0x20, count: 16 << 20)
            let many = try await server.client.call(
                .POST, "/api/commands", token: "alice", headers: [("content-type", "application/x-ndjson")],
                body: body, chunked: chunked)
            #expect(many.status == 413 && many.code == "too_large")
            #expect(try await server.log.head() == head, "nothing of a body that is too long is stored")
        }
    }
}
