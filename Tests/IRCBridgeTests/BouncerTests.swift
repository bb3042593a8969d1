import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// A bouncer between the bridge and the server: ZNC, bip, soju. Their lines are as these programs write them.
@Suite struct BouncerTests {
    private static let zncCaps =
        "batch cap-notify echo-message multi-prefix server-time userhost-in-names "
        + "znc.in/batch znc.in/playback znc.in/self-message znc.in/server-time-iso"
    private static let granted = "batch multi-prefix server-time userhost-in-names"
    private static let zncBegin = [
        ":irc.znc.in CAP unknown-nick LS :\(zncCaps)", ":irc.znc.in CAP crow ACK :\(granted)",
        "@time=2026-01-02T03:00:00.000Z :irc.test 001 crow :Welcome",
        "@time=2026-01-02T03:04:05.000Z :crow!crow@host JOIN :#room", ":irc.test 366 crow #room :End of /NAMES list.",
    ]
    private static let plainBegin = [
        ":irc.test 001 crow :Welcome", ":crow!bip@bip.bip.bip JOIN #room", ":b.i.p 366 crow #room :End of /NAMES list.",
    ]
    private static let sojuBegin = [
        ":soju CAP * LS :batch echo-message server-time soju.im/bouncer-networks",
        ":soju CAP crow ACK :batch server-time",
        ":soju 001 crow :Welcome", "@time=2026-01-02T03:04:05.000Z :crow!crow@host JOIN #room",
    ]

    private func messages(_ actions: [RelayAction]) -> [String] {
        actions.commands.compactMap { json in
            json.contains("SEND_MESSAGE") ? json.firstRange(of: #""message":""#).map { json[$0.upperBound...] } : nil
        }.map { String($0.prefix { $0 != "\"" }) }
    }

    // MARK: - Receipts

    @Test func behindABouncerOnlyTheServersAnswerConfirms() throws {
        for begin in [Self.zncBegin, Self.sojuBegin] {
            var machine = try Tables.machine(hearing: begin)
            let said = machine.deliver(Tables.event(1), now: 0)
            #expect(said.lines == ["PRIVMSG #room :<Ann> hello", "NAMES #crowbar-1"])
            for line in [
                ":irc.znc.in PONG irc.znc.in :crowbar-1", ":soju PONG soju :crowbar-1",
                ":irc.test 315 crow crow :End of WHO list", ":irc.test 366 crow #other :End of NAMES list",
                ":irc.test 366 crow #crowbar-0 :End of NAMES list", ":irc.test 366 crow #room :End of NAMES list",
                ":soju 366 crow #crowbar-1 :Command aborted",
            ] { #expect(hear(&machine, line).acks == [], "\(line)") }
            #expect(hear(&machine, ":irc.test 366 crow #crowbar-1 :End of NAMES list").acks == [1])
        }
    }

    @Test(arguments: [
        "366 crow #crowbar-1 :End of NAMES list", "403 crow #CROWBAR-1 :No such channel",
        "401 crow #crowbar-1 :No such nick/channel", "479 crow #crowbar-1 :Illegal channel name",
    ])
    func serversAnswerInDifferentWays(answer: String) throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        _ = machine.deliver(Tables.event(1), now: 0)
        #expect(hear(&machine, ":irc.test \(answer)").acks == [1])
    }

    /// bip offers nothing that tells it from a server; its PONGs are not from the server that welcomed the client.
    @Test func aBouncerIsKnownByItsPong() throws {
        var machine = try Tables.machine(hearing: [":irc.test 001 crow :Welcome", ":crow!c@h JOIN #room"])
        #expect(machine.deliver(Tables.event(1), now: 0).lines == ["PRIVMSG #room :<Ann> hello", "PING :crowbar-1"])
        let ponged = hear(&machine, ":local PONG crowbar-1")
        #expect(ponged.acks == [] && ponged.lines == ["NAMES #crowbar-1"])
        #expect(hear(&machine, ":irc.test 366 crow #crowbar-1 :End of NAMES list").acks == [1])
        #expect(machine.deliver(Tables.event(2), now: 0).lines == ["PRIVMSG #room :<Ann> hello", "NAMES #crowbar-2"])
        // A server's own PONG, with or without its name, is one.
        for pong in [":IRC.test PONG irc.test :crowbar-1", "PONG :crowbar-1"] {
            var direct = try Tables.machine(hearing: [":irc.test 001 crow :Welcome", ":crow!c@h JOIN #room"])
            _ = direct.deliver(Tables.event(1), now: 0)
            #expect(hear(&direct, pong).acks == [1], "\(pong)")
        }
    }

    /// A bouncer gives the server's answers to all its clients, of which others may be bridges too.
    @Test func theAnswerToAnotherClientsQuestionConfirmsNothing() throws {
        var machine = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        _ = machine.start(now: 0)
        _ = machine.connected(nonce: "Ab+c/1234567890", now: 0)
        for line in Self.zncBegin { _ = hear(&machine, line) }
        #expect(machine.deliver(Tables.event(1), now: 0).lines.last == "NAMES #crowbar-1-abc12345")
        #expect(hear(&machine, ":irc.test 366 crow #crowbar-1-zzz :End of NAMES list").acks == [])
        #expect(hear(&machine, ":irc.test 366 crow #crowbar-1-abc12345 :End of NAMES list").acks == [1])
    }

    /// The server is frozen, and the bouncer does not know yet.
    @Test func aServerThatDoesNotAnswerIsAskedAgainAndNothingIsSaidTwice() throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        var lines = machine.deliver(Tables.event(1), now: 0).lines
        var now = 0.0
        var wakes = 0
        while now < 300 {
            now = try #require(machine.wake(now: now))
            wakes += 1
            for line in machine.tick(now: now).lines {
                lines.append(line)
                if line.hasPrefix("PING :") {
                    _ = hear(&machine, ":irc.znc.in PONG irc.znc.in \(line.dropFirst(5))", now: now)
                }
            }
        }
        #expect(lines.count { $0.hasPrefix("PRIVMSG") } == 1)
        #expect((9...11).contains(lines.count { $0 == "NAMES #crowbar-1" }))
        #expect(wakes < 100)
        #expect(hear(&machine, ":irc.test 366 crow #crowbar-1 :End of NAMES list", now: now).acks == [1])
    }

