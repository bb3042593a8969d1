import ChatMarkdown
import Testing

@testable import IRCBridge

/// mIRC's codes and Markdown, one from the other and back.
@Suite struct FormattingTests {
    /// What stands for a code here: B bold, I italic, U underline, S strike, M monospace, O plain, K colour.
    private static func irc(_ text: String) -> String {
        let codes: [Character: String] = [
            "B": "\u{2}", "I": "\u{1D}", "U": "\u{1F}", "S": "\u{1E}", "M": "\u{11}", "O": "\u{F}", "K": "\u{3}",
            "H": "\u{4}", "R": "\u{16}",
        ]
        return text.map { codes[$0] ?? String($0) }.joined()
    }

    @Test(
        "from IRC",
        arguments: [
            ("plain", "plain"), ("BboldB and IitalicI", "**bold** and *italic*"), ("UunderU", "__under__"),
            ("SgoneS McodeM", "~~gone~~ `code`"), ("BbIbothO none", "**b*both*** none"),
            ("Bto the end", "**to the end**"),
            ("B spaced B", " **spaced** "), ("BB", ""), ("B B", " "), ("K04,01redK and K3green", "red and green"),
            ("Hff0000,00ff00hexH", "hex"), ("K,no colour", ",no colour"), ("RreversedR", "reversed"),
            ("2 * 3 * 4", "2 * 3 * 4"), ("2*3*4", "2\\*3\\*4"), ("snake_case_name", "snake_case_name"),
            ("__init__", "\\_\\_init\\_\\_"), ("¯\\_(ツ)_/¯", "¯\\\\\\_(ツ)\\_/¯"), ("c:\\temp", "c:\\temp"),
            ("a `tick` b", "a \\`tick\\` b"), ("Ma`bM", "a`b"), ("M*notM *", "`*not` *"),
            ("http://e.org/_a_b*b*", "http://e.org/_a_b*b*"), ("oneBtwoB", "one**two**"),
            ("https://en.wiki.test/m*a*s*h_(x)", "https://en.wiki.test/m*a*s*h_(x)"),
            ("*x* https://e.org/*a*/_b_ *y*", "\\*x\\* https://e.org/*a*/_b_ \\*y\\*"),
            ("Bhttps://e.org/*a*B x", "**https://e.org/*a*** x"), ("https://e.org/BaB/b", "https://e.org/a/b"),
            ("Ihttps://e.org/I. x", "*https://e.org/*. x"), ("Bhttps://e.org/aBb_c_", "**https://e.org/ab_c_**"),
            ("https://e.org/aB*B", "https://e.org/a*"), ("Mhttps://e.org/*a*M", "`https://e.org/*a*`"),
            ("(https://e.org/a_(b))B_cB", "(https://e.org/a_(b))**_c**"),
            ("www.e.org/*a* *b*", "www.e.org/*a* \\*b\\*"),
        ])
    func fromIRC(text: String, markdown: String) {
        #expect(StyledText(irc: Self.irc(text)).markdown == markdown)
    }

    @Test(
        "to IRC",
        arguments: [
            ("plain", "plain"), ("**bold** and *italic*", "BboldB and IitalicI"),
            ("_italic_ __under__", "IitalicI UunderU"),
            ("~~gone~~ `code`", "SgoneS McodeM"), ("***both***", "BIboth"), ("**b*both*** none", "BbIbothBI none"),
            ("*a **b** c*", "Ia BbB cI"),
            ("**open", "**open"), ("a * b", "a * b"), ("* item", "* item"), ("2*3", "2*3"),
            ("snake_case_x", "snake_case_x"),
            ("\\*no\\*", "*no*"), ("\\a", "\\a"), ("`a*b*`", "Ma*b*"), ("``a`b``", "Ma`b"), ("`` ` ``", "M`"),
            ("`open", "`open"), ("****", "****"), ("** **", "** **"), ("https://e.org/a_b_c_", "https://e.org/a_b_c_"),
            ("_https://e.org/a_", "Ihttps://e.org/a"), ("~one~", "~one~"),
            ("https://en.wiki.test/m*a*s*h_(x)", "https://en.wiki.test/m*a*s*h_(x)"),
            ("https://e.org/*a*/~~b~~ *c*", "https://e.org/*a*/~~b~~ Ic"),
            ("**https://e.org/~ann**", "Bhttps://e.org/~ann"),
            ("https://e.org/a_ and b_", "https://e.org/a_ and b_"),
            ("[*x*](https://e.org/*y*)", "[IxI](https://e.org/*y*)"),
            ("`https://e.org/`*x*", "Mhttps://e.org/IMx"), ("https://e.org/\\*a", "https://e.org/*a"),
        ])
    func toIRC(markdown: String, text: String) {
        var styled = StyledText(markdown: markdown).irc
        // What is on at the end stays on.
        while let last = styled.unicodeScalars.last, last.value < 0x20 { styled.unicodeScalars.removeLast() }
        var wanted = Self.irc(text)
        while let last = wanted.unicodeScalars.last, last.value < 0x20 { wanted.unicodeScalars.removeLast() }
        #expect(styled == wanted)
    }

