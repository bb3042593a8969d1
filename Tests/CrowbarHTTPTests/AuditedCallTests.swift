import HTTPTypes
import Testing

@testable import CrowbarHTTP

/// What the audit log says of an admin's call.
@Suite struct AuditedCallTests {
    struct Call: Sendable, CustomTestStringConvertible {
        var method = HTTPRequest.Method.post
        var path: String
        var body = ""
        var action: String
        var target: String?
        var testDescription: String { "\(method) \(path) \(body)" }
    }

    private static let calls = [
        Call(
            path: "tokens", body: #"{"user":"ann","scopes":["read","metrics"],"lifetime":60}"#,
            action: "POST tokens scopes=\"read+metrics\" lifetime=60", target: "ann"),
        Call(path: "tokens", body: #"{"user":"ann"}"#, action: "POST tokens", target: "ann"),
        Call(path: "tokens", body: #"{"user":"ann","scopes":[5]}"#, action: "POST tokens", target: "ann"),
        Call(path: "views/rebuild", body: #"{"name":"messages"}"#, action: "POST views/rebuild", target: "messages"),
        Call(path: "views/messages/rebuild", action: "POST views/rebuild", target: "messages"),
        Call(path: "views/rebuild", action: "POST views/rebuild"),
        Call(
            path: "views/rebuild", body: #"{"name":"messages","channel":"dev"}"#,
            action: "POST views/rebuild channel=dev", target: "messages"),
        Call(
            path: "erase/message", body: #"{"channel":"dev","messageId":"m1"}"#,
            action: "POST erase/message channel=dev", target: "m1"),
        Call(path: "erase/user", body: #"{"user":"ann"}"#, action: "POST erase/user", target: "ann"),
        Call(method: .delete, path: "hooks/ci", action: "DELETE hooks", target: "ci"),
        Call(path: "plugins/irc/pause", action: "POST plugins/pause", target: "irc"),
        Call(path: "invites", body: "no JSON", action: "POST invites"),
    ]

    @Test(arguments: calls) func aCallIsNamedByWhatItDoesAndToWhat(_ call: Call) {
        let path = "/api/admin/" + call.path
        let audited = AuditedCall(call.method, path[...], body: Array(call.body.utf8))
        #expect(audited.action == call.action && audited.target == call.target, "\(audited)")
    }
}
