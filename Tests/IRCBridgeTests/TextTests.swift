import Testing

@testable import IRCBridge

@Suite struct TextTests {
    @Test(
        "bytes that are no UTF-8 are CP1252",
        arguments: [
            (Array("åså".utf8), "åså"), ([0xE5, 0x73, 0xE5], "åså"), ([0x93, 0x80, 0x94], "“€”"),
            ([0x81], "\u{FFFD}"), ([0xC3], "Ã"), (Array("漢".utf8) + [0xFF], "æ¼¢ÿ"),
        ])
    func decoding(bytes: [UInt8], text: String) {
        #expect(IRCText.decoded(bytes[...]) == text)
    }

    /// All of 0x80…0x9F, where CP1252 is not Latin-1; the five bytes without a character are U+FFFD.
    @Test func theUpperControlBytesAreThoseOfCP1252() {
        let table = "€\u{FFFD}‚ƒ„…†‡ˆ‰Š‹Œ\u{FFFD}Ž\u{FFFD}\u{FFFD}‘’“”•–—˜™š›œ\u{FFFD}žŸ"
        #expect(IRCText.decoded(Array(0x80...0x9F)[...]) == table)
    }

    /// 0xA0…0xFF are the code points of the same numbers.
    @Test func theRestOfCP1252IsLatin1() {
        let text = IRCText.decoded(Array(0xA0...0xFF)[...])
        #expect(text.unicodeScalars.map(\.value) == Array(0xA0...0xFF))
    }

    /// What looks like UTF-8 and is none: over-long, a surrogate, past U+10FFFF, a lone trailer, cut short.
    @Test(
        "false UTF-8 is CP1252",
        arguments: [
            ([0xC0, 0xAF], "À¯"), ([0xED, 0xA0, 0xA0], "í\u{A0}\u{A0}"),
            ([0xF4, 0xA0, 0xA0, 0xA0], "ô\u{A0}\u{A0}\u{A0}"),
            ([0xA9], "©"), ([0x61, 0xE2, 0x82], "aâ‚"),
        ])
    func falseUTF8(bytes: [UInt8], text: String) {
        #expect(IRCText.decoded(bytes[...]) == text)
    }

    /// What a server left of a long line: the beginning of its last character goes, where the rest is seen to be UTF-8.
    @Test(
        "texts cut inside a character",
        arguments: [
            ([0xC3, 0xA9, 0xC3], "é"), ([0xC3, 0xA9, 0x21, 0xE2, 0x82], "é!"), ([0xC3, 0xA9, 0xF0, 0x9F, 0x98], "é"),
            ([0xC3, 0xA9, 0xF0, 0x9F], "é"), ([0xC3, 0xA9, 0xE2], "é"),
            ([0x61, 0xE2, 0x82], "a"), ([0x61, 0xF0, 0x9F, 0x98], "a"),
            // These are no such texts.
            ([0x61, 0xE9], "aé"), ([0xC3, 0xA9, 0x82], "Ã©‚"),
            ([0xC3, 0xA9, 0xFF], "Ã©ÿ"),
            ([0xE9, 0x61, 0xC3], "éaÃ"), ([0xC3, 0xA9, 0xE2, 0x82, 0xAC], "é€"), ([], ""), ([0xC3], "Ã"),
            ([0x82, 0x82, 0x82], "‚‚‚"),
        ])
    func cutTexts(bytes: [UInt8], text: String) {
        #expect(IRCText.decoded(bytes[...], mayBeCut: true) == text)
    }

