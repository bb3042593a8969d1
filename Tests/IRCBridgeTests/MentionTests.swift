import ChatMarkdown
import PluginWire
import Testing

@testable import IRCBridge

/// Mentions, answers and deletions.
@Suite struct MentionTests {
    private static let nicks = ["bob": "Bob", "eve_": "Eve_", "[x]": "[x]"]

    @Test(
        "to IRC",
        arguments: [
            ("@bob hi", "Bob hi"), ("hi @BOB, all", "hi Bob, all"), ("@bob", "Bob"), ("(@bob)", "(Bob)"),
            ("ann@bob.org", "ann@bob.org"), ("@bobby", "@bobby"), ("@bob's", "Bob's"), ("@bob- x", "Bob- x"),
            ("@eve_ and @[x]", "Eve_ and [x]"), ("@@bob", "@@bob"), ("@ @", "@ @"), ("@nobody", "@nobody"),
            ("bob", "bob"), ("@bob@bob", "Bob@bob"),
            // Not in URLs and paths.
            ("https://social.test/@bob/1", "https://social.test/@bob/1"), ("www.s.test/@bob", "www.s.test/@bob"),
            ("social.test/@bob", "social.test/@bob"), ("see ssh://x/@bob, @bob", "see ssh://x/@bob, Bob"),
            ("(https://s.test/@bob) @bob", "(https://s.test/@bob) Bob"), ("https://s.test @bob", "https://s.test Bob"),
            ("and/@bob", "and/Bob"), ("@bob/@eve_", "Bob/Eve_"),
            // Only at the beginning and the end of a word.
            ("x@bob", "x@bob"), ("é@bob", "é@bob"), ("1@bob", "1@bob"), ("@bobé", "@bobé"), ("@bob1", "@bob1"),
            ("(@bob", "(Bob"), ("@bob: hi", "Bob: hi"), ("@bob.", "Bob."), ("@bob… ok", "Bob… ok"),
            ("@bob-x", "@bob-x"),
            // Accounts elsewhere.
            ("@bob@social.test hi", "@bob@social.test hi"), ("@bob:matrix.test", "@bob:matrix.test"),
            ("@bob.social.test", "@bob.social.test"), ("@bob:ok", "Bob:ok"),
        ])
    func toIRC(text: String, said: String) {
        #expect(Mentions.toIRC(text) { Self.nicks[$0.lowercased()] } == said)
    }

    /// A style or code beside a name does not end a word.
    @Test(arguments: [
        ("a**@bob**", "a@bob"), ("**a**@bob", "a@bob"), ("@bo**b**", "@bob"), ("`@bob` @bob", "@bob Bob"),
        ("`x`@bob", "x@bob"), ("**@bob** _@bob_", "Bob Bob"), ("```\n@bob\n```", "@bob"), ("**@bob**by", "@bobby"),
    ])
    func wordsAreThoseThatAreSeen(markdown: String, said: String) {
        let text = StyledText(markdown: markdown).replacing {
            Mentions.toIRC($0, before: $1, after: $2) { Self.nicks[$0.lowercased()] ?? ($0 == "bo" ? "Bo" : nil) }
        }
        #expect(text.plain == said)
    }

    @Test(
        "to the chat",
        arguments: [
            ("bob: hi", "@Bob: hi"), ("Bob, hi", "@Bob, hi"), ("bob:", "@Bob:"), ("bob hi", "bob hi"),
            ("b\u{200B}ob: hi", "@Bob: hi"), ("nobody: hi", "nobody: hi"), ("hi bob: x", "hi bob: x"),
            ("bob:x", "bob:x"), (": x", ": x"), ("", ""),
        ])
    func toChat(text: String, said: String) {
        #expect(Mentions.toChat(text) { Self.nicks[$0.lowercased()] } == said)
    }

    private func joined(_ more: String = "") throws -> Relay {
        try Tables.machine(
            more,
            hearing: [
                ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 353 crow = #room :crow Bob",
                ":s 366 crow #room :x",
            ])
    }

