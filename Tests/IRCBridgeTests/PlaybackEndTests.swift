import PluginWire
import Testing

@testable import IRCBridge

/// Where what is only repeated ends: the server's clock can be set, and people's servers have clocks of their own.
@Suite struct PlaybackEndTests {
    private static let caps = [":s CAP * LS :server-time", ":s CAP * ACK :server-time", ":s 001 crow :Welcome"]
    private static let join = "@time=2026-01-02T03:04:05.000Z :crow!crow@host JOIN #room"
    private static let old = "@time=2026-01-02T02:04:06.000Z :bob!b@h PRIVMSG #room :old"
    private static let znc = [
        ":irc.znc.in CAP * LS :server-time znc.in/batch", ":irc.znc.in CAP crow ACK :server-time",
        ":irc.test 001 crow :Welcome", join,
    ]

    /// What of these lines comes into the chat.
    private func said(_ machine: inout Relay, _ lines: [String], now: Instant = 0) -> [String] {
        lines.flatMap { hear(&machine, $0, now: now).messages }
    }

    /// The clock is set back by an hour once the client is in: everything that is said then is an hour older than the
    /// JOIN.
    @Test(
        "ends",
        arguments: [
            ([], 0.0, 0), ([":s PONG s :joined-1"], 0, 3),
            (["@time=2026-01-02T02:04:05.000Z :s PONG s :joined-1"], 0, 3),
            (["PONG joined-1"], 0, 3), ([":s PONG s :joined-2"], 0, 0), ([":s PONG s :crowbar-1"], 0, 0),
            ([":s PONG s"], 0, 0), ([":s 366 crow #room :End of NAMES"], 0, 0),
            (["@time=2026-01-02T03:04:05.000Z :eve!e@h PRIVMSG #room :new"], 0, 3),
            (["@time=2026-01-02T03:04:05.000Z :eve!e@h PRIVMSG #other :new"], 0, 0),
            ([":eve!e@h PRIVMSG #room :without a time"], 0, 0),
            (["@time=2026-13-40T99:99:99Z :eve!e@h PRIVMSG #room :no time"], 0, 0),
            ([], Playback.longest - 0.1, 0), ([], Playback.longest, 3),
        ] as [([String], Instant, Int)])
    func ends(lines: [String], now: Instant, count: Int) throws {
        var machine = try Tables.machine(hearing: Self.caps)
        #expect(hear(&machine, Self.join).lines.last == "PING :joined-1")
        for line in lines { _ = hear(&machine, line) }
        #expect(said(&machine, [Self.old, Self.old, Self.old], now: now).count == count)
        // The next one has come in time, but is not older than the JOIN.
        let new = "@time=2026-01-02T03:04:06.000Z :bob!b@h PRIVMSG #room :new"
        #expect(said(&machine, [new, Self.old], now: now) == ["new", "old"])
    }

    @Test func onePersonsClockMayBeBehind() throws {
        var machine = try Tables.machine(hearing: Self.caps + [Self.join, ":s PONG s :joined-1"])
        let skewed = Self.old.replacing("bob!", with: "ann!")
        let lines = ["@time=2026-01-02T03:04:07.000Z :bob!b@h PRIVMSG #room :new", skewed, skewed]
        #expect(said(&machine, lines) == ["new", "old", "old"])
    }

    @Test func oneQuestionIsForAllChannelsBeforeIt() throws {
        let links = [try Tables.link(), try Tables.link("two", "#two"), try Tables.link("three", "#three", .toIRC)]
        var machine = try Tables.machine(links: links, hearing: Self.caps)
        let two = (Self.join.replacing("#room", with: "#two"), Self.old.replacing("#room", with: "#two"))
        #expect(hear(&machine, Self.join.replacing("#room", with: "#three")).lines == [])
        #expect(hear(&machine, Self.join).lines == ["PING :joined-1"])
        #expect(hear(&machine, two.0).lines == [])
        #expect(hear(&machine, ":s PONG s :joined-1").lines == ["PING :joined-2"])
        #expect(said(&machine, [Self.old, two.1]) == ["old"])
        #expect(hear(&machine, ":s PONG s :joined-2").lines == [])
        #expect(said(&machine, [Self.old, two.1]) == ["old", "old"])
        // Of another connection.
        _ = machine.closed(reason: "gone", random: 0, now: 1)
        _ = machine.tick(now: 10)
        _ = machine.connected(now: 10)
        for line in Self.caps { _ = hear(&machine, line, now: 10) }
        #expect(hear(&machine, Self.join, now: 10).lines == ["PING :joined-3"])
        _ = hear(&machine, ":s PONG s :joined-2", now: 10)
        #expect(said(&machine, [Self.old], now: 10) == [])
    }