    /// The channel and the nick are read whatever the text is.
    @Test func thePartsOfALineAreReadApart() {
        let line = Array("@a=é\\s\\:;b :Zoé!z@h PRIVMSG #café :h".utf8) + [0xE9, 0x21]
        let message = IRCMessage(line: line)
        #expect(
            message
                == IRCMessage(tags: ["a": "é ;", "b": ""], source: "Zoé!z@h", "PRIVMSG", ["#café", "hé!"]))
        let other = IRCMessage(line: Array("@a=".utf8) + [0xE9] + Array(" :Zo".utf8) + [0xEB] + Array("!z@h X é".utf8))
        #expect(other == IRCMessage(tags: ["a": "é"], source: "Zoë!z@h", "X", ["é"]))
        let cut = IRCMessage(line: Array("PRIVMSG #r :é".utf8) + [0xE2, 0x82])
        #expect(cut?.params == ["#r", "é"])
    }

    @Test(
        "formatting is removed",
        arguments: [
            ("\u{2}bold\u{2} \u{1D}it\u{1D}\u{F}", "bold it"), ("\u{3}4red\u{3}", "red"), ("\u{3}12,4x", "x"),
            ("\u{3}123", "3"), ("\u{3}4,x", ",x"), ("\u{3},4", ",4"), ("\u{4}FF0000,00FF00x", "x"),
            ("a\tb", "a b"), ("a\u{0}b\u{7F}", "ab"), ("a\u{85}b\u{9F}c", "abc"), ("å\u{A0}é", "å\u{A0}é"),
        ])
    func formatting(text: String, plain: String) {
        #expect(IRCText.plain(text) == plain)
    }

    @Test(
        "messages are cut into lines",
        arguments: [
            ("a\nb", ["a", "b"]), ("a\r\n\r\nb\n", ["a", "b"]), ("\n \n", []), ("a\u{0}\u{1}b\u{7F}", ["ab"]),
            ("a\u{2028}b\u{85}c", ["a", "b", "c"]), ("a\tb", ["a b"]),
        ])
    func lines(text: String, lines: [String]) {
        #expect(IRCText.lines(text) == lines)
    }

    @Test func namesStayOnALine() {
        #expect(RelayFormat.short("a\r\nQUIT\u{0}") == "a QUIT")
        #expect(RelayFormat.short("\n") == "?")
        #expect(RelayFormat.short(String(repeating: "å", count: 100)).utf8.count == RelayFormat.maxName)
    }

    @Test(
        "templates",
        arguments: [
            ("<{name}> {text}", "<ann> "), ("{name}: {text}", "ann: "), ("{text}", nil), ("{name}", nil),
            ("{text} {name}", nil), ("{name}{name} {text}", nil), ("{text}{name} {text}", nil),
            (String(repeating: "x", count: 100) + "{name}{text}", nil),
        ])
    func templates(template: String, prefix: String?) {
        #expect(RelayFormat(template)?.prefix(name: "ann") == prefix)
    }
}

@Suite struct UserIDTests {
    @Test(
        "nicks",
        arguments: [
            ("Bob", "irc/net/nick/bob"), ("b[o]b", "irc/net/nick/b~7Bo~7Db"), ("b{o}b", "irc/net/nick/b~7Bo~7Db"),
            ("x^", "irc/net/nick/x~7E"), ("å", "irc/net/nick/~C3~A5"), ("a/b", "irc/net/nick/a~2Fb"),
            ("A-_.:", "irc/net/nick/a-_.:"),
        ])
    func nicks(nick: String, id: String) {
        #expect(BridgeUserID.nick(nick, plugin: "irc", network: "net", .rfc1459) == id)
    }

    /// `~` stands for itself in no id, so that no nick can pass for another's escaped form.
    @Test(
        "no two names meet",
        arguments: [("a~2Fb", "a~7E2Fb"), ("a/b", "a~2Fb"), ("~", "~7E"), ("a b", "a~20b"), ("|", "~7C"), ("", "")])
    func escapes(name: String, id: String) {
        #expect(BridgeUserID.escape(name) == id)
    }

    @Test func accountsAreApartFromNicks() {
        #expect(BridgeUserID.account("Bob", plugin: "irc", network: "net", .ascii) == "irc/net/acct/bob")
    }

    @Test func longIdsStayApartAndWithinTheLimit() {
        let stem = String(repeating: "å", count: 60)
        let ids = ["a", "b"].map { BridgeUserID.nick(stem + $0, plugin: "irc", network: "net", .ascii) }
        #expect(ids.allSatisfy { $0.utf8.count == BridgeUserID.maxLength })
        #expect(ids[0] != ids[1])
    }

    @Test(
        "foldings",
        arguments: [
            (Casemapping.ascii, "a[]\\^"), (.rfc1459, "a{}|~"), (.strictRFC1459, "a{}|^"),
        ])
    func foldings(casemapping: Casemapping, folded: String) {
        #expect(casemapping.fold("A[]\\^") == folded)
    }

    /// Every byte: besides A…Z only those that the mapping names change (`[\]` to `{|}`, `^` to `~`).
    @Test(arguments: [(Casemapping.ascii, 0), (.strictRFC1459, 3), (.rfc1459, 4)])
    func noOtherByteIsFolded(casemapping: Casemapping, signs: Int) {
        let changed = (0...255).filter { casemapping.fold([UInt8($0)]) != [UInt8($0)] }
        #expect(changed == Array(0x41...0x5A) + Array(0x5B..<(0x5B + signs)))
        #expect(casemapping.fold("ÅÉ#-_`") == "ÅÉ#-_`")
    }

    @Test(
        "the names of ISUPPORT",
        arguments: [("ascii", Casemapping.ascii), ("rfc1459", .rfc1459), ("rfc1459-strict", .strictRFC1459)])
    func names(name: String, casemapping: Casemapping) {
        #expect(Casemapping(rawValue: name) == casemapping)
    }
}
