import Testing

@testable import IRCBridge

/// What a server says of itself (005), and what it shows of people's hosts.
@Suite struct ISupportTests {
    private func supports(_ tokens: String) -> ISupport {
        var supports = ISupport()
        supports.take(tokens.split(separator: " ").map(String.init))
        return supports
    }

    @Test(
        "targets",
        arguments: [
            ("", nil), ("TARGMAX=JOIN:4", 4), ("TARGMAX=PRIVMSG:1,join:7,WHO:", 7), ("TARGMAX=JOIN:", .max),
            ("TARGMAX=JOIN", .max), ("TARGMAX=PRIVMSG:4", nil), ("TARGMAX=JOIN:0", 1), ("TARGMAX=", nil),
            ("TARGMAX=JOIN:x", .max), ("TARGMAX=JOIN:4 -TARGMAX", nil), ("TARGMAX=JOIN:4 TARGMAX=JOIN:9", 9),
        ] as [(String, Int?)])
    func targets(tokens: String, most: Int?) {
        #expect(supports(tokens).most(of: "JOIN") == most)
    }

    @Test(
        "kinds of references",
        arguments: [
            ("", []), ("MSGREFTYPES=msgid,timestamp", ["msgid", "timestamp"]), ("MSGREFTYPES=timestamp", ["timestamp"]),
            ("MSGREFTYPES=msgid -MSGREFTYPES", []), ("MSGREFTYPES=", []),
        ] as [(String, [String])])
    func references(tokens: String, types: [String]) {
        #expect(supports(tokens).messageReferenceTypes == types)
    }

    @Test(
        "channels",
        arguments: [
            ("", "#a", true), ("", "&a", true), ("", "bob", false), ("", "@#a", false), ("", "+#a", false),
            ("CHANTYPES=#", "&a", false), ("CHANTYPES=#+ STATUSMSG=@+", "+a", true), ("CHANTYPES=", "#a", false),
            ("CHANTYPES= -CHANTYPES", "#a", true), ("", "", false), ("CHANTYPES=\\x23\\x2B", "+a", true),
        ])
    func channels(tokens: String, target: String, isChannel: Bool) {
        #expect(supports(tokens).isChannel(target) == isChannel)
    }

    @Test(
        "taken back",
        arguments: [
            "CASEMAPPING=ascii -CASEMAPPING", "NICKLEN=30 -NICKLEN", "USERLEN=20 HOSTLEN=99 -USERLEN -HOSTLEN",
            "PREFIX=(qov)~@+ -PREFIX", "TOPICLEN=9 -TOPICLEN", "LINELEN=2048 -LINELEN", "CHATHISTORY=50 -CHATHISTORY",
            "WHOX MONITOR=100 SAFERATE -WHOX -MONITOR -SAFERATE", "-NONSENSE", "-", "=",
            "TOPICLEN=x NICKLEN= LINELEN=1",
        ])
    func takenBack(tokens: String) {
        #expect(supports(tokens) == ISupport())
    }

    @Test(
        "escapes",
        arguments: [
            ("PREFIX=(ov)\\x40\\x2b", "@+"), ("PREFIX=(ov)@\\x", "@\\x"), ("PREFIX=(ov)@\\xZZ+", "@\\xZZ+"),
            ("PREFIX=(ov)\\x40", "@"), ("PREFIX=(ov)@\\\\+", "@\\\\+"),
        ])
    func escapes(tokens: String, prefixes: String) {
        #expect(supports(tokens).prefixes == prefixes)
    }

    private func joined(_ lines: [String]) throws -> Relay {
        var machine = try Tables.machine()
        for line in [":s 001 crow :Welcome"] + lines { _ = machine.received(Tables.line(line), now: 0) }
        return machine
    }

    @Test(
        "the mask",
        arguments: [
            // Assumed at its longest, until it is shown.
            ([], 4 + 1 + 11 + 1 + 63), ([":s 005 crow USERLEN=9 HOSTLEN=40 :are supported"], 4 + 1 + 10 + 1 + 40),
            ([":crow!c@shown JOIN #room"], 12), ([":crow!c@shown JOIN #room", ":s 005 crow HOSTLEN=9 :x"], 12),
            ([":crow!c@h NICK crowbar"], 7 + 1 + 11 + 1 + 63),
            ([":crow!c@h NICK crowbar", ":s 005 crow HOSTLEN=40 :x"], 7 + 1 + 11 + 1 + 40),
        ])
    func assumed(lines: [String], length: Int) throws {
        #expect(try joined(lines).connection.lines.mask.utf8.count == length)
    }

    @Test(
        "another host",
        arguments: [
            (":s 396 crow cloak.example :is now your displayed host", "crow!c@cloak.example"),
            (":s 396 crow ~u@cloak.example :is now your hidden host", "crow!c@cloak.example"),
            (":s 396 crow", "crow!c@shown"), (":s 396 crow @ :x", "crow!c@shown"),
            (":crow!c@shown CHGHOST new new.host", "crow!new@new.host"), (":crow!c@shown CHGHOST new", "crow!c@shown"),
            (":bob!b@h CHGHOST new new.host", "crow!c@shown"),
        ])
    func anotherHost(line: String, mask: String) throws {
        let machine = try joined([":crow!c@shown JOIN #room", line])
        #expect(machine.connection.mask == mask && machine.connection.lines.mask == mask)
    }

    @Test func whoHasAnotherHostIsIgnoredByThat() throws {
        var machine = try joined([":crow!c@shown JOIN #room", ":bob!b@h JOIN #room", ":bob!b@h CHGHOST bb cloak"])
        #expect(machine.roster.person("bob")?.mask == "bob!bb@cloak")
        _ = machine.received(Tables.line(":nobody!b@h CHGHOST bb cloak"), now: 0)
        #expect(machine.roster.person("nobody") == nil)
    }

    @Test func aRateThatIsSafeNoMoreIsLimitedAgain() throws {
        var machine = try joined([])
        machine.connection.config.linesPerSecond = 1
        _ = machine.received(Tables.line(":s 005 crow SAFERATE :x"), now: 0)
        #expect(!machine.connection.bucket.isLimited)
        _ = machine.received(Tables.line(":s 005 crow -SAFERATE :x"), now: 0)
        #expect(machine.connection.bucket.isLimited)
    }
}
