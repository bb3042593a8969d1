import CrowbarCore
import CrowbarTesting
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Bodies whose JSON readers disagree about: one answer at every entrance.
@Suite struct HostileJSONTests {
    private static func withServer(_ body: @Sendable @escaping (TestServer) async throws -> Void) async throws {
        try await TestServer.run { server in
            try await server.seed()
            for command in [
                Command(.registerUser, .registerUser(name: "ci"), userId: "incoming/ci"),
                Command(.joinChannel, .joinChannel, channelId: "general"),
            ] { _ = try await server.ingest.submit(Ingest.Request(command, actor: "incoming/ci")) }
            let join = Command(.joinChannel, .joinChannel, channelId: "general")
            _ = try await server.ingest.submit(Ingest.Request(join, actor: "root", isAdmin: true))
            try await body(server)
        }
    }

    private static func last(_ server: TestServer) async throws -> JSON? {
        let answer = try await server.client.call(.GET, "/api/events", token: "alice")
        return try JSON(parsing: try #require(answer.lines.last).utf8)["event"]
    }

    @Test func aTextHasOneAnswer() async throws {
        try await Self.withServer { server in
            for text in HostileJSON.texts {
                let command =
                    Array(#"{"type":"SEND_MESSAGE","channelId":"general","message":"#.utf8) + text.token + [0x7D]
                let one = try await server.client.call(.POST, "/api/commands", token: "alice", body: command)
                // JSON may have a NUL; a command may not, and a hook replaces it.
                let hasNUL = text.value?.utf8.contains(0) == true
                #expect(one.status == (text.value == nil ? 400 : hasNUL ? 422 : 200), "\(text): \(one.text)")
                if let value = text.value, !hasNUL {
                    #expect(try await Self.last(server)?["message"]?.string == value)
                }
                let line = try await server.client.call(
                    .POST, "/api/commands", token: "alice", headers: [("content-type", "application/x-ndjson")],
                    body: command)
                // A bare line break ends the line, which is then no JSON either.
                #expect(line.text.contains("\"malformed\"") == (text.value == nil), "\(text): \(line.text)")
                let hook = try await server.client.call(
                    .POST, "/hooks/ci-token", body: Array(#"{"text":"#.utf8) + text.token + [0x7D])
                #expect(hook.status == (text.value == nil ? 400 : 204), "\(text): \(hook.text)")
                if let value = text.value {
                    #expect(try await Self.last(server)?["message"]?.string == JSONString.withoutNUL(value))
                }
            }
        }
    }

    @Test func anAdminActsForWhomTheKeyNamesHoweverItIsWritten() async throws {
        try await Self.withServer { server in
            for key in HostileJSON.userIdKeys {
                let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x",\#(key):"bob"}"#
                let one = try await server.client.post(json, token: "root")
                #expect(one.status == 200, "\(key): \(one.text)")
                #expect(try await Self.last(server)?["userId"]?.string == "bob", "\(key)")
                let many = try await server.client.postLines([json], token: "root")
                #expect(many.text.contains("position"), "\(key): \(many.text)")
                #expect(try await Self.last(server)?["userId"]?.string == "bob", "\(key)")
                // What others may not do they may not do in another spelling.
                let other = try await server.client.post(json, token: "alice")
                #expect(other.code == "forbidden", "\(key): \(other.text)")
                let twice = try await server.client.post(json.dropLast() + #","userId":"alice"}"#, token: "root")
                #expect(twice.code == "malformed", "\(key): \(twice.text)")
            }
            for key in HostileJSON.otherKeys {
                let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x",\#(key):"bob"}"#
                let answer = try await server.client.post(json, token: "root")
                #expect(answer.code == "invalid_command", "\(key): \(answer.text)")
            }
        }
    }

    @Test func anEventIdCountsHoweverItsKeyIsWritten() async throws {
        try await Self.withServer { server in
            for (i, key) in [#""\u0065ventId""#, #""event\u0049d""#, #""\u0065\u0076entId""#].enumerated() {
                let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x",\#(key):"e\#(i)"}"#
                let first = try JSONObject(parsing: try await server.client.post(json, token: "bob").body)
                let again = try JSONObject(parsing: try await server.client.post(json, token: "bob").body)
                #expect(first.string("eventId") == "e\(i)" && first.span("duplicate") == nil)
                #expect(again.string("eventId") == "e\(i)" && again.bool("duplicate") == true)
            }
        }
    }

    @Test(arguments: [
        (#"{"te\u0078t":"x","username":"main"}"#, 204), (#"{"text":"x","\u0075sername":"main"}"#, 204),
        (#"{"text":"x","text":"y","username":"main"}"#, 400), (#"{"text":"x","t\u0065xt":"y"}"#, 400),
        (#"{"text":"x","username":"main","user\u006eame":"other"}"#, 400),
    ])
    func aHooksKeysFollowTheSameRule(_ body: String, _ status: Int) async throws {
        try await Self.withServer { server in
            let answer = try await server.client.call(.POST, "/hooks/ci-token", body: Array(body.utf8))
            #expect(answer.status == status, "\(answer.text)")
            if status == 204 {
                let event = try await Self.last(server)
                #expect(event?["message"]?.string == "x" && event?["meta"]?["username"]?.string == "main")
            }
        }
    }

    @Test func metaNamesNoKeyTwiceAndACommandIsNotTooDeep() async throws {
        try await Self.withServer { server in
            func code(_ meta: String) async throws -> String? {
                let json = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x","meta":\#(meta)}"#
                return try await server.client.post(json, token: "bob").code
            }
            for meta in [
                #"{"a":1,"b":{"a":1}}"#, #"{"a":[{"a":1},{"a":1}]}"#, #"{"é":1,"e\u0301":2}"#, #"{"K":1,"\u212a":2}"#,
                #"{"n":1.0,"m":1e400,"s":"\u0001"}"#, HostileJSON.nested(63),
            ] {
                let found = try await code(meta)
                #expect(found == nil, "\(meta)")
            }
            for meta in [
                #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"b":{"a":1,"a":1}}"#, #"{"b":[1,[{"a":1,"\u0061":1}]]}"#,
                #"{"s":"\u0000"}"#, #"{"\u0000":1}"#, #"{"a":[{"b":"x\\\u0000"}]}"#,
            ] {
                let found = try await code(meta)
                #expect(found == "invalid_command", "\(meta)")
            }
            let found = try await code(HostileJSON.nested(64))
            #expect(found == "malformed")
        }
    }
}
