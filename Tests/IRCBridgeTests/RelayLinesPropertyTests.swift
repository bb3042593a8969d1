import Testing

@testable import IRCBridge

/// What holds for every line to IRC, whoever says what where: as the server sends it on it has no more than 512 bytes
/// with CR LF, it is UTF-8, its author stands on it, and all lines together say the whole.
@Suite struct RelayLinesPropertyTests {
    private static let alphabet = [
        "a", "b", " ", "å", "👩‍👩‍👧", "e\u{301}", "漢", "\u{2}", "\n", "zalgo\u{300}\u{301}\u{302}", "🇸🇪", "\0", "\r",
    ]

    private func text(_ most: Int, _ generator: inout SeededGenerator) -> String {
        let count = Int.random(in: 1...most, using: &generator)
        // One in four is a single word longer than a line.
        if Int.random(in: 0..<4, using: &generator) == 0 {
            return String(repeating: ["x", "漢", "👩‍👩‍👧"].randomElement(using: &generator) ?? "x", count: count)
        }
        return (0..<count).map { _ in Self.alphabet.randomElement(using: &generator) ?? "a" }.joined()
    }

    private func word(_ letter: String, _ range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> String {
        String(repeating: letter, count: Int.random(in: range, using: &generator))
    }

    private func visible(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { $0 != " " && $0.value >= 0x20 }
    }

    /// To run a failure again, put its seed in the place of the random one.
    @Test(arguments: [1, 2, 3, UInt64.random(in: 0...UInt64.max)])
    func everyLineFitsAndNothingIsLost(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<60 {
            let user = word("u", 1...10, &generator) + "@" + word("h", 1...63, &generator)
            let mask = word("n", 1...30, &generator) + "!" + user
            let target = "#" + word("c", 1...199, &generator)
            let format = try #require(RelayFormat(word("å", 0...40, &generator) + "{name} {text}"))
            var lines = RelayLines(format: format, maxLines: 0, mask: mask)
            lines.style = NameStyle(
                antiPing: Bool.random(using: &generator), hasColors: Bool.random(using: &generator))
            // LINELEN counts CR LF.
            let longest = [512, 512, 1024, 4096].randomElement(using: &generator) ?? 512
            lines.longest = longest - 2
            let (said, author) = (text(600, &generator), text(100, &generator))
            let kinds: [(what: ChatMessage.What, before: String)] = [
                (.text(said), ""), (.action(said), ""), (.notice(said), ""), (.edit(said, previous: nil), "(edit) "),
            ]
            for (what, before) in kinds {
                var message = ChatMessage(channel: "general", author: author, what: what)
                var whole = before + said
                if Bool.random(using: &generator) {
                    message.replyTo = "m1"
                    message.quote = word("q", 1...60, &generator)
                    whole = "(re \(message.quote ?? "")) " + whole
                }
                var head = format.prefix(name: author, style: lines.style)
                if case .action = what { head = "\u{1}ACTION \(RelayFormat.short(author, lines.style)) " }
                var heard = ""
                for line in lines.lines(message, target: target) {
                    #expect(":\(mask) \(line)\r\n".utf8.count <= longest, "seed \(seed)")
                    #expect(!line.utf8.contains { [0, 10, 13].contains($0) }, "seed \(seed)")
                    let read = try #require(IRCMessage(line: Array(line.utf8)), "seed \(seed)")
                    let body = try #require(read.params.last, "seed \(seed)")
                    #expect(Array(body.utf8).starts(with: Array(head.utf8)), "seed \(seed)")
                    // A piece cut inside a code point would be no UTF-8.
                    let rest = String(validating: body.utf8.dropFirst(head.utf8.count), as: UTF8.self)
                    heard += try #require(rest, "seed \(seed)")
                }
                #expect(visible(heard) == visible(whole), "seed \(seed)")
            }
        }
    }
}
