import CrowbarTesting
import Glibc
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A nick that is in use when the bridge comes back, and how it is had again, with real servers.
@Suite(.timeLimit(.minutes(10))) struct NickIntegrationTests {
    private func connected(_ host: BridgeHost, as nick: String) async throws {
        try await host.told("connected as \(nick)") { $0 == .ok && $1 == "local: connected to 127.0.0.1 as \(nick)" }
    }

    /// Says something; whoever says it on IRC, and nothing between.
    private func says(_ text: String, _ host: BridgeHost, as nick: String, to bob: IRCClient) async throws {
        let delivery = try await host.say(text)
        let line = try await bob.first("'\(text)'") { $0.verb == "PRIVMSG" }
        #expect("\(IRCSource(line.source ?? "").nick) \(line.params.last ?? "")" == "\(nick) <ann> \(text)")
        try await host.settled([delivery])
    }

    @Test(arguments: ServerKind.allCases)
    func itsOwnGhostHasTheNickUntilTheServerSeesItGo(kind: ServerKind) async throws {
        let server = try await kind.start()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let proxy = try await SocksProxy("open")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port, #","proxy":"socks5h://127.0.0.1:\#(proxy.port)""#))
        try await connected(host, as: "crowbar")
        try await says("one", host, as: "crowbar", to: bob)
        // The bridge loses its connection; for the server it is still there.
        try await proxy.cut()
        try await connected(host, as: "crowbar_")
        try await says("two", host, as: "crowbar_", to: bob)
        try await proxy.release()
        try await connected(host, as: "crowbar")
        try await says("three", host, as: "crowbar", to: bob)
    }

    @Test(arguments: ServerKind.allCases)
    func whoTookTheNickMeanwhileHasItUntilTheyLeaveIt(kind: ServerKind) async throws {
        let server = try await kind.start()
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(server.port))
        try await connected(host, as: "crowbar")
        host.plugin.kill(SIGSTOP)
        try await server.kill()
        let again = try await kind.start(port: server.port)
        let bob = try await IRCClient(again.port, nick: "bob", join: "#general")
        let taker = try await IRCClient(again.port, nick: "crowbar", join: "#general")
        host.plugin.kill(SIGCONT)
        try await connected(host, as: "crowbar_")
        try await says("one", host, as: "crowbar_", to: bob)
        taker.send("NICK other")
        try await connected(host, as: "crowbar")
        try await says("two", host, as: "crowbar", to: bob)
    }

    /// Nobody but NickServ tells of the nick here: its holder shares no channel, and ngIRCd has no MONITOR.
    @Test(arguments: ServerKind.allCases) func nickServIsAskedToFreeTheNick(kind: ServerKind) async throws {
        let server = try await kind.start()
        let services = try await IRCClient(server.port, nick: "NickServ")
        let ghost = try await IRCClient(server.port, nick: "crowbar")
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        let account = #","nickserv":{"account":"bridge","password":"secret"}"#
        try await host.run(BridgeHost.config(server.port, account), untilOpen: false)
        let words = try await services.first("who the bridge is") { $0.verb == "PRIVMSG" }
        #expect(words.params.last == "IDENTIFY bridge secret")
        services.send("NOTICE crowbar_ :You are now identified for bridge.")
        let request = try await services.first("a request") { $0.verb == "PRIVMSG" }
        #expect(request.params.last == "REGAIN crowbar")
        services.send("NOTICE crowbar_ :Unknown command REGAIN.")
        let second = try await services.first("another request") { $0.verb == "PRIVMSG" }
        #expect(second.params.last == "GHOST crowbar")
        try await connected(host, as: "crowbar_")
        ghost.send("QUIT")
        _ = try await ghost.rest()
        services.send("NOTICE crowbar_ :crowbar has been ghosted.")
        try await connected(host, as: "crowbar")
        try await says("one", host, as: "crowbar", to: bob)
    }
}
