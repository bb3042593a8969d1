import CrowbarTesting
import NIOCore
import OpenSSL
import Testing

/// Whom the handler talks to and whom it refuses, against real servers.
@Suite(.timeLimit(.minutes(2))) struct TLSHandshakeTests {
    private let host = "irc.example.org"

    /// What a client does that gets no further than the handshake.
    private func refusal(
        _ mode: TLSServer.Mode = .echo, names: String = "DNS:irc.example.org", days: Int = 2, host: String? = nil,
        trusting other: CertificateAuthority? = nil
    ) async throws -> TLSError? {
        let authority = try await CertificateAuthority()
        let server = try await TLSServer(mode, authority.identity(names, days: days))
        let client = try await TLSClient(server, host: host ?? self.host, caFile: (other ?? authority).file)
        let events = try await client.events()
        guard events.count == 3, events.first == .active, case .failed(let error) = events[1], events[2] == .inactive
        else {
            Issue.record("expected active, one error and inactive: \(events)")
            return nil
        }
        return error
    }

    private func greets(_ mode: TLSServer.Mode = .echo, names: String, host: String) async throws -> [String] {
        let authority = try await CertificateAuthority()
        let server = try await TLSServer(mode, authority.identity(names))
        let client = try await TLSClient(server, host: host, caFile: authority.file)
        try await client.write(Array("hello".utf8)).get()
        #expect(try await client.data(5) == Array("hello".utf8))
        try await client.channel.close()
        let version = mode == .tls12 ? "TLSv1.2" : "TLSv1.3"
        #expect(
            try await client.events() == [
                .active, .established(version: version), .data(Array("hello".utf8)), .inactive,
            ])
        return [try await server.said(), try await server.said()]
    }

    @Test("a name is asked for, checked and ended by close_notify", arguments: [TLSServer.Mode.echo, .tls12])
    func name(mode: TLSServer.Mode) async throws {
        #expect(try await greets(mode, names: "DNS:irc.example.org", host: host) == ["name irc.example.org", "end"])
    }

    @Test func theRootsDotIsNotPartOfTheName() async throws {
        #expect(
            try await greets(names: "DNS:irc.example.org", host: host + ".") == ["name irc.example.org", "end"])
    }

    @Test func aWholeLabelMayBeAWildcard() async throws {
        #expect(try await greets(names: "DNS:*.example.org", host: host) == ["name irc.example.org", "end"])
    }

    @Test func anAddressIsCheckedAndNotAskedForAsAName() async throws {
        #expect(try await greets(names: "IP:127.0.0.1", host: "127.0.0.1") == ["name -", "end"])
    }

    @Test(
        "a certificate for another host is refused",
        arguments: [
            ("DNS:irc.example.net", "irc.example.org", 62, "hostname mismatch"),
            ("DNS:i*.example.org", "irc.example.org", 62, "hostname mismatch"),
            ("DNS:*.org", "irc.example.org", 62, "hostname mismatch"),
            ("IP:127.0.0.2", "127.0.0.1", 64, "IP address mismatch"),
            ("DNS:127.0.0.1", "127.0.0.1", 64, "IP address mismatch"),
        ])
    func wrongHost(names: String, host: String, code: Int, reason: String) async throws {
        #expect(
            try await refusal(names: names, host: host) == .untrusted(host: host, code: code, reason: reason))
    }

    @Test func anUnknownAuthorityIsRefused() async throws {
        #expect(
            try await refusal(trusting: CertificateAuthority())
                == .untrusted(host: host, code: 20, reason: "unable to get local issuer certificate"))
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        #expect(
            try await refusal(days: 0) == .untrusted(host: host, code: 10, reason: "certificate has expired"))
    }

    @Test func theSystemsAuthoritiesDoNotKnowTheTests() async throws {
        let authority = try await CertificateAuthority()
        let server = try await TLSServer(.echo, authority.identity("DNS:irc.example.org"))
        let events = try await TLSClient(server, host: host, caFile: nil).events()
        #expect(
            events.contains(
                .failed(.untrusted(host: host, code: 20, reason: "unable to get local issuer certificate"))))
    }

    @Test func tls11IsRefused() async throws {
        #expect(try await refusal(.tls11) == .handshake(host: host, reason: "tlsv1 alert protocol version"))
    }

    @Test func aServerWithoutTLSIsRefused() async throws {
        #expect(try await refusal(.plain) == .handshake(host: host, reason: "wrong version number"))
    }

    @Test func aServerThatClosesInTheHandshakeIsReported() async throws {
        #expect(try await refusal(.vanish) == .closedInHandshake(host: host))
    }

    @Test(arguments: [
        ("/abs/none.pem", "check the path"), ("none.pem", "give its path from the root"),
        ("./none.pem", "give its path from the root"),
    ])
    func aFileThatIsNotThereIsToldByItsPath(path: String, advice: String) {
        let reason = "No such file or directory"
        for error in [
            TLSError.unreadableAuthorities(path: path, reason: reason), .unusableIdentity(path: path, reason: reason),
        ] {
            #expect("\(error)".hasSuffix("\(reason); \(advice)"), "\(error)")
        }
    }

    @Test func anUnreadableFileOfAuthoritiesIsReported() {
        #expect {
            try TLSClientContext(caFile: "/nonexistent/ca.pem")
        } throws: {
            $0 as? TLSError
                == .unreadableAuthorities(path: "/nonexistent/ca.pem", reason: "No such file or directory")
        }
        let denied = TLSError.unreadableAuthorities(path: "/x/ca.pem", reason: "Permission denied")
        #expect(
            "\(denied)".hasSuffix(
                "'/x/ca.pem': Permission denied; "
                    + "a plugin with a sandbox reads only files that [sandbox] read in its manifest names; add it there"
            ))
    }

    @Test("a host that C would read as another is refused", arguments: ["", "irc.example.org\0.evil.example"])
    func unusableHost(host: String) throws {
        let context = try TLSClientContext()
        #expect(throws: TLSError.setup(reason: "the host name is empty or has a NUL")) {
            try TLSClientHandler(context: context, host: host)
        }
    }
}
