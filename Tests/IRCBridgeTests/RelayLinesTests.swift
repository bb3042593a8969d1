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
