import CrowbarCore
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// The calls of `crowbar plugins` and `cursor set`: who may, what is passed on, what is refused before that.
@Suite struct PluginRoutesTests {
    /// Answers with what it was asked for, or refuses where the name is `none`.
    static let actions: PluginActions = {
        @Sendable func answer(_ text: String) throws -> [UInt8] {
            if text.contains("none") { throw CommandError(.notFound, "there is no plugin 'none'") }
            return JSON.string(text).bytes
        }
        return PluginActions(
            show: { try answer("show \($0)") }, act: { try answer("\($0) \($1)") },
            forget: { try answer("forget \($0) \($1)") }, reload: { try answer("reload") },
            ask: { try answer("\($0) \($1) \($2 ?? "all")") },
            deliveries: { plugin, queue, _ in try answer("deliveries \(plugin) \(queue ?? "all")") },
            logs: { try answer("logs \($0) \($1) \($2)") },
            setCursor: { try answer("set \($0) \($1)" + ($2 ? " again" : "")) },
            deadLetters: { deed, name, ids, _ in
                try answer("\(deed) \(name) \(ids?.joined(separator: " ") ?? "all")")
            })
    }()

    struct Call: Sendable, CustomTestStringConvertible {
        var method: HTTPMethod
        var path: String
        var body = ""
        var status = 200
        var answer: String
        var testDescription: String { "\(method.rawValue) \(path) \(body)" }
    }

