import PluginWire
import Testing

@testable import IRCBridge

/// Who a line is from, where the server shows neither user name nor host.
@Suite struct SourceTests {
    private static let begin = [
        ":srv 001 crow :Welcome", ":crow!crow@host JOIN #room", ":srv 353 crow = #room :bob @jörg [x]",
        ":srv 366 crow #room :End", ":eve!e@bad.example JOIN #room",
    ]

    private func hear(_ machine: inout Relay, _ line: String) -> [RelayAction] {
        machine.received(Tables.line(line), now: 0)
    }

    @Test(
        "speakers",
        arguments: [
            // People of the channel, and from outside of it.
            (":bob PRIVMSG #room :hi", true), (":BOB NOTICE #room :hi", true), (":jörg PRIVMSG #room :hi", true),
            (":[x] PRIVMSG #room :hi", true), (":bob!b PRIVMSG #room :hi", true), (":bob@h PRIVMSG #room :hi", true),
            (":bob PRIVMSG #room :\u{1}ACTION waves\u{1}", true), (":zoe PRIVMSG #room :hi", true),
            (":zoe!z@h NOTICE #room :hi", true),
            // Servers, services and what else has no nick.
            (":zoe NOTICE #room :hi", false), (":ChanServ NOTICE #room :hi", false),
            (":irc.example.org PRIVMSG #room :hi", false), (":irc.example.org NOTICE #room :hi", false),
            (":srv PRIVMSG #room :hi", false), (":SRV NOTICE #room :hi", false), (":*status PRIVMSG #room :hi", false),
            (":#room PRIVMSG #room :hi", false), (":1abc PRIVMSG #room :hi", false), (":-x PRIVMSG #room :hi", false),
            (": PRIVMSG #room :hi", false), ("PRIVMSG #room :hi", false), (":crow PRIVMSG #room :hi", false),
        ])
    func speakers(line: String, isPerson: Bool) throws {
        var machine = try Tables.machine(hearing: Self.begin)
        #expect(hear(&machine, line).messages.count == (isPerson ? 1 : 0), "\(line)")
    }

    @Test func aBareNickIsTheSamePersonAsBefore() throws {
        var machine = try Tables.machine(hearing: Self.begin)
        let full = hear(&machine, ":bob!b@h PRIVMSG #room :one").commands
        let bare = hear(&machine, ":bob PRIVMSG #room :two").commands
        #expect(full.contains { $0.contains("irc/net/nick/bob") })
        #expect(bare.count == 1 && bare[0].contains("irc/net/nick/bob") && bare[0].contains("two"))
        _ = hear(&machine, ":bob NICK robert")
        #expect(hear(&machine, ":robert PRIVMSG #room :three").messages == ["three"])
        #expect(hear(&machine, ":robert PART #room").commands.contains { $0.contains("LEAVE_CHANNEL") })
    }

    /// Whom the bridge ignores by a mask is not heard for having none.
    @Test(arguments: [
        ("*!*@bad.example", "eve", false), ("eve!*@*", "eve", false), ("zoe!*@*", "zoe", false),
        ("/^zoe!/", "zoe", false),
        ("*!*@bad.example", "zoe", true), ("*!*@bad.example", "bob", true),
    ])
    func masksApplyToBareNicks(mask: String, nick: String, isHeard: Bool) throws {
        var machine = try Tables.machine(#","ignore":["\#(mask)"]"#, hearing: Self.begin)
        #expect(hear(&machine, ":\(nick) PRIVMSG #room :hi").messages.count == (isHeard ? 1 : 0))
    }

    @Test(arguments: [
        (":bob TOPIC #room :new", true), (":bob!b@h TOPIC #room :new", true), (":srv TOPIC #room :new", false),
        (":irc.example.org TOPIC #room :new", false), (":stranger TOPIC #room :new", false),
    ])
    func topics(line: String, isTaken: Bool) throws {
        var machine = try Tables.machine(hearing: Self.begin)
        #expect(hear(&machine, line).commands.contains { $0.contains("TOPIC") } == isTaken)
    }

    /// What a person says of a flood is no word of the server about the bridge's lines.
    @Test(
        arguments: [(":bob NOTICE #room :please slow down", [1]), (":srv NOTICE #room :please slow down", [])]
            as [(String, [Int64])])
    func aPersonsNoticeRefusesNothing(line: String, acks: [Int64]) throws {
        var machine = try Tables.machine(hearing: Self.begin)
        _ = machine.deliver(Tables.event(1), now: 0)
        _ = hear(&machine, line)
        #expect(hear(&machine, ":srv PONG srv :crowbar-1").acks == acks)
    }
}
