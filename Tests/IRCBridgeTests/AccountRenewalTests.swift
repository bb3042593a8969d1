import PluginWire
import Testing

@testable import IRCBridge

/// An account that the services forget while the bridge is connected.
@Suite struct AccountRenewalTests {
    private static let sasl = #","sasl":{"account":"bridge","password":"sesame"}"#
    private static let nickServ = #","nickserv":{"account":"bridge","password":"sesame"}"#
    private static let proved = [
        ":s CAP * LS :cap-notify sasl=PLAIN", ":s CAP * ACK :cap-notify sasl", "AUTHENTICATE +", ":s 903 crow :fine",
        ":s 001 crow :Welcome", ":crow!c@host JOIN #room", ":s 366 crow #room :x",
    ]
    private static let identified = [
        ":s 001 crow :Welcome", ":NickServ!n@services NOTICE crow :Password accepted - you are now recognized.",
        ":crow!c@host JOIN #room", ":s 366 crow #room :x",
    ]
    private static let identify = "PRIVMSG NickServ :IDENTIFY bridge sesame"
    private static let plain = "AUTHENTICATE YnJpZGdlAGJyaWRnZQBzZXNhbWU="
    private static let loggedOut = ":s 901 crow crow!c@host :You are now logged out"

    private func machine(_ more: String, _ lines: [String]) throws -> Relay {
        var machine = Relay(config: try Tables.network(more), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: "n", now: 0)
        for line in lines { _ = hear(&machine, line, now: 0) }
        return machine
    }

