import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// The bridge is thrown out of its channel and comes back, with real servers.
@Suite(.timeLimit(.minutes(10))) struct KickIntegrationTests {
    private static func number(_ text: String) throws -> Int { try #require(Int(text.dropFirst(6)), "\(text)") }

    @Test(arguments: ServerKind.allCases)
    func whatIsSaidWhileItIsOutComesAfterTheRejoinInOrderAndOnce(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for i in 0..<20 { deliveries.insert(try await host.say("\(i)")) }
        for i in 0..<20 { #expect(try await Self.number(bob.nextText()) == i) }
        try await host.settled(deliveries)
        bob.send("KICK #general crowbar :out")
        try await host.told("out of the channel") {
            $0 == .degraded && $1 == "local: connected as crowbar; not in #general: kicked by bob: out"
        }
        deliveries = []
        for i in 20..<120 { deliveries.insert(try await host.say("\(i)")) }
        let next = try await bob.first("the bridge or a message") { ["JOIN", "PRIVMSG"].contains($0.verb) }
        #expect(next.verb == "JOIN")
        for i in 20..<120 { #expect(try await Self.number(bob.nextText()) == i) }
        try await host.settled(deliveries)
        try await host.told("in it again") { level, _ in level == .ok }
        // The next thing is the next message: nothing is said twice.
        let marker = try await host.say("120")
        #expect(try await Self.number(bob.nextText()) == 120)
        try await host.settled([marker])
    }

    @Test(arguments: ServerKind.allCases)
    func aKickInABurstLosesNothingAndKeepsTheOrder(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        // Else whoever is out may speak in it, and what is said then is said again as unconfirmed.
        bob.send("MODE #general +n")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for i in 0..<500 { deliveries.insert(try await host.say("\(i)")) }
        var heard: [Int] = []
        while heard.count < 20 { heard.append(try Self.number(try await bob.nextText())) }
        bob.send("KICK #general crowbar :out")
        for i in 500..<1000 { deliveries.insert(try await host.say("\(i)")) }
        while heard.last != 999 { heard.append(try Self.number(try await bob.nextText())) }
        try await host.settled(deliveries)
        var next = 0
        for number in heard {
            #expect(number <= next, "\(next) is missing before \(number)")
            next = max(next, number + 1)
        }
        #expect(next == 1000)
        // By echoes the bridge knows what the server had before the kick; by PINGs it does not of the last ones.
        let most = kind == .inspIRCd ? 0 : FlowControl.mostLines
        #expect(heard.count - 1000 <= most, "\(heard.count - 1000) were said twice")
    }
}
