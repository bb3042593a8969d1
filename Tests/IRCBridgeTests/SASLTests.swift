import CrowbarTesting
import JSONBytes
import PluginKit
import Testing

@testable import IRCBridge

/// Proving an account.
@Suite(.timeLimit(.minutes(10))) struct SASLTests {
    // MARK: SCRAM-SHA-256

    /// The example of RFC 7677, section 3.
    private static let nonce = "rOprNGfwEbeRWgbNEkqO"
    private static let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

    private func asked() throws -> ScramExchange {
        var scram = ScramExchange(account: "user", password: "pencil", nonce: Self.nonce)
        #expect(try scram.answer("") == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        return scram
    }

    @Test func theExampleOfTheStandard() throws {
        var scram = try asked()
        #expect(try scram.answer(Self.challenge) == nil)
        // The key is asked for, and derived elsewhere; what the server says meanwhile is too early.
        let derivation = try #require(scram.derivation)
        var early = scram
        #expect(throws: ScramExchange.Failure.self) {
            try early.answer("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        }
        var without = scram
        #expect(throws: ScramExchange.Failure(reason: "OpenSSL cannot derive a key")) { try without.derived(nil) }
        let proof = try scram.derived(derivation.key())
        #expect(scram.derivation == nil)
        #expect(
            proof == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        #expect(!scram.isDone)
        #expect(try scram.answer("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == "")
        #expect(scram.isDone)
        #expect(throws: ScramExchange.Failure.self) { try scram.answer("more") }
    }

    @Test(
        "challenges that are refused",
        arguments: [
            ("", "none of SCRAM"), ("nonsense", "none of SCRAM"), ("r=other,s=W22Z,i=4096", "none of SCRAM"),
            ("r=\(nonce),s=W22Z,i=4096", "none of SCRAM"), ("r=\(nonce)x,s=,i=4096", "none of SCRAM"),
            ("r=\(nonce)x,s=!,i=4096", "none of SCRAM"), ("r=\(nonce)x,s=W22Z,i=x", "none of SCRAM"),
            ("r=\(nonce)x,s=W22Z,i=4095", "4095 rounds; 4096 to 500000"),
            ("r=\(nonce)x,s=W22Z,i=2000000000", "2000000000 rounds"), ("e=other-error", "'other-error'"),
            ("m=ext,r=\(nonce)x,s=W22Z,i=4096", "an extension"),
        ])
    func refusedChallenges(challenge: String, reason: String) throws {
        var scram = try asked()
        let failure = try #require(throws: ScramExchange.Failure.self) { try scram.answer(challenge) }
        #expect(failure.reason.contains(reason), "\(failure.reason)")
        #expect(!failure.reason.contains("pencil") && !scram.isDone)
    }

    @Test(arguments: [
        ("v=AAAA", "does not know the password"), ("", "does not know"), ("e=invalid-proof", "'invalid-proof'"),
    ])
    func refusedEnds(end: String, reason: String) throws {
        var scram = try asked()
        _ = try scram.answer(Self.challenge)
        _ = try scram.derived(scram.derivation?.key())
        let failure = try #require(throws: ScramExchange.Failure.self) { try scram.answer(end) }
        #expect(failure.reason.contains(reason) && !scram.isDone)
    }

    @Test func aNameCannotBeAnotherAttribute() throws {
        var scram = ScramExchange(account: "a,r=b", password: "p", nonce: "n")
        #expect(try scram.answer("") == "n,,n=a=2Cr=3Db,r=n")
        var without = ScramExchange(account: "a", password: "p", nonce: "")
        #expect(throws: ScramExchange.Failure.self) { try without.answer("") }
    }

    // MARK: Lines

    private func exchange(_ mechanism: SASLConfig.Mechanism, account: String = "jilles") -> SASLExchange {
        SASLExchange(.init(mechanism: mechanism, account: account, password: "sesame"), nonce: Self.nonce)
    }

    @Test func eachMechanismHasItsFirstAnswer() throws {
        var plain = exchange(.plain)
        // The example of the SASL 3.1 specification.
        #expect(try plain.take("+") == ["AUTHENTICATE amlsbGVzAGppbGxlcwBzZXNhbWU="])
        var named = exchange(.external)
        #expect(try named.take("+") == ["AUTHENTICATE amlsbGVz"])
        var nameless = exchange(.external, account: "")
        #expect(try nameless.take("+") == ["AUTHENTICATE +"])
        #expect(exchange(.scram).begin == "AUTHENTICATE SCRAM-SHA-256")
    }

    @Test func aChallengeMayComeInPieces() throws {
        var scram = exchange(.scram)
        _ = try scram.take("+")
        // 300 bytes are one full piece of base 64, after which there has to be another.
        let salt = "r=\(Self.nonce)x,s=W22Z,i=4096,x="
        let message = salt + String(repeating: "y", count: 300 - salt.utf8.count)
        let text = Base64.encode(Array(message.utf8))
        #expect(text.utf8.count == 400)
        #expect(try scram.take(text) == [])
        #expect(try scram.take("+") == [])
        #expect(try scram.derived(scram.derivation?.key()).count == 1)
        #expect(!scram.isComplete)
    }

    @Test func aChallengeHasALimit() throws {
        var scram = exchange(.scram)
        _ = try scram.take("+")
        let piece = String(repeating: "A", count: SASLExchange.chunk)
        for _ in 0..<10 { #expect(try scram.take(piece) == []) }
        #expect(throws: ScramExchange.Failure(reason: "the server's challenge is too long")) { try scram.take(piece) }
        var other = exchange(.scram)
        #expect(throws: ScramExchange.Failure(reason: "the server's challenge is no base 64")) { try other.take("!") }
    }

    // MARK: Registration

    private func last(_ mechanism: String, _ lines: [String]) throws -> [Registration.Step] {
        var config = try Tables.network(#","sasl":{"account":"jilles","password":"sesame"}"#)
        config.sasl?.mechanism = try #require(SASLConfig.Mechanism(rawValue: mechanism))
        var registration = Registration(config, nonce: Self.nonce)
        _ = registration.begin()
        return lines.map { registration.take(Tables.line($0)) }.last ?? []
    }

    @Test(
        "how it ends",
        arguments: [
            ("scram-sha-256", [":s CAP * LS :sasl=PLAIN,EXTERNAL"], "the server knows accounts by PLAIN,EXTERNAL only"),
            ("plain", [":s CAP * LS :sasl=SCRAM-SHA-256"], "the server knows accounts by SCRAM-SHA-256 only"),
            (
                "external",
                [":s CAP * LS :sasl", ":s CAP * ACK :sasl", ":s 908 crow PLAIN :are available", ":s 904 crow :no"],
                "the server knows accounts by PLAIN only"
            ),
            (
                "external", [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 904 crow :no"],
                "SASL failed: no; add the certificate"
            ),
            (
                "scram-sha-256", [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 903 crow :fine"],
                "SASL failed: the server has not shown"
            ),
            (
                "scram-sha-256", [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", "AUTHENTICATE eA=="],
                "SASL failed: the server's challenge is none of SCRAM"
            ),
        ])
    func ends(mechanism: String, lines: [String], reason: String) throws {
        guard case .failed(let text, let isFinal) = try last(mechanism, lines).last else {
            Issue.record("it did not fail")
            return
        }
        #expect(isFinal && text.hasPrefix(reason) && !text.contains("sesame"), "\(text)")
    }

    @Test func theKeyOfAnotherRegistrationIsOfNoUse() throws {
        var machine = Relay(
            config: try Tables.network(
                #","sasl":{"mechanism":"scram-sha-256","account":"user","password":"pencil"}"#),
            links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: Self.nonce, now: 0)
        let challenge = "AUTHENTICATE " + Base64.encode(Array(Self.challenge.utf8))
        var actions: [RelayAction] = []
        for line in [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", challenge] {
            actions = machine.received(Tables.line(line), now: 0)
        }
        guard case .derive(let derivation) = try #require(actions.first) else {
            Issue.record("no key is asked for: \(actions)")
            return
        }
        #expect(actions.count == 1)
        let key = derivation.key()
        var other = machine
        _ = other.closed(reason: "x", random: 0, now: 1)
        #expect(other.derived(key, now: 1) == [])
        _ = other.start(now: 2)
        _ = other.connected(nonce: "n", now: 2)
        #expect(other.derived(key, now: 2) == [])
        #expect(machine.derived(key, now: 1).lines.first?.hasPrefix("AUTHENTICATE Yz1iaXdzLHI9") == true)
    }

    @Test func theMechanismsMayBeInAnyCase() throws {
        #expect(try last("scram-sha-256", [":s CAP * LS :sasl=plain,scram-sha-256"]) == [.send("CAP REQ :sasl")])
    }

    // MARK: A server

    private func run(_ mode: String, _ sasl: String) async throws -> (BridgeHost, SecureServer) {
        let authority = try await CertificateAuthority()
        let server = try await SecureServer(authority.identity("IP:127.0.0.1"), mode, authority: authority)
        let own = try await authority.identity("DNS:crowbar.example")
        let host = try BridgeHost()
        let config = """
            {"networks":[{"name":"local","host":"127.0.0.1","port":\(server.port),"ca_file":"\(authority.file)",
            "client_cert":"\(own.certificate)","client_key":"\(own.key)","sasl":\(sasl)}],
            "links":[{"channel":"general","irc":"local/#general"}]}
            """
        try await host.run(JSON(parsing: Array(config.utf8)), untilOpen: false)
        return (host, server)
    }

    private static let scram = #"{"mechanism":"scram-sha-256","account":"jilles","password":"sesame"}"#

    @Test(arguments: [
        ("plain", #"{"account":"jilles","password":"sesame"}"#, "PLAIN"),
        ("external", #"{"mechanism":"external"}"#, "EXTERNAL"), ("scram", scram, "SCRAM-SHA-256"),
    ])
    func anAccountIsProved(mode: String, sasl: String, name: String) async throws {
        let (host, server) = try await run(mode, sasl)
        #expect(try await server.said() == "user jilles by \(name)")
        try await host.window { $0 > 0 }
    }

    @Test(arguments: [
        (
            "scram", #"{"mechanism":"scram-sha-256","account":"jilles","password":"guess"}"#,
            "SASL failed: the server says 'invalid-proof'"
        ),
        ("impostor", scram, "SASL failed: the server does not know the password, and is none to trust"),
        ("few", scram, "SASL failed: the server asks for 1000 rounds; 4096 to 500000 are accepted"),
        ("hasty", scram, "SASL failed: the server has not shown that it knows the password"),
        ("plain", scram, "the server knows accounts by PLAIN only; set sasl.mechanism"),
    ])
    func anAccountThatIsNotProvedIsNotUsed(mode: String, sasl: String, reason: String) async throws {
        let (host, server) = try await run(mode, sasl)
        let text = try await host.down()
        #expect(text.hasPrefix("local: \(reason); next try at 2"), "\(text)")
        withExtendedLifetime(server) {}
    }
}
