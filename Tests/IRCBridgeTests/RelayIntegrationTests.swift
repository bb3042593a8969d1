import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

@Suite(.timeLimit(.minutes(10))) struct RelayIntegrationTests {
    @Test func messagesGoBothWays() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "Bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let first = try await host.say("hello")
        #expect(try await bob.nextText() == "<ann> hello")
        let second = try await host.say("waves", kind: "action")
        #expect(try await bob.nextText() == "\u{1}ACTION ann waves\u{1}")
        try await host.settled([first, second])
        bob.send("PRIVMSG #general :hi \u{2}there\u{2}")
        let (register, _) = try await host.command("REGISTER_USER")
        #expect(register.string("userId") == "irc/local/nick/bob")
        #expect(register.string("name") == "Bob")
        #expect(try await host.command("JOIN_CHANNEL").0.string("channelId") == "general")
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "hi **there**")
        #expect(command.ref == "local/#general")
        #expect(command.cause == nil)
        bob.send("PRIVMSG #general :\u{1}ACTION nods\u{1}")
        let (action, _) = try await host.command("SEND_MESSAGE")
        #expect(action.string("kind") == "action")
        #expect(action.string("message") == "nods")
    }

    @Test func whatTheChatRefusesAsFromAStrangerIsSaidOnceMore() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        bob.send("PRIVMSG #general :hi")
        try await host.store(host.command("REGISTER_USER").1)
        try await host.store(host.command("JOIN_CHANNEL").1)
        try await host.refuse(host.command("SEND_MESSAGE").1, "not_a_member")
        try await host.refuse(host.command("REGISTER_USER").1, "user_exists")
        try await host.store(host.command("JOIN_CHANNEL").1)
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "hi")
        // Refused again it is reported, and not said a third time.
        try await host.refuse(command, "not_a_member")
        let log: String = try await host.plugin.first("a log line") {
            if case .log("warning", let text, _) = $0 { text } else { nil }
        }
        #expect(log.contains("SEND_MESSAGE of irc/local/nick/bob from local/#general was refused: not_a_member"))
        bob.send("PRIVMSG #general :next")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "next")
    }

    @Test func ownMessagesAreNotSentBack() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let own = try await host.say("from here", origin: ("irc", "local/#general"))
        let other = try await host.say("from there", origin: ("irc", "other/#general"))
        try await host.settled([own, other])
        #expect(try await bob.nextText() == "<ann> from there")
    }

    @Test(arguments: ServerKind.allCases)
    func nothingIsLostOverACrashOfTheServer(kind: ServerKind) async throws {
        let server = try await kind.start()
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        var deliveries: Set<Int64> = []
        for i in 0..<100 { deliveries.insert(try await host.say("m\(i)")) }
        try await server.kill()
        for i in 100..<200 { deliveries.insert(try await host.say("m\(i)")) }
        try await host.window { $0 == 0 }
        // Held still until somebody listens, so that all it says again is heard.
        host.plugin.kill(SIGSTOP)
        let again = try await kind.start(port: server.port)
        let bob = try await IRCClient(again.port, nick: "bob", join: "#general")
        host.plugin.kill(SIGCONT)
        // What the first server confirmed is not said again; the rest comes in order to the last.
        try await host.window { $0 > 0 }
        var heard: [Int] = []
        while heard.last != 199 {
            let text = try await bob.nextText()
            heard.append(try #require(Int(text.dropFirst("<ann> m".count))))
        }
        #expect(heard == Array(try #require(heard.first)...199))
        #expect(try #require(heard.first) <= 100)
        try await host.settled(deliveries)
    }

    @Test func aServerThatComesLateIsWaitedFor() async throws {
        let port = try LoopbackPort.free()
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port), untilOpen: false)
        let down: String = try await host.plugin.first("status down") {
            if case .status(.down, let message, _) = $0 { message } else { nil }
        }
        #expect(down.hasPrefix("local: cannot connect"))
        let server = try await IRCServer(port: port)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        try await host.window { $0 > 0 }
        try await host.say("at last")
        #expect(try await bob.nextText() == "<ann> at last")
    }

    @Test func longMessagesAreSplitWithTheirAuthor() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port, #","max_lines":0"#))
        let text = String(repeating: "å👩‍👩‍👧", count: 200)
        try await host.say(text)
        var joined = ""
        while joined.utf8.count < text.utf8.count {
            let line = try await bob.first("a piece") { $0.verb == "PRIVMSG" }
            #expect(line.line.utf8.count <= 510)
            let piece = try #require(line.params.last)
            #expect(piece.hasPrefix("<ann> "))
            joined += piece.dropFirst(6)
        }
        #expect(joined == text)
    }

    @Test func aNickInUseIsGotAround() async throws {
        let server = try await IRCServer()
        _ = try await IRCClient(server.port, nick: "bob", join: "#general")
        let taker = try await IRCClient(server.port, nick: "crowbar", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let join = try await taker.first("the bridge") { $0.verb == "JOIN" }
        let nick = IRCSource(try #require(join.source)).nick
        #expect(nick == "crowbar_")
    }

    @Test func aDrainLeavesTheServer() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await host.plugin.send(.drain(deadlineMs: 10_000, why: "test"))
        let quit = try await bob.first("QUIT") { $0.verb == "QUIT" }
        #expect(IRCSource(try #require(quit.source)).nick == "crowbar")
        #expect(try await host.plugin.end() == .exited(0))
    }

    @Test func aBadConfigurationEndsIt() async throws {
        let host = try BridgeHost()
        try await host.hello(BridgeHost.config(6667, #","prot":1"#), purpose: .check)
        let problem: PluginMessage.Problem = try await host.plugin.first("fatal") {
            if case .fatal(_, let problem, false) = $0 { problem } else { nil }
        }
        #expect(problem.path == "networks[0].prot")
        #expect(problem.message == "unknown key; did you mean 'port'?")
        #expect(try await host.plugin.end() == .exited(Wire.exitBadConfiguration))
    }
}