    static let calls = [
        Call(method: .GET, path: "plugins/irc", answer: "\"show irc\"\n"),
        Call(method: .POST, path: "plugins/irc/start", answer: "\"start irc\"\n"),
        Call(method: .POST, path: "plugins/irc/stop", answer: "\"stop irc\"\n"),
        Call(method: .POST, path: "plugins/irc/restart", answer: "\"restart irc\"\n"),
        Call(method: .POST, path: "plugins/irc/pause", answer: "\"pause irc\"\n"),
        Call(method: .POST, path: "plugins/irc/resume", answer: "\"resume irc\"\n"),
        Call(
            method: .POST, path: "plugins/hook/resume", body: #"{"queue":"a"}"#, answer: "\"resume hook/a\"\n"),
        Call(method: .POST, path: "plugins/hook/pause", body: #"{"queue":"a"}"#, answer: "\"pause hook/a\"\n"),
        Call(method: .POST, path: "plugins/hook/start", body: #"{"queue":"a"}"#, answer: "\"start hook/a\"\n"),
        Call(method: .POST, path: "plugins/hook/stop", body: #"{"queue":"a"}"#, answer: "\"stop hook/a\"\n"),
        Call(method: .POST, path: "plugins/hook/restart", body: #"{"queue":"a"}"#, answer: "\"restart hook/a\"\n"),
        Call(method: .GET, path: "plugins/hook?queue=a", answer: "\"show hook/a\"\n"),
        Call(method: .GET, path: "plugins/hook?q=a", status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "plugins/hook/logs?queue=a", answer: "\"logs hook/a 0 100\"\n"),
        Call(
            method: .POST, path: "plugins/hook/forget", body: #"{"confirm":true,"queue":"a"}"#,
            answer: "\"forget hook/a true\"\n"),
        Call(
            method: .PUT, path: "cursors/irc", body: #"{"to":"beginning","confirm":true}"#,
            answer: "\"set irc beginning again\"\n"),
        Call(
            method: .POST, path: "plugins/hook/pause", body: #"{"queue":""}"#, status: 422, answer: "invalid_command"),
        Call(method: .POST, path: "plugins/hook/resume", body: "{}", answer: "\"resume hook\"\n"),
        Call(
            method: .POST, path: "plugins/hook/resume", body: #"{"queue":1}"#, status: 422, answer: "invalid_command"),
        Call(
            method: .POST, path: "plugins/hook/resume", body: #"{"q":"a"}"#, status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "plugins/hook/resume", status: 405, answer: "not_found"),
        Call(method: .GET, path: "plugins/hook/deliveries", answer: "\"deliveries hook all\"\n"),
        Call(method: .GET, path: "plugins/hook/deliveries?endpoint=a", answer: "\"deliveries hook a\"\n"),
        Call(
            method: .POST, path: "plugins/hook/test-send", body: #"{"endpoint":"a"}"#,
            answer: "\"test-send hook a\"\n"),
        Call(method: .POST, path: "plugins/irc/forget", answer: "\"forget irc false\"\n"),
        Call(method: .POST, path: "plugins/irc/forget", body: #"{"confirm":true}"#, answer: "\"forget irc true\"\n"),
        Call(
            method: .POST, path: "dead-letters/irc/libera", body: #"{"do":"retry","eventIds":["a","b"]}"#,
            answer: "\"retry irc/libera a b\"\n"),
        Call(method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","all":true}"#, answer: "\"drop irc all\"\n"),
        Call(method: .POST, path: "plugins/reload", answer: "\"reload\"\n"),
        Call(method: .GET, path: "plugins/irc/logs", answer: "\"logs irc 0 100\"\n"),
        Call(method: .GET, path: "plugins/irc/logs?lines=7&after=3", answer: "\"logs irc 3 7\"\n"),
        Call(method: .PUT, path: "cursors/irc", body: #"{"to":"now"}"#, answer: "\"set irc now\"\n"),
        Call(method: .PUT, path: "cursors/irc/a", body: #"{"to":"id:x"}"#, answer: "\"set irc/a id:x\"\n"),
        Call(method: .GET, path: "plugins/none", status: 404, answer: "not_found"),
        Call(method: .POST, path: "plugins/none/start", status: 404, answer: "not_found"),
        Call(method: .GET, path: "plugins/irc/start", status: 405, answer: "not_found"),
        Call(method: .POST, path: "plugins/irc/logs", status: 405, answer: "not_found"),
        Call(method: .POST, path: "plugins/irc/dance", status: 404, answer: "not_found"),
        Call(method: .POST, path: "plugins/irc/start/now", status: 404, answer: "not_found"),
        Call(method: .GET, path: "plugins/irc/logs?lines=1001", status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "plugins/irc/logs?after=-1", status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "plugins/irc/logs?line=1", status: 422, answer: "invalid_command"),
        Call(method: .POST, path: "plugins/irc/forget", body: "yes", status: 400, answer: "malformed"),
        Call(
            method: .POST, path: "plugins/irc/forget", body: #"{"yes":true}"#, status: 422, answer: "invalid_command"),
        Call(method: .PUT, path: "cursors/irc", status: 422, answer: "invalid_command"),
        Call(method: .PUT, path: "cursors/irc", body: #"{"to":7}"#, status: 422, answer: "invalid_command"),
        Call(method: .POST, path: "cursors/irc", body: #"{"to":"now"}"#, status: 405, answer: "not_found"),
        // What is no truth value must not pass for one that nobody gave.
        Call(
            method: .POST, path: "plugins/irc/forget", body: #"{"confirm":"no"}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .PUT, path: "cursors/irc", body: #"{"to":"now","confirm":1}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","all":"true"}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","eventIds":"a","all":true}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","eventIds":[],"all":true}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","eventIds":[7]}"#, status: 422,
            answer: "invalid_command"),
        Call(
            method: .POST, path: "dead-letters/irc", body: #"{"do":"drop","eventIds":["a"],"all":true}"#, status: 422,
            answer: "invalid_command"),
        Call(method: .GET, path: "plugins/irc/logs?lines=+1", status: 422, answer: "invalid_command"),
        Call(method: .POST, path: "plugins/irc/stop?queue=a", status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "cursors/irc?all=true", status: 422, answer: "invalid_command"),
        Call(method: .GET, path: "dead-letters?queue=a", status: 422, answer: "invalid_command"),
    ]

    @Test(arguments: calls) func isPassedOnOrRefused(_ call: Call) async throws {
        try await TestServer.run(plugins: Self.actions) { server in
            let body = Array(call.body.utf8)
            let answer = try await server.client.call(
                call.method, "/api/admin/" + call.path, token: "root", body: body)
            #expect(answer.status == call.status, "\(answer.text)")
            let found = answer.status == 200 ? answer.text : answer.code
            #expect(found == call.answer)
        }
    }

    @Test func isForAdminsOnly() async throws {
        try await TestServer.run(plugins: Self.actions) { server in
            for token in ["alice", "sender", "reader"] {
                let stop = try await server.client.call(.POST, "/api/admin/plugins/irc/stop", token: token)
                #expect(stop.status == 403)
                let set = try await server.client.call(
                    .PUT, "/api/admin/cursors/irc", token: token, body: Array(#"{"to":"now"}"#.utf8))
                #expect(set.status == 403)
            }
            #expect(try await server.client.call(.POST, "/api/admin/plugins/irc/stop").status == 401)
        }
        // Where no plugin host is, there is nothing.
        try await TestServer.run { server in
            let stop = try await server.client.call(.POST, "/api/admin/plugins/irc/stop", token: "root")
            #expect(stop.status == 404)
        }
    }
}
