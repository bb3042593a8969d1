import JSONBytes
import PluginWire
import Testing

@testable import IRCBridge

/// Nobody's name, topic or text can be read as another's words. The table of docs/irc.md, "What is escaped".
@Suite struct ForgeryTests {
    private func said(_ name: String, _ format: String = RelayFormat.preset, action: Bool = false) throws -> String {
        let lines = RelayLines(format: try #require(RelayFormat(format)), maxLines: 0, mask: "c!c@h")
        var message = ChatMessage(channel: "general", author: name, what: action ? .action("hi") : .text("hi"))
        message.authorID = "u.1"
        let all = lines.lines(message, target: "#room")
        #expect(all.count == 1)
        return String(all.first?.dropFirst("PRIVMSG #room :".count) ?? "")
    }

    @Test(
        "names",
        arguments: [
            ("ann> I resign <bob", "<ann I resign bob> hi", "ann I resign bob hi"),
            ("ann＞ I resign ＜bob", "<ann I resign bob> hi", "ann I resign bob hi"),
            ("ann› x ‹bob", "<ann x bob> hi", "ann x bob hi"),
            ("a\u{202E}nn\u{2066}", "<ann> hi", "ann hi"), ("a\u{200B}n\u{FEFF}n", "<ann> hi", "ann hi"),
            ("\u{338}ann", "<ann> hi", "ann hi"), ("a\u{3}04n\u{2}n\u{1}", "<a04nn> hi", "a04nn hi"),
            ("a\r\nQUIT :b", "<a QUIT :b> hi", "a QUIT :b hi"),
            // Nothing is left: the id.
            ("<\u{202E}>", "<u.1> hi", "u.1 hi"), ("", "<u.1> hi", "u.1 hi"),
        ])
    func names(name: String, text: String, action: String) throws {
        #expect(Array(try said(name).utf8) == Array(text.utf8))
        #expect(Array(try said(name, action: true).utf8) == Array("\u{1}ACTION \(action)\u{1}".utf8))
    }

    @Test(
        "each format's own signs",
        arguments: [
            ("{name}: {text}", "ann: no <bob>", "ann no bob: hi"), ("[{name}] {text}", "a] x [b", "[a x b] hi"),
            ("({name}) {text}", "a) x (b: c", "(a x b: c) hi"), ("«{name}» {text}", "a» x «b", "«a x b» hi"),
            ("{name} | {text}", "a | x", "a x | hi"), ("{name} {text}", "ann I resign", "ann_I_resign hi"),
            ("{name}→ {text}", "a→ x", "a x→ hi"), ("\u{2}{name}\u{2}: {text}", "a: x", "\u{2}a x\u{2}: hi"),
            ("{name} says {text}", "jean-luc o'neil", "jean-luc o'neil says hi"),
        ])
    func formats(format: String, name: String, text: String) throws {
        #expect(try said(name, format) == text)
    }

    @Test func anIDOfWhichNothingIsLeftIsAQuestionMark() throws {
        let format = try #require(RelayFormat("{name}: {text}"))
        #expect(format.prefix(name: ":", id: ":") == "?: ")
        #expect(format.prefix(name: String(repeating: "å", count: 100)).utf8.count == RelayFormat.maxName + 2)
    }

    private func machine() throws -> Relay {
        try Tables.machine(hearing: [
            ":s 001 crow :Welcome", ":crow!crow@host JOIN #room", ":s 353 crow = #room :@crow Bob",
            ":s 366 crow #room :x",
        ])
    }

    private func event(_ delivery: Int64, _ members: String) -> HostMessage.EventDelivery {
        let json = #"{"userId":"ann","channelId":"general",\#(members)}"#
        return HostMessage.EventDelivery(
            queue: "net", delivery: delivery, position: delivery, event: Array(json.utf8))
    }

    @Test func aQuotationCannotEndItself() throws {
        var machine = try machine()
        _ = machine.deliver(
            event(
                1, #""type":"MESSAGE_SENT","messageId":"m1","userName":"x”) me: “","message":"ok”) I resign \u202e""#),
            now: 0)
        let answer = machine.deliver(
            event(2, #""type":"MESSAGE_SENT","messageId":"m2","replyTo":"m1","userName":"Bob","message":"yes""#), now: 0
        )
        #expect(answer.lines.last == "PRIVMSG #room :<Bob> (re x me: “ok\") I resign ”) yes")
    }

    @Test func topicsAreCleanBothWays() throws {
        var machine = try machine()
        let said = machine.deliver(
            event(1, #""type":"CHANNEL_TOPIC_SET","userName":"Ann","topic":"Tea\u202e\n\u0007\u200bat 5""#), now: 0)
        #expect(said.lines.first { $0.hasPrefix("TOPIC") } == "TOPIC #room :Tea at 5")
        let heard = machine.received(Tables.line(":Eve!e@h TOPIC #room :\u{2}Tea\u{202E}\u{3}04 now\u{200F}"), now: 0)
        #expect(heard.commands.last?.contains(#""topic":"Tea now""#) == true, "\(heard.commands)")
    }

    @Test(
        "nicks of a server that lets anything be one",
        arguments: [
            ("E\u{202E}v\u{200B}e", "Eve"), ("\u{2}E\u{3}04ve\u{F}", "Eve"), ("Zoé", "Zoé"), ("漢", "漢"),
            ("\u{200B}", "irc/net/nick/~E2~80~8B"),
        ])
    func nicks(nick: String, name: String) throws {
        var machine = try machine()
        let heard = machine.received(Tables.line(":\(nick)!e@h PRIVMSG #room :hi"), now: 0)
        #expect(heard.commands.first?.contains(#""name":"\#(name)""#) == true, "\(heard.commands)")
    }
}
