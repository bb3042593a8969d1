import CrowbarCore
import CrowbarViews
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// `POST /api/read` and `/views/unread.json` (docs/api.md, "Read markers").
@Suite(.serialized) struct ReadMarkerTests {
    private static func read(_ server: TestServer, _ json: String, token: String? = "bob") async throws
        -> TestClient.Answer
    {
        try await server.client.call(.POST, "/api/read", token: token, body: Array(json.utf8))
    }

    private static func mark(_ server: TestServer, _ channel: String, _ event: String, more: String = "")
        async throws -> TestClient.Answer
    {
        try await read(server, #"{"channelId":"\#(channel)","eventId":"\#(event)"\#(more)}"#)
    }

    private static func say(_ server: TestServer, _ id: String, _ text: String, by user: String = "alice") async throws
    {
        let json = #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"\#(id)","message":"\#(text)"}"#
        #expect(try await server.client.post(json, token: user).status == 200)
    }

    /// What bob has not read of the channel general.
    private static func unread(_ server: TestServer, after event: String) async throws -> String {
        let answer = try await server.client.call(.GET, "/views/unread.json?min=\(event)&wait=10s", token: "bob")
        #expect(answer.status == 200, "\(answer.text)")
        let general = try JSONObject(parsing: answer.body).object("general")
        let number = { (key: StaticString) in general?.int(key).map { "\($0)" } ?? "-" }
        return [
            general?.string("read") ?? "-", number("unread"), number("mentions"), general?.string("last") ?? "-",
        ].joined(separator: " ")
    }

    private static func prepare(_ server: TestServer) async throws {
        try await server.seed()
        let json = #"{"type":"CREATE_CHANNEL","channelId":"den","private":true,"eventId":"d0"}"#
        #expect(try await server.client.post(json, token: "alice").status == 200)
        try await say(server, "m1", "hello")
        try await say(server, "m2", "hello @bob")
        try await say(server, "m3", "me too", by: "bob")
        try await say(server, "m4", "@bob again")
    }

    @Test func aMarkerMovesForwardOrToWhereItIsPut() async throws {
        try await TestServer.run(views: .following) { server in
            try await Self.prepare(server)
            #expect(try await Self.unread(server, after: "m4").hasSuffix(" 3 2 m4"))
            let steps: [(event: String, more: String, found: String)] = [
                ("m1", "", "m1 2 2 m4"), ("m2", "", "m2 1 1 m4"), ("m1", "", "m2 1 1 m4"),
                ("m3", #","unread":false"#, "m3 1 1 m4"), ("m2", #","unread":true"#, "m1 2 2 m4"),
                ("m4", "", "m4 0 0 m4"), ("m4", #","unread":true"#, "m3 1 1 m4"), ("m4", "", "m4 0 0 m4"),
            ]
            for step in steps {
                let answer = try await Self.mark(server, "general", step.event, more: step.more)
                #expect(answer.status == 204 && answer.body.isEmpty, "\(step): \(answer.text)")
                #expect(try await Self.unread(server, after: "m4") == step.found, "\(step)")
            }
            try await Self.say(server, "m5", "news")
            #expect(try await Self.unread(server, after: "m5") == "m4 1 0 m5")
            // Alice's own messages are read, and she is told of no mention of bob.
            let alice = try await server.client.call(.GET, "/views/unread.json", token: "alice")
            #expect(alice.text.contains(#""unread":1,"mentions":0,"last":"m5"}"#), "\(alice.text)")
            #expect(alice.text.contains(#""den":{"read":"d0","unread":0,"mentions":0}"#), "\(alice.text)")
            let carol = try await server.client.call(.GET, "/views/unread.json", token: "carol")
            #expect(carol.text == "{}\n")
        }
    }

    @Test func theAnswerHasATagThatMarkersChange() async throws {
        try await TestServer.run(views: .following) { server in
            try await Self.prepare(server)
            _ = try await Self.unread(server, after: "m4")
            func get(_ tag: String? = nil) async throws -> TestClient.Answer {
                try await server.client.call(
                    .GET, "/views/unread.json", token: "bob", headers: tag.map { [("if-none-match", $0)] } ?? [])
            }
            let tag = try #require(try await get().headers.first(name: "etag"))
            #expect(try await get(tag).status == 304)
            #expect(try await Self.mark(server, "general", "m1").status == 204)
            let next = try await get(tag)
            #expect(next.status == 200)
            // What moves no marker changes no tag.
            let new = try #require(next.headers.first(name: "etag"))
            #expect(try await Self.mark(server, "general", "m1").status == 204)
            #expect(try await get(new).status == 304)
        }
    }

    private static let refused: [(json: String, token: String?, status: Int, code: String, field: String?)] = [
        (#"{"channelId":"general","eventId":"m1"}"#, nil, 401, "unauthorized", nil),
        (#"{"channelId":"general","eventId":"m1"}"#, "sender", 403, "forbidden", nil),
        (#"{"channelId":"general","eventId":"m1"}"#, "carol", 409, "not_a_member", "channelId"),
        (#"{"channelId":"never","eventId":"m1"}"#, "bob", 404, "channel_not_found", "channelId"),
        (#"{"channelId":"NO CHANNEL","eventId":"m1"}"#, "bob", 404, "channel_not_found", "channelId"),
        (#"{"channelId":"den","eventId":"d0"}"#, "bob", 404, "channel_not_found", "channelId"),
        (#"{"channelId":"den","eventId":"d0"}"#, "root", 409, "not_a_member", "channelId"),
        (#"{"channelId":"general","eventId":"nothing"}"#, "bob", 404, "event_not_found", "eventId"),
        (#"{"channelId":"general","eventId":"d0"}"#, "bob", 404, "event_not_found", "eventId"),
        (#"{"channelId":"general","eventId":""}"#, "bob", 404, "event_not_found", "eventId"),
        (#"{"channelId":"general"}"#, "bob", 422, "invalid_command", "eventId"),
        (#"{"eventId":"m1"}"#, "bob", 422, "invalid_command", "channelId"),
        (#"{"channelId":1,"eventId":"m1"}"#, "bob", 422, "invalid_command", "channelId"),
        (#"{"channelId":"general","eventId":"m1","unread":1}"#, "bob", 422, "invalid_command", "unread"),
        (#"{"channelId":"general","eventId":"m1","x":1}"#, "bob", 422, "invalid_command", "x"),
        ("[]", "bob", 400, "malformed", nil), ("", "bob", 400, "malformed", nil),
        (String(repeating: " ", count: 5_000), "bob", 413, "too_large", nil),
    ]

    @Test func whatIsNotRightIsRefused() async throws {
        try await TestServer.run(anonymousRead: true, views: .following) { server in
            try await Self.prepare(server)
            for row in Self.refused {
                let answer = try await Self.read(server, row.json, token: row.token)
                #expect(answer.status == row.status && answer.code == row.code, "\(row.json): \(answer.text)")
                #expect(answer.field == row.field, "\(row.json)")
            }
            // A private channel is not there, in the same words.
            let hidden = try await Self.mark(server, "den", "d0")
            let never = try await Self.mark(server, "x", "d0")
            #expect(hidden.text.replacing("den", with: "x") == never.text)
            #expect(try await server.client.call(.GET, "/api/read", token: "bob").status == 405)
            #expect(try await Self.unread(server, after: "m4").hasSuffix(" 3 2 m4"))
            // A token for reading is enough.
            let body = #"{"channelId":"general","eventId":"m1"}"#
            #expect(try await Self.read(server, body, token: "reader").status == 204)
        }
    }

    @Test func aChannelThatHadTheIdBeforeIsAnotherOne() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            func send(_ user: String, _ id: String, _ json: String) async throws {
                try await PrivateChannelTests.send(server, user, id, json, to: "den")
            }
            try await send("bob", "d0", #""type":"CREATE_CHANNEL","private":true"#)
            try await send("bob", "d1", #""type":"SEND_MESSAGE","message":"secret""#)
            #expect(try await Self.mark(server, "den", "d1").status == 204)
            try await send("bob", "d2", #""type":"DESTROY_CHANNEL""#)
            #expect(try await Self.mark(server, "den", "d1").code == "channel_not_found")
            try await send("alice", "e0", #""type":"CREATE_CHANNEL""#)
            try await send("alice", "e1", #""type":"SEND_MESSAGE","message":"before""#)
            #expect(try await Self.mark(server, "den", "d1").code == "not_a_member")
            try await send("bob", "e2", #""type":"JOIN_CHANNEL""#)
            try await send("alice", "e3", #""type":"SEND_MESSAGE","message":"after""#)
            #expect(try await Self.mark(server, "den", "d1").code == "event_not_found")
            let answer = try await server.client.call(.GET, "/views/unread.json?min=e3&wait=10s", token: "bob")
            #expect(
                answer.text.contains(#""den":{"read":"e2","unread":1,"mentions":0,"last":"e3"}"#), "\(answer.text)")
            // Who left and comes back begins with the second join.
            #expect(try await Self.mark(server, "den", "e3").status == 204)
            try await send("bob", "e4", #""type":"LEAVE_CHANNEL""#)
            try await send("alice", "e5", #""type":"SEND_MESSAGE","message":"without bob""#)
            try await send("bob", "e6", #""type":"JOIN_CHANNEL""#)
            let back = try await server.client.call(.GET, "/views/unread.json?min=e6&wait=10s", token: "bob")
            #expect(back.text.contains(#""den":{"read":"e6","unread":0,"mentions":0,"last":"e5"}"#), "\(back.text)")
        }
    }

    @Test func theSocketIsNobodys() async throws {
        let door = Door.commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { _, _ in }, makeToken: { _, _, _ in "" }))
        try await TestServer.run(door: door, views: .following) { server in
            let body = #"{"channelId":"general","eventId":"m1"}"#
            let read = try await Self.read(server, body, token: "key")
            let unread = try await server.client.call(.GET, "/views/unread.json", token: "key")
            #expect(read.code == "forbidden" && unread.code == "forbidden")
        }
    }
}
