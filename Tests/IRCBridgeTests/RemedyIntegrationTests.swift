import CrowbarTesting
import PluginWire
import Testing

@testable import IRCBridge

/// Channels of real servers that refuse what is said for a while, or for its form.
@Suite(.timeLimit(.minutes(10))) struct RemedyIntegrationTests {
    private static let modules = ["delaymsg", "blockcolor", "nonotice"].map { #"<module name="\#($0)">"# }.joined()

    /// InspIRCd's `+d`: nobody speaks in their first seconds.
    @Test func aBacklogOutlivesTheDelayAfterTheJoin() async throws {
        let server = try await InspServer(Self.modules)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +d 3")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for number in 1...5 { deliveries.insert(try await host.say("message \(number)")) }
        for number in 1...5 { #expect(try await bob.nextText() == "<ann> message \(number)") }
        try await host.settled(deliveries)
    }

    /// A moderated channel whose operator gives the bridge its voice a moment later.
    @Test(arguments: ServerKind.allCases) func aBacklogOutlivesTheTimeBeforeTheVoice(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +m")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let first = try await host.say("one")
        let second = try await host.say("two")
        // So that both were refused before.
        let probe = try await IRCClient(server.port, nick: "probe", join: "#general")
        probe.send("PRIVMSG #general :refused")
        _ = try await probe.first("a refusal") { $0.verb == "404" }
        bob.send("MODE #general +v crowbar")
        #expect(try await bob.nextText() == "<ann> one")
        #expect(try await bob.nextText() == "<ann> two")
        try await host.settled([first, second])
    }

    @Test func formattingAndNoticesAreSaidInTheFormThatTheChannelTakes() async throws {
        let server = try await InspServer(Self.modules)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +cT")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let bold = try await host.say("a **bold** word")
        #expect(try await bob.nextText() == "<ann> a bold word")
        let notice = try await host.say("noted", kind: "notice")
        let said = try await bob.first("the notice") { $0.params.last == "<ann> noted" }
        #expect(said.verb == "PRIVMSG")
        try await host.settled([bold, notice])
    }

    /// A nick that the server keeps for others.
    @Test func aReservedNickIsGotAround() async throws {
        let server = try await InspServer(#"<badnick nick="crowbar" reason="reserved">"#)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await host.told("connected") { $0 == .ok && $1.hasSuffix("as crowbar_") }
    }
}
