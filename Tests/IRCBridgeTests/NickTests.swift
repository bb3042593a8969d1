import PluginWire
import Testing

@testable import IRCBridge

/// A nick that the bridge does not get, and what it does about that.
@Suite struct NickTests {
    private static let sasl = #","sasl":{"account":"bridge","password":"sesame"}"#
    private static let proved = [":s CAP * LS :sasl", ":s CAP * ACK :sasl", "AUTHENTICATE +", ":s 903 crow :fine"]

    /// A machine that has another nick than the configured one, `crow`.
    private func machine(known: Bool = false) throws -> Relay {
        var machine = Relay(
            config: try Tables.network(known ? Self.sasl : ""), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: "n", now: 0)
        let lines = (known ? Self.proved : []) + [":s 001 crow_ :Welcome", ":crow_!c@host JOIN #room"]
        for line in lines { _ = hear(&machine, line, now: 0) }
        return machine
    }

    /// What is written to get the nick until an instant, by times; the server and NickServ answer as told.
    private func play(
        _ machine: inout Relay, until end: Instant, answer: (String) -> [String]
    ) -> [(at: Instant, line: String)] {
        var written: [(Instant, String)] = []
        var now: Instant = 0
        while now < end {
            now += 5
            var lines = machine.tick(now: now).lines
            while !lines.isEmpty {
                let line = lines.removeFirst()
                if line.hasPrefix("PING :") {
                    lines += hear(&machine, ":s PONG s " + line.dropFirst(5), now: now).lines
                }
                guard line.hasPrefix("NICK ") || line.hasPrefix("PRIVMSG NickServ") else { continue }
                written.append((now, line))
                for text in answer(line) { lines += hear(&machine, text, now: now).lines }
            }
        }
        return written
    }

    @Test(
        "refusals",
        arguments: [
            (":s 433 crow_ crow :Nickname is already in use", .inUse),
            (":s 433 crow_ crow :Nickname is already in use.", .inUse),
            (":s 433 crow_ other :Nickname is already in use", nil),
            (":s 436 crow_ crow :Nickname collision KILL", .inUse),
            (
                ":s 433 crow_ crow :Nickname is reserved by a different account",
                .never("Nickname is reserved by a different account")
            ),
            (":s 433 crow_ crow :Nickname is registered to another", .never("Nickname is registered to another")),
            (
                ":s FAIL NICK NICKNAME_RESERVED crow :Nickname is reserved by a different account",
                .never("Nickname is reserved by a different account")
            ),
            (":s FAIL JOIN X #room :no", nil),
            (
                ":s 400 crow_ NICK :You must use your account name as your nickname",
                .never("You must use your account name as your nickname")
            ),
            (":s 400 crow_ PRIVMSG :no", nil),
            (":s 432 crow_ crow :Erroneous Nickname", .reserved("Erroneous Nickname")),
            (":s 432 crow_ crow :Services reserved nickname: held", .reserved("Services reserved nickname: held")),
            (":s 432 crow_ other :Erroneous Nickname", nil),
            (
                ":s 437 crow_ crow :Nick/channel is temporarily unavailable",
                .held("Nick/channel is temporarily unavailable")
            ),
            (
                ":s 437 crow_ #ROOM :Cannot change nickname while banned on channel",
                .channel("#room", words: "Cannot change nickname while banned on channel")
            ),
            (":s 437 crow_ other :Nick/channel is temporarily unavailable", nil),
            (
                ":s 435 crow_ crow #room :Cannot change nickname while banned on channel",
                .channel("#room", words: "Cannot change nickname while banned on channel")
            ),
            (
                ":s 447 crow_ :Cannot change nickname while on #Room (+N is set)",
                .channel("#room", words: "Cannot change nickname while on #Room (+N is set)")
            ),
            (":s 447 crow_ crow :Nick changes are off", .channel("", words: "Nick changes are off")),
            (":s 438 crow_ crow :Nick change too fast. Please wait 20 seconds.", .tooFast(20)),
            (":s 438 crow_ crow :Nick change too fast", .tooFast(NickKeeper.interval)),
            (":s 484 crow_ :Your connection is restricted!", .never("Your connection is restricted!")),
            (":s 404 crow_ #room :Cannot send to channel", nil),
        ] as [(String, NickRefusal?)])
    func aRefusalIsRead(line: String, refusal: NickRefusal?) {
        let read = NickRefusal(Tables.line(line), wanted: "crow") { name in
            name.hasPrefix("#") ? Casemapping.rfc1459.fold(name) : nil
        }
        #expect(read == refusal)
    }

