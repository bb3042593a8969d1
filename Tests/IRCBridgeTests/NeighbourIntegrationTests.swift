import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Other servers, other bridges and other networks beside one's own.
@Suite(.timeLimit(.minutes(10))) struct NeighbourIntegrationTests {
    @Test(arguments: ServerKind.allCases) func aKeyedChannelIsJoinedWithItsKeyAlone(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +k secret")
        _ = try await bob.first("the mode") { $0.verb == "MODE" && $0.params.contains("secret") }
        let without = try BridgeHost()
        try await without.run(BridgeHost.config(server.port, #","nick":"keyless""#), untilOpen: false)
        let reason: String = try await without.plugin.first("status degraded") {
            if case .status(.degraded, let text, _) = $0, text.contains("key") { text } else { nil }
        }
        #expect(reason.contains("#general: its key is missing or wrong: set the link's 'key'"))
        let with = try BridgeHost()
        let links = #"[{"channel":"general","irc":"local/#general","key":"secret"}]"#
        try await with.run(BridgeHost.config(server.port, links: links))
        try await with.settled([with.say("inside")])
        #expect(try await bob.nextText() == "<ann> inside")
        // The right key is taken without a new connection.
        let fixed = try BridgeHost.config(server.port, #","nick":"keyless""#, links: links)
        try await without.plugin.send(.config(id: MessageID(1), config: fixed))
        let join = try await bob.first("the other") { $0.verb == "JOIN" && $0.source?.hasPrefix("keyless") == true }
        #expect(join.params.first == "#general")
    }

    @Test(arguments: ServerKind.allCases) func whoIsKickedLeavesTheChat(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        eve.send("PRIVMSG #general :hello")
        #expect(try await host.command("JOIN_CHANNEL").0.string("userId") == "irc/local/nick/eve")
        bob.send("KICK #general eve :out")
        let (leave, _) = try await host.command("LEAVE_CHANNEL")
        #expect(leave.string("userId") == "irc/local/nick/eve")
        #expect(leave.string("channelId") == "general")
    }

    /// The configuration of a server that another one of its network may link to, or that links to one.
    private static func link(_ name: String, to port: Int? = nil) -> String {
        let way = port.map { "Host = 127.0.0.1\nPort = \($0)" } ?? "Passive = yes"
        return "[Server]\nName = \(name)\nMyPassword = pw\nPeerPassword = pw\n\(way)\n"
    }

    @Test func whoASplitTakesAndBringsBackDoesNotLeaveTheChat() async throws {
        let here = try await IRCServer(name: "a.test.local", more: Self.link("b.test.local"))
        let port = try LoopbackPort.free()
        let more = Self.link("a.test.local", to: here.port)
        var there = try await IRCServer(port: port, name: "b.test.local", more: more)
        let bob = try await IRCClient(here.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(here.port, #","presence":"full""#))
        var eve = try await IRCClient(port, nick: "eve", join: "#general")
        _ = try await bob.first("eve") {
            $0.verb == "JOIN" && $0.source?.hasPrefix("eve!") == true
        }
        var commands: [String] = []
        func take(until text: String) async throws {
            while let (object, command) = try await host.anyCommand() {
                try await host.store(command)
                commands.append("\(object.string("type") ?? "") \(object.string("userId")?.suffix(3) ?? "")")
                if object.string("message") == text { return }
            }
            Issue.record("'\(text)' did not come")
        }
        eve.send("PRIVMSG #general :before")
        try await take(until: "before")
        #expect(commands.filter { $0 == "JOIN_CHANNEL eve" }.count == 1)
        commands = []
        try await there.kill()
        let quit = try await bob.first("the split") { $0.verb == "QUIT" && $0.source?.hasPrefix("eve!") == true }
        #expect(Netsplit.isReason(quit.params.last ?? ""), "\(quit)")
        bob.send("PRIVMSG #general :split")
        try await take(until: "split")
        there = try await IRCServer(port: port, name: "b.test.local", more: more)
        eve = try await IRCClient(port, nick: "eve", join: "#general")
        _ = try await bob.first("eve again") {
            $0.verb == "JOIN" && $0.source?.hasPrefix("eve!") == true
        }
        eve.send("PRIVMSG #general :after")
        try await take(until: "after")
        #expect(commands == ["SEND_MESSAGE bob", "SEND_MESSAGE eve"])
        eve.send("QUIT :bye")
        #expect(try await host.command("LEAVE_CHANNEL").0.string("userId") == "irc/local/nick/eve")
    }

    @Test(arguments: ServerKind.allCases, ["<{name}> {text}", "* <{name}> {text}"])
    func twoBridgesBetweenTheSameChannelsDoNotAnswerEachOtherForEver(kind: ServerKind, format: String) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#a")
        let eve = try await IRCClient(server.port, nick: "eve", join: "#b")
        let links = #"[{"channel":"general","irc":"local/#a"},{"channel":"general","irc":"local/#b"}]"#
        let hosts = [try BridgeHost(), try BridgeHost()]
        for (i, host) in hosts.enumerated() {
            let more = #","nick":"bridge\#(i)","format":"\#(format)""#
            try await host.run(BridgeHost.config(server.port, more, links: links))
        }
        bob.send("PRIVMSG #a :hello")
        // Each has a chat of its own, which hands back what it stores. The server has passed on a line that it has
        // confirmed before it passes on a fence: a round without another message before its fences is the last one.
        var stored: [String] = []
        var rounds = 0
        func circulate() async throws {
            var before = -1
            while stored.count != before, stored.count < 100 {
                before = stored.count
                rounds += 1
                let fence = "fence \(rounds)"
                bob.send("PRIVMSG #a :\(fence)")
                eve.send("PRIVMSG #b :\(fence)")
                for host in hosts {
                    var deliveries: Set<Int64> = []
                    var fences = 0
                    while fences < 2 {
                        let (object, command) = try #require(try await host.anyCommand())
                        try await host.store(command)
                        guard let text = object.string("message"), let user = object.string("userId") else { continue }
                        if text == fence {
                            fences += 1
                            continue
                        }
                        stored.append(text)
                        let name = user.split(separator: "/").last.map(String.init) ?? user
                        let kind = object.string("kind")
                        let origin = ("irc", command.ref ?? "")
                        deliveries.insert(try await host.say(text, by: name, kind: kind, origin: origin))
                    }
                    try await host.settled(deliveries)
                }
            }
        }
        try await circulate()
        let hello = format.replacing("{name}", with: "bob").replacing("{text}", with: "hello")
        #expect(try await eve.nextText() == hello)
        // At most one of them hears the other one's line before it has said the same.
        #expect(stored.count <= 4, "\(stored)")
        #expect(stored.filter { $0 == "hello" }.count == 2)
        // People are still heard, and once by each.
        stored = []
        eve.send("PRIVMSG #b :hi bob")
        try await circulate()
        #expect(stored.filter { $0 == "hi bob" }.count == 2)
        #expect(stored.count <= 4, "\(stored)")
        // An action names its author in another way.
        stored = []
        bob.send("PRIVMSG #a :\u{1}ACTION waves\u{1}")
        try await circulate()
        #expect(stored.filter { $0 == "waves" }.count == 2)
        #expect(stored.count <= 4, "\(stored)")
    }

    @Test(arguments: ServerKind.allCases)
    func twoBridgesInOneChannelCarryOneChatToTheOther(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let (first, second) = (try BridgeHost(), try BridgeHost())
        try await first.run(BridgeHost.config(server.port, #","nick":"first""#))
        try await second.run(BridgeHost.config(server.port, #","nick":"second""#))
        try await first.say("hello", by: "ann")
        #expect(try await bob.nextText() == "<ann> hello")
        let (message, command) = try await second.command("SEND_MESSAGE")
        #expect(message.string("message")?.contains("hello") == true)
        #expect(message.string("userId") == "irc/local/nick/first")
        // The chat hands it back; it has come from this channel and goes nowhere.
        let back = try await second.say("hello", by: "first", origin: ("irc", command.ref ?? ""))
        try await second.settled([back])
        bob.send("PRIVMSG #general :marker")
        let (marker, _) = try await first.command("SEND_MESSAGE")
        #expect(marker.string("message") == "marker")
    }

    @Test(arguments: ServerKind.allCases)
    func twoNetworksGoOnWhileAThirdIsDeadAndItMissesNothing(kind: ServerKind) async throws {
        var servers: [any ChatServer] = []
        for one in [ServerKind.ngIRCd, kind, .inspIRCd] { servers.append(try await one.start()) }
        let ports = servers.map(\.port)
        let unlimited = #","flood":{"burst":0,"lines_per_second":0}"#
        let host = try BridgeHost()
        let config = try BridgeHost.config(ports.enumerated().map { ("n\($0)", $1, unlimited) })
        try await host.run(config, untilOpen: false)
        try await host.open(["n0", "n1", "n2"])
        var people: [IRCClient] = []
        for port in ports { people.append(try await IRCClient(port, nick: "bob", join: "#general")) }
        try await servers[1].kill()
        #expect(try await host.down().contains("n1:"))
        var deliveries: Set<Int64> = []
        for i in 0..<300 {
            for queue in ["n0", "n1", "n2"] { deliveries.insert(try await host.say("\(i)", queue: queue)) }
        }
        for i in 0..<300 {
            #expect(try await people[0].nextText() == "<ann> \(i)")
            #expect(try await people[2].nextText() == "<ann> \(i)")
        }
        // Held still until somebody listens on the server that comes back.
        host.plugin.kill(SIGSTOP)
        servers[1] = try await kind.start(port: ports[1])
        people[1] = try await IRCClient(ports[1], nick: "bob", join: "#general")
        host.plugin.kill(SIGCONT)
        for i in 0..<300 { #expect(try await people[1].nextText() == "<ann> \(i)") }
        try await host.settled(deliveries)
    }

    @Test func aNetworkThatFloodsTheChatHoldsUpNoOther() async throws {
        let servers = [try await IRCServer(), try await IRCServer()]
        let networks = servers.enumerated().map { i, server in
            """
            {"name":"n\(i)","host":"127.0.0.1","port":\(server.port),"tls":false,
            "flood":{"burst":0,"lines_per_second":0}}
            """
        }
        let links = (0..<2).map { #"{"channel":"general","irc":"n\#($0)/#general"}"# }
        let json = "{\"networks\":[\(networks.joined(separator: ","))],\"links\":[\(links.joined(separator: ","))]}"
        let host = try BridgeHost()
        try await host.run(JSON(parsing: Array(json.utf8)), untilOpen: false)
        var open: Set<String> = []
        while open.count < 2 {
            open.insert(
                try await host.plugin.first("a window") {
                    if case .window(let queue, let events) = $0, events > 0 { queue } else { nil }
                })
        }
        let bob = try await IRCClient(servers[0].port, nick: "bob", join: "#general")
        let eve = try await IRCClient(servers[1].port, nick: "eve", join: "#general")
        // The chat answers none of these.
        for i in 0..<1000 { bob.send("PRIVMSG #general :flood \(i)") }
        while try await host.command("SEND_MESSAGE").0.string("message") != "flood 100" {}
        // Both ways of the other network go on, past what may be unconfirmed at once.
        var deliveries: Set<Int64> = []
        for i in 0..<500 { deliveries.insert(try await host.say("\(i)", queue: "n1")) }
        for i in 0..<500 { #expect(try await eve.nextText() == "<ann> \(i)") }
        try await host.settled(deliveries)
        eve.send("PRIVMSG #general :calm")
        while try await host.command("SEND_MESSAGE").0.string("message") != "calm" {}
    }
}
