import Testing

@testable import IRCBridge

/// Questions to the bridge in private.
@Suite struct DirectTests {
    private func machine(_ more: String = "") throws -> Relay {
        try Tables.machine(
            more,
            hearing: [
                ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 353 crow = #room :crow Bob",
                ":s 366 crow #room :x",
            ])
    }

    @Test(
        "answers",
        arguments: [
            ("Bob", "!help", "!who: who spoke"), ("Bob", " !HELP me", "!who: who spoke"), ("Bob", "!who", "#room: Ann"),
            ("Eve", "!who", "you are in no channel"),
            ("Bob", "!status", "connected for 2 min, in 1 of 1 channels, 1 m"),
        ])
    func answers(nick: String, text: String, answer: String) throws {
        var machine = try machine()
        _ = machine.deliver(Tables.event(1), now: 0)
        let said = machine.received(Tables.line(":\(nick)!u@h PRIVMSG CROW :\(text)"), now: 120)
        #expect(said.commands == [])
        #expect(said.lines.count == 1)
        #expect(said.lines.first?.hasPrefix("NOTICE \(nick) :\(answer)") == true, "\(said.lines)")
    }

    @Test(
        "what is not answered",
        arguments: [
            ":Bob!u@h PRIVMSG crow :hello", ":Bob!u@h NOTICE crow :!help", ":Bob!u@h PRIVMSG crow :\u{1}TIME\u{1}",
            ":crow!u@h PRIVMSG crow :!help", ":Bad!u@h PRIVMSG crow :!help", ":Bob!u@h PRIVMSG crow :",
            ":s PRIVMSG crow :!help", ":Bob!u@h PRIVMSG crow :say !help",
        ])
    func unanswered(line: String) throws {
        var machine = try machine(#","ignore":["bad"]"#)
        let said = machine.received(Tables.line(line), now: 0)
        #expect(said == [])
    }

    @Test func answersAreFew() throws {
        var machine = try machine()
        var count = 0
        for _ in 0..<100 { count += machine.received(Tables.line(":Bob!u@h PRIVMSG crow :!help"), now: 1).lines.count }
        #expect(count == ConnectionState.directBurst)
        let later = machine.received(Tables.line(":Bob!u@h PRIVMSG crow :!help"), now: 7)
        #expect(later.lines.count == 1)
    }
}