    /// What services say, by their source or as clients have it on record.
    @Test(
        "answers",
        arguments: [
            // Atheme.
            ("\u{2}crow\u{2} is not a registered nickname.", .never), ("Invalid password for \u{2}crow\u{2}.", .never),
            ("You may not ghost yourself.", .never),
            ("You cannot ghost users as \u{2}bridge\u{2} because the account has been frozen.", .never),
            ("Password authentication is disabled for this account.", .never),
            ("\u{2}crow\u{2} is not online.", .other), ("\u{2}crow\u{2} has been ghosted.", .other),
            ("\u{2}crow\u{2} has been regained.", .other), ("\u{2}crow\u{2} has been released.", .other),
            (
                "Invalid command. Use \u{2}/msg NickServ help\u{2} for a command listing.", .unknown
            ),
            // Anope.
            ("Nick \u{2}crow\u{2} isn't registered.", .never), ("Access denied.", .never),
            ("Password incorrect.", .never), ("Nick \u{2}crow\u{2} isn't currently in use.", .other),
            ("No one is using your nick, and services are not holding it.", .other),
            ("Service's hold on \u{2}crow\u{2} has been released.", .other),
            ("Ghost with your nick has been killed.", .other), ("You have regained control of \u{2}crow\u{2}.", .other),
            ("Unknown command REGAIN. \"/msg NickServ HELP\" for help.", .unknown),
            // Ergo.
            ("You don't own that nick", .never), ("You can\u{2019}t GHOST an always-on client", .never),
            ("No such nick", .other), ("Unknown command. To see available commands, run: /msg NickServ HELP", .unknown),
            // OFTC.
            ("The nickname \u{2}crow\u{2} is not registered.", .never),
            // What is said at each change of nick, and answers nothing.
            ("This nickname is registered and protected.  If it is your nickname, you may", .other),
        ] as [(String, NickServAnswer)])
    func anAnswerIsRead(words: String, answer: NickServAnswer) {
        #expect(NickServAnswer(words, nick: "crow") == answer)
    }

    @Test func theNicksOwnLettersMeanNothing() {
        #expect(NickServAnswer("\u{2}frozen\u{2} is not online.", nick: "frozen") == .other)
    }

    @Test(
        "what never works is asked for once an hour",
        arguments: [
            (":s 432 crow_ crow :Reserved for staff", "cannot have the nick 'crow': Reserved for staff; set another"),
            (":s 433 crow_ crow :Nickname is reserved by a different account", "by a different account; set another"),
            (":s FAIL NICK NICKNAME_RESERVED crow :Nickname is reserved", "Nickname is reserved; set another 'nick'"),
            (":s 400 crow_ NICK :You must use your account name", "You must use your account name; set another"),
            (":s 484 crow_ :Your connection is restricted!", "Your connection is restricted!; set another 'nick'"),
            (":s 447 crow_ :Cannot change nickname while on #room (+N is set)", "its nick to 'crow': Cannot change"),
            (":s 437 crow_ #room :Cannot change nickname while banned on channel", "while banned on channel"),
        ])
    func whatNeverWorksIsAskedForOnceAnHour(refusal: String, told: String) throws {
        var machine = try machine()
        let written = play(&machine, until: NickKeeper.refusedInterval + 100) { _ in [refusal] }
        #expect(written.map(\.at) == [60, 60 + NickKeeper.refusedInterval])
        #expect(written.allSatisfy { $0.line == "NICK crow" })
        #expect(machine.health?.level == .degraded)
        #expect(machine.health?.message.contains(told) == true, "\(machine.health?.message ?? "")")
    }

    @Test func whoHasTheNickForNowIsNoReasonToWarn() throws {
        var machine = try machine()
        let written = play(&machine, until: 300) { _ in [":s 433 crow_ crow :Nickname is already in use"] }
        #expect(written.map(\.at) == [60, 120, 180, 240, 300])
        #expect(machine.health == .init(level: .ok, message: "connected to irc.example.org as crow_"))
    }

    @Test func aServerThatWantsFewerChangesGetsFewer() throws {
        var machine = try machine()
        let written = play(&machine, until: 400) { _ in
            [":s 438 crow_ crow :Nick change too fast. Please wait 150 seconds."]
        }
        #expect(written.map(\.at) == [60, 210, 360])
        #expect(machine.health?.level == .ok)
    }

    @Test func aChannelThatAllowsItAgainIsNoticed() throws {
        var machine = try machine()
        _ = machine.tick(now: 60)
        _ = hear(&machine, ":s 447 crow_ :Cannot change nickname while on #room (+N is set)", now: 60)
        for (line, isFree) in [("#other -N", false), ("#room +N", false), ("#room +m-N", true)] {
            _ = hear(&machine, ":op!o@h MODE \(line)", now: 100)
            #expect(machine.tick(now: 100).lines.contains("NICK crow") == isFree, "\(line)")
        }
        _ = hear(&machine, ":crow_!c@host NICK crow", now: 101)
        #expect(machine.health?.level == .ok)
    }

