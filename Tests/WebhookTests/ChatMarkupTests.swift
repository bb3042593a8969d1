import JSONBytes
import Testing

@testable import Webhook

/// What is escaped for each chat service, and why: the tables of docs/webhook.md.
@Suite struct ChatMarkupTests {
    private static func text(_ preset: ChatPreset, name: String = "Ann", _ said: String, id: String = "u1") throws
        -> String
    {
        var json = JSONWriter()
        json.beginObject()
        json.member("eventId", "e1")
        json.member("type", "MESSAGE_SENT")
        json.member("userId", id)
        json.member("userName", name)
        json.member("channelId", "general")
        json.member("message", said)
        json.endObject()
        let event = try JSONObject(parsing: json.bytes)
        let content = try #require(try BodyFormat.chat(preset, namesChannel: false).content(of: event))
        let body = try JSON(parsing: content.body)
        return try #require((body["text"] ?? body["content"])?.string)
    }

    /// By code point, as a mark behind `·` makes another character of it.
    private static func parted(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "·" ? "\u{200B}" : $0 }))
    }

    private static func isSame(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

    /// What an older version took, and a target would refuse again and again.
    @Test(arguments: ChatPreset.allCases) func aNULIsReplaced(_ preset: ChatPreset) throws {
        let text = try Self.text(preset, name: "A\u{0}nn", "a\u{0}b\u{FFFF}")
        #expect(text.hasSuffix("a\u{FFFD}b\u{FFFF}") && !text.utf8.contains(0), "\(text)")
    }

    /// `·` stands for U+200B.
    @Test(
        "Mattermost",
        arguments: [
            ("@all @channel", "@·all @·channel"), ("\u{600}@channel", "\u{600}@·channel"),
            ("@\u{301}all", "@·\u{301}all"),
            ("\\@all", "\\@·all"), ("a@b.example", "a@·b.example"), ("``@all``", "``@·all``"),
            ("&#64;channel", "&·#64;channel"), ("&#x40;channel", "&·#x40;channel"), ("&#64channel", "&·#64channel"),
            ("&commat;channel", "&·commat;channel"), ("&amp;#64;channel", "&·amp;#64;channel"),
            ("\u{600}&#64;all", "\u{600}&·#64;all"), ("a & b; c&d", "a & b; c&d"),
            ("https://x.example/?a=1&b=2#c", "https://x.example/?a=1&b=2#c"),
            ("<!channel> <!here>", "<·!channel> <·!here>"), ("<@u1>", "<@·u1>"),
            ("[https://bank.example](https://evil.example)", "[https://bank.example]·(https://evil.example)"),
            ("![x](https://evil.example/i.png)", "![x]·(https://evil.example/i.png)"),
            ("[bank]\n\n[bank]: https://evil.example", "[bank]\n\n[bank]·: https://evil.example"),
            ("[a][b]\n> [b]: https://evil.example", "[a][b]\n> [b]·: https://evil.example"),
            ("]\u{301}(x)", "]\u{301}(x)"),
            ("<https://evil.example|https://bank.example>", "<https://evil.example│https://bank.example>"),
            ("<a\nb|c>d|e>", "<a\nb│c>d|e>"), ("| a | b |", "| a | b |"), ("a < b", "a < b"),
            ("**bold** `code` _it_ [x] (y)", "**bold** `code` _it_ [x] (y)"),
        ])
    func mattermost(said: String, text: String) throws {
        let expected = "**Ann**: " + Self.parted(text)
        let got = try Self.text(.mattermost, said)
        #expect(Self.isSame(got, expected), "\(got)")
    }

    @Test(
        "Slack",
        arguments: [
            ("<!channel> <@U1> <#C1>", "&lt;!channel&gt; &lt;@U1&gt; &lt;#C1&gt;"),
            ("&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"),
            ("<https://evil.example|bank>", "&lt;https://evil.example|bank&gt;"),
            ("\u{600}<!all>\u{338}", "\u{600}&lt;!all&gt;\u{338}"),
            ("[bank](https://evil.example)", "[bank](https://evil.example)"),
            ("@channel *b* `c`", "@channel _b_ `c`"),
        ])
    func slack(said: String, text: String) throws {
        let got = try Self.text(.slack, said)
        #expect(Self.isSame(got, "*Ann*: " + text), "\(got)")
    }

    @Test(
        "Discord",
        arguments: [
            ("@everyone <@1>", "@everyone \\<@1>"),
            ("[https://bank.example](https://evil.example)", "[https://bank.example]·(https://evil.example)"),
            ("[x](<https://evil.example>)", "[x]·(<https://evil.example>)"), ("**b** a[1] (x)", "**b** a[1] (x)"),
        ])
    func discord(said: String, text: String) throws {
        let got = try Self.text(.discord, said)
        #expect(Self.isSame(got, Self.parted(text)), "\(got)")
    }

    @Test(
        "names",
        arguments: [
            // name, Slack, Mattermost, Discord's username
            ("Ann", "*Ann*", "**Ann**", "Ann"), ("@channel", "*@channel*", "**@·channel**", "@channel"),
            ("&#64;channel", "*&amp;#64;channel*", "**&·\\#64;channel**", "&#64;channel"),
            ("\u{600}@all", "*@all*", "**@·all**", "@all"),
            ("<!channel>", "*&lt;!channel&gt;*", "**\\!channel**", "<!channel>"),
            ("Ann*: I resign *Bob", "*Ann I resign Bob*", "**Ann\\* I resign \\*Bob**", "Ann*: I resign *Bob"),
            (
                "Ann: :white_check_mark:", "*Ann white_check_mark*", "**Ann white\\_check\\_mark**",
                "Ann: :white_check_mark:"
            ),
            (
                "[x](https://e.example)", "*[x](https//e.example)*", "**\\[x\\]\\(https//e.example\\)**",
                "[x](https://e.example)"
            ),
            ("*\u{301}x", "*x*", "**\\*\u{301}x**", "*\u{301}x"),
            ("A\u{202E}n\u{200B}n\n\u{7}", "*Ann*", "**Ann**", "Ann"),
            // Nothing is left: the id.
            ("\u{202E}\u{200B}", "*u1*", "**u1**", "u1"), ("**", "*u1*", "**\\*\\***", "**"),
        ])
    func names(name: String, slack: String, mattermost: String, discord: String) throws {
        let inSlack = try Self.text(.slack, name: name, "x")
        #expect(Self.isSame(inSlack, slack + ": x"), "\(inSlack)")
        let inMattermost = try Self.text(.mattermost, name: name, "x")
        #expect(Self.isSame(inMattermost, Self.parted(mattermost) + ": x"), "\(inMattermost)")
        let line = try #require(
            ChatLine(
                try JSONObject(
                    parsing: JSON.object([
                        .init("type", .string("MESSAGE_SENT")), .init("userId", .string("u1")),
                        .init("userName", .string(name)), .init("channelId", .string("general")),
                        .init("message", .string("x")),
                    ]).bytes)))
        let body = try JSON(parsing: ChatPreset.discord.body(of: line, namesChannel: false))
        #expect(Self.isSame(body["username"]?.string ?? "", discord), "\(body)")
        #expect(body["allowed_mentions"]?["parse"] == .array([]))
    }

    @Test(arguments: ChatPreset.allCases) func topicsAreOnOneCleanLine(_ preset: ChatPreset) throws {
        let event = try JSONObject(
            parsing: Array(
                #"{"type":"CHANNEL_TOPIC_SET","userId":"ann","channelId":"general","topic":"Tea\u202e\n\u0007at 5"}"#
                    .utf8))
        let content = try #require(try BodyFormat.chat(preset, namesChannel: false).content(of: event))
        #expect(String(decoding: content.body, as: UTF8.self).contains("set the topic of #general: Tea at 5\""))
    }

    @Test(
        "templates",
        arguments: [
            ("\"{{userName}}\"", #""Ann""#), ("\"{{topic}}\"", #""Tea at 5""#), ("\"{{meta.username}}\"", #""CI""#),
            ("\"{{channelName}}\"", #""A b""#), ("\"{{message}}\"", "\"a\u{202E}b\""),
            ("\"{{{userName}}}\"", "\"A\u{202E}nn\""), ("\"{{#meta}}{{username}}{{/meta}}\"", #""CI""#),
        ])
    func templates(template: String, body: String) throws {
        let event =
            #"{"eventId":"e1","userName":"A\u202enn","topic":"Tea\n\u200eat 5","channelName":"A\nb","#
            + #""message":"a\u202eb","meta":{"username":"C\u200bI"}}"#
        #expect(String(decoding: try Template(template).render(Array(event.utf8)), as: UTF8.self) == body)
    }

    /// What programs read is never changed.
    @Test func jsonStaysExact() throws {
        let event = try JSONObject(
            parsing: Array("{\"eventId\":\"e1\",\"userName\":\"A\u{202E}n\",\"message\":\"@all\"}".utf8))
        #expect(try BodyFormat.event.content(of: event)?.body == event.bytes)
    }
}