    @Test func aServerWithoutTimesIsNotAsked() throws {
        var machine = try Tables.machine(hearing: [":s 001 crow :Welcome"])
        #expect(hear(&machine, ":crow!crow@host JOIN #room").lines == [])
        #expect(said(&machine, [Self.old]) == ["old"])
    }

    /// It answers by itself what the server behind it may not have read.
    @Test func aBouncersAnswerEndsNothing() throws {
        var machine = try Tables.machine(hearing: Array(Self.znc.prefix(3)))
        #expect(hear(&machine, Self.join).lines == [])
        #expect(said(&machine, [Self.old, ":irc.znc.in PONG irc.znc.in :joined-1", Self.old]) == [])
        #expect(said(&machine, [Self.old], now: Playback.longest) == ["old"])
        // One that is known by its answer alone.
        var other = try Tables.machine(hearing: Self.caps + [Self.join])
        #expect(said(&other, [":local PONG local :joined-1", Self.old]) == [])
    }

    /// Where the chat does not keep up nothing is read: what came in time is seen late.
    @Test func timeDoesNotPassWhileNothingIsRead() throws {
        for lines in [[], [":***!znc@znc.in PRIVMSG #room :Buffer Playback..."]] {
            var machine = try Tables.machine(hearing: Self.caps + [Self.join] + lines)
            _ = hear(&machine, Self.old, now: 1)
            _ = machine.setListening(false, now: 2)
            #expect(machine.playback.due == nil)
            #expect(machine.tick(now: 100).logs == [])
            _ = machine.setListening(true, now: 102)
            #expect(said(&machine, [Self.old], now: 100 + Playback.longest - 0.1) == [])
            #expect(said(&machine, [Self.old], now: 100 + Playback.longest) == ["old"])
        }
    }

    // MARK: - The log