    @Test(arguments: [
        ("\u{2}crow\u{2} is not a registered nickname.", "crow is not a registered nickname."),
        ("Access denied.", "Access denied."), ("Invalid password for sesame", "Invalid password for sesame"),
    ])
    func aNickServThatRefusesIsAskedOnceAnHour(words: String, told: String) throws {
        var machine = try machine(known: true)
        // It was asked when the server accepted the client.
        _ = hear(&machine, ":NickServ!n@services NOTICE crow_ :\(words)", now: 1)
        let written = play(&machine, until: NickKeeper.refusedInterval + 100) { line in
            line.hasPrefix("NICK")
                ? [":s 433 crow_ crow :Nickname is already in use"] : [":NickServ!n@services NOTICE crow_ :\(words)"]
        }
        let requests = written.filter { !$0.line.hasPrefix("NICK") }
        #expect(requests.map(\.line) == ["PRIVMSG NickServ :REGAIN crow"])
        #expect(written.filter { $0.line == "NICK crow" }.count > 50)
        #expect(machine.health?.level == .degraded)
        let text = "NickServ does not free the nick 'crow': \(told)"
        #expect(machine.health?.message == "connected as crow_; \(text)")
        _ = hear(&machine, ":crow_!c@host NICK crow", now: 4000)
        #expect(machine.health?.level == .ok)
    }

    @Test func aNickServThatSaysNothingIsAskedThreeTimes() throws {
        var machine = try machine(known: true)
        let written = play(&machine, until: 600) { _ in [":s 433 crow_ crow :Nickname is already in use"] }
        #expect(written.filter { $0.line.hasSuffix("REGAIN crow") }.count == NickKeeper.mostSilences - 1)
        #expect(machine.health?.message.hasSuffix("NickServ does not free the nick 'crow': it does not answer") == true)
    }

    @Test func whereThereIsNoNickServItIsNotAskedAgain() throws {
        var machine = try machine(known: true)
        _ = hear(&machine, ":s 401 crow_ NickServ :No such nick", now: 1)
        let written = play(&machine, until: 300) { _ in [":s 433 crow_ crow :Nickname is already in use"] }
        #expect(written.allSatisfy { $0.line == "NICK crow" } && machine.health?.level == .ok)
    }

    /// Services keep a nick for a while after its user was lost or thrown out.
    @Test(arguments: [
        ":s 437 crow_ crow :Nick/channel is temporarily unavailable",
        ":s 432 crow_ crow :Services reserved nickname: held for its owner",
    ])
    func aNickThatServicesKeepIsReleased(refusal: String) throws {
        var machine = try machine(known: true)
        var isReleased = false
        let written = play(&machine, until: 300) { line in
            switch line {
            case "PRIVMSG NickServ :RELEASE crow":
                isReleased = true
                return [":NickServ!n@services NOTICE crow_ :\u{2}crow\u{2} has been released."]
            case "NICK crow": return [isReleased ? ":crow_!c@host NICK crow" : refusal]
            default: return [":NickServ!n@services NOTICE crow_ :\u{2}crow\u{2} is not online."]
            }
        }
        #expect(written.suffix(2).map(\.line) == ["PRIVMSG NickServ :RELEASE crow", "NICK crow"])
        #expect(machine.health == .init(level: .ok, message: "connected to irc.example.org as crow"))
    }

    @Test func aReleaseThatIsRefusedIsAskedForOnce() throws {
        var machine = try machine(known: true)
        _ = hear(&machine, ":NickServ!n@services NOTICE crow_ :\u{2}crow\u{2} is not online.", now: 1)
        let written = play(&machine, until: NickKeeper.refusedInterval) { line in
            line == "NICK crow"
                ? [":s 432 crow_ crow :Reserved"] : [":NickServ!n@services NOTICE crow_ :Access denied."]
        }
        #expect(written.map(\.line) == ["PRIVMSG NickServ :REGAIN crow", "NICK crow"])
        #expect(machine.health?.message.contains("cannot have the nick 'crow': Reserved") == true)
    }

    /// Services that rename who does not prove the nick's account.
    @Test func aNickThatIsTakenAwayEachTimeIsNotAskedForEachMinute() throws {
        var machine = try machine()
        let written = play(&machine, until: 1000) { _ in [":crow_!c@host NICK crow", ":crow!c@host NICK crow_"] }
        #expect(written.map(\.at) == [60, 120])
        #expect(machine.health?.level == .degraded)
        #expect(machine.health?.message.contains("lost the nick 'crow' 2 times") == true)
    }

    @Test func aNickThatTheServerCutsIsTold() throws {
        var config = try Tables.network()
        config.nick = "crowbarbridge"
        var machine = try Tables.machine(config: config)
        for line in [":s 001 crowbarbr :Welcome", ":s 005 crowbarbr NICKLEN=9 :x", ":crowbarbr!c@host JOIN #room"] {
            _ = hear(&machine, line, now: 0)
        }
        let written = play(&machine, until: 600) { _ in [] }
        #expect(written.isEmpty)
        #expect(machine.health?.message.contains("the server allows 9 characters; set a shorter 'nick'") == true)
        // Another one in the configuration is asked for at once.
        config.nick = "crowbot"
        let other = machine.reconfigure(config, links: machine.connection.links, now: 700)
        #expect(other.lines.contains("NICK crowbot"))
    }
}
