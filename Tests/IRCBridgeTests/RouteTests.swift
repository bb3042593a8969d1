import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Ways to a server: proxies, and addresses to come from.
@Suite(.timeLimit(.minutes(10))) struct RouteTests {
    private typealias Proxy = SocksProxy

    private func config(_ host: String, _ port: Int, _ more: String) throws -> JSON {
        try JSON(
            parsing: Array(
                """
                {"networks":[{"name":"local","host":"\(host)","port":\(port)\(more)}],
                "links":[{"channel":"general","irc":"local/#general"}]}
                """.utf8))
    }

    private func talks(_ host: BridgeHost, _ bob: IRCClient) async throws {
        let delivery = try await host.say("hello")
        #expect(try await bob.nextText() == "<ann> hello")
        try await host.settled([delivery])
        bob.send("PRIVMSG #general :hi")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "hi")
    }

    @Test func aProxyFindsTheServer() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let proxy = try await Proxy("open")
        let host = try BridgeHost()
        let more = #","tls":false,"proxy":"socks5h://127.0.0.1:\#(proxy.port)""#
        try await host.run(config("irc.test.local", server.port, more))
        #expect(try await proxy.target() == "irc.test.local \(server.port)")
        try await talks(host, bob)
    }

    @Test func tlsIsWithTheServerBehindTheProxy() async throws {
        let authority = try await CertificateAuthority()
        let server = try await IRCServer(certificate: authority.identity("DNS:irc.test.local"))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let proxy = try await Proxy("open")
        let more = #","ca_file":"\#(authority.file)","proxy":"socks5h://127.0.0.1:\#(proxy.port)""#
        let host = try BridgeHost()
        try await host.run(config("irc.test.local", server.tlsPort, more))
        try await talks(host, bob)
        // The name is the server's, whatever the proxy connects to.
        let other = try BridgeHost()
        try await other.run(config("127.0.0.1", server.tlsPort, more), untilOpen: false)
        #expect(try await other.down().contains("IP address mismatch"))
    }

    @Test(
        "proxies that do not",
        arguments: [
            ("password", "the proxy wants a password, which is not supported"),
            ("web", "the proxy does not speak SOCKS5"),
            ("2", "the proxy did not reach the server: it is not allowed to"),
            ("4", "the proxy did not reach the server: the host is unreachable, or not known"),
            ("5", "the proxy did not reach the server: the connection was refused"),
            ("9", "the proxy did not reach the server: it failed (reply 9)"),
        ])
    func aProxyThatDoesNotIsToldOf(mode: String, reason: String) async throws {
        let proxy = try await Proxy(mode)
        let host = try BridgeHost()
        let more = #","tls":false,"proxy":"socks5h://127.0.0.1:\#(proxy.port)""#
        try await host.run(config("irc.test.local", 6667, more), untilOpen: false)
        #expect(try await host.down().components(upTo: "; next try") == "local: \(reason)")
        withExtendedLifetime(proxy) {}
    }

    @Test func aProxyThatSaysNothingIsGivenUp() async throws {
        let proxy = try await Proxy("silent")
        let host = try BridgeHost()
        let more = #","proxy":"socks5h://127.0.0.1:\#(proxy.port)""#
        try await host.run(config("irc.test.local", 6697, more), untilOpen: false)
        let reason = try await host.down().components(upTo: "; next try")
        #expect(reason == "local: the proxy 127.0.0.1:\(proxy.port) does not answer")
    }

    @Test func aProxyThatIsNotThereIsNamed() async throws {
        let port = try LoopbackPort.free()
        let host = try BridgeHost()
        let more = #","proxy":"socks5h://127.0.0.1:\#(port)""#
        try await host.run(config("irc.test.local", 6697, more), untilOpen: false)
        let reason = try await host.down()
        #expect(reason.hasPrefix("local: cannot connect: the proxy 127.0.0.1:\(port): "))
        #expect(reason.contains("Connection refused"), "\(reason)")
    }

    @Test func connectionsComeFromTheAddressThatIsSet() async throws {
        let server = try await IRCServer()
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(config("127.0.0.1", server.port, #","tls":false,"bind":"127.0.0.2""#))
        let join = try await bob.first("the bridge") { $0.verb == "JOIN" }
        #expect(join.source?.hasSuffix("@127.0.0.2") == true, "\(join)")
        try await talks(host, bob)
    }

    @Test func anAddressThatTheMachineHasNotIsTold() async throws {
        let host = try BridgeHost()
        // Of those that are for documents (RFC 5737).
        try await host.run(config("127.0.0.1", 6667, #","tls":false,"bind":"192.0.2.1""#), untilOpen: false)
        #expect(
            try await host.down().components(upTo: "; next try")
                == "local: this machine has no address 192.0.2.1 to connect from (bind)")
    }

    @Test(.enabled(if: LoopbackPort.hasIPv6, "this machine has no ::1"), arguments: ServerKind.allCases)
    func aServerIsReachedByIPv6(kind: ServerKind) async throws {
        let server = try await kind.start(ipv6: true)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(config("::1", server.port, #","tls":false"#))
        try await host.told("connected by IPv6") { $0 == .ok && $1 == "local: connected to ::1 as crowbar" }
        try await talks(host, bob)
    }
}