    @Test(
        arguments: [
            (1, ":s PONG s :joined-1", 0.0, "1 message from"), (3, ":s PONG s :joined-1", 0, "3 messages from"),
            (2, "@time=2026-01-02T03:04:06.000Z :bob!b@h PRIVMSG #room :new", 0, "2 messages from"),
            (2, ":s 366 crow #room :x", Playback.longest, "2 messages from"), (0, ":s PONG s :joined-1", 0, nil),
        ] as [(Int, String, Instant, String?)])
    func whatIsDroppedIsLoggedOnce(count: Int, end: String, now: Instant, told: String?) throws {
        var machine = try Tables.machine(hearing: Self.caps + [Self.join] + Array(repeating: Self.old, count: count))
        // What the bridge has said itself is none of it.
        _ = hear(&machine, Self.old.replacing("bob!b@h", with: "crow!crow@host"))
        #expect(machine.tick(now: 0).logs == [])
        _ = hear(&machine, end)
        #expect(told == nil || machine.wake(now: now).map { $0 <= now + 0.01 } == true)
        let logs = machine.tick(now: now).logs
        #expect(logs.count == (told == nil ? 0 : 1))
        if let told { #expect(logs.first?.hasPrefix("net: #room: \(told) before the bridge's JOIN") == true) }
        #expect(machine.tick(now: now + 1).logs == [])
        #expect(said(&machine, [Self.old], now: now + 1).count == 1)
    }

    @Test func aPlaybackInWordsIsLoggedToo() throws {
        var machine = try Tables.machine(hearing: [
            ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":***!znc@znc.in PRIVMSG #room :Buffer Playback...",
            ":bob!b@h PRIVMSG #room :[03:04:05] old", ":*watch!watch@znc.in PRIVMSG #room :a module",
        ])
        #expect(machine.tick(now: 1).logs == [])
        _ = hear(&machine, ":***!znc@znc.in PRIVMSG #room :Playback Complete.")
        #expect(machine.tick(now: 1).logs.map { $0.contains("1 message from") } == [true])
    }

    // MARK: - A bouncer repeats, and the clock was set

    /// The last message was relayed at 03:30 of a clock that was an hour fast, ten seconds before the next JOIN, which
    /// is at 02:30:10 of the right one.
    @Test(arguments: [
        ("02:29:59.000", false), ("02:30:00.000", false), ("02:30:00.001", true), ("02:30:09.000", true),
        ("02:30:10.000", true),
    ])
    func whatWasMissedIsKnownThoughTheClockWasSetBack(time: String, isMissed: Bool) throws {
        var machine = try Tables.machine(hearing: Self.znc)
        #expect(said(&machine, ["@time=2026-01-02T03:30:00.000Z :bob!b@h PRIVMSG #room :last"], now: 5) == ["last"])
        _ = machine.closed(reason: "gone", random: 0, now: 6)
        _ = machine.tick(now: 12)
        _ = machine.connected(now: 12)
        for line in Self.znc.dropLast() { _ = hear(&machine, line, now: 12) }
        _ = hear(&machine, "@time=2026-01-02T02:30:10.000Z :crow!crow@host JOIN #room", now: 15)
        let repeated = said(&machine, ["@time=2026-01-02T\(time)Z :bob!b@h PRIVMSG #room :again"], now: 15)
        #expect(repeated == (isMissed ? ["again"] : []))
    }

    // MARK: - Times and ids

    @Test(arguments: [
        ("2026-01-02T03:04:06.000Z", true), ("2026-01-02T03:04:06Z", true), ("2026-01-02T03:04:06.123456Z", true),
        ("2024-02-29T03:04:06.000Z", true), ("2026-13-40T99:99:99Z", false), ("2026-02-29T03:04:06.000Z", false),
        ("2026-04-31T03:04:06.000Z", false), ("2026-00-10T03:04:06.000Z", false), ("2026-01-02T24:00:00.000Z", false),
        ("2026-01-02T03:60:06.000Z", false), ("2026-01-02T03:04:06.Z", false), ("2026-01-02T03:04:06+00:00", false),
        ("0001-01-01T00:00:00Z", false), ("1796046600", false), ("garbage", false), ("", false),
    ])
    func aTimeThatNoCalendarHasIsNotStored(time: String, isTime: Bool) throws {
        var machine = try Tables.machine(hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        let commands = hear(&machine, "@time=\(time) :bob!b@h PRIVMSG #room :hello").commands
        let message = try #require(commands.first { $0.contains("SEND_MESSAGE") })
        #expect(message.contains(#""sentAt":"\#(time)""#) == isTime)
        #expect(message.contains("sentAt") == isTime)
        let reference = MessageReference(Tables.line("@msgid=a;time=\(time) :bob!b@h PRIVMSG #room :hello"))
        #expect(reference?.id == "a")
        // What a server may have made up is asked for as it is; what looks like a time and is none is not.
        let isWord = ["1796046600", "garbage"].contains(time)
        #expect((reference?.time == time) == (isTime || isWord))
    }

    @Test func twoMessagesWithOneIDAreLoggedOnce() throws {
        var machine = try Tables.machine(hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        let line = "@msgid=abc;time=2026-01-02T03:04:06.000Z :bob!b@h PRIVMSG #room :same"
        let all = (0..<3).map { _ in hear(&machine, line) }
        #expect(all.map(\.messages) == [["same"], [], []])
        #expect(all.map(\.logs.count) == [0, 1, 0])
        #expect(all[1].logs.first?.contains("#room: a message of bob has the msgid 'abc' of an earlier one") == true)
        // On another connection once more.
        _ = machine.closed(reason: "gone", random: 0, now: 1)
        _ = machine.tick(now: 10)
        _ = machine.connected(now: 10)
        for text in [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"] { _ = hear(&machine, text, now: 10) }
        #expect(hear(&machine, line, now: 10).logs.count == 1)
    }
}

extension [RelayAction] {
    /// The texts that come into the chat.
    var messages: [String] {
        commands.compactMap { json in
            json.contains("SEND_MESSAGE") ? json.firstRange(of: #""message":""#).map { json[$0.upperBound...] } : nil
        }.map { String($0.prefix { $0 != "\"" }) }
    }

    /// What is logged.
    var logs: [String] {
        compactMap { if case .plugin(.log(_, let message, _)) = $0 { message } else { nil } }
    }
}
