import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Users with connections of their own, with a real server.
@Suite(.timeLimit(.minutes(10))) struct PuppetIntegrationTests {
    private static func config(_ port: Int, _ puppets: String) throws -> JSON {
        try BridgeHost.config(port, #","mode":"puppets","puppets":\#(puppets)"#)
    }

    /// The next message in the channel, as `NICK TEXT`.
    private func next(_ client: IRCClient) async throws -> String {
        let message = try await client.first("a message") { $0.verb == "PRIVMSG" }
        return IRCSource(message.source ?? "").nick + " " + (message.params.last ?? "")
    }

    @Test(arguments: ServerKind.allCases) func usersSpeakAsThemselvesWithinTheLimit(kind: ServerKind) async throws {
        let server = try await kind.start()
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(Self.config(server.port, #"{"limit":2}"#))
        var deliveries: Set<Int64> = []
        for (user, text) in [("ann", "one"), ("bob", "two"), ("cid", "three"), ("ann", "four")] {
            deliveries.insert(try await host.say(text, by: user))
        }
        deliveries.insert(try await host.say("waves", by: "bob", kind: "action"))
        var heard: [String] = []
        for _ in 0..<5 { heard.append(try await next(eve)) }
        #expect(
            heard == [
                "ann[c] one", "bob[c] two", "crowbar <cid> three", "ann[c] four",
                "bob[c] \u{1}ACTION waves\u{1}",
            ])
        try await host.settled(deliveries)
        // Nothing of all that came back: the first message is one of IRC.
        eve.send("PRIVMSG #general :ann[c]: hello")
        let (message, _) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "@ann: hello")
        #expect(message.string("userId") == "irc/local/nick/eve")
        try await host.plugin.send(.drain(deadlineMs: 10_000, why: "test"))
        var left: Set<String> = []
        while left.count < 3 {
            let quit = try await eve.first("QUIT") { $0.verb == "QUIT" }
            left.insert(IRCSource(try #require(quit.source)).nick)
        }
        #expect(left == ["ann[c]", "bob[c]", "crowbar"])
        #expect(try await host.plugin.end() == .exited(0))
    }

    @Test func theOrderIsKeptBetweenConnections() async throws {
        let server = try await IRCServer()
        try await takeTurns(server.port)
    }

    @Test func theOrderIsKeptWhereEchoesAreTheReceipts() async throws {
        let server = try await InspServer()
        try await takeTurns(server.port)
    }

    private func takeTurns(_ port: Int) async throws {
        let eve = try await IRCClient(port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(Self.config(port, #"{"limit":3}"#))
        var deliveries: Set<Int64> = []
        let users = ["ann", "bob", "cid", "dan"]
        for i in 0..<400 {
            // Now in turns, now several lines in a row; `dan` is beyond the limit.
            let user = users[(i / (i % 100 < 50 ? 1 : 7)) % users.count]
            deliveries.insert(try await host.say("\(i)", by: user))
        }
        var heard: [Int] = []
        for _ in 0..<400 {
            let text = try await next(eve)
            heard.append(try #require(text.split(separator: " ").last.flatMap { Int($0) }))
        }
        #expect(heard == Array(0..<400))
        try await host.settled(deliveries)
    }

    @Test(arguments: ServerKind.allCases) func whoIsSilentQuitsAndComesBackToSpeak(kind: ServerKind) async throws {
        let server = try await kind.start()
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(Self.config(server.port, #"{"idle":1}"#))
        try await host.say("one", by: "ann")
        #expect(try await next(eve) == "ann[c] one")
        let quit = try await eve.first("QUIT") { $0.verb == "QUIT" }
        #expect(IRCSource(try #require(quit.source)).nick == "ann[c]")
        try await host.say("two", by: "ann")
        #expect(try await next(eve) == "ann[c] two")
    }

    @Test func aNickInUseAndAChannelThatRefusesAreGotAround() async throws {
        let server = try await IRCServer()
        _ = try await IRCClient(server.port, nick: "bob", join: "#general")
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let taker = try await IRCClient(server.port, nick: "ann[c]")
        let host = try BridgeHost()
        try await host.run(Self.config(server.port, "{}"))
        try await host.say("one", by: "ann")
        #expect(try await next(eve) == "ann[c]_ one")
        taker.send("QUIT")
        // The channel lets in nobody more: the bridge speaks for them, in order.
        let other = try await IRCClient(server.port, nick: "other", join: "#other")
        let links = #"[{"channel":"general","irc":"local/#other"}]"#
        let second = try BridgeHost()
        try await second.run(
            BridgeHost.config(server.port, #","nick":"second","mode":"puppets""#, links: links))
        other.send("MODE #other +i")
        _ = try await other.first("the mode") { $0.verb == "MODE" && $0.params.contains("+i") }
        var deliveries: Set<Int64> = []
        for i in 0..<20 { deliveries.insert(try await second.say("\(i)", by: "cid")) }
        for i in 0..<20 { #expect(try await next(other) == "second <cid> \(i)") }
        try await second.settled(deliveries)
    }

    @Test func aUsersConnectionThatIsKilledLosesNothing() async throws {
        let server = try await InspServer(
            """
            <module name="spanningtree">
            <class name="all" commands="*"> <type name="op" classes="all" host="o">
            <oper name="op" password="pw" host="*@*" type="op">
            """)
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        eve.send("OPER op pw")
        _ = try await eve.first("oper") { $0.verb == "381" }
        let host = try BridgeHost()
        try await host.run(Self.config(server.port, "{}"))
        try await host.say("first", by: "ann")
        #expect(try await next(eve) == "ann[c] first")
        var deliveries: Set<Int64> = []
        for i in 0..<100 { deliveries.insert(try await host.say("\(i)", by: "ann")) }
        eve.send("KILL ann[c] :test")
        for i in 100..<200 { deliveries.insert(try await host.say("\(i)", by: "ann")) }
        // Doubled at most what was not confirmed; in order, and nothing missing.
        var heard: [Int] = []
        while heard.last != 199 {
            heard.append(try #require(try await next(eve).split(separator: " ").last.flatMap { Int($0) }))
        }
        var expected = 0
        for number in heard {
            #expect(number <= expected)
            expected = max(expected, number + 1)
        }
        #expect(expected == 200)
        try await host.settled(deliveries)
    }

    @Test(arguments: ServerKind.allCases) func aServerKilledInABurstOfUsersLosesNothing(kind: ServerKind) async throws {
        let server = try await kind.start()
        var eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(Self.config(server.port, #"{"limit":2}"#))
        let users = ["ann", "bob", "cid"]
        var deliveries: Set<Int64> = []
        for i in 0..<300 { deliveries.insert(try await host.say("\(i)", by: users[i / 5 % 3])) }
        var heard: [Int] = []
        while heard.count < 50 {
            heard.append(try #require(try await next(eve).split(separator: " ").last.flatMap { Int($0) }))
        }
        host.plugin.kill(SIGSTOP)
        try await server.kill()
        for i in 300..<330 { deliveries.insert(try await host.say("\(i)", by: users[i / 5 % 3])) }
        heard += try await eve.rest().map { try #require($0.split(separator: " ").last.flatMap { Int($0) }) }
        let again = try await kind.start(port: server.port)
        eve = try await IRCClient(again.port, nick: "eve", join: "#general")
        host.plugin.kill(SIGCONT)
        while heard.last != 329 {
            heard.append(try #require(try await next(eve).split(separator: " ").last.flatMap { Int($0) }))
        }
        var expected = 0
        for number in heard {
            #expect(number <= expected, "\(expected) is missing before \(number)")
            expected = max(expected, number + 1)
        }
        #expect(expected == 330)
        try await host.settled(deliveries)
    }

    @Test func usersComeAndGoWithTheConfiguration() async throws {
        let server = try await IRCServer()
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await host.say("one", by: "ann")
        #expect(try await next(eve) == "crowbar <ann> one")
        try await host.plugin.send(.config(id: MessageID(1), config: Self.config(server.port, "{}")))
        let _: Bool = try await host.plugin.first("configured") {
            if case .configured(_, nil) = $0 { true } else { nil }
        }
        try await host.say("two", by: "ann")
        #expect(try await next(eve) == "ann[c] two")
        try await host.plugin.send(.config(id: MessageID(2), config: BridgeHost.config(server.port)))
        let quit = try await eve.first("QUIT") { $0.verb == "QUIT" }
        #expect(IRCSource(try #require(quit.source)).nick == "ann[c]")
        try await host.say("three", by: "ann")
        #expect(try await next(eve) == "crowbar <ann> three")
    }

    @Test func anotherBridgeOfTheSameNetworkMayBeUsersToo() async throws {
        let server = try await IRCServer()
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let hosts = [try BridgeHost(), try BridgeHost()]
        for (i, host) in hosts.enumerated() {
            let more = #","nick":"bridge\#(i)","mode":"puppets","puppets":{"nick":"{name}[\#(i)]"}"#
            try await host.run(BridgeHost.config(server.port, more))
        }
        try await hosts[0].say("hello", by: "ann")
        #expect(try await next(eve) == "ann[0] hello")
        let (message, command) = try await hosts[1].command("SEND_MESSAGE")
        #expect(message.string("userId")?.hasSuffix("/nick/ann~5B0~5D") == true, "\(message.string("userId") ?? "")")
        // The other chat hands it back: it has come from this channel and goes nowhere.
        let back = try await hosts[1].say("hello", by: "ann[0]", origin: ("irc", command.ref ?? ""))
        try await hosts[1].settled([back])
        eve.send("PRIVMSG #general :marker")
        #expect(try await hosts[0].command("SEND_MESSAGE").0.string("message") == "marker")
    }
}
