import PluginKit
import Testing

/// Names and topics as every plugin of this tree shows them. The same rows stand in docs/irc.md and docs/webhook.md.
@Suite struct ShownTextTests {
    @Test(
        "names",
        arguments: [
            ("ann", "ann"), ("Ann Smith", "Ann Smith"), ("", ""), (" \t\n ", ""),
            // One line, single spaces, none at the ends.
            (" a \r\n\u{2028}b\u{85}c\u{2029} ", "a b c"), ("a\u{3000}\u{A0}b\u{2800}c", "a b c"),
            // Control characters.
            ("a\u{0}\u{1}b\u{7F}\u{9F}c\u{1B}[31m", "abc[31m"),
            // What turns the direction of text.
            ("ann\u{202E}bob\u{202C}", "annbob"), ("\u{2066}a\u{2067}b\u{2068}c\u{2069}", "abc"),
            ("\u{61C}\u{200E}\u{200F}\u{202A}\u{202B}\u{202D}", ""),
            // What is there without being seen.
            ("a\u{200B}n\u{200C}n\u{200D}\u{2060}\u{FEFF}", "ann"),
            ("a\u{AD}b\u{34F}c\u{180E}d\u{3164}e\u{115F}", "abcde"),
            ("ann\u{FE0F}\u{E0061}\u{E0100}\u{FFF9}\u{FFFF}", "ann"), ("\u{600}\u{6DD}ann", "ann"),
            // Marks that would stand on what is before the name, and more of them than a letter has.
            ("\u{338}\u{20D2}ann", "ann"), ("a \u{301}b", "a b"), ("e\u{301}", "e\u{301}"),
            ("z" + String(repeating: "\u{300}", count: 40), "z\u{300}\u{300}\u{300}\u{300}"),
            // Emoji stay one picture.
            ("👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"), ("👩\u{200D}", "👩"), ("🏳️‍🌈", "🏳️‍🌈"), ("👍🏽", "👍🏽"), ("🇸🇪", "🇸🇪"),
            ("❤\u{FE0F}\u{FE0F}", "❤\u{FE0F}"),
            // Scripts stay.
            ("Łukasz 漢字 नमस्ते שלום", "Łukasz 漢字 नमस्ते שלום"),
        ])
    func names(text: String, shown: String) {
        // By code point: Swift's strings are equal where they look the same.
        #expect(Array(ShownText.name(text).unicodeScalars) == Array(shown.unicodeScalars))
    }

    @Test(
        "delimiters and what looks like them",
        arguments: [
            ("ann> I resign <bob", "<>", "ann I resign bob"), ("ann＞ x ‹bob〉«»", "<>", "ann x bob"), ("a>b", "", "a>b"),
            ("ann: x：y∶z", ":", "ann xyz"), ("[a]【b】", "[]", "ab"), ("a«b", "«»", "ab"), ("a→b", "→", "ab"),
            (">\u{338}a", "<>", "a"), ("<>", "<>", ""), ("＊a*", "*", "a"),
        ])
    func delimiters(text: String, signs: String, shown: String) {
        #expect(ShownText.name(text, without: ShownText.Signs(signs)) == shown)
    }

    @Test func namesHaveAnEnd() {
        #expect(ShownText.name(String(repeating: "å", count: 1000)).utf8.count == ShownText.longestName)
        #expect(ShownText.name(String(repeating: "a", count: 1000), most: 10) == "aaaaaaaaaa")
        #expect(ShownText.name("aaa 😀", most: 7) == "aaa")
        #expect(ShownText.name(String(repeating: "\u{200B}", count: 1_000_000) + "a").isEmpty)
    }

    @Test(
        "topics",
        arguments: [
            ("Tea at 5", "Tea at 5"), ("a\nb\tc\u{2028}d", "a b c d"), ("a\u{0}\u{1B}\u{9B}b", "ab"),
            ("x\u{202E}y\u{2067}z\u{200F}", "xyz"), ("a\u{200B}\u{2060}\u{FEFF}b", "ab"),
            ("می\u{200C}خواهم 👩‍👧 ❤️", "می\u{200C}خواهم 👩‍👧 ❤️"), ("<b> [x](y)", "<b> [x](y)"),
        ])
    func topics(text: String, shown: String) {
        #expect(Array(ShownText.line(text).unicodeScalars) == Array(shown.unicodeScalars))
    }
}