    private func event(_ delivery: Int64, _ members: String) -> HostMessage.EventDelivery {
        let json = #"{"userId":"ann","userName":"Ann","channelId":"general",\#(members)}"#
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: Array(json.utf8))
    }

    private func texts(_ actions: [RelayAction]) -> [String] {
        actions.lines.filter { $0.hasPrefix("PRIVMSG") }.map { String($0.dropFirst("PRIVMSG #room :".count)) }
    }

    @Test func thoseInTheChannelAndThoseOfTheChatAreMentioned() throws {
        var machine = try joined()
        let said = machine.deliver(event(1, #""type":"MESSAGE_SENT","message":"**@bob** and @zoe""#), now: 0)
        #expect(texts(said) == ["<Ann> \u{2}Bob\u{2} and @zoe"])
        let answer = machine.received(Tables.line(":Eve!e@h PRIVMSG #room :ann: hi"), now: 0)
        #expect(answer.commands.first { $0.contains("SEND_MESSAGE") }?.contains(#""message":"@Ann: hi""#) == true)
        let inside = machine.received(Tables.line(":Eve!e@h PRIVMSG #room :BOB: hi"), now: 0)
        #expect(inside.commands.first { $0.contains("SEND_MESSAGE") }?.contains(#""message":"@Bob: hi""#) == true)
    }

    @Test func urlsAndCodeStayAsTheyAreBothWays() throws {
        var machine = try joined()
        let typed = "https://social.test/@bob/1 `@bob *x*` https://en.wiki.test/wiki/M*A*S*H_(series) @bob"
        let said = machine.deliver(event(1, #""type":"MESSAGE_SENT","message":"\#(typed)""#), now: 0)
        #expect(
            texts(said) == [
                "<Ann> https://social.test/@bob/1 \u{11}@bob *x*\u{11} https://en.wiki.test/wiki/M*A*S*H_(series) Bob"
            ])
        let heard = machine.received(
            Tables.line(
                ":Eve!e@h PRIVMSG #room :https://en.wiki.test/wiki/M*A*S*H_(series) and https://s.test/@ann/_x_"),
            now: 0)
        let text = #""message":"https://en.wiki.test/wiki/M*A*S*H_(series) and https://s.test/@ann/_x_""#
        #expect(heard.commands.contains { $0.contains(text) }, "\(heard.commands)")
    }

    /// Who is addressed at the beginning of a line, and nobody in the middle of one, whatever formatting begins there.
    @Test(arguments: [
        ("Bob: hi", "@Bob: hi"), ("hey \u{2}Bob: hi\u{2}", "hey **Bob: hi**"), ("\u{2}Bob: hi\u{2}", "**@Bob: hi**"),
        ("\u{11}Bob: hi\u{11}", "`Bob: hi`"), ("all:\nBob: hi\nnobody: hi", "all:\n@Bob: hi\nnobody: hi"),
        ("x\n\u{2}Bob: hi\u{2}\ny \u{1D}Bob: z\u{1D}", "x\n**@Bob: hi**\ny *Bob: z*"), ("x\n\nBob:", "x\n\n@Bob:"),
        ("\u{2}x\u{2} y\nBob: hi", "**x** y\n@Bob: hi"),
    ])
    func whoIsAddressedOnIRC(text: String, said: String) throws {
        let machine = try joined()
        #expect(machine.chatTexts(text, in: "#room") == [said])
    }

    /// Scripts without spaces between words, in which a URL begins right behind a letter.
    @Test func aURLBehindALetterOfAScriptWithoutSpacesStaysAsItIs() throws {
        var machine = try joined()
        let typed = "看https://social.test/@bob/_1_ と@bob"
        let said = machine.deliver(event(1, #""type":"MESSAGE_SENT","message":"\#(typed)""#), now: 0)
        #expect(texts(said) == ["<Ann> 看https://social.test/@bob/_1_ と@bob"])
        let heard = machine.received(Tables.line(":Eve!e@h PRIVMSG #room :看https://e.test/M*A*S*H です"), now: 0)
        #expect(heard.commands.contains { $0.contains(#""message":"看https://e.test/M*A*S*H です""#) })
    }

    @Test func answersSayToWhatAndDeletionsRepeatNothing() throws {
        var machine = try joined()
        let long = String(repeating: "long ", count: 20)
        _ = machine.deliver(event(1, #""type":"MESSAGE_SENT","messageId":"m1","message":"**first** one""#), now: 0)
        _ = machine.deliver(event(2, #""type":"MESSAGE_SENT","messageId":"m2","message":"\#(long)""#), now: 0)
        let answer = machine.deliver(
            event(3, #""type":"MESSAGE_SENT","messageId":"m3","replyTo":"m1","message":"yes""#), now: 0)
        #expect(texts(answer) == ["<Ann> (re Ann: “first one”) yes"])
        let gone = machine.deliver(event(4, #""type":"MESSAGE_DELETED","messageId":"m2""#), now: 0)
        #expect(texts(gone) == ["<Ann> (deleted a message)"])
        let unknown = machine.deliver(event(5, #""type":"MESSAGE_DELETED","messageId":"m0""#), now: 0)
        #expect(texts(unknown) == ["<Ann> (deleted a message)"])
    }

    @Test func namesHighlightNobodyWhereThatIsWanted() throws {
        var machine = try joined(#","anti_ping":true"#)
        let said = machine.deliver(event(1, #""type":"MESSAGE_SENT","message":"hi""#), now: 0)
        let done = machine.deliver(event(2, #""type":"MESSAGE_SENT","kind":"action","message":"waves""#), now: 0)
        #expect(texts(said + done) == ["<A\u{200B}nn> hi", "\u{1}ACTION A\u{200B}nn waves\u{1}"])
    }

    @Test func noMoreThanSoManyMessagesAreRemembered() {
        var recent = RecentMessages()
        for i in 0...RecentMessages.most {
            var message = ChatMessage(channel: "general", author: "a\(i)", what: .text("t\(i)"))
            message.id = "\(i)"
            recent.note(&message)
        }
        func quote(_ id: String) -> String? {
            var copy = recent
            var message = ChatMessage(channel: "general", author: "x", what: .text("an answer"))
            message.replyTo = id
            copy.note(&message)
            return message.quote
        }
        #expect(quote("0") == nil)
        #expect(quote("1") == "a1: “t1”")
        // A deleted message is not quoted any more.
        var deletion = ChatMessage(channel: "general", author: "a1", what: .deletion)
        deletion.id = "1"
        recent.note(&deletion)
        #expect(deletion.quote == nil && quote("1") == nil && quote("2") == "a2: “t2”")
    }

    @Test func aRunOfDashesIsNotTriedWithoutEnd() {
        var tried = 0
        let text = "@" + String(repeating: "-", count: 16_000)
        let said = Mentions.toIRC(text) { _ in
            tried += 1
            return nil
        }
        #expect(said == text && (1...IRCSource.longestName).contains(tried))
    }
}
