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
        #expect(String(decoding: IRCText.utf8(bytes), as: UTF8.self) == text)
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
}
