import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A real ZNC between the bridge and a real server.
@Suite(.timeLimit(.minutes(10))) struct BouncerIntegrationTests {
    /// Another client of the same user at ZNC.
    private func phone(_ znc: ZNCServer) async throws -> IRCClient {
        let phone = try await IRCClient(znc.port, nick: "crowbar", password: ZNCServer.password)
        _ = try await phone.first("the channel") { $0.verb == "366" && $0.params.contains("#general") }
        return phone
    }

    /// The deliveries that are settled or rejected so far.
    private func decided(_ host: BridgeHost) throws -> [Int64] {
        try host.plugin.unread().flatMap { message -> [Int64] in
            switch message {
            case .ack(.one(let delivery), _): [delivery]
            case .ack(.many(let deliveries), _): deliveries
            case .reject(let delivery, _, _, _): [delivery]
            default: []
            }
        }
    }

    @Test(arguments: ServerKind.allCases)
    func whatIsSaidWhileTheServerIsGoneIsHeldAndSaidAfterwards(kind: ServerKind) async throws {
        let server = try await kind.start()
        let znc = try await ZNCServer(to: server.port)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(znc.port, ZNCServer.more))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        try await host.settled([try await host.say("one")])
        #expect(try await bob.nextText() == "<ann> one")
        let phone = try await phone(znc)

        // ZNC does not know that nothing answers any more: it takes all that is said, and shows it to its clients.
        server.send(signal: SIGSTOP)
        var held: Set<Int64> = []
        for text in ["two", "three"] {
            held.insert(try await host.say(text))
            while try await phone.nextText() != "<ann> \(text)" {}
        }
        phone.send("PING :passed")
        _ = try await phone.first("ZNC's PONG") { $0.verb == "PONG" }
        #expect(try decided(host) == [])
        try await server.kill()
        #expect(try await host.down().contains("is not connected to IRC"))
        for text in ["four", "five"] { held.insert(try await host.say(text)) }
        #expect(try decided(host) == [])

        // Held still until somebody listens on the server that comes back.
        host.plugin.kill(SIGSTOP)
        let back = try await kind.start(port: server.port)
        let eve = try await IRCClient(back.port, nick: "eve", join: "#general")
        host.plugin.kill(SIGCONT)
        for text in ["two", "three", "four", "five"] {
            #expect(try await eve.nextText() == "<ann> \(text)")
        }
        try await host.settled(held)
        #expect(eve.textsSoFar() == [])
    }

    @Test func aZNCThatHasNoServerYetIsWaitedFor() async throws {
        let port = try LoopbackPort.free()
        let znc = try await ZNCServer(to: port)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(znc.port, ZNCServer.more), untilOpen: false)
        #expect(try await host.down().contains("is not connected to IRC"))
        let server = try await IRCServer(port: port)
        try await host.window { $0 > 0 }
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let delivery = try await host.say("hello")
        #expect(try await bob.nextText() == "<ann> hello")
        try await host.settled([delivery])
    }

    @Test func whatAnotherClientOfTheBouncerSaysComesIntoTheChat() async throws {
        let server = try await IRCServer()
        let znc = try await ZNCServer(to: server.port)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(znc.port, ZNCServer.more))
        try await host.settled([try await host.say("from the chat")])
        let phone = try await phone(znc)
        phone.send("PRIVMSG #general :from the phone")
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "from the phone")
        #expect(message.string("userId") == "irc/local/nick/crowbar")
        try await host.store(command)
    }

    /// The bridge is away, and ZNC keeps what is said, its own notices of who came and went among it.
    @Test func whatZNCKeptComesIntoTheChatOnce() async throws {
        let server = try await IRCServer()
        let znc = try await ZNCServer(to: server.port, modules: ["buffextras"])
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        var host = try BridgeHost()
        try await host.run(BridgeHost.config(znc.port, ZNCServer.more))
        bob.send("PRIVMSG #general :before")
        let (first, command) = try await host.command("SEND_MESSAGE")
        #expect(first.string("message") == "before")
        try await host.store(command)
        let state: JSON = try await host.plugin.first("the state") {
            if case .state("local", let state) = $0 { state } else { nil }
        }
        host.plugin.kill(SIGKILL)
        _ = try await host.plugin.end()
        let eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        bob.send("PRIVMSG #general :missed")
        bob.send("PRIVMSG #general :\u{1}ACTION waves\u{1}")
        eve.send("NICK eva")
        _ = try await eve.first("the new nick") { $0.verb == "NICK" }
        // ZNC has all of it once another client of the same user hears it.
        let phone = try await phone(znc)
        bob.send("PRIVMSG #general :now")
        _ = try await phone.first("now") { $0.params.last == "now" }

        host = try BridgeHost()
        try await host.run(BridgeHost.config(znc.port, ZNCServer.more), states: ["local": state])
        bob.send("PRIVMSG #general :after")
        for text in ["missed", "waves", "now", "after"] {
            let (message, command) = try await host.command("SEND_MESSAGE")
            #expect(message.string("message") == text)
            try await host.store(command)
        }
    }

    /// InspIRCd with echo-message alone, and channels that alter what is said.
    @Test func echoesWithoutLabelsAreReceipts() async throws {
        let server = try await InspServer(
            """
            <module name="censor"><badword text="fool" replace="****"><module name="stripcolor">
            <module name="muteban"><module name="blockcolor">
            """, without: ["ircv3_labeledresponse"])
        let host = try BridgeHost()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +GS")
        _ = try await bob.first("the modes") { $0.verb == "MODE" }
        try await host.run(BridgeHost.config(server.port))
        let first = Set([try await host.say("plain"), try await host.say("**bold**"), try await host.say("you fool")])
        #expect(try await bob.nextText() == "<ann> plain")
        #expect(try await bob.nextText() == "<ann> bold")
        #expect(try await bob.nextText() == "<ann> you ****")
        try await host.settled(first)
        // Nothing of it came back into the chat; what bob says does.
        bob.send("PRIVMSG #general :heard")
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "heard")
        try await host.store(command)
        // What is refused for good is a dead letter, and what comes after it is not.
        bob.send("MODE #general +b m:crowbar!*@*")
        _ = try await bob.first("the ban") { $0.verb == "MODE" }
        let muted = try await host.say("muted")
        let reason: String = try await host.plugin.first("a reject") {
            if case .reject(muted, _, let message, true) = $0 { message } else { nil }
        }
        #expect(!reason.isEmpty)
        bob.send("MODE #general -b m:crowbar!*@*")
        _ = try await bob.first("no ban") { $0.verb == "MODE" }
        try await host.settled([try await host.say("again")])
        #expect(try await bob.nextText() == "<ann> again")
    }
}
