import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Comings, goings and topics with real servers.
@Suite(.timeLimit(.minutes(2))) struct PresenceIntegrationTests {
    /// Plays the same with a server that has nothing of IRCv3 and with one that has most.
    private func play(_ port: Int) async throws {
        let bob = try await IRCClient(port, nick: "Bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port, #","presence":"full""#))
        _ = try await bob.first("the bridge") { $0.verb == "JOIN" }
        #expect(try await host.command("REGISTER_USER").0.string("userId") == "irc/local/nick/bob")
        #expect(try await host.command("JOIN_CHANNEL").0.string("channelId") == "general")
        // A nick without an account is another user.
        bob.send("NICK Rob")
        #expect(try await host.command("LEAVE_CHANNEL").0.string("userId") == "irc/local/nick/bob")
        #expect(try await host.command("JOIN_CHANNEL").0.string("userId") == "irc/local/nick/rob")
        bob.send("TOPIC #general :of interest")
        let (topic, _) = try await host.command("SET_TOPIC")
        #expect(topic.string("topic") == "of interest")
        #expect(topic.string("userId") == "irc/local/nick/rob")
        bob.send("MODE #general +o crowbar")
        _ = try await bob.first("the mode") { $0.verb == "MODE" && $0.params.contains("crowbar") }
        let set = try await host.setTopic("from the chat")
        let told = try await bob.first("the topic") { $0.verb == "TOPIC" && $0.source?.hasPrefix("crowbar") == true }
        #expect(told.params.last == "from the chat")
        try await host.settled([set])

        bob.send("KICK #general crowbar :out")
        _ = try await bob.first("the bridge again", within: .seconds(30)) { $0.verb == "JOIN" }
        bob.send("QUIT :bye")
        #expect(try await host.command("LEAVE_CHANNEL").0.string("userId") == "irc/local/nick/rob")
    }

    @Test func withNgIRCd() async throws {
        let server = try await IRCServer()
        try await play(server.port)
    }

    @Test func withInspIRCd() async throws {
        let server = try await InspServer()
        try await play(server.port)
    }
}
