import PluginWire
import Testing

@testable import IRCBridge

/// What is only repeated, without a batch that says so.
@Suite struct PlaybackTests {
    private static let begin = [
        ":s CAP * LS :server-time", ":s CAP * ACK :server-time", ":s 001 crow :Welcome",
        "@time=2026-01-02T03:04:05.000Z :crow!crow@host JOIN #room", ":s 366 crow #room :x",
    ]

    private func messages(_ machine: inout Relay, _ lines: [String]) -> [String] {
        lines.flatMap { machine.received(Tables.line($0), now: 0).commands }.compactMap { json in
            json.contains("SEND_MESSAGE") ? json.firstRange(of: #""message":""#).map { json[$0.upperBound...] } : nil
        }.map { String($0.prefix { $0 != "\"" }) }
    }

    @Test(arguments: [
        ("@time=2026-01-02T03:04:04.999Z ", false), ("@time=2020-01-02T03:04:05Z ", false),
        ("@time=2026-01-02T03:04:05.000Z ", true), ("@time=2026-01-02T03:04:05.001Z ", true),
        ("@time=2026-01-03T00:00:00Z ", true), ("", true), ("@time=nonsense ", true),
    ])
    func aMessageFromBeforeTheJoinIsNotNew(tags: String, isNew: Bool) throws {
        var machine = try Tables.machine(hearing: Self.begin)
        let said = messages(&machine, ["\(tags):bob!b@h PRIVMSG #room :hello"])
        #expect(said == (isNew ? ["hello"] : []))
    }

    /// The server's clock may be behind the own one.
    @Test func aJoinWithoutItsTimeMakesNothingOld() throws {
        var machine = try Tables.machine(hearing: Array(Self.begin.prefix(3)))
        machine.connection.unixStart = 1_767_323_045
        let said = messages(
            &machine,
            [
                ":crow!crow@host JOIN #room", "@time=2026-01-02T03:00:00Z :bob!b@h PRIVMSG #room :old",
                "@time=2026-01-02T03:04:00Z :bob!b@h PRIVMSG #room :new",
            ])
        #expect(said == ["old", "new"])
    }

    @Test func aBouncersPlaybackInWordsIsNotNew() throws {
        var machine = try Tables.machine(hearing: [":s 001 crow :Welcome", ":crow!crow@host JOIN #room"])
        let said = messages(
            &machine,
            [
                ":***!znc@znc.in PRIVMSG #room :Buffer Playback...", ":bob!b@h PRIVMSG #room :[03:04:05] old",
                ":eve!e@h NOTICE #room :[03:04:06] old too", ":bob!b@h PRIVMSG #other :elsewhere",
                ":***!znc@znc.in PRIVMSG #room :Playback Complete.", ":bob!b@h PRIVMSG #room :new",
            ])
        #expect(said == ["new"])
        // An end that does not come is not waited for.
        _ = messages(&machine, [":***!znc@znc.in PRIVMSG #room :Buffer Playback..."])
        let later = machine.received(Tables.line(":bob!b@h PRIVMSG #room :later"), now: Playback.longest)
        #expect(later.commands.contains { $0.contains("later") })
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0.0), ("2011-10-19T16:40:51.620Z", 1_319_042_451.62),
        ("2024-02-29T23:59:59Z", 1_709_251_199), ("2000-03-01T00:00:00.5Z", 951_868_800.5),
        ("2011-13-19T16:40:51Z", nil), ("2011-10-19 16:40:51Z", nil), ("2011-10-19T16:40:51", nil),
        ("2011-10-19T16:40:51.Z", nil), ("", nil), ("yesterday", nil),
    ])
    func timesAreRead(text: String, seconds: Double?) {
        let read = Playback.seconds(text)
        #expect((read == nil) == (seconds == nil))
        if let read, let seconds { #expect(abs(read - seconds) < 0.000_01) }
    }
}
