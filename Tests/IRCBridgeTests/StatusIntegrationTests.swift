import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// What the status says while a real server is frozen, refuses, or was started anew.
@Suite(.timeLimit(.minutes(10))) struct StatusIntegrationTests {
    @Test(arguments: ServerKind.allCases)
    func aFrozenServerAndWhatWaitsForItAreToldAndThenForgotten(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let first = try await host.say("before")
        #expect(try await bob.nextText() == "<ann> before")
        try await host.settled([first])
        server.send(signal: SIGSTOP)
        let deliveries = [try await host.say("one"), try await host.say("two")]
        try await host.told("what waits") { level, text in
            level == .degraded && text.contains("2 messages to #general wait since 20")
                && text.contains("the server has said nothing since 20")
        }
        server.send(signal: SIGCONT)
        try await host.settled(Set(deliveries))
        try await host.told("that all is well") { level, text in level == .ok && !text.contains("since") }
        let logs = try host.plugin.unread().compactMap { message -> String? in
            if case .log("warning", let text, _) = message { text } else { nil }
        }
        #expect(logs.count == 2, "\(logs)")
    }

    /// A moderated channel that gives the bridge no voice for a while.
    @Test(arguments: ServerKind.allCases)
    func aChannelThatRefusesForNowIsTold(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        bob.send("MODE #general +m")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        let delivery = try await host.say("one")
        // At first it is a hitch, and soon more than that.
        let text = "#general refuses messages for now ("
        try await host.told("the refusal") { $0 == .ok && $1.contains(text) }
        try await host.told("the refusals") { $0 == .degraded && $1.contains(text) }
        bob.send("MODE #general +v crowbar")
        #expect(try await bob.nextText() == "<ann> one")
        try await host.settled([delivery])
        try await host.told("that all is well") { $0 == .ok && !$1.contains("refuses") }
    }

    private func reload(_ host: BridgeHost, _ port: Int, nick: String) async throws {
        try await host.plugin.send(
            .config(id: MessageID(1), config: BridgeHost.config(port, #","nick":"\#(nick)""#)))
    }

    @Test func aNickThatTheServerReservesIsToldAndNotAskedForEachMinute() async throws {
        let server = try await InspServer(#"<badnick nick="staff*" reason="Reserved for staff">"#)
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await reload(host, server.port, nick: "staffbot")
        try await host.told("why not") { level, text in
            level == .degraded && text.contains("cannot have the nick 'staffbot'")
                && text.contains("Reserved for staff") && text.contains("set another 'nick'")
        }
        try await reload(host, server.port, nick: "crowbot")
        try await host.told("the new nick") { $0 == .ok && $1.hasSuffix("as crowbot") }
    }

    /// InspIRCd's `+N` lets nobody in the channel change their nick.
    @Test func aChannelThatForbidsAChangeOfNickIsToldUntilItAllowsIt() async throws {
        let server = try await InspServer(#"<module name="nonicks">"#)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        bob.send("MODE #general +N")
        _ = try await bob.first("the mode") { $0.verb == "MODE" }
        try await reload(host, server.port, nick: "crowbot")
        try await host.told("why not") { level, text in
            level == .degraded && text.contains("cannot change its nick to 'crowbot'") && text.contains("+N")
        }
        bob.send("MODE #general -N")
        let change = try await bob.first("the nick") { $0.verb == "NICK" }
        #expect(change.params == ["crowbot"])
        try await host.told("the nick") { $0 == .ok && $1.hasSuffix("as crowbot") }
    }

    /// A NickServ on a real server that knows the bridge, but not its nick.
    @Test func aNickServThatRefusesIsToldAndAskedOnce() async throws {
        let server = try await IRCServer()
        let services = try await IRCClient(server.port, nick: "NickServ")
        let holder = try await IRCClient(server.port, nick: "crowbar")
        let host = try BridgeHost()
        let account = #","nickserv":{"account":"bridge","password":"sesame"}"#
        try await host.run(BridgeHost.config(server.port, account), untilOpen: false)
        _ = try await services.first("who the bridge is") { $0.verb == "PRIVMSG" }
        services.send("NOTICE crowbar_ :You are now identified for bridge.")
        _ = try await services.first("a request") { $0.params.last == "REGAIN crowbar" }
        services.send("NOTICE crowbar_ :\u{2}crowbar\u{2} is not a registered nickname.")
        try await host.told("why not") { level, text in
            level == .degraded
                && text.contains("NickServ does not free the nick 'crowbar': crowbar is not a registered nickname.")
        }
        // The nick itself is still taken once it is free.
        holder.send("QUIT")
        _ = try await holder.rest()
        try await host.plugin.send(
            .config(id: MessageID(1), config: BridgeHost.config(server.port, account + #","anti_ping":true"#)))
        try await host.told("the nick") { $0 == .ok && $1.hasSuffix("as crowbar") }
    }

    /// A server that is started anew under many young connections of users.
    @Test func usersComeBackAtOnceAfterARestartOfTheServerAndTheLogHasOneLine() async throws {
        let users = 30
        let server = try await IRCServer()
        var eve = try await IRCClient(server.port, nick: "eve", join: "#general")
        let host = try BridgeHost()
        try await host.run(
            BridgeHost.config(server.port, #","mode":"puppets","puppets":{"limit":\#(users)}"#))
        var deliveries: Set<Int64> = []
        for user in 0..<users { deliveries.insert(try await host.say("hello", by: "u\(user)")) }
        var heard: Set<String> = []
        while heard.count < users {
            let line = try await eve.first("a message") { $0.verb == "PRIVMSG" }
            heard.insert(IRCSource(line.source ?? "").nick)
        }
        #expect(heard == Set((0..<users).map { "u\($0)[c]" }))
        try await host.settled(deliveries)
        try await server.kill()
        try await host.told("that the server is gone") { level, _ in level == .down }
        let again = try await IRCServer(port: server.port)
        eve = try await IRCClient(again.port, nick: "eve", join: "#general")
        try await host.told("that it is back") { $0 == .ok && $1.hasSuffix("as crowbar") }
        for user in [3, 7] {
            let back = try await host.say("back", by: "u\(user)")
            let line = try await eve.first("a message") { $0.verb == "PRIVMSG" }
            #expect(IRCSource(line.source ?? "").nick == "u\(user)[c]")
            try await host.settled([back])
        }
        let text = try await host.plugin.first("the log") { message -> String? in
            guard case .log("warning", let text, _) = message, text.contains("connections failed") else { return nil }
            return text
        }
        #expect(text.hasPrefix("local: \(users) users' connections failed (u"), "\(text)")
        let more = try host.plugin.unread().filter { message in
            if case .log("warning", let text, _) = message { text.contains("connection of the user") } else { false }
        }
        #expect(more.isEmpty)
    }
}
