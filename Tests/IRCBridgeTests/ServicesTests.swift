import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// NickServ, and the nick that the bridge should have.
@Suite(.timeLimit(.minutes(10))) struct ServicesTests {
    private static let nickServ = #","nickserv":{"account":"bridge","password":"sesame"}"#
    private static let sasl = #","sasl":{"account":"bridge","password":"sesame"}"#
    private static let proved = [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 903 crow :fine"]

    /// A machine that the server has accepted at the time 0, and what it wrote then.
    private func registered(
        _ more: String, before: [String] = [], as nick: String = "crow"
    ) throws -> (Relay, [String]) {
        var machine = Relay(config: try Tables.network(more), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: "n", now: 0)
        for line in before { _ = hear(&machine, line) }
        let welcome = hear(&machine, ":s 001 \(nick) :Welcome")
        return (machine, welcome.lines)
    }

    // MARK: NickServ

    @Test(arguments: [
        (nickServ, "PRIVMSG NickServ :IDENTIFY bridge sesame"),
        (#","nickserv":{"password":"sesame"}"#, "PRIVMSG NickServ :IDENTIFY sesame"),
    ])
    func channelsAreJoinedOnceNickServKnowsTheBridge(more: String, line: String) throws {
        var (machine, written) = try registered(more)
        #expect(written == [line])
        let greeting = hear(&machine, ":NickServ!n@services NOTICE crow :This nickname is registered.")
        #expect(greeting.lines == [])
        let stranger = hear(&machine, ":bob!b@h NOTICE crow :Password accepted")
        #expect(stranger.lines == [])
        let known = hear(&machine, ":NickServ!n@services NOTICE crow :Password accepted - you are now recognized.")
        #expect(known.lines == ["JOIN #room"])
        _ = hear(&machine, ":crow!c@host JOIN #room")
        #expect(machine.health?.level == .ok)
    }

    @Test func theServersWordIsEnough() throws {
        var (machine, _) = try registered(Self.nickServ)
        let known = hear(&machine, ":s 900 crow crow!c@host bridge :You are now logged in as bridge")
        #expect(known.lines == ["JOIN #room"])
    }

    @Test(
        "refusals",
        arguments: [
            (
                ":NickServ!n@services NOTICE crow :Invalid password for bridge (sesame).",
                "Invalid password for bridge (***)."
            ),
            (":NickServ!n@services NOTICE crow :Your nick isn't registered.", "Your nick isn't registered."),
            (":s 401 crow NickServ :No such nick", "there is none on this network"),
        ])
    func whatNickServRefusesIsTold(line: String, reason: String) throws {
        var (machine, _) = try registered(Self.nickServ)
        let refused = hear(&machine, line)
        #expect(refused.lines == ["JOIN #room"])
        let joined = hear(&machine, ":crow!c@host JOIN #room")
        #expect(joined.windows == [1024])
        let health = try #require((refused + joined).health)
        #expect(health == .init(level: .degraded, message: "connected as crow; NickServ: \(reason)"))
        // Services that were slow, or somebody who let the bridge in by hand.
        let late = hear(&machine, ":NickServ!n@services NOTICE crow :You are now identified for bridge.")
        #expect(late.health?.level == .ok)
    }

    /// What services say, by their source or as clients have it on record.
    @Test(
        arguments: [
            // Atheme (Libera and others).
            ("You are now identified for \u{2}bridge\u{2}.", true),
            ("You are now logged in as \u{2}bridge\u{2}.", true),
            ("You are already logged in as \u{2}bridge\u{2}.", true),
            ("Invalid password for \u{2}bridge\u{2}.", false),
            ("\u{2}bridge\u{2} is not a registered nickname.", false),
            ("You cannot log in as \u{2}bridge\u{2} because the account has been frozen.", false),
            (
                "This nickname is registered. Please choose a different nickname, or identify via "
                    + "\u{2}/msg NickServ IDENTIFY bridge <password>\u{2}", nil
            ),
            // Anope.
            ("Password accepted - you are now recognized.", true), ("You are already identified.", true),
            ("Password incorrect.", false), ("Your nick isn't registered.", false),
            ("Nick \u{2}bridge\u{2} isn't registered.", false), ("This nickname has been suspended.", false),
            ("This nickname is registered and protected.  If it is your", nil),
            // OFTC.
            ("You are successfully identified as \u{2}bridge\u{2}.", true),
            ("Identify failed as bridge.  You may have entered an incorrect password.", false),
            ("This nickname is registered and protected.  If it is your nickname, you may", nil),
            // Ergo.
            ("You're now logged in as bridge", true), ("You\u{2019}re already logged into an account", true),
            ("Authentication failed: Invalid account credentials", false),
            // An account may be called anything.
            ("You are now identified for \u{2}wrong\u{2}.", true), ("You're now logged in as incorrect", true),
            // What is none of it.
            ("You are not identified.", nil), ("Your password must be accepted by staff first", nil),
        ] as [(String, Bool?)])
    func theWordsOfServices(words: String, isKnown: Bool?) throws {
        var nickServ = NickServ()
        let config = NickServ.Config(account: "bridge", password: "sesame")
        _ = nickServ.identify(config, "crow", has: "crow", now: 0)
        #expect(nickServ.said(words, config) == (isKnown == true))
        #expect((nickServ.problem != nil) == (isKnown == false))
        #expect((nickServ.waitsUntil != nil) == (isKnown == nil))
    }

    @Test func silenceIsWaitedForAWhile() throws {
        var (machine, _) = try registered(Self.nickServ)
        #expect(machine.wake(now: 0) == NickServ.patience)
        let early = machine.tick(now: NickServ.patience - 0.1)
        #expect(early.lines == [])
        let late = machine.tick(now: NickServ.patience)
        #expect(late.lines == ["JOIN #room"])
        _ = hear(&machine, ":crow!c@host JOIN #room", now: 6)
        #expect(machine.health?.message == "connected as crow; NickServ: it did not answer")
    }

    @Test func nickServIsForServersWithoutSASL() throws {
        let (_, with) = try registered(Self.sasl + Self.nickServ, before: Self.proved)
        #expect(with == ["JOIN #room"])
        let (_, without) = try registered(Self.sasl + Self.nickServ, before: [":s CAP * LS :server-time"])
        #expect(without == ["PRIVMSG NickServ :IDENTIFY bridge sesame"])
        let (_, old) = try registered(Self.sasl + Self.nickServ)
        #expect(old == ["PRIVMSG NickServ :IDENTIFY bridge sesame"])
    }

    @Test func aUsersConnectionIsNobodyToNickServ() throws {
        let config = try Tables.network(Self.nickServ).ofPuppet("ann", name: "Ann")
        #expect(config.nickServ == nil)
    }

    // MARK: The nick

    @Test func aNickIsAskedForEveryMinute() throws {
        var (machine, _) = try registered("", as: "crow_")
        _ = hear(&machine, ":crow_!c@host JOIN #room")
        let early = machine.tick(now: NickKeeper.interval - 1)
        #expect(!early.lines.contains("NICK crow"))
        let late = machine.tick(now: NickKeeper.interval)
        #expect(late.lines.contains("NICK crow"))
        let taken = hear(&machine, ":s 433 crow_ crow :Nickname is already in use", now: 60)
        #expect(taken == [])
        let given = hear(&machine, ":crow_!c@host NICK crow", now: 61)
        #expect(given.health?.message == "connected to irc.example.org as crow")
        #expect(machine.connection.mask == "crow!c@host")
        let after = machine.tick(now: 121)
        #expect(!after.lines.contains { $0.hasPrefix("NICK") })
    }

    @Test(
        "who has it goes",
        arguments: [
            (":CROW!c@h QUIT :bye", ["NICK crow"]), (":crow!c@h NICK other", ["NICK crow"]),
            (":crowd!c@h QUIT :bye", []), (":s 731 crow_ :bob,crow", ["NICK crow"]), (":s 731 crow_ :bob", []),
            (":s 730 crow_ :crow!c@h", []),
        ])
    func whoHasItGoes(line: String, answer: [String]) throws {
        var (machine, _) = try registered("", as: "crow_")
        let written = hear(&machine, line).lines
        #expect(written == answer)
        var (owner, _) = try registered("")
        let none = hear(&owner, line.replacing("crow_", with: "crow")).lines
        #expect(none == [])
    }

    @Test func aServerThatTellsIsAsked() throws {
        var (machine, _) = try registered("", as: "crow_")
        let first = hear(&machine, ":s 005 crow_ MONITOR=100 NICKLEN=9 :are supported")
        let second = hear(&machine, ":s 005 crow_ CHANTYPES=# :are supported")
        let given = hear(&machine, ":crow_!c@host NICK crow")
        #expect((first.lines, second.lines) == (["MONITOR + crow"], []))
        #expect(given.lines == ["MONITOR - crow"])
    }

    @Test func nickServGivesItBack() throws {
        var (machine, written) = try registered(Self.sasl, before: Self.proved, as: "crow_")
        #expect(written == ["PRIVMSG NickServ :REGAIN crow", "JOIN #room"])
        // It does not know REGAIN, so whoever has the nick is ended, and the nick taken then.
        let unknown = hear(&machine, ":NickServ!n@services NOTICE crow_ :Unknown command REGAIN.", now: 1)
        #expect(unknown.lines == ["PRIVMSG NickServ :GHOST crow"])
        let ghosted = hear(&machine, ":NickServ!n@services NOTICE crow_ :Ghost with your nick has been killed.", now: 2)
        #expect(ghosted.lines == ["NICK crow"])
        let more = hear(&machine, ":NickServ!n@services NOTICE crow_ :Have a nice day.", now: 3)
        #expect(more.lines == [])
        let again = machine.tick(now: NickKeeper.interval)
        #expect(again.lines.prefix(2) == ["PRIVMSG NickServ :GHOST crow", "NICK crow"])
    }

    @Test func whatIdentifiesIsNoAnswerToWhatIsAskedThen() throws {
        var (machine, _) = try registered(Self.nickServ, as: "crow_")
        let known = hear(&machine, ":NickServ!n@services NOTICE crow_ :You are now identified for bridge.", now: 1)
        #expect(known.lines == ["PRIVMSG NickServ :REGAIN crow", "JOIN #room"])
        let unknown = hear(&machine, ":NickServ!n@services NOTICE crow_ :Unknown command REGAIN.", now: 2)
        #expect(unknown.lines == ["PRIVMSG NickServ :GHOST crow"])
    }

    @Test func nickServThatKnowsNeitherIsLeftAlone() throws {
        var (machine, _) = try registered(Self.sasl, before: Self.proved, as: "crow_")
        for _ in 0..<2 { _ = hear(&machine, ":NickServ!n@services NOTICE crow_ :Invalid command.", now: 1) }
        let again = machine.tick(now: NickKeeper.interval)
        #expect(again.lines.prefix(1) == ["NICK crow"])
    }

    // MARK: Real servers

    private func regains(_ port: Int, from channel: String) async throws {
        let holder = try await IRCClient(port, nick: "crowbar", join: channel)
        let bob = try await IRCClient(port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(BridgeHost.config(port, #","nick":"crowbar""#))
        let before = try await host.say("before")
        let first = try await bob.first("a message") { $0.verb == "PRIVMSG" }
        #expect(IRCSource(first.source ?? "").nick == "crowbar_" && first.params.last == "<ann> before")
        bob.send("PRIVMSG #general :one")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "one")
        holder.send("QUIT :bye")
        let change = try await bob.first("the nick") { $0.verb == "NICK" }
        #expect(IRCSource(change.source ?? "").nick == "crowbar_" && change.params == ["crowbar"])
        let after = try await host.say("after")
        let last = try await bob.first("a message") { $0.verb == "PRIVMSG" }
        #expect(IRCSource(last.source ?? "").nick == "crowbar" && last.params.last == "<ann> after")
        bob.send("PRIVMSG #general :two")
        #expect(try await host.command("SEND_MESSAGE").0.string("message") == "two")
        try await host.settled([before, after])
    }

    @Test func theNickOfWhoIsSeenToGoIsRegained() async throws {
        let server = try await IRCServer()
        try await regains(server.port, from: "#general")
    }

    /// Its holder is in no channel with the bridge, so that only the server can tell.
    @Test func theNickIsRegainedAtTheServersWord() async throws {
        let server = try await InspServer(#"<module name="monitor">"#)
        try await regains(server.port, from: "#elsewhere")
    }

    @Test func aNickServOnARealServerIsAsked() async throws {
        let server = try await IRCServer()
        let services = try await IRCClient(server.port, nick: "NickServ", join: "#services")
        let bob = try await IRCClient(server.port, nick: "bob", join: "#general")
        let host = try BridgeHost()
        try await host.run(
            BridgeHost.config(server.port, #","nickserv":{"account":"crowbar","password":"sesame"}"#), untilOpen: false)
        let asked = try await services.first("the password") { $0.verb == "PRIVMSG" }
        #expect(asked.params == ["NickServ", "IDENTIFY crowbar sesame"])
        services.send("NOTICE \(IRCSource(asked.source ?? "").nick) :You are now identified for crowbar.")
        _ = try await bob.first("the bridge") { $0.verb == "JOIN" && $0.source?.hasPrefix("crowbar!") == true }
        try await host.window { $0 > 0 }
    }

    /// A nick without an account of its own is known by its name, also while somebody else has it.
    @Test func whoIsKnownByTheNickAloneIsSoOnceItIsTheirs() throws {
        let more = #","nickserv":{"password":"sesame"}"#
        var (machine, written) = try registered(more, as: "crow_")
        #expect(written == ["PRIVMSG NickServ :IDENTIFY crow sesame"])
        var other = machine
        let known = hear(&other, ":NickServ!n@services NOTICE crow_ :You are now identified for crow.", now: 1)
        #expect(known.lines == ["PRIVMSG NickServ :REGAIN crow", "JOIN #room"])
        let regained = hear(&other, ":crow_!c@host NICK crow", now: 2)
        #expect(regained.lines == [])
        // Services that do not take it so are asked again once the nick is there.
        _ = hear(&machine, ":NickServ!n@services NOTICE crow_ :Invalid password for crow.", now: 1)
        let given = hear(&machine, ":crow_!c@host NICK crow", now: 2)
        #expect(given.lines == ["PRIVMSG NickServ :IDENTIFY sesame"])
        _ = hear(&machine, ":crow!c@host JOIN #room", now: 3)
        let late = hear(&machine, ":NickServ!n@services NOTICE crow :You are now identified for crow.", now: 3)
        #expect(late.health?.level == .ok)
    }
}
