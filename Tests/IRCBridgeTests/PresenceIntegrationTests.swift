import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Comings, goings and topics with real servers.
@Suite(.timeLimit(.minutes(10))) struct PresenceIntegrationTests {
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
        _ = try await bob.first("the bridge again") { $0.verb == "JOIN" }
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

    /// Who goes with a netsplit and comes back has never left the chat's channel.
    @Test func aNetsplitOfTwoServers() async throws {
        let port = try LoopbackPort.free()
        let hub = try await InspServer(
            InspServer.link("leaf.test.local", own: port), name: "hub.test.local", id: "001")
        let linked = InspServer.link("hub.test.local", at: port)
        let leaf = try await InspServer(linked, name: "leaf.test.local", id: "002")
        let eve = try await IRCClient(hub.port, nick: "Eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(hub.port, #","presence":"full""#))
        _ = try await IRCClient.linked(to: leaf.port, nick: "probe", seenBy: eve)
        let bob = try await IRCClient(leaf.port, nick: "Bob", join: "#general")
        var commands: [String] = []
        func take() async throws {
            let (object, _) = try #require(try await host.anyCommand())
            commands.append(
                "\(object.string("type") ?? "") \(object.string("userId")?.split(separator: "/").last ?? "")")
        }
        for _ in 0..<4 { try await take() }
        try await leaf.kill()
        let split = try await eve.first("the netsplit") { $0.verb == "QUIT" && $0.source?.hasPrefix("Bob!") == true }
        #expect(split.params == ["hub.test.local leaf.test.local"])
        withExtendedLifetime(bob) {}
        let again = try await InspServer(linked, name: "leaf.test.local", id: "002")
        _ = try await IRCClient.linked(to: again.port, nick: "probe", seenBy: eve)
        let back = try await IRCClient(again.port, nick: "Bob", join: "#general")
        back.send("PRIVMSG #general :I am back")
        // Nothing comes before it: he is the same member of the channel.
        try await take()
        #expect(
            commands == [
                "REGISTER_USER eve", "JOIN_CHANNEL eve", "REGISTER_USER bob", "JOIN_CHANNEL bob", "SEND_MESSAGE bob",
            ])
    }
}
