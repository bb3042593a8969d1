import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

@Suite(.timeLimit(.minutes(2))) struct TLSIntegrationTests {
    private func certificate(_ name: String) async throws -> Certificate {
        let certificate = Certificate(folder: try TestFolder())
        let openssl = try LineProcess(
            "/usr/bin/openssl",
            arguments: [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                "subjectAltName=\(name)", "-keyout", certificate.key, "-out", certificate.file,
            ])
        #expect(try await openssl.end(within: .seconds(30)) == .exited(0))
        return certificate
    }

    private func config(_ server: IRCServer, _ more: String) throws -> JSON {
        try JSON(
            parsing: Array(
                """
                {"networks":[{"name":"local","host":"127.0.0.1","port":\(server.tlsPort)\(more)}],
                "links":[{"channel":"general","irc":"local/#general"}]}
                """.utf8))
    }

    private func failure(_ host: BridgeHost) async throws -> String {
        try await host.plugin.first("status down") {
            if case .status(.down, let message, _) = $0 { message } else { nil }
        }
    }

    @Test func aTrustedServerIsTalkedTo() async throws {
        let certificate = try await certificate("IP:127.0.0.1")
        let server = try await IRCServer(certificate: certificate)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(config(server, #","ca_file":"\#(certificate.file)""#))
        let delivery = try await host.say("secret")
        #expect(try await bob.nextText() == "<ann> secret")
        try await host.settled([delivery])
    }

    @Test func anotherHostsCertificateIsRefused() async throws {
        let certificate = try await certificate("IP:127.0.0.2")
        let server = try await IRCServer(certificate: certificate)
        let host = try BridgeHost()
        try await host.run(config(server, #","ca_file":"\#(certificate.file)""#), untilOpen: false)
        #expect(try await failure(host).contains("IP address mismatch"))
    }

    @Test func anUnknownAuthorityIsRefused() async throws {
        let server = try await IRCServer(certificate: certificate("IP:127.0.0.1"))
        let host = try BridgeHost()
        try await host.run(config(server, ""), untilOpen: false)
        #expect(try await failure(host).contains("self-signed certificate"))
    }

    @Test func usersConnectionsAreByTLSToo() async throws {
        let certificate = try await certificate("IP:127.0.0.1")
        let server = try await IRCServer(certificate: certificate)
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(config(server, #","ca_file":"\#(certificate.file)","mode":"puppets""#))
        let deliveries: Set = [try await host.say("one", by: "ann"), try await host.say("two", by: "eve")]
        for expected in ["ann[c] one", "eve[c] two"] {
            let said = try await bob.first("a message") { $0.verb == "PRIVMSG" }
            #expect("\(IRCSource(said.source ?? "").nick) \(said.params.last ?? "")" == expected)
        }
        try await host.settled(deliveries)
    }
}
