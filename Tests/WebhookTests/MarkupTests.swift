import ChatMarkdown
import JSONBytes
import Testing

@testable import Webhook

/// The chat's text in each service's markup: what is typed, and the exact text that is posted.
@Suite struct MarkupTests {
    private static func written(_ preset: ChatPreset, _ said: String) throws -> String {
        let line = ChatLine(author: "A", channel: "c", what: .said(said))
        let body = try JSON(parsing: preset.body(of: line, namesChannel: false))
        var text = try #require((body["text"] ?? body["content"])?.string)
        for head in ["*A*: ", "**A**: "] where text.hasPrefix(head) { text.removeFirst(head.count) }
        return text
    }

    /// `·` stands for a space without width, `¬` for a soft hyphen. By code point, as either may combine with a sign.
    private static func shown(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0 == "\u{200B}" ? "·" : $0 == "\u{AD}" ? "¬" : $0 }))
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var typed: String
        var slack: String
        var discord: String
        var mattermost: String

        init(_ typed: String, _ slack: String, _ discord: String, _ mattermost: String) {
            (self.typed, self.slack, self.discord, self.mattermost) = (typed, slack, discord, mattermost)
        }

        /// The same for Discord and Mattermost.
        init(_ typed: String, _ slack: String, _ others: String) { self.init(typed, slack, others, others) }

        /// The same for all.
        init(_ typed: String) { self.init(typed, typed, typed) }

        var testDescription: String { typed }
    }

    @Test(arguments: styles) func stylesAreTheServices(row: Row) throws { try check(row) }
    @Test(arguments: literals) func signsThatMeanNothingAreShown(row: Row) throws { try check(row) }
    @Test(arguments: code) func codeStaysAsItIs(row: Row) throws { try check(row) }
    @Test(arguments: urls) func urlsStayAsTheyAre(row: Row) throws { try check(row) }
    @Test(arguments: lines) func linesAreNoBlocks(row: Row) throws { try check(row) }

    private func check(_ row: Row) throws {
        for (preset, wanted) in [
            (ChatPreset.slack, row.slack), (.discord, row.discord), (.mattermost, row.mattermost),
        ] {
            let text = Self.shown(try Self.written(preset, row.typed))
            #expect(text == wanted, "\(preset)")
        }
    }

    private static let styles: [Row] = [
        Row("plain text"), Row("**bold**", "*bold*", "**bold**"), Row("*it*", "_it_", "_it_"),
        Row("_it_", "_it_", "_it_"), Row("__under__", "_under_", "__under__", "_under_"),
        Row("~~gone~~", "~gone~", "~~gone~~"), Row("***both***", "*_both_*", "**_both_**"),
        Row("**b *i* b**", "*b _i_ b*", "**b _i_ b**"), Row("*i **b** i*", "_i *b* i_", "_i **b** i_"),
        Row("**a *b** c*", "*a _b_* _c_", "**a _b_** _c_"), Row("a**b**c", "a·*b*·c", "a**b**c"),
        Row("a*b*c", "a·_b_·c", "a*b*c"), Row("(**b**), *i*.", "(*b*), _i_.", "(**b**), _i_."),
        Row("**a**_b_", "*a*·_b_", "**a**_b_", "**a**·*b*"), Row("**a\nb**", "*a*\n*b*", "**a**\n**b**"),
        Row("**open", "**open", "\\*\\*open"), Row("~~a *b~~", "~a *b~", "~~a \\*b~~"),
        Row("__*x*__", "_x_", "__*x*__", "_x_"), Row("**snake_case**", "*snake_case*", "**snake_case**"),
        Row("**a \\* b**", "*a *¬ b*", "**a \\* b**"), Row("**2\\* x**", "*2*¬ x*", "**2\\* x**"),
        Row("*a\\_ b*", "_a_¬ b_", "_a\\_ b_", "_a\\_· b_"), Row("~~a\\~~~", "~a~¬~", "a\\~", "a\\~"),
    ]

    private static let literals: [Row] = [
        Row("snake\\_case\\_name \\_x\\_ 2\\*3\\*4", "snake_case_name ¬_x_ 2*3*4", "snake_case_name \\_x\\_ 2\\*3\\*4"),
        Row("snake_case_name"), Row("2 * 3 * 4"), Row("2*3", "2*3", "2\\*3"), Row("\\*x\\*", "¬*x*", "\\*x\\*"),
        Row("a * b *"), Row("\\`x\\`", "¬`x`", "\\`x\\`"), Row("~/.config"),
        Row("~~ x", "~~ x", "\\~\\~ x"), Row("¯\\\\\\_(ツ)\\_/¯", "¯\\¬_(ツ)_/¯", "¯\\\\\\_(ツ)\\_/¯"),
        Row("c:\\temp", "c:\\temp", "c:\\\\temp", "c:\\temp"),
        Row("a & b < c > d", "a &amp; b &lt; c &gt; d", "a & b < c > d"),
        Row("&lt;", "&amp;lt;", "&lt;", "&·lt;"), Row("@all @here", "@all @here", "@all @here", "@·all @·here"),
        Row(
            "<@1> <@!1> <@&1> <#1>", "&lt;@1&gt; &lt;@!1&gt; &lt;@&amp;1&gt; &lt;#1&gt;",
            "\\<@1> \\<@!1> \\<@&1> \\<#1>", "<@·1> <@·!1> <@·&1> <#1>"),
        Row(
            "<t:1:R> <a:x:1> </x:1> <:x:1>", "&lt;t:1:R&gt; &lt;a:x:1&gt; &lt;/x:1&gt; &lt;:x:1&gt;",
            "\\<t:1:R> \\<a:x:1> \\</x:1> \\<:x:1>", "<t:1:R> <a:x:1> </x:1> <:x:1>"),
        Row(
            "a <3 b <#x> <@> </b> <:)", "a &lt;3 b &lt;#x&gt; &lt;@&gt; &lt;/b&gt; &lt;:)", "a <3 b <#x> <@> </b> <:)",
            "a <3 b <#x> <@·> </b> <:)"),
        Row(
            "~town-square ~2024-plans a~b ~5", "~town-square ~2024-plans a~b ~5", "~town-square ~2024-plans a~b ~5",
            "~·town-square ~·2024-plans a~b ~5"),
        Row("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;", "<!channel> <@U1>", "<·!channel> <@·U1>"),
        Row("||x||", "||x||", "\\|\\|x\\|\\|", "||x||"), Row("a | b"),
        Row("**@all**", "*@all*", "**@all**", "**@·all**"), Row("a\u{7}b\u{1B}[31m\u{9D}c", "ab[31mc", "ab[31mc"),
        Row(":tada: #1 $5"), Row("[x] (y)"), Row("__init__.py", "_init_.py", "__init__.py", "_init_.py"),
    ]

    private static let code: [Row] = [
        Row("`a*b*_c_`"), Row("`<b> & c`", "`&lt;b&gt; &amp; c`", "`<b> & c`"), Row("x`y`z", "x·`y`·z", "x`y`z"),
        Row("``a`b``", "a`b", "``a`b``"), Row("`@all`", "`@all`", "`@all`", "`@·all`"), Row("`~dev`"),
        Row("**`x`**", "*`x`*", "**`x`**"), Row("**`x*`**", "`x*`", "`x*`"), Row("`open", "`open", "\\`open"),
        Row("`` ` ``", "`", "`` ` ``"), Row("`a\nb`", "`a`\n`b`", "`a`\n`b`"),
        Row("```x```", "`x`", "`x`"),
        Row("```a`b``c```", "a`b``c", "a\\`b\\`\\`c", "```a`b``c```"),
        Row(
            "see\n```swift\nlet a = *b* & 1\n```\nok", "see\n```\nlet a = *b* &amp; 1\n```\nok",
            "see\n```swift\nlet a = *b* & 1\n```\nok"),
        Row(
            "y\n````\n```\nx\n```\n````", "y\n```\n``·`\nx\n``·`\n```", "y\n```\n``·`\nx\n``·`\n```",
            "y\n````\n```\nx\n```\n````"),
        Row("a ```\nx\n``` b", "a \n```\nx\n```\n b", "a \n```\nx\n```\n b"),
        Row("```\nx", "¬`¬`¬`\nx", "\\`\\`\\`\nx"),
    ]

    private static let urls: [Row] = [
        Row("https://e.org/a"), Row("https://social.test/@ann/1"),
        Row(
            "https://en.wiki.test/wiki/M*A*S*H_(series)", "<https://en.wiki.test/wiki/M*A*S*H_(series)>",
            "https://en.wiki.test/wiki/M*A*S*H_(series)"),
        Row("https://e.org/?a=1&b=2", "https://e.org/?a=1&amp;b=2", "https://e.org/?a=1&b=2"),
        Row("_https://e.org/a_", "_https://e.org/a_", "_https://e.org/a_"),
        Row("**https://e.org/a_b_c**", "<https://e.org/a_b_c>", "https://e.org/a_b_c"),
        Row("**see https://e.org/a**", "*see https://e.org/a*", "**see https://e.org/a**"),
        Row("https://e.org/a_", "<https://e.org/a_>", "https://e.org/a_"),
        Row("[docs](https://e.org/a)", "[docs](https://e.org/a)", "[docs]·(https://e.org/a)"),
        Row("https://@all", "https://@all", "https://@all", "https://@·all"),
        Row("x://e.org/@all", "x://e.org/@all", "x://e.org/@all", "x://e.org/@·all"),
        Row("https://e.org/a)\\*b\\*", "https://e.org/a)¬*b*", "https://e.org/a)*b*", "https://e.org/a)\\*b\\*"),
        Row("éhttps://e.org/*x*", "éhttps://e.org/x", "éhttps://e.org/x"),
        Row("key:a\\*b\\* c", "key:a*b* c", "key:a\\*b\\* c", "key:·a\\*b\\* c"), Row("key:a b"),
        Row("ssh://h/_a_", "ssh://h/¬_a_", "ssh://h/_a_"),
        Row("<https://e.org>", "&lt;https://e.org&gt;", "<https://e.org>"),
        Row("ann@e.org", "ann@e.org", "ann@e.org", "ann@·e.org"),
    ]

    private static let lines: [Row] = [
        Row("x\n# head", "x\n# head", "x\n\\# head"), Row("x\n#1 is it"),
        Row("x\n- item\n* item\n+ item", "x\n- item\n* item\n+ item", "x\n\\- item\n\\* item\n\\+ item"),
        Row("x\n2. two\n  10. ten", "x\n2. two\n  10. ten", "x\n2\\. two\n  10\\. ten"), Row("x\n1.5 l"),
        Row("x\n> quote *it*\ny", "x\n&gt; quote _it_\ny", "x\n> quote _it_\ny", "x\n> quote _it_\n\ny"),
        Row("x\n>no", "x\n¬&gt;no", "x\n\\>no"), Row("x\n>>> all", "x\n¬&gt;&gt;&gt; all", "x\n\\>>> all"),
        Row("x\n> # head", "x\n&gt; # head", "x\n> \\# head"),
        Row("x\n-# small", "x\n-# small", "x\n\\-# small", "x\n-# small"),
        Row("x\n---", "x\n---", "x\n---", "x\n·---"), Row("x\n===", "x\n===", "x\n===", "x\n·==="),
        Row("a | b\n--|--", "a | b\n--|--", "a | b\n--|--", "a | b\n·--|--"),
        Row("x\n\n    code", "x\n\n    code", "x\n\n    code", "x\n\n·    code"),
        Row("x\n***", "x\n¬***", "x\n\\*\\*\\*"), Row("a\r\nb\rc", "a\nb\nc", "a\nb\nc"), Row("a\n\n\nb"),
    ]

    /// At the beginning of Discord's text nothing stands before the message.
    @Test(arguments: [
        ("# head", "\\# head"), ("- item", "\\- item"), ("> quote", "> quote"), ("1. x", "1\\. x"), ("-# x", "\\-# x"),
    ])
    func theFirstLineMayBeABlock(typed: String, wanted: String) throws {
        #expect(try Self.written(.discord, typed) == wanted)
        // Behind the author's name it is none.
        #expect(try Self.written(.mattermost, typed) == typed)
    }

    @Test(arguments: [
        (ChatPreset.slack, "*A* _waves *now*_\n_ok_"), (.discord, "_waves **now**_\n_ok_"),
        (.mattermost, "**A** _waves **now**_\n_ok_"),
    ])
    func actionsAreItalic(preset: ChatPreset, wanted: String) throws {
        let line = ChatLine(author: "A", channel: "c", what: .did("waves **now**\nok"))
        let body = try JSON(parsing: preset.body(of: line, namesChannel: false))
        #expect((body["text"] ?? body["content"])?.string == wanted)
    }

    /// Topics, names and ids of channels are no Markdown.
    @Test(arguments: [
        (ChatPreset.slack, "*¬_a_* set the topic of #dev_ops_: ¬*x* <https://e.org/_a_>"),
        (.discord, "set the topic of #dev_ops\\_: \\*x\\* https://e.org/_a_"),
        (.mattermost, "**\\_a\\_** set the topic of #dev_ops\\_: \\*x\\* https://e.org/_a_"),
    ])
    func whatIsNoMarkdownIsShownAsItIs(preset: ChatPreset, wanted: String) throws {
        let line = ChatLine(author: "_a_", channel: "dev_ops_", what: .setTopic("*x* https://e.org/_a_"))
        let body = try JSON(parsing: preset.body(of: line, namesChannel: false))
        #expect(Self.shown((body["text"] ?? body["content"])?.string ?? "") == wanted)
    }

    // MARK: Cuts

    private static let limits: [(ChatPreset, Int)] = [(.slack, 40_000), (.discord, 2000), (.mattermost, 16_383)]

    private static func count(_ text: String, _ preset: ChatPreset) -> Int {
        preset == .mattermost ? text.unicodeScalars.count : text.utf16.count
    }

    /// A cut comes before the marks that close, and within no mark, escape, URL or character.
    @Test(
        arguments: limits,
        ["**bold** ", "\\*x\\*", "https://e.org/a_b_(c) ", "`code` ", "&<>", "👩‍👩‍👧‍👦", "*a **b** c* "])
    func aLongTextIsCutBetweenMarks(_ limited: (ChatPreset, Int), part: String) throws {
        let (preset, limit) = limited
        for offset in 0..<(preset == .discord ? 9 : 1) {
            let typed = String(repeating: "x", count: offset) + " " + String(repeating: part, count: limit / 2)
            let text = try Self.written(preset, typed)
            #expect(Self.count(text, preset) <= limit && Self.count(text, preset) > limit - 60)
            #expect(["…", "…*", "…_", "…**", "…**_", "…*_"].contains { text.hasSuffix($0) }, "\(text.suffix(20))")
            let cut = text[..<(text.lastIndex(of: "…") ?? text.endIndex)]
            // Discord has no entities.
            let halves = preset == .discord ? ["\\"] : ["\\", "&", "&l", "&lt", "&g", "&a", "&am"]
            #expect(!halves.contains { cut.hasSuffix($0) }, "\(cut.suffix(20))")
            #expect(cut.unicodeScalars.last != "\u{200D}")
            guard preset == .discord else { continue }
            // What is seen is the beginning of what was typed.
            let seen = ServiceReader.visible(ServiceReader.discord(text))
            #expect(ServiceReader.visible(StyledText(markdown: typed).plain).hasPrefix(seen.dropLast()))
        }
    }

    @Test(arguments: limits) func aBlockThatIsCutIsClosed(_ preset: ChatPreset, _ limit: Int) throws {
        let text = try Self.written(preset, "```swift\n" + String(repeating: "let a\n", count: limit) + "```")
        #expect(Self.count(text, preset) <= limit && Self.count(text, preset) > limit - 10)
        #expect(text.hasSuffix("…\n```"), "\(text.suffix(9))")
    }

    @Test(arguments: limits) func aURLThatDoesNotFitIsLeftOut(_ preset: ChatPreset, _ limit: Int) throws {
        #expect(try Self.written(preset, "see https://e.org/" + String(repeating: "a", count: limit)) == "see …")
    }

    @Test(arguments: ChatPreset.allCases) func writingIsLinear(_ preset: ChatPreset) throws {
        // Quadratic writers need minutes for these.
        for part in ["*", "_", "~~", "`", "*a ", "**a** ", " ", "- ", "&#", "<|>", "\\", "@", "#", "> ", "www.a "] {
            let typed = String(repeating: part, count: 16_384 / part.utf8.count)
            #expect(try Self.written(preset, typed).utf8.count < 200_000)
        }
    }

    // MARK: By the services' own rules

    private static func read(_ preset: ChatPreset, _ text: String) -> String {
        switch preset {
        case .slack: ServiceReader.slack(text)
        case .discord: ServiceReader.discord(text)
        case .mattermost: ServiceReader.mattermost(text)
        }
    }

    private static let alphabet = [
        "a", "bc", "snake_case", " ", " ", " ", "\n", "*", "**", "_", "__", "~~", "~", "`", "``", "\n```\n", "\\",
        "\\*",
        "\\_", "> ", "\n> ", "\n# ", "\n- ", "\n1. ", "|", "||", "&", "&amp;", "&#64;", "@", "@all", "<!here>", "< ",
        ">",
        " https://e.org/a_b_(c) ", " (https://e.org/*x*) ", "é", "漢", "[x]", "(y)", "\n---", "=", ":", "1", "\n    ",
        "!",
        "'", "\"", ".", "😀", "-", "#",
    ]

    /// What people see is what was typed: the marks of the chat are gone, and everything else is there.
    /// To run a failure again, put its seed in the place of the random one.
    @Test(arguments: ChatPreset.allCases, [1, 2, UInt64.random(in: 0...UInt64.max)])
    func whatIsSeenIsWhatWasTyped(preset: ChatPreset, seed: UInt64) throws {
        var state = seed
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        var failures = 0
        for _ in 0..<80 where failures < 5 {
            let typed = "x " + (0...random(14)).map { _ in Self.alphabet[random(Self.alphabet.count)] }.joined()
            let text = try Self.written(preset, typed)
            // A bar that would make a link in Mattermost is written as one that looks like it.
            let seen = ServiceReader.visible(Self.read(preset, text)).replacing("|", with: "│")
            let wanted = ServiceReader.visible(StyledText(markdown: typed).plain).replacing("|", with: "│")
            if seen != wanted { failures += 1 }
            #expect(seen == wanted, "seed \(seed): \(typed.debugDescription) as \(Self.shown(text).debugDescription)")
        }
    }
}
