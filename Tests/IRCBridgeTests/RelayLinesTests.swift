import Testing

@testable import IRCBridge

@Suite struct RelayLinesTests {
    private func lines(_ what: ChatMessage.What, by author: String = "ann", most: Int = 0) throws -> [String] {
        let format = try #require(RelayFormat(RelayFormat.preset))
        let lines = RelayLines(format: format, maxLines: most, mask: "crow!crow@host")
        return lines.lines(ChatMessage(channel: "general", author: author, what: what), target: "#room")
    }

    @Test func eachKindHasItsForm() throws {
        #expect(try lines(.text("a\nb")) == ["PRIVMSG #room :<ann> a", "PRIVMSG #room :<ann> b"])
        #expect(try lines(.action("waves")) == ["PRIVMSG #room :\u{1}ACTION ann waves\u{1}"])
        #expect(try lines(.notice("psst")) == ["NOTICE #room :<ann> psst"])
        #expect(try lines(.deletion) == ["PRIVMSG #room :<ann> (deleted a message)"])
        #expect(try lines(.text("\u{1}\r\n")).isEmpty)
    }

    @Test(arguments: [
        (NameStyle(), "<ann> hi", "ann waves"), (NameStyle(antiPing: true), "<a\u{200B}nn> hi", "a\u{200B}nn waves"),
        (NameStyle(hasColors: true), "<\u{3}10ann\u{F}> hi", "\u{3}10ann\u{F} waves"),
        (NameStyle(antiPing: true, hasColors: true), "<\u{3}10a\u{200B}nn\u{F}> hi", "\u{3}10a\u{200B}nn\u{F} waves"),
    ])
    func namesAreStyled(style: NameStyle, said: String, done: String) throws {
        var lines = RelayLines(format: try #require(RelayFormat(RelayFormat.preset)), maxLines: 0, mask: "c!c@h")
        lines.style = style
        let text = lines.lines(.init(channel: "general", author: "ann", what: .text("hi")), target: "#room")
        #expect(text == ["PRIVMSG #room :" + said])
        let action = lines.lines(.init(channel: "general", author: "ann", what: .action("waves")), target: "#room")
        #expect(action == ["PRIVMSG #room :\u{1}ACTION \(done)\u{1}"])
    }

    @Test(arguments: [("LINELEN=2048", 2046), ("LINELEN=100", 510), ("LINELEN=x", 510), ("LINELEN=99999999", 8190)])
    func aLineIsAsLongAsTheServerTakes(token: String, longest: Int) throws {
        var machine = try Tables.machine()
        for line in [":s 001 crow :Welcome", ":s 005 crow \(token) :are supported", ":crow!crow@host JOIN #room"] {
            _ = machine.received(Tables.line(line), now: 0)
        }
        let text = String(repeating: "x", count: 9000)
        let said = machine.deliver(Tables.event(1, text), now: 0).lines.filter { $0.hasPrefix("PRIVMSG") }
        #expect(said.map(\.utf8.count).max() == longest - ":crow!crow@host ".utf8.count)
    }

    @Test func nobodyCanWriteALineOfTheirOwn() throws {
        let said = try lines(.text("hi\r\nQUIT :bye\0"), by: "x\r\nJOIN #other")
        #expect(said == ["PRIVMSG #room :<x JOIN #other> hi", "PRIVMSG #room :<x JOIN #other> QUIT :bye"])
    }

    @Test(
        "edits",
        arguments: [
            ("say teh word", "say the word", "s/teh/the/"), ("one", "two", "(edit) two"),
            ("a/b c d e f g", "b/a c d e f g", "(edit) b/a c d e f g"), ("one two", "one", "(edit) one"),
        ])
    func edits(previous: String, now: String, said: String) throws {
        #expect(try lines(.edit(now, previous: previous)) == ["PRIVMSG #room :<ann> \(said)"])
    }

    @Test func whatIsOverTheMostLinesIsCounted() throws {
        let text = (1...5).map { "l\($0)" }.joined(separator: "\n")
        #expect(try lines(.text(text), most: 5).count == 5)
        let said = try lines(.text(text), most: 2)
        #expect(said.map { $0.dropFirst("PRIVMSG #room :<ann> ".count) } == ["l1", "l2", "(3 more lines)"])
        #expect(try lines(.text(text), most: 4).last == "PRIVMSG #room :<ann> (1 more line)")
    }
}
