import CrowbarCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// The calls of the web page's console: who may, what is passed on, what is refused before that.
@Suite struct ConsoleRoutesTests {
    /// Answers with what it was asked for.
    static let actions = ConsoleActions(
        nodes: { JSON.string("nodes").bytes },
        history: { JSON.string("history \($0)").bytes },
        deadLetters: { name, after, limit in JSON.string("letters \(name) \(after ?? "first") \(limit)").bytes },
        listReplays: { Array("[]".utf8) },
        startReplay: { JSON.string("\($0)").bytes },
        cancelReplay: { id in
            if id == "none" { throw CommandError(.notFound, "there is no replay 'none'") }
            return JSON.string("cancel \(id)").bytes
        })

    struct Call: Sendable, CustomTestStringConvertible {
        var method: HTTPMethod = .GET
        var path: String
        var body = ""
        var status = 200
        var answer: String
        var testDescription: String { "\(method.rawValue) \(path) \(body)" }
    }

    static let calls = [
        Call(path: "nodes", answer: "\"nodes\"\n"),
        Call(path: "nodes?x=1", status: 422, answer: "invalid_command"),
        Call(path: "plugins/hook/history", answer: "\"history hook\"\n"),
        Call(path: "plugins/a%2Db/history", answer: "\"history a-b\"\n"),
        Call(path: "dead-letters/irc", answer: "[]\n"),
        Call(path: "dead-letters/irc?limit=2", answer: "\"letters irc first 2\"\n"),
        Call(path: "dead-letters/irc/q?after=7:q", answer: "\"letters irc/q 7:q 100\"\n"),
        // What is private is behind the audited call, whoever asks.
        Call(path: "dead-letters/irc?limit=2&all=true", status: 422, answer: "invalid_command"),
        Call(path: "dead-letters/irc?all=true", status: 422, answer: "invalid_command"),
        Call(path: "dead-letters?all=true", status: 422, answer: "invalid_command"),
        Call(path: "dead-letters/irc?limit=101", status: 422, answer: "invalid_command"),
        Call(path: "dead-letters/irc?limit=0", status: 422, answer: "invalid_command"),
        Call(path: "replays", answer: "[]\n"),
        Call(method: .DELETE, path: "replays/7", answer: "\"cancel 7\"\n"),
        Call(method: .DELETE, path: "replays/none", status: 404, answer: "not_found"),
        Call(method: .POST, path: "replays", body: "{}", status: 422, answer: "invalid_command"),
        Call(method: .POST, path: "replays", body: "[]", status: 400, answer: "malformed"),
    ]

    @Test(arguments: calls) func callsAreAnswered(_ call: Call) async throws {
        try await TestServer.run(plugins: PluginRoutesTests.actions) { server in
            let path = "/api/admin/" + call.path
            let answer = try await server.client.call(call.method, path, token: "root", body: Array(call.body.utf8))
            #expect(answer.status == call.status, "\(answer.text)")
            #expect(call.status == 200 ? answer.text == call.answer : answer.code == call.answer, "\(answer.text)")
            let other = try await server.client.call(call.method, path, token: "alice", body: Array(call.body.utf8))
            #expect(other.status == 403)
        }
    }

    @Test(arguments: ["plugins", "plugins/hook", "plugins/hook/history", "dead-letters/irc?limit=2", "replays"])
    func whatIsPolledIsSentOnce(_ path: String) async throws {
        try await TestServer.run(plugins: PluginRoutesTests.actions) { server in
            let path = "/api/admin/" + path
            let first = try await server.client.call(.GET, path, token: "root")
            let tag = try #require(first.headers["etag"].first)
            let known = try await server.client.call(.GET, path, token: "root", headers: [("if-none-match", tag)])
            #expect(known.status == 304 && known.text.isEmpty && known.headers["etag"] == [tag])
            let other = try await server.client.call(.GET, path, token: "root", headers: [("if-none-match", "\"x\"")])
            #expect(other.status == 200 && other.text == first.text)
            // The tag opens nothing.
            let stranger = try await server.client.call(.GET, path, token: "alice", headers: [("if-none-match", tag)])
            #expect(stranger.status == 403)
        }
    }

    @Test func aReplayIsReadWhole() throws {
        let text =
            #"{"plugin":"p","queue":"q","from":"beginning","until":"id:7","rate":0.5,"channels":["a*"],"restart":true}"#
        let replay = try ConsoleRoutes.replay(Array(text.utf8))
        #expect(
            replay
                == .init(
                    plugin: "p", queue: "q", from: "beginning", until: "id:7", rate: 0.5, channels: ["a*"],
                    restart: true))
        #expect(try ConsoleRoutes.replay(Array(#"{"plugin":"p","from":"beginning"}"#.utf8)).channels.isEmpty)
    }

    @Test(arguments: [
        #"{"from":"beginning"}"#, #"{"plugin":"p"}"#, #"{"plugin":"","from":"beginning"}"#,
        #"{"plugin":"p","from":7}"#, #"{"plugin":"p","from":"beginning","rate":0}"#,
        #"{"plugin":"p","from":"beginning","rate":"fast"}"#, #"{"plugin":"p","from":"beginning","rate":1e7}"#,
        #"{"plugin":"p","from":"beginning","channels":[""]}"#, #"{"plugin":"p","from":"beginning","channels":[]}"#,
        #"{"plugin":"p","from":"beginning","restart":"yes"}"#, #"{"plugin":"p","from":"beginning","more":1}"#,
        #"{"plugin":"p\u0000","from":"beginning"}"#,
    ]) func aReplayIsRefused(_ text: String) {
        #expect(throws: APIFailure.self) { try ConsoleRoutes.replay(Array(text.utf8)) }
    }

    @Test func adminsRebuildViews() async throws {
        try await TestServer.run(views: .following) { server in
            try await server.seed()
            try await waitUntil("the views are listed") {
                try await server.client.call(.GET, "/api/admin/views", token: "root").status == 200
            }
            let none = try await server.client.call(.POST, "/api/admin/views/nothing/rebuild", token: "root")
            #expect(none.status == 404 && none.code == "not_found", "\(none.text)")
            let forbidden = try await server.client.call(.POST, "/api/admin/views/messages/rebuild", token: "bob")
            #expect(forbidden.status == 403)
            try await waitUntil("a channel is rebuilt") {
                try await server.client.call(
                    .POST, "/api/admin/views/messages/rebuild", token: "root",
                    body: Array(#"{"channel":"general"}"#.utf8)
                ).status == 200
            }
        }
    }
}
