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

    /// As the server sends them on, lines have no more than 512 bytes with CR LF, whoever says what where.
    @Test func noLineIsTooLongAndNothingIsLost() throws {
        var generator = SystemRandomNumberGenerator()
        let alphabet = ["a", "b", " ", "å", "👩‍👩‍👧", "e\u{301}", "漢", "\u{2}", "\n", "zalgo\u{300}\u{301}\u{302}"]
        func text(_ most: Int) -> String {
            let count = Int.random(in: 1...most, using: &generator)
            return (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "a" }.joined()
        }
        for _ in 0..<300 {
            let mask = "crow!\(String(repeating: "u", count: 10))@\(String(repeating: "h", count: .random(in: 1...63)))"
            let target = "#" + String(repeating: "c", count: .random(in: 1...199))
            let format = try #require(RelayFormat(String(repeating: "å", count: .random(in: 0...40)) + "{name} {text}"))
            let lines = RelayLines(format: format, maxLines: 0, mask: mask)
            let (said, author) = (text(600), text(100))
            let kinds: [ChatMessage.What] = [.text(said), .action(said), .notice(said)]
            for what in kinds {
                let message = ChatMessage(channel: "general", author: author, what: what)
                let out = lines.lines(message, target: target)
                let longest = out.map { ":\(mask) \($0)".utf8.count }.max() ?? 0
                #expect(longest <= RelayLines.maxLine)
                var head = format.prefix(name: author)
                if case .action = what { head = "\u{1}ACTION \(RelayFormat.short(author)) " }
                var heard = ""
                for line in out {
                    let message = try #require(IRCMessage(line: Array(line.utf8)))
                    let body = try #require(message.params.last)
                    #expect(Array(body.utf8).starts(with: Array(head.utf8)))
                    heard += String(decoding: body.utf8.dropFirst(head.utf8.count), as: UTF8.self)
                }
                let kept = heard.unicodeScalars.filter { $0 != " " && $0.value >= 0x20 }
                #expect(Array(kept) == said.unicodeScalars.filter { $0 != " " && $0.value >= 0x20 })
            }
        }
    }
}
