import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Thousands of lines, and a server that slows its clients down.
@Suite(.timeLimit(.minutes(10))) struct VolumeIntegrationTests {
    private static let count = 5000

    /// Says 5,000 lines each way, as fast as the host's window and the servers let it; none may be missing, twice there
    /// or in another place.
    @Test(arguments: ServerKind.allCases) func fiveThousandLinesEachWay(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        for i in 0..<Self.count { bob.send("PRIVMSG #general :in \(i)") }
        var said = 0
        var unsettled: Set<Int64> = []
        var (inbound, heard): ([String], [String]) = ([], [])
        var lastChange = ContinuousClock.now
        while said < Self.count || !unsettled.isEmpty || inbound.count < Self.count || heard.count < Self.count {
            // Some at a time, so that what comes is taken too.
            for _ in 0..<64 where said < Self.count && unsettled.count < Relay.fullWindow {
                unsettled.insert(try await host.say("out \(said)"))
                said += 1
            }
            let texts = bob.textsSoFar()
            heard += texts
            let messages = try await host.messagesSoFar()
            if !texts.isEmpty || !messages.isEmpty { lastChange = .now }
            try #require(
                ContinuousClock.now - lastChange < testDeadline,
                "nothing happens any more: \(said) said, \(heard.count) heard, \(inbound.count) in")
            for message in messages {
                switch message {
                case .ack(.one(let delivery), _): unsettled.remove(delivery)
                case .ack(.many(let deliveries), _): unsettled.subtract(deliveries)
                case .command(let command):
                    let object = try JSONObject(parsing: command.command)
                    if let text = object.string("message") { inbound.append(text) }
                    try await host.store(command)
                case .status(.down, let text, _): Issue.record("\(text)")
                default: break
                }
            }
        }
        #expect(inbound == (0..<Self.count).map { "in \($0)" })
        #expect(heard == (0..<Self.count).map { "<ann> out \($0)" })
    }

    /// Side by side, as each takes its time.
    @Test func aBurstOfAHundredArrivesInOrderFromServersWithTheirStockPenalties() async throws {
        let names = ["default", "faster", "echoes"]
        let servers: [any ChatServer] = [
            try await IRCServer(penalties: true), try await IRCServer(penalties: true),
            try await InspServer(penalties: true),
        ]
        // All but one at the pace that the bridge has unless it is told another.
        let paces = ["", #","flood":{"burst":5,"lines_per_second":2.5}"#, ""]
        var people: [IRCClient] = []
        for server in servers { people.append(try await IRCClient(server.port, nick: "bob", join: "#general")) }
        let host = try BridgeHost()
        try await host.run(
            BridgeHost.config((0..<3).map { (names[$0], servers[$0].port, paces[$0]) }), untilOpen: false)
        try await host.open(Set(names))
        var deliveries: Set<Int64> = []
        for i in 0..<100 {
            for name in names { deliveries.insert(try await host.say("\(i)", queue: name)) }
        }
        var heard: [[String]] = [[], [], []]
        for i in 0..<100 {
            for (n, person) in people.enumerated() {
                heard[n].append(try await person.nextText())
                #expect(heard[n].last == "<ann> \(i)", "\(names[n])")
            }
        }
        try await host.settled(deliveries)
        // Nothing comes twice.
        for name in names { try await host.say("end", queue: name) }
        for person in people { #expect(try await person.nextText() == "<ann> end") }
    }

    @Test(arguments: [true, false])
    func longLinesDoNotMakeAServerHangUp(isInsp: Bool) async throws {
        // Both as slow as they are by default; what has not been read of a client has its limit there.
        let insp = isInsp ? try await InspServer(penalties: true) : nil
        let ngircd = isInsp ? nil : try await IRCServer(penalties: true)
        let port = insp?.port ?? ngircd?.port ?? 0
        let bob = try await IRCClient(port, nick: "bob", join: "#general")
        let json = """
            {"networks":[{"name":"local","host":"127.0.0.1","port":\(port),"tls":false}],
            "links":[{"channel":"general","irc":"local/#general"}]}
            """
        let host = try BridgeHost()
        try await host.run(JSON(parsing: Array(json.utf8)))
        var deliveries: Set<Int64> = []
        let long = String(repeating: "x", count: 380)
        for i in 0..<8 { deliveries.insert(try await host.say("\(i) \(long)")) }
        for i in 0..<8 { #expect(try await bob.nextText() == "<ann> \(i) \(long)") }
        try await host.settled(deliveries)
        // No server has hung up meanwhile.
        bob.send("WHOIS crowbar")
        let idle = try await bob.first("crowbar") { ["317", "401", "318"].contains($0.verb) }
        #expect(idle.verb != "401")
    }
}