    @Test func aBlockOfCodeIsALineOfCodeForEachOfItsLines() {
        let text = StyledText(markdown: "see\n```swift\nlet a = *b*\n\nlet c\n```\nok")
        #expect(text.lines.map(\.irc) == ["see", "\u{11}let a = *b*", "\u{11}let c", "ok"])
    }

    @Test func eachPieceOfALongStretchHasItsStyle() {
        let text = StyledText(markdown: "**" + String(repeating: "word ", count: 40) + "*it* end** plain")
        let pieces = text.pieces(budget: 60)
        #expect(pieces.count > 3)
        #expect(pieces.allSatisfy { $0.utf8.count <= 60 })
        #expect(pieces.allSatisfy { $0.hasPrefix("\u{2}") })
        let again = StyledText(
            pieces.enumerated().flatMap { i, piece in
                StyledText(irc: (i > 0 ? " " : "") + piece).runs
            })
        #expect(again.plain == text.plain)
    }

    @Test func backAndForthIsTheSame() {
        var seed: UInt64 = 42
        func random(_ below: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % below
        }
        let alphabet = [
            "a", "b", " ", "*", "**", "_", "__", "~~", "`", "\\", "é", "👩‍👩‍👧", "1", ".", "\\*", "https://e.org/a",
            "http://", "www.x", "(", ")", "/", ":", "<",
        ]
        var unstyled = 0
        for _ in 0..<5000 {
            let text = StyledText(
                (0..<(1 + random(5))).map { _ in
                    let part = (0..<(1 + random(5))).map { _ in alphabet[random(alphabet.count)] }.joined()
                    return StyledText.Run(text: part, style: StyledText.Style(rawValue: UInt8(random(32))))
                })
            #expect(StyledText(irc: text.irc) == text)
            let fitted = text.fittedToMarkdown
            let again = StyledText(markdown: text.markdown)
            #expect(again.plain == fitted.plain)
            // Where marks stand directly behind a URL there may be no way to write them.
            if again != fitted, again.runs.count == 1, again.plain.contains("://") || again.plain.contains("www.") {
                unstyled += 1
            } else {
                #expect(again == fitted, "\(text.markdown)")
            }
        }
        #expect(unstyled < 50)
    }

    /// A text without codes and marks takes a shorter way; a style that changes nothing takes the long one.
    @Test func plainTextIsTheSameTheShortWay() {
        let alphabet = ["a", "Z", "9", " ", ".", "é", "\u{301}", "\t", "\n", "\u{2028}", "\u{85}", "€", "\u{7F}", "👍🏽"]
        var random = SeededGenerator(seed: 7)
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? ""
            }.joined()
            let plain = StyledText([StyledText.Run(text: text)])
            var long = plain
            long.append("x", .bold)
            #expect(plain.markdown + "**x**" == long.markdown, "\(text)")
            #expect(plain.irc + "\u{2}x" == long.irc)
            // Behind another line, so that it is not taken as a whole.
            let behind = StyledText([StyledText.Run(text: "x\n" + text)])
            #expect([StyledText([StyledText.Run(text: "x")])] + plain.lines == behind.lines, "\(text)")
        }
    }

    @Test func readingIsLinear() {
        // Quadratic readers need minutes for these.
        for part in ["`", "``a`", "*a ", "_a", "\\", "**a*", "http://", "`a``b```"] {
            let text = String(repeating: part, count: 16_384 / part.utf8.count)
            #expect(StyledText(markdown: text).plain.utf8.count <= 16_384)
        }
    }
}
