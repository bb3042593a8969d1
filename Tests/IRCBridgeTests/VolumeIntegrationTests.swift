import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Thousands of lines, and a server that slows its clients down.
@Suite(.timeLimit(.minutes(4))) struct VolumeIntegrationTests {
    private static let count = 5000

    /// Says 5,000 lines each way at once; none may be missing, twice there or in another place.
    private func fill(_ port: Int) async throws {
        let bob = try await IRCClient(port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        var deliveries: Set<Int64> = []
        var inbound: [String] = []
        var heard: [String] = []
        for start in stride(from: 0, to: Self.count, by: 100) {
            // As the window has it: so many at once and the next ones once these are settled.
            var some: Set<Int64> = []
            for i in start..<start + 100 {
                some.insert(try await host.say("out \(i)"))
                bob.send("PRIVMSG #general :in \(i)")
            }
            while inbound.count < start + 100 {
                let (message, command) = try await host.command("SEND_MESSAGE")
                inbound.append(message.string("message") ?? "")
                try await host.store(command)
            }
            while heard.count < start + 100 { heard.append(try await bob.nextText()) }
            try await host.settled(some)
            deliveries.formUnion(some)
        }
        #expect(inbound == (0..<Self.count).map { "in \($0)" })
        #expect(heard == (0..<Self.count).map { "<ann> out \($0)" })
        #expect(deliveries.count == Self.count)
    }

    @Test func fiveThousandLinesEachWayWithNgIRCd() async throws {
        let server = try await IRCServer()
        try await fill(server.port)
    }

    @Test func fiveThousandLinesEachWayWithInspIRCd() async throws {
        let server = try await InspServer()
        try await fill(server.port)
    }

    @Test func aBurstOfAHundredArrivesInOrderFromAServerWithItsStockPenalties() async throws {
        let server = try await IRCServer(penalties: true)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        let json = """
            {"networks":[{"name":"local","host":"127.0.0.1","port":\(server.port),"tls":false,
            "flood":{"burst":5,"lines_per_second":2.5}}],"links":[{"channel":"general","irc":"local/#general"}]}
            """
        try await host.run(JSON(parsing: Array(json.utf8)))
        var deliveries: Set<Int64> = []
        for i in 0..<100 { deliveries.insert(try await host.say("\(i)")) }
        for i in 0..<100 { #expect(try await bob.nextText() == "<ann> \(i)") }
        try await host.settled(deliveries)
    }
}
