import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Channels that get another name, and servers that put the bridge elsewhere.
@Suite(.timeLimit(.minutes(10))) struct MoveIntegrationTests {
    private static let followed = "#general is #lounge now: set the link's 'irc' to local/#lounge"
    private static let moved = """
        not in #general: the server moved the bridge to #lounge: set the link's 'irc' to local/#lounge, \
        or invite the bridge back
        """

    /// A scripted server, see rename_server.py, and its port.
    private func scripted(_ arguments: [String]) async throws -> (server: LineProcess, port: Int) {
        let folder = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let server = try LineProcess(
            "/usr/bin/env", arguments: ["python3", folder + "/rename_server.py"] + arguments)
        return (server, try await server.first("the port") { Int(String(decoding: $0, as: UTF8.self)) })
    }

    /// The next thing that a scripted server has heard.
    private func heard(_ server: LineProcess) async throws -> String {
        try await server.first("what the server heard") { String(decoding: $0, as: UTF8.self) }
    }

    private func state(_ host: BridgeHost, with part: String) async throws -> JSON {
        try await host.plugin.first("the state with \(part)") {
            guard case .state(_, let state) = $0 else { return nil }
            return String(decoding: state.bytes, as: UTF8.self).contains(part) ? state : nil
        }
    }

    private func kill(_ host: BridgeHost) async throws {
        host.plugin.process.kill(SIGKILL)
        _ = try await host.plugin.end()
    }

    private func relink(_ host: BridgeHost, _ port: Int, to channel: String) async throws {
        let links = #"[{"channel":"general","irc":"local/\#(channel)"}]"#
        try await host.plugin.send(.config(id: MessageID(1), config: BridgeHost.config(port, links: links)))
    }

    @Test(
        "a renamed channel is followed",
        arguments: [["capability"], ["capability", "labels"], ["capability", "redirect"]])
    func aRenamedChannelIsFollowed(arguments: [String]) async throws {
        let (server, port) = try await scripted(arguments)
        var host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        #expect(try await heard(server) == "JOIN #general")
        // Written in one go: the server takes the first two under the old name, and none of the others.
        var deliveries: Set<Int64> = []
        for text in ["one", "rename", "two", "three", "four"] { deliveries.insert(try await host.say(text)) }
        for text in ["one", "rename"] { #expect(try await heard(server) == "SAID #general <ann> \(text)") }
        for text in ["two", "three", "four"] { #expect(try await heard(server) == "SAID #lounge <ann> \(text)") }
        let (message, command) = try await host.command("SEND_MESSAGE")
        #expect(message.string("message") == "welcome")
        // The ids of events are made of the link's name, whatever the channel is called.
        #expect(command.key == "local/#general/general/welcome" && command.ref == "local/#general")
        try await host.store(command)
        try await host.settled(deliveries)
        // Whoever starts it anew goes there, though the configuration names the old one.
        let stored = try await state(host, with: ##""renamed":{"#general":"#lounge"}"##)
        try await kill(host)
        host = try BridgeHost()
        try await host.run(BridgeHost.config(port), state: stored)
        #expect(try await heard(server) == "JOIN #lounge")
        try await host.told("the new name") { $0 == .ok && $1.contains(Self.followed) }
        _ = try await host.say("five")
        #expect(try await heard(server) == "SAID #lounge <ann> five")
        // With the link changed it stays where it is, and there is nothing more to tell.
        try await relink(host, port, to: "#lounge")
        try await host.told("no note") { $0 == .ok && !$1.contains("#general") }
        _ = try await host.say("six")
        #expect(try await heard(server) == "SAID #lounge <ann> six")
        server.kill()
        _ = try await server.end()
    }

    @Test func whoJoinsByTheFormerNameIsToldTheNewOne() async throws {
        let (server, port) = try await scripted(["capability", "redirect"])
        var host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        _ = try await host.say("rename")
        for line in ["JOIN #general", "SAID #general <ann> rename"] { #expect(try await heard(server) == line) }
        try await kill(host)
        // Nothing was stored.
        host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        for line in ["JOIN #general", "JOIN #lounge"] { #expect(try await heard(server) == line) }
        try await host.told("the new name") { $0 == .ok && $1.contains(Self.followed) }
        _ = try await host.say("one")
        #expect(try await heard(server) == "SAID #lounge <ann> one")
        server.kill()
        _ = try await server.end()
    }

    @Test func whereARenamingIsShownAsPartAndJoinItStaysOut() async throws {
        let (server, port) = try await scripted([])
        var host = try BridgeHost()
        try await host.run(BridgeHost.config(port))
        for text in ["rename", "lost"] { _ = try await host.say(text) }
        for line in ["JOIN #general", "SAID #general <ann> rename", "PART #lounge"] {
            #expect(try await heard(server) == line)
        }
        try await host.told("that it was moved") { $0 == .degraded && $1.contains(Self.moved) }
        let stored = try await state(host, with: ##""moved":{"#general":"#lounge"}"##)
        try await kill(host)
        host = try BridgeHost()
        try await host.run(BridgeHost.config(port), state: stored)
        try await host.told("that it was moved") { $0 == .degraded && $1.contains(Self.moved) }
        let waits = try await host.say("waits")
        // The next thing that the server hears comes with the changed link, and what waited goes there.
        try await relink(host, port, to: "#lounge")
        try await host.told("that all is well") { level, _ in level == .ok }
        let said = try await host.say("one")
        for line in ["JOIN #lounge", "SAID #lounge <ann> waits", "SAID #lounge <ann> one"] {
            #expect(try await heard(server) == line)
        }
        try await host.settled([waits, said])
        server.kill()
        _ = try await server.end()
    }

    private static let modules =
        ["sajoin", "sapart", "redirect"].map { #"<module name="\#($0)">"# }.joined()
            + #"""
            <class name="all" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
            <type name="all" classes="all">
            <oper name="boss" password="secret" host="*@*" type="all">
            """#

    private func boss(_ server: InspServer, join channel: String) async throws -> IRCClient {
        let boss = try await IRCClient(server.port, nick: "boss", join: channel)
        boss.send("OPER boss secret")
        _ = try await boss.first("the rights") { $0.verb == "381" }
        return boss
    }

    @Test func inspIRCdPutsTheBridgeElsewhere() async throws {
        let server = try await InspServer(Self.modules)
        let boss = try await boss(server, join: "#general")
        boss.send("JOIN #lounge")
        _ = try await boss.first("the names") { $0.verb == "366" }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        func isBridge(_ message: IRCMessage, _ verb: String, _ channel: String) -> Bool {
            message.verb == verb && message.params.first == channel && message.source?.hasPrefix("crowbar!") == true
        }
        // Out of its own and into the other, in either order.
        let (out, elsewhere) = ("SAPART crowbar #general", "SAJOIN crowbar #lounge")
        for orders in [[out, elsewhere], [elsewhere, out]] {
            orders.forEach { boss.send($0) }
            try await host.told("that it was moved") { $0 == .degraded && $1.contains(Self.moved) }
            _ = try await boss.first("that it leaves") { isBridge($0, "PART", "#lounge") }
            let waits = try await host.say("waits")
            boss.send("PRIVMSG crowbar :!help")
            let next = try await boss.first("the next thing") {
                isBridge($0, "JOIN", "#general") || $0.verb == "PRIVMSG" || $0.verb == "NOTICE"
            }
            #expect(next.params.first == "boss", "\(next)")
            boss.send("INVITE crowbar #general")
            #expect(try await boss.nextText() == "<ann> waits")
            try await host.settled([waits])
            try await host.told("that all is well") { level, _ in level == .ok }
        }
        // Only into the other: it says nothing there.
        boss.send(elsewhere)
        _ = try await boss.first("that it is there") { isBridge($0, "JOIN", "#lounge") }
        let last = try await host.say("last")
        let said = try await boss.first("a message") { $0.verb == "PRIVMSG" }
        #expect(said.params == ["#general", "<ann> last"])
        try await host.settled([last])
        boss.send("PING :end")
        let next = try await boss.first("the next thing") { $0.verb == "PRIVMSG" || $0.verb == "PONG" }
        #expect(next.verb == "PONG")
    }

    @Test func inspIRCdSendsTheBridgeToAnotherChannel() async throws {
        let server = try await InspServer(Self.modules)
        let boss = try await boss(server, join: "#lounge")
        boss.send("JOIN #general")
        boss.send("MODE #general +lL 1 #lounge")
        _ = try await boss.first("the mode") { $0.verb == "MODE" && $0.params.contains("#lounge") }
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await host.told("that it is sent elsewhere") {
            $0 == .degraded && $1.contains("not in #general: the server sends all to another channel: link that one")
        }
        for verb in ["JOIN", "PART"] {
            let message = try await boss.first(verb) { $0.source?.hasPrefix("crowbar!") == true }
            #expect(message.verb == verb && message.params.first == "#lounge")
        }
        let waits = try await host.say("waits")
        boss.send("MODE #general -lL")
        #expect(try await boss.nextText() == "<ann> waits")
        try await host.settled([waits])
    }
}
