import CrowbarTesting
import PluginWire
import Testing

@testable import IRCBridge

/// Refusals of a real server without IRCv3, which come as words alone or by numbers of its own.
@Suite(.timeLimit(.minutes(10))) struct RefusalIntegrationTests {
    private static let oper = """
        <class name="O" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
        <type name="N" classes="O"><oper name="op" password="op" host="*@*" type="N">
        <module name="shun">
        <shun notifyuser="yes" affectopers="no" allowtags="yes" allowconnect="no" cleanup="no"
            enabledcommands="ADMIN OPER PING PONG QUIT PART JOIN">
        """

    private func rejected(_ host: BridgeHost, _ delivery: Int64) async throws -> String {
        try await host.plugin.first("a reject") {
            guard case .reject(delivery, "channel_unavailable", let message, true) = $0 else { return nil }
            return message
        }
    }

    /// InspIRCd's `+E`: nobody says the same again and again.
    @Test func whatIsTooSimilarIsADeadLetter() async throws {
        let server = try await InspServer(#"<module name="repeat">"#, ircv3: false)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +E ~2:60")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let twice: Set = [try await host.say("the same"), try await host.say("the same")]
        try await host.settled(twice)
        let third = try await host.say("the same")
        #expect(try await rejected(host, third).contains("too similar"))
        let other = try await host.say("another one")
        try await host.settled([other])
        for text in ["the same", "the same", "another one"] { #expect(try await bob.nextText() == "<ann> \(text)") }
    }

    @Test func whatAShunnedBridgeSaysIsADeadLetter() async throws {
        let server = try await InspServer(Self.oper, ircv3: false)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let first = try await host.say("before")
        try await host.settled([first])
        #expect(try await bob.nextText() == "<ann> before")
        bob.send("OPER op op")
        _ = try await bob.first("the rights") { $0.verb == "381" }
        bob.send("SHUN crowbar 1h :quiet")
        bob.send("PING :done")
        _ = try await bob.first("the shun") { $0.verb == "PONG" }
        let second = try await host.say("after")
        #expect(try await rejected(host, second).contains("not processed as you have been blocked"))
    }
}