    // MARK: - The server is gone

    @Test(arguments: [
        ":*status!znc@znc.in PRIVMSG crow :Disconnected from IRC (Connection reset by peer). Reconnecting...",
        ":*status!znc@znc.in PRIVMSG crow :Disconnected from IRC. Reconnecting...",
        ":*status!znc@znc.in PRIVMSG crow :Connection Refused.  Reconnecting...",
        ":*status!znc@znc.in PRIVMSG crow :IRC connection timed out.  Reconnecting...",
        ":*status!znc@znc.in PRIVMSG crow :Cannot connect to IRC (No route to host). Retrying...",
        ":*status!znc@znc.in NOTICE crow :You are currently disconnected from IRC. Use 'connect' to reconnect.",
        ":*status!znc@znc.in PRIVMSG crow :Your message to #room got lost, you are not connected to IRC!",
        ":*status!znc@znc.in PRIVMSG crow :Your notice to #room got lost, you are not connected to IRC!",
        ":-bip!bip@b.i.p KICK #room crow :Server disconnected, reconnecting",
        ":-bip!bip@b.i.p PRIVMSG crow :Server disconnected, reconnecting",
        ":irc.bip.net NOTICE pouet :ERROR Proxy not connected, please wait before sending commands",
        ":soju 400 * PRIVMSG :Disconnected from upstream network",
    ])
    func aBouncerWithoutAServerIsToldNothing(line: String) throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        _ = machine.deliver(Tables.event(1, "one"), now: 0)
        let lost = hear(&machine, line)
        #expect(lost.health?.level == .down, "\(line)")
        #expect(lost.health?.message.contains("is not connected to IRC") == true)
        #expect(machine.deliver(Tables.event(2, "two"), now: 0).lines == [])
        #expect(hear(&machine, ":irc.znc.in PONG irc.znc.in :crowbar-1").acks == [])
        #expect(machine.tick(now: 20).lines == [])
        // The bouncer has a server again: what was not confirmed is written alone first.
        let back = hear(&machine, ":irc.test 001 crow :Welcome", now: 25)
        #expect(back.lines == ["JOIN #room"])
        let joined = hear(&machine, ":crow!crow@host JOIN :#room", now: 25)
        #expect(joined.lines == ["PRIVMSG #room :<Ann> one", "NAMES #crowbar-2"])
        #expect(machine.health?.level == .ok)
        let first = hear(&machine, ":irc.test 366 crow #crowbar-2 :End of NAMES list", now: 26)
        #expect(first.acks == [1])
        #expect(first.lines == ["PRIVMSG #room :<Ann> two", "NAMES #crowbar-3"])
    }

    /// What is no bouncer's word changes nothing.
    @Test(arguments: [
        ":bob!znc@znc.in PRIVMSG crow :Disconnected from IRC. Reconnecting...",
        ":[x]!znc@znc.in PRIVMSG crow :Disconnected from IRC. Reconnecting...",
        ":*status!znc@znc.in PRIVMSG crow :Module list follows",
        ":bob!bip@b.i.p KICK #other crow :Server disconnected, reconnecting",
        ":irc.test NOTICE crow :Your client was disconnected from IRC services",
        ":irc.test 400 crow PRIVMSG :Unknown error",
    ])
    func otherWordsAreNotTheBouncers(line: String) throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        _ = hear(&machine, line)
        #expect(machine.connection.bouncer.lost == nil, "\(line)")
        #expect(machine.deliver(Tables.event(1), now: 0).lines.first == "PRIVMSG #room :<Ann> hello")
    }

    /// bip and soju join again by themselves and welcome nobody anew.
    @Test func aJoinWhereTheClientIsAlreadyTakesBackWhatWasNotConfirmed() throws {
        var machine = try Tables.machine(hearing: Self.plainBegin)
        _ = hear(&machine, ":local PONG x")
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = hear(&machine, ":-bip!bip@b.i.p KICK #room crow :Server disconnected, reconnecting")
        #expect(machine.connection.bouncer.lost != nil)
        let back = hear(&machine, ":crow!crow@host JOIN #room")
        #expect(back.lines == ["PRIVMSG #room :<Ann> hello", "NAMES #crowbar-2"])
        #expect(machine.connection.bouncer.lost == nil)
    }

    @Test func aBouncerThatHasNoServerFromTheBeginningIsWaitedFor() throws {
        var begin = Self.zncBegin
        begin[2] = ":irc.znc.in 001 crow :Welcome to ZNC"
        var machine = try Tables.machine(hearing: Array(begin.prefix(3)))
        #expect(machine.health?.level == .down)
        for now in stride(from: 1.0, to: 60, by: 7) {
            let actions = machine.tick(now: now)
            #expect(!actions.lines.contains { $0.hasPrefix("JOIN") } && actions.windows == [])
        }
        _ = hear(&machine, ":*status!znc@znc.in PRIVMSG crow :Connected!", now: 60)
        let back = hear(&machine, ":irc.test 001 crow :Welcome", now: 60)
        #expect(back.lines == ["JOIN #room"])
        #expect(hear(&machine, ":crow!crow@host JOIN :#room", now: 60).windows.last == 1024)
    }

    @Test func aServerThatWelcomesWithoutEndIsNotAnsweredEachTime() throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        let welcomes = Array(repeating: ":irc.test 001 crow :Welcome", count: 50)
        #expect(welcomes.flatMap { hear(&machine, $0, now: 60).lines } == ["JOIN #room"])
        #expect(hear(&machine, welcomes[0], now: 60.9).lines == [])
        #expect(hear(&machine, ":irc.test 001 #room :Welcome", now: 61).lines == ["JOIN #room"])
        #expect(machine.connection.nick == "crow")
    }

    /// A word that was misread does not hold the bridge for ever.
    @Test func aServerThatAnswersIsThere() throws {
        var machine = try Tables.machine(hearing: Self.zncBegin)
        _ = hear(&machine, ":*status!znc@znc.in PRIVMSG crow :Reconnecting...")
        _ = machine.deliver(Tables.event(1), now: 0)
        let asked = machine.tick(now: Bouncer.patience).lines
        #expect(asked == ["NAMES #crowbar"])
        let back = hear(&machine, ":irc.test 366 crow #crowbar :End of NAMES list", now: 31)
        #expect(back.lines.first == "PRIVMSG #room :<Ann> hello")
        // Not down any more; the message has waited for over 30 s and is not confirmed.
        #expect(back.health?.level == .degraded)
    }

    // MARK: - Playback

    /// A machine whose chat has a message of three o'clock last.
    private func away(_ begin: [String]) throws -> Relay {
        var machine = Relay(config: try Tables.network(), links: [try Tables.link()], plugin: "irc")
        let state = ##"{"last":{"#room":"timestamp=2026-01-02T03:00:00.000Z"}}"##
        machine.restore(NetworkState(try JSON(parsing: Array(state.utf8))))
        _ = machine.start(now: 0)
        _ = machine.connected(now: 0)
        for line in begin { _ = hear(&machine, line) }
        return machine
    }

    private func play(_ machine: inout Relay, _ lines: [String]) -> [String] {
        lines.flatMap { messages(hear(&machine, $0)) }
    }

    @Test func whatABouncerKeptForTheClientComesIntoTheChat() throws {
        let lines = [
            "time=2026-01-02T02:59:59.999Z :bob!b@h PRIVMSG #room :known",
            "time=2026-01-02T03:00:00.000Z :bob!b@h PRIVMSG #room :the last one",
            "time=2026-01-02T03:00:00.001Z :bob!b@h PRIVMSG #room :missed",
            "time=2026-01-02T03:01:00.000Z :crow!crow@host PRIVMSG #room :<Ann> own",
            "time=2026-01-02T03:01:01.000Z :*buffextras!buffextras@znc.in PRIVMSG #room :bob!b@h joined",
            "time=2026-01-02T03:02:00.000Z :eve!e@h NOTICE #room :missed too",
            "time=2026-01-02T03:02:01.000Z :eve!e@h PRIVMSG #other :elsewhere",
        ]
        for (begin, type) in [(Self.zncBegin, "znc.in/playback"), (Self.sojuBegin, "chathistory")] {
            var machine = try away(begin)
            _ = hear(&machine, ":znc.in BATCH +e7 \(type) #room")
            #expect(play(&machine, lines.map { "@batch=e7;" + $0 }) == ["missed", "missed too"], "\(type)")
            _ = hear(&machine, ":znc.in BATCH -e7")
            #expect(play(&machine, ["@time=2026-01-02T03:04:06.000Z :bob!b@h PRIVMSG #room :new"]) == ["new"])
        }
        var machine = try away(Self.zncBegin)
        #expect(play(&machine, lines.map { "@" + $0 }) == ["missed", "missed too"])
        // What the chat has nothing of is not known to be missed.
        var first = try Tables.machine(hearing: Self.zncBegin)
        #expect(play(&first, lines.map { "@" + $0 }) == [])
    }

    @Test func whoIsGoneLeavesTheChatAgain() throws {
        var machine = try away(Self.zncBegin)
        let missed = hear(&machine, "@time=2026-01-02T03:01:00.000Z :bob!b@h PRIVMSG #room :missed").commands
        #expect(missed.last?.contains("LEAVE_CHANNEL") == true)
    }

    /// What was relayed and not stored yet when the connection was lost does not come twice.
    @Test func whatWasRelayedBeforeIsNotMissed() throws {
        var machine = try away(Self.zncBegin)
        let line = "@time=2026-01-02T03:10:00.000Z :bob!b@h PRIVMSG #room :once"
        #expect(play(&machine, [line]) == ["once"])
        _ = machine.closed(reason: "gone", random: 0, now: 0)
        _ = machine.tick(now: 10)
        _ = machine.connected(now: 10)
        var begin = Self.zncBegin
        begin[3] = "@time=2026-01-02T03:20:00.000Z :crow!crow@host JOIN :#room"
        #expect(play(&machine, begin + [line]) == [])
        #expect(play(&machine, ["@time=2026-01-02T03:11:00.000Z :bob!b@h PRIVMSG #room :missed"]) == ["missed"])
    }

    /// Of a playback without times it is not known what of it is new.
    @Test(arguments: [
        [
            ":***!znc@znc.in PRIVMSG #room :Buffer Playback...", ":bob!b@h PRIVMSG #room :[03:04:05] old",
            ":*buffextras!buffextras@znc.in PRIVMSG #room :[03:04:05] bob!b@h parted: bye",
            ":***!znc@znc.in PRIVMSG #room :Playback Complete.",
        ],
        [
            ":***!znc@znc.in PRIVMSG #room :Pufferwiedergabe...", ":bob!b@h PRIVMSG #room :[03:04:05] alt",
            ":***!znc@znc.in PRIVMSG #room :Wiedergabe beendet.",
        ],
        [
            ":bob!bip@b.i.p PRIVMSG #room :07:06:43> old", ":bob!bip@b.i.p NOTICE #room :07:06:44> old",
            ":-bip!bip@b.i.p PRIVMSG #room :End of backlog",
        ],
        [":*watch!watch@znc.in PRIVMSG #room :a module", ":*status!znc@znc.in NOTICE #room :a word"],
    ])
    func aPlaybackInWordsIsNotNew(lines: [String]) throws {
        for begin in [Self.plainBegin, [":irc.test 001 crow :Welcome", ":crow!crow@host JOIN #room"]] {
            var machine = try away(begin)
            #expect(play(&machine, lines) == [])
            #expect(play(&machine, [":bob!b@h PRIVMSG #room :new"]) == ["new"])
        }
    }

    /// The host that bip shows the client under is not the one that the server shows.
    @Test func aBouncersMaskIsNotBelieved() throws {
        let machine = try Tables.machine(hearing: Self.plainBegin)
        #expect(machine.connection.isMaskAssumed)
    }
}
