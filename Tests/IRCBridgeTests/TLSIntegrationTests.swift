import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Whom the bridge trusts by TLS, and what it shows of itself: real servers, and a script where those are too good.
@Suite(.timeLimit(.minutes(10))) struct TLSIntegrationTests {
    private func config(_ port: Int, _ more: String) throws -> JSON {
        try JSON(
            parsing: Array(
                """
                {"networks":[{"name":"local","host":"127.0.0.1","port":\(port)\(more)}],
                "links":[{"channel":"general","irc":"local/#general"}]}
                """.utf8))
    }

    /// What the operator reads of a server that shows a certificate; nil: the bridge talks to it.
    private func outcome(_ shown: CertificateAuthority.Identity, _ more: String) async throws -> String? {
        let server = try await IRCServer(certificate: shown)
        let host = try BridgeHost()
        try await host.run(config(server.tlsPort, more), untilOpen: false)
        return try await host.plugin.first("a status or a window") { message -> String?? in
            switch message {
            case .window(_, let events) where events > 0: .some(nil)
            case .status(.down, let text, _): text.components(upTo: "; next try")
            default: nil
            }
        }
    }

    @Test func whoIsTrusted() async throws {
        let (authority, other) = (try await CertificateAuthority(), try await CertificateAuthority())
        let good = try await authority.identity("IP:127.0.0.1")
        let trusts = #","ca_file":"\#(authority.file)""#
        #expect(try await outcome(good, trusts) == nil)
        let untrusted = "local: the certificate of '127.0.0.1' is not trusted: "
        let expired = try await authority.identity("IP:127.0.0.1", days: 0)
        #expect(
            try await outcome(expired, trusts) == untrusted
                + "certificate has expired; the server's operator must renew it, or this machine's clock is wrong")
        let stranger = try await authority.identity("IP:127.0.0.2,DNS:localhost")
        #expect(
            try await outcome(stranger, trusts) == untrusted
                + "IP address mismatch; connect by the name that the certificate is for")
        // No authority, the wrong one, and a certificate that signed itself are three things with three remedies.
        let issuer = "unable to get local issuer certificate; no authority "
        let wrong = try await outcome(good, #","ca_file":"\#(other.file)""#)
        #expect(
            wrong?.hasPrefix(
                untrusted + issuer
                    + "in ca_file has signed it: give the file of the one that has, remove ca_file if it "
                    + "is a public one, or set pin (ca_file is '/") == true)
        #expect(
            try await outcome(good, "") == untrusted + issuer
                + "that this machine trusts has signed it: set ca_file to the file of the one that has, or pin to its "
                + "fingerprint")
        let own = try await other.selfSigned("IP:127.0.0.1")
        #expect(
            try await outcome(own, "") == untrusted
                + "self-signed certificate; nobody but itself has signed it: set ca_file to that certificate, or pin "
                + "to its fingerprint")
    }

    @Test func aPinTakesThePlaceOfAllElse() async throws {
        let authority = try await CertificateAuthority()
        // Neither signed by anybody, nor for this host; and one that is expired.
        let own = try await authority.selfSigned("DNS:elsewhere.example")
        let pin = try await authority.fingerprint(own.certificate)
        #expect(try await outcome(own, #","pin":"sha256:\#(pin)""#) == nil)
        let small = "sha256:" + pin.replacing(":", with: "").lowercased()
        #expect(try await outcome(own, #","pin":"\#(small)""#) == nil)
        let expired = try await authority.identity("IP:127.0.0.1", days: 0)
        let other = try await authority.fingerprint(expired.certificate)
        #expect(try await outcome(expired, #","pin":"sha256:\#(other)""#) == nil)
        #expect(
            try await outcome(own, #","pin":"sha256:\#(other)""#)
                == "local: the certificate of '127.0.0.1' is another one than was pinned: \(small); pin that one "
                + "only if you have it from the server's operator")
    }

    @Test func noTLSBelow1_2IsSpoken() async throws {
        let authority = try await CertificateAuthority()
        let server = try await SecureServer(authority.identity("IP:127.0.0.1"), "tls1")
        let host = try BridgeHost()
        try await host.run(config(server.port, #","ca_file":"\#(authority.file)""#), untilOpen: false)
        let reason = try await host.down().components(upTo: "; next try")
        #expect(
            reason == "local: no TLS with '127.0.0.1': tlsv1 alert protocol version; TLS 1.2 and 1.3 are spoken here")
    }

    @Test func aServerThatWantsACertificateGetsOne() async throws {
        let authority = try await CertificateAuthority()
        let server = try await SecureServer(authority.identity("IP:127.0.0.1"), "certificate", authority: authority)
        let trusts = #","ca_file":"\#(authority.file)""#
        let without = try BridgeHost()
        try await without.run(config(server.port, trusts), untilOpen: false)
        #expect(
            try await without.down().components(upTo: "; next try")
                == "local: the TLS connection broke: tlsv13 alert certificate required; the server wants a "
                + "certificate of the client")
        let own = try await authority.identity("DNS:crowbar.example")
        let shows = #","client_cert":"\#(own.certificate)","client_key":"\#(own.key)""#
        let with = try BridgeHost()
        try await with.run(config(server.port, trusts + shows))
        #expect(try await server.said() == "refused")
        #expect(try await server.said() == "user -")
    }

    @Test func filesThatCannotBeUsedAreNamedBeforeTheyAre() async throws {
        let authority = try await CertificateAuthority()
        let (one, two) = (try await authority.identity("DNS:a.example"), try await authority.identity("DNS:b.example"))
        let files = [
            (#","ca_file":"/nowhere.pem""#, "ca_file", "'/nowhere.pem' cannot be read: No such file or directory"),
            (#","ca_file":"\#(one.key)""#, "ca_file", "cannot read certificate authorities from '\(one.key)'"),
            (#","client_cert":"/nowhere.pem""#, "client_cert", "'/nowhere.pem' cannot be read: No such file"),
            (
                #","client_cert":"\#(one.certificate)","client_key":"/nowhere.key""#, "client_key",
                "'/nowhere.key' cannot be read: No such file"
            ),
            (
                #","client_cert":"\#(one.certificate)","client_key":"\#(two.key)""#, "client_key",
                "cannot use the certificate or key in '\(two.key)'"
            ),
            // The key is not beside the certificate.
            (#","client_cert":"\#(one.certificate)""#, "client_cert", "cannot use the certificate or key in"),
        ]
        for (more, key, reason) in files {
            let host = try BridgeHost()
            try await host.hello(config(1, more), purpose: .check)
            let problem: PluginMessage.Problem = try await host.plugin.first("the refusal") {
                if case .fatal(_, let problem, _) = $0 { problem } else { nil }
            }
            #expect(problem.path == "networks[0].\(key)")
            #expect(problem.message.hasPrefix(reason), "\(problem.message)")
        }
    }

    @Test(arguments: ServerKind.allCases) func messagesGoBothWaysByTLS(kind: ServerKind) async throws {
        let authority = try await CertificateAuthority()
        let server = try await kind.start(certificate: authority.identity("IP:127.0.0.1"))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(config(server.tlsPort, #","ca_file":"\#(authority.file)""#))
        // A burst at the default pace, among it a message of several lines.
        let long = String(repeating: "long ", count: 150)
        let deliveries: Set = [try await host.say("hello"), try await host.say(long), try await host.say("end")]
        #expect(try await bob.nextText() == "<ann> hello")
        var pieces = ""
        while pieces.utf8.count < long.utf8.count - 2 { pieces += try await bob.nextText().dropFirst(6) + " " }
        #expect(pieces.filter { $0 != " " } == long.filter { $0 != " " })
        #expect(try await bob.nextText() == "<ann> end")
        try await host.settled(deliveries)
        for i in 0..<100 { bob.send("PRIVMSG #general :hi \(i)") }
        for i in 0..<100 {
            let (message, command) = try await host.command("SEND_MESSAGE")
            #expect(message.string("message") == "hi \(i)")
            try await host.store(command)
        }
    }

    @Test(arguments: ServerKind.allCases) func usersConnectionsAreByTLSToo(kind: ServerKind) async throws {
        let authority = try await CertificateAuthority()
        let server = try await kind.start(certificate: authority.identity("IP:127.0.0.1"))
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let own = try await authority.identity("DNS:crowbar.example")
        let host = try BridgeHost()
        try await host.run(
            config(
                server.tlsPort,
                #","ca_file":"\#(authority.file)","client_cert":"\#(own.certificate)","client_key":"\#(own.key)","#
                    + #""mode":"puppets""#))
        let deliveries: Set = [try await host.say("one", by: "ann"), try await host.say("two", by: "eve")]
        for expected in ["ann[c] one", "eve[c] two"] {
            let said = try await bob.first("a message") { $0.verb == "PRIVMSG" }
            #expect("\(IRCSource(said.source ?? "").nick) \(said.params.last ?? "")" == expected)
        }
        try await host.settled(deliveries)
    }
}