    @Test func capNotifyIsAskedFor() throws {
        var machine = try machine("", [])
        #expect(
            hear(&machine, ":s CAP * LS :cap-notify server-time", now: 0).lines == ["CAP REQ :cap-notify server-time"])
    }

    // MARK: - SASL

    /// Services restart: what a channel refuses meanwhile is said once they know the bridge again.
    @Test func servicesThatRestartAreToldAgain() throws {
        var machine = try machine(Self.sasl, Self.proved)
        #expect(machine.health?.level == .ok)
        let gone = hear(&machine, ":s CAP crow DEL :sasl", now: 40)
        #expect(gone.health?.level == .ok && gone.health?.message.contains("offers no SASL for now") == true)
        let out = hear(&machine, Self.loggedOut, now: 40)
        #expect(out.lines == [] && out.health?.level == .degraded)
        #expect(out.health?.message.contains("logged out of its account (You are now logged out)") == true)
        #expect(machine.deliver(Tables.event(1), now: 41).lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        _ = hear(&machine, ":s 477 crow #room :Cannot send to channel (+M)", now: 41)
        let held = hear(&machine, ":s PONG s :crowbar-1", now: 41)
        #expect(held.acks == [] && !held.isRejected)
        let back = hear(&machine, ":s CAP crow NEW :sasl=PLAIN", now: 42)
        #expect(back.lines == ["CAP REQ :sasl"])
        #expect(hear(&machine, ":s CAP crow ACK :sasl", now: 42).lines == ["AUTHENTICATE PLAIN"])
        #expect(hear(&machine, "AUTHENTICATE +", now: 42).lines == [Self.plain])
        let known = hear(&machine, ":s 900 crow crow!c@host bridge :You are now logged in as bridge", now: 42)
        #expect(known.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-2"])
        #expect(known.health?.message.contains("logged out") == false)
        #expect(hear(&machine, ":s 903 crow :SASL authentication successful", now: 42).lines == [])
        #expect(hear(&machine, ":s PONG s :crowbar-2", now: 43).acks == [1])
        #expect(machine.health?.level == .ok && machine.servicesProblems == [])
        #expect(machine.connection.account.due == nil)
    }

    /// How a proof is begun: the capability stays where only the account is gone.
    @Test(
        "what leads to a proof",
        arguments: [
            ([loggedOut], 40.0, ["AUTHENTICATE PLAIN"]), ([":s CAP crow DEL :sasl"], 40, []),
            ([":s CAP crow DEL :sasl", loggedOut], 40, []),
            ([":s CAP crow DEL :sasl", ":s CAP crow NEW :sasl"], 40, ["CAP REQ :sasl"]),
            ([":s CAP crow DEL :sasl", loggedOut, ":s CAP crow NEW :sasl=EXTERNAL,PLAIN"], 40, ["CAP REQ :sasl"]),
            // Not known to be lost, another capability, not now, not to somebody else.
            ([":s CAP crow NEW :sasl=PLAIN"], 40, []),
            ([":s CAP crow DEL :chghost", ":s CAP crow NEW :setname"], 40, []),
            ([loggedOut], 10, []),
            ([":s 902 crow :x", ":s 904 crow :x", "AUTHENTICATE +", ":s 908 crow X :x"], 40, []),
            ([":NickServ!n@services NOTICE crow :This nickname is registered."], 40, ["AUTHENTICATE PLAIN"]),
            ([":NickServ!n@services NOTICE crow :This nickname is registered."], 10, []),
            ([":bob!b@h NOTICE crow :This nickname is registered."], 40, []),
            ([":NickServ!n@services NOTICE #room :This nickname is registered."], 40, []),
        ] as [([String], Instant, [String])])
    func proofs(lines: [String], now: Instant, written: [String]) throws {
        var machine = try machine(Self.sasl, Self.proved)
        #expect(
            lines.flatMap { hear(&machine, $0, now: now).lines }.filter { !$0.hasPrefix("CAP REQ :set") } == written)
    }

    @Test(
        "failures",
        arguments: [
            ([":s CAP crow NAK :sasl"], "the server refuses SASL"),
            ([":s CAP crow DEL :sasl"], "the server does not offer SASL any more"),
            ([":s CAP crow ACK :sasl", ":s 904 crow :no such account"], "SASL failed: no such account; check"),
            ([":s CAP crow ACK :sasl", ":s 908 crow EXTERNAL :x", ":s 904 crow :no"], "by EXTERNAL only"),
            ([":s CAP crow ACK :sasl", ":s 906 crow :aborted"], "SASL failed: aborted"), ([], "did not answer"),
            ([":s CAP crow ACK :sasl"], "did not answer"),
        ] as [([String], String)])
    func aProofThatFailsIsToldAndTriedAgain(lines: [String], words: String) throws {
        var machine = try machine(Self.sasl, Self.proved)
        for line in [":s CAP crow DEL :sasl", Self.loggedOut, ":s CAP crow NEW :sasl=PLAIN"] {
            _ = hear(&machine, line, now: 40)
        }
        for line in lines { _ = hear(&machine, line, now: 40) }
        if lines.count < 2, words == "did not answer" { _ = machine.tick(now: 40 + AccountRenewal.patience) }
        #expect(machine.health?.level == .degraded)
        #expect(machine.health?.message.contains(words) == true, "\(machine.health?.message ?? "")")
        // The connection stays, and what a SASL failure at registration ends does not end here.
        guard case .registered = machine.connection.phase else { return #expect(Bool(false), "not registered") }
        let again = machine.tick(now: 140).lines
        let isOffered = !lines.contains(":s CAP crow DEL :sasl") && words != "by EXTERNAL only"
        #expect(again.contains { $0.contains("sasl") || $0 == "AUTHENTICATE PLAIN" } == isOffered)
    }

    @Test func aServerThatLogsOutWithoutEndIsNotAnsweredEachTime() throws {
        var machine = try machine(Self.sasl, Self.proved)
        var begun: [Instant] = []
        for now in stride(from: 40.0, through: 1240, by: 1) {
            var lines = hear(&machine, Self.loggedOut, now: now).lines
            lines += machine.tick(now: now).lines
            guard lines.contains("AUTHENTICATE PLAIN") else { continue }
            begun.append(now)
            for line in ["AUTHENTICATE +", ":s 903 crow :fine"] { _ = hear(&machine, line, now: now) }
        }
        #expect(begun == [40, 100, 220, 520, 1120])
    }

    @Test func aUsersConnectionHasNoAccount() throws {
        var machine = try Tables.puppet("ann", name: "Ann")
        let lines = [":s 001 ann :Welcome", Self.loggedOut, ":s CAP ann DEL :sasl", ":s CAP ann NEW :sasl"]
        #expect(lines.flatMap { hear(&machine, $0, now: 40).lines } == [])
        #expect(machine.connection.account.isFine)
    }

    // MARK: - NickServ

    @Test(
        "requests",
        arguments: [
            ("This nickname is registered and protected.  If it is your nick, type /msg NickServ IDENTIFY pass", true),
            ("This nickname is registered. Please choose a different nickname, or identify via /msg", true),
            ("This nick is owned by someone else. Please choose another.", true),
            ("Please identify to services.", true),
            ("You are now logged out.", true), ("You\u{2019}re no longer logged in", true),
            ("\u{2}You must identify\u{2} first", true), ("Your nick isn't registered.", false),
            ("Nick \u{2}crow\u{2} isn't registered.", false), ("Have a nice day.", false),
            ("You are already identified.", false), ("Unknown command REGAIN.", false),
        ])
    func requests(words: String, isAnswered: Bool) throws {
        #expect(NickServ.asks(words) == isAnswered)
        var machine = try machine(Self.nickServ, Self.identified)
        let lines = hear(&machine, ":NickServ!n@services NOTICE crow :\(words)", now: 40).lines
        #expect(lines == (isAnswered ? [Self.identify] : []))
        // In several notices, and to others.
        #expect(hear(&machine, ":NickServ!n@services NOTICE crow :\(words)", now: 40).lines == [])
        for line in [
            ":bob!b@h NOTICE crow :\(words)", ":NickServ!n@s NOTICE #room :\(words)",
            ":NickServ PRIVMSG crow :\(words)",
        ] {
            var other = try self.machine(Self.nickServ, Self.identified)
            #expect(!hear(&other, line, now: 40).lines.contains(Self.identify), "\(line)")
        }
    }

    @Test func whatIsRefusedMeanwhileIsSaidThen() throws {
        var machine = try machine(Self.nickServ, Self.identified)
        _ = hear(&machine, ":NickServ!n@services NOTICE crow :This nickname is registered.", now: 40)
        #expect(machine.deliver(Tables.event(1), now: 40).lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        _ = hear(&machine, ":s 477 crow #room :Cannot send to channel (+M)", now: 40)
        let held = hear(&machine, ":s PONG s :crowbar-1", now: 40)
        #expect(held.acks == [] && !held.isRejected)
        let known = hear(&machine, ":NickServ!n@services NOTICE crow :You are now identified for bridge.", now: 41)
        #expect(known.lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-2"])
        #expect(machine.health?.level == .ok)
    }

    /// A channel that takes accounts only, while it is not proved.
    @Test func aChannelThatRefusedIsAskedForAtOnce() throws {
        var machine = try machine(Self.nickServ, Self.identified)
        _ = hear(&machine, Self.loggedOut, now: 40)
        _ = hear(&machine, ":op!o@h KICK #room crow :registered users only", now: 40)
        let known = hear(&machine, ":NickServ!n@services NOTICE crow :You are now identified for bridge.", now: 41)
        #expect(known.lines == ["JOIN #room"])
    }

    /// What is refused for long is given up: nobody waits for services that do not come back.
    @Test func aRefusalIsHeldForAWhileOnly() throws {
        let cases: [(Instant, Bool)] = [
            (40, true), (40 + AccountRenewal.hold - 1, true), (40 + AccountRenewal.hold, false),
        ]
        for (now, isHeld) in cases {
            var machine = try machine(Self.nickServ, Self.identified)
            _ = hear(&machine, Self.loggedOut, now: 40)
            _ = machine.deliver(Tables.event(1), now: now)
            _ = hear(&machine, ":s 477 crow #room :Cannot send to channel (+M)", now: now)
            #expect(hear(&machine, ":s PONG s :crowbar-1", now: now).isRejected != isHeld, "\(now)")
        }
    }

    @Test func aServiceThatAsksWithoutEndIsNotAnsweredEachTime() throws {
        var machine = try machine(Self.nickServ, Self.identified)
        var written: [Instant] = []
        for now in stride(from: 1.0, through: 700, by: 1) {
            var lines = hear(&machine, ":NickServ!n@services NOTICE crow :Please identify.", now: now).lines
            lines += machine.tick(now: now).lines
            if lines.contains(Self.identify) { written.append(now) }
        }
        #expect(written.count <= 5 && written.first == 30, "\(written)")
        #expect(zip(written, written.dropFirst()).allSatisfy { $1 - $0 >= 60 })
    }

    /// SASL goes before NickServ where both are set and the server offers it by now.
    @Test func aServerThatOffersSASLLaterIsTold() throws {
        let lines = [":s CAP * LS :cap-notify", ":s CAP * ACK :cap-notify"] + Self.identified
        var known = try machine(Self.sasl + Self.nickServ, lines)
        #expect(hear(&known, ":s CAP crow NEW :sasl=PLAIN", now: 40).lines == [])
        var unknown = try machine(Self.sasl + Self.nickServ, lines.filter { !$0.contains("accepted") })
        _ = unknown.tick(now: NickServ.patience)
        #expect(hear(&unknown, ":s CAP crow NEW :sasl=PLAIN", now: 40).lines == ["CAP REQ :sasl"])
    }
}

extension [RelayAction] {
    /// Whether a delivery is given up.
    fileprivate var isRejected: Bool {
        contains { if case .plugin(.reject) = $0 { true } else { false } }
    }
}
