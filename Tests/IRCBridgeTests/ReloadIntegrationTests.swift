import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// New configurations with real servers.
@Suite(.timeLimit(.minutes(10))) struct ReloadIntegrationTests {
    private func configured(_ host: BridgeHost, _ json: String) async throws -> PluginMessage.Problem? {
        try await host.plugin.send(.config(id: MessageID(1), config: JSON(parsing: Array(json.utf8))))
        return try await host.plugin.first("configured") {
            if case .configured(_, let problem) = $0 { .some(problem) } else { nil }
        }
    }

    private func network(_ name: String, _ port: Int, _ more: String = "") -> String {
        """
        {"name":"\(name)","host":"127.0.0.1","port":\(port),"tls":false,
        "flood":{"burst":0,"lines_per_second":0}\(more)}
        """
    }

    @Test func aNetworkComesAndGoesWhileAnotherStays() async throws {
        let server = try await IRCServer()
        let other = try await InspServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let zoe = try await IRCClient(other.port, nick: "zoe", join: "#there")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        _ = try await bob.first("the bridge") { $0.verb == "JOIN" }
        let link = #"{"channel":"general","irc":"local/#general"}"#
        let both = """
            {"networks":[\(network("local", server.port, #","format":"{name}: {text}""#)),
            \(network("second", other.port))],"links":[\(link),{"channel":"general","irc":"second/#there"}]}
            """
        #expect(try await configured(host, both) == nil)
        let queues: [String] = try await host.plugin.first("queues") {
            if case .queues(let queues) = $0 { queues.map(\.name) } else { nil }
        }
        #expect(queues == ["local", "second"])
        try await host.plugin.send(.start([HostMessage.QueueStart(name: "second", cursor: nil)]))
        _ = try await zoe.first("the bridge") { $0.verb == "JOIN" }
        let deliveries: Set<Int64> = [try await host.say("one"), try await host.say("two", queue: "second")]
        #expect(try await bob.nextText() == "ann: one")
        #expect(try await zoe.nextText() == "<ann> two")
        try await host.settled(deliveries)
        zoe.send("PRIVMSG #there :hi")
        #expect(try await host.command("SEND_MESSAGE").0.string("userId") == "irc/second/nick/zoe")
        // What is wrong leaves all as it was.
        let problem = try await configured(host, #"{"networks":[\#(network("local", 0))]}"#)
        #expect(problem?.path == "networks[0].port")
        let one = #"{"networks":[\#(network("local", server.port))],"links":[\#(link)]}"#
        #expect(try await configured(host, one) == nil)
        let quit = try await zoe.first("QUIT") { $0.verb == "QUIT" }
        #expect(IRCSource(try #require(quit.source)).nick == "crowbar")
        // Its people are in the chat no more.
        #expect(try await host.command("LEAVE_CHANNEL").0.string("userId") == "irc/second/nick/zoe")
        let last = try await host.say("three")
        let line = try await bob.first("the last line or the bridge's end") { ["PRIVMSG", "QUIT"].contains($0.verb) }
        #expect(line.params.last == "<ann> three")
        try await host.settled([last])
    }

    /// What does not touch the connection changes without one's noticing.
    @Test(arguments: ServerKind.allCases)
    func linksIgnoresAndFormatsChangeOnTheSameConnection(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let eve = try await IRCClient(server.port, nick: "eve", join: "#second")
        let troll = try await IRCClient(server.port, nick: "troll", join: "#general")
        let link = #"{"channel":"general","irc":"local/#general"}"#
        let second = #"{"channel":"general","irc":"local/#second"}"#
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port, links: "[\(link),\(second)]"))
        for person in [bob, eve] { _ = try await person.first("the bridge") { $0.verb == "JOIN" && $0.isOfBridge } }
        try await host.settled([host.say("before")])
        for person in [bob, eve] { #expect(try await person.nextText() == "<ann> before") }
        troll.send("PRIVMSG #general :first")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "first")
        _ = try await bob.first("the troll") { $0.verb == "PRIVMSG" }

        let more = #","ignore":["troll!*@*"],"format":"{name}: {text}""#
        let json = #"{"networks":[\#(network("local", server.port, more))],"links":[\#(link)]}"#
        #expect(try await configured(host, json) == nil)
        let gone = try await eve.first("PART or QUIT") { ["PART", "QUIT"].contains($0.verb) && $0.isOfBridge }
        #expect(gone.verb == "PART")
        try await host.settled([host.say("after")])
        let line = try await bob.first("a word of the bridge") { $0.isOfBridge }
        #expect(line.verb == "PRIVMSG" && line.params.last == "ann: after", "\(line)")
        // Neither from a channel that is linked no more nor from whom is ignored anything comes.
        for (person, target) in [(eve, "#second"), (troll, "#general")] {
            person.send("PRIVMSG \(target) :unheard")
            person.send("PING :said")
            _ = try await person.first("PONG") { $0.verb == "PONG" }
        }
        bob.send("PRIVMSG #general :heard")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "heard")
        // A link that comes back is joined by the same connection.
        let both = #"{"networks":[\#(network("local", server.port, more))],"links":[\#(link),\#(second)]}"#
        #expect(try await configured(host, both) == nil)
        _ = try await eve.first("the bridge") { $0.verb == "JOIN" && $0.isOfBridge }
        try await host.settled([host.say("last")])
        for person in [bob, eve] {
            let line = try await person.first("a word of the bridge") { $0.isOfBridge }
            #expect(line.verb == "PRIVMSG" && line.params.last == "ann: last", "\(line)")
        }
    }
}

extension IRCMessage {
    /// Whether the bridge, by its usual nick, has said or done it.
    fileprivate var isOfBridge: Bool { source?.hasPrefix("crowbar!") == true }
}
