import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What servers mean that do not let the bridge in.
@Suite(.timeLimit(.minutes(10))) struct ServerRefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var numeric: String?
        var words: String
        var hasPassword = true
        var reason: String
        var isFinal = true
        var testDescription: String { "\(numeric ?? "ERROR") \(words)" }
    }

    private static let denied =
        "the server does not let the bridge in (a wrong server_password, or an address that it does not accept)"

    private static let busy = "the server lets in no more from this address for now"

    static let cases = [
        Case(numeric: "464", words: "Password incorrect", reason: "wrong server_password"),
        Case(numeric: "464", words: "No", reason: "wrong server_password"),
        Case(
            numeric: "464", words: "Password required", hasPassword: false,
            reason: "the server wants a password, set server_password"),
        Case(numeric: "465", words: "You are banned from this server", reason: "banned"),
        Case(numeric: "465", words: "Closing Link: x (Bad Password)", reason: "wrong server_password"),
        Case(numeric: "466", words: "", reason: "banned"),
        // ngIRCd, hybrid and its like, Solanum, UnrealIRCd, InspIRCd.
        Case(words: "Access denied: Bad password?", reason: "wrong server_password"),
        Case(words: "Closing Link: 127.0.0.1 (Bad Password)", reason: "wrong server_password"),
        Case(words: "Closing Link: 127.0.0.1 (Password mismatch)", reason: "wrong server_password"),
        Case(words: "Closing Link: crow[127.0.0.1] (Invalid passwd)", reason: "wrong server_password"),
        Case(words: "Closing link: (crow@127.0.0.1) [Access denied by configuration]", reason: denied),
        Case(words: "Closing Link: 127.0.0.1 (Not authorized to use this server)", reason: denied),
        Case(words: "Closing Link: 127.0.0.1 (Unauthorised connection)", reason: denied),
        Case(words: "Closing Link: 127.0.0.1 (K-Lined)", reason: "banned"),
        Case(words: "Closing link: (crow@127.0.0.1) [G-lined: spam]", reason: "banned"),
        Case(words: "Closing Link: 127.0.0.1 (*** Banned: no bots)", reason: "banned"),
        Case(words: "Closing Link: x (Z:lined (spam))", reason: "banned"),
        Case(words: "Closing Link: x (K:lined)", reason: "banned"),
        Case(words: "Closing Link: x by s (G-lined (AUTO [0] drones))", reason: "banned"),
        Case(words: "Closing Link: x (You have been banned from this server)", reason: "banned"),
        Case(words: "Closing Link: x (User has been banned from Net (spam))", reason: "banned"),
        Case(words: "Closing Link: x (Glined: open relay)", reason: "banned"),
        Case(words: "Closing Link: x (GZ-Line: drones)", reason: "banned"),
        Case(words: "Closing Link: x (AutoKilled: spam)", reason: "banned"),
        Case(words: "Closing Link: x (Your address is listed in DroneBL)", reason: "banned"),
        Case(words: "Closing Link: Too many connections", reason: busy),
        Case(words: "Closing Link: x (Too many host connections (local))", reason: busy),
        Case(words: "Closing Link: x (Throttled: Reconnecting too fast)", reason: busy),
        Case(words: "Your host is trying to (re)connect too fast -- throttled", reason: busy),
        Case(words: "No more connections allowed from your host via this connect class (local)", reason: busy),
        Case(words: "Closing Link: x (the server is offline: k)", reason: "the server closed the link", isFinal: false),
        Case(words: "Closing Link: Ping timeout", reason: "the server closed the link", isFinal: false),
    ]

    @Test(arguments: cases) func readsTheServersWords(_ example: Case) {
        let refusal = ServerRefusal(
            numeric: example.numeric, words: example.words, hasPassword: example.hasPassword)
        #expect(refusal == ServerRefusal.expected("\(example.reason): \(example.words)", example.isFinal))
    }

    /// A real server with a password says of a wrong one nothing that would tell it from a ban, so neither does the
    /// status.
    @Test(arguments: [#","server_password":"wrong""#, ""])
    func aWrongPasswordOnARealServerIsNoBan(_ more: String) async throws {
        let server = try await InspServer(password: "secret")
        let host = try BridgeHost()
        let config = #"{"networks":[{"name":"net","host":"127.0.0.1","port":\#(server.port),"tls":false\#(more)}]}"#
        try await host.run(JSON(parsing: Array(config.utf8)), untilOpen: false)
        let text = try await host.plugin.first("a status") { message -> String? in
            if case .status(.down, let text, _) = message, text.contains("next try") { text } else { nil }
        }
        let kind = more.isEmpty ? "missing" : "wrong"
        #expect(text.contains("does not let the bridge in (a \(kind) server_password, or an address"), "\(text)")
        #expect(!text.contains("banned"))
    }
}

extension ServerRefusal {
    /// A refusal as it should be read.
    static func expected(_ reason: String, _ isFinal: Bool) -> ServerRefusal {
        var refusal = ServerRefusal(numeric: nil, words: "", hasPassword: false)
        refusal.reason = reason
        refusal.isFinal = isFinal
        return refusal
    }
}
