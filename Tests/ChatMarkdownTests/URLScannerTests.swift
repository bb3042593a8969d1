import Testing

@testable import ChatMarkdown

/// What is a URL in text, and where it ends.
@Suite struct URLScannerTests {
    /// `[` and `]` stand around each URL of the second text.
    @Test(arguments: [
        ("https://e.org", "⟦https://e.org⟧"), ("see HTTPS://E.org/A, ok", "see ⟦HTTPS://E.org/A⟧, ok"),
        ("https://social.test/@ann/1", "⟦https://social.test/@ann/1⟧"),
        ("https://en.wiki.test/wiki/M*A*S*H_(series)", "⟦https://en.wiki.test/wiki/M*A*S*H_(series)⟧"),
        ("(https://e.org/a_(b))", "(⟦https://e.org/a_(b)⟧)"), ("[x](https://e.org/y)z", "[x](⟦https://e.org/y⟧)z"),
        ("https://e.org/a.", "⟦https://e.org/a⟧."), ("https://e.org/a?!…", "⟦https://e.org/a⟧?!…"),
        ("https://e.org/a?b=c&d=e#f", "⟦https://e.org/a?b=c&d=e#f⟧"), ("https://e.org/_*~", "⟦https://e.org/_*~⟧"),
        ("<https://e.org/a>", "<⟦https://e.org/a⟧>"), ("\"https://e.org/a\"", "\"⟦https://e.org/a⟧\""),
        ("https://e.org/a|b", "⟦https://e.org/a⟧|b"), ("https://e.org/a\\_b", "⟦https://e.org/a⟧\\_b"),
        ("`https://e.org/a`", "`⟦https://e.org/a⟧`"), ("http://[::1]:80/a", "⟦http://[::1]:80/a⟧"),
        ("https://u:p@e.org/{id}", "⟦https://u:p@e.org/{id}⟧"),
        ("https://bücher.example/ü", "⟦https://bücher.example/ü⟧"),
        ("见https://e.org。好", "见⟦https://e.org⟧。好"), ("はhttps://e.org/_a_ を", "は⟦https://e.org/_a_⟧ を"),
        ("ดูhttps://e.org/@ann", "ดู⟦https://e.org/@ann⟧"), ("見www.e.org/@ann", "見⟦www.e.org/@ann⟧"),
        ("见 https://e.org。好", "见 ⟦https://e.org⟧。好"),
        ("www.e.org/@ann", "⟦www.e.org/@ann⟧"), ("WWW.e.org", "⟦WWW.e.org⟧"), ("www. x", "www. x"),
        ("awww.e.org", "awww.e.org"), ("irc://irc.example/#a_b_", "⟦irc://irc.example/#a_b_⟧"),
        ("git+ssh://g@h/~a/b_c", "⟦git+ssh://g@h/~a/b_c⟧"), ("c://x", "c://x"), ("xhttps://e.org", "⟦xhttps://e.org⟧"),
        ("1https://e.org", "1https://e.org"), ("éhttps://e.org", "éhttps://e.org"), ("https://", "https://"),
        ("https://, x", "https://, x"), ("https://**x", "https://**x"),
        ("file:///a_", "⟦file:///a_⟧"), ("https:/e.org", "https:/e.org"), ("a://b", "a://b"), ("and/or", "and/or"),
        ("https://e.org/a\u{200B}b", "⟦https://e.org/a⟧\u{200B}b"), ("https://e.org/a\nb", "⟦https://e.org/a⟧\nb"),
        ("https://e.org, https://f.org", "⟦https://e.org⟧, ⟦https://f.org⟧"), ("mailto:a@b.c", "mailto:a@b.c"),
        ("abcdefghijklmnopqrstuvwxyz://e", "abcdefghijklmnopqrstuvwxyz://e"),
    ])
    func urls(text: String, marked: String) {
        let characters = Array(text)
        var out = ""
        var from = 0
        for range in URLScanner.ranges(characters) {
            out += String(characters[from..<range.lowerBound]) + "⟦" + String(characters[range]) + "⟧"
            from = range.upperBound
        }
        out += String(characters[from...])
        #expect(out == marked)
        if marked.contains("⟦") { #expect(URLScanner.mayContainURL(text)) }
    }

    /// In a message a mark at the end of a URL is one only where it closes something.
    @Test(arguments: [
        ("**https://e.org/a**", "https://e.org/a"), ("_https://e.org/a_b_", "https://e.org/a_b"),
        ("~~https://e.org/~ann~~", "https://e.org/~ann"), ("*see https://e.org/a*, ok", "https://e.org/a"),
        ("https://e.org/a*", "https://e.org/a*"), ("(https://e.org/*x*) (https://e.org/*x*)", "https://e.org/*x*"),
        ("**a** https://e.org/b**", "https://e.org/b**"), ("**a *b* https://e.org/c**", "https://e.org/c"),
        ("**https://e.org/*a***", "https://e.org/*a*"), ("__https://e.org/_a___", "https://e.org/_a_"),
        ("_https://e.org/a*", "https://e.org/a*"), ("\\*https://e.org/a*", "https://e.org/a*"),
    ])
    func marksBehindURLs(message: String, url: String) {
        let urls = MarkdownParser.segments(message).compactMap { if case .url(let url, _) = $0 { url } else { nil } }
        #expect(urls.first == url)
    }

    @Test(arguments: ["", "plain", "a/b", "a: /b", "w.w.w", "a:/b/", "//x", "snake_case"])
    func mostTextsAreNotScanned(text: String) { #expect(!URLScanner.mayContainURL(text)) }

    @Test func scanningIsLinear() {
        // Quadratic scanners need minutes for these.
        for part in ["a.", "a+", "http://", "www.", "(", "https://e.org/(", "a://", "w"] {
            let text = Array(String(repeating: part, count: 16_384 / part.utf8.count))
            #expect(URLScanner.ranges(text).count <= text.count)
        }
    }
}
