import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// What chat services are told of events.
@Suite struct ChatPresetTests {
    private static func event(_ type: String, _ more: String = "") -> String {
        #"{"eventId":"e1","timestamp":1795459389123,"type":"\#(type)","userId":"ann","userName":"Ann","#
            + #""channelId":"general"\#(more.isEmpty ? "" : "," + more)}"#
    }

    private static func body(_ event: String, _ preset: ChatPreset, namesChannel: Bool = false) throws -> JSON? {
        let object = try JSONObject(parsing: Array(event.utf8))
        let content = try BodyFormat.chat(preset, namesChannel: namesChannel).content(of: object)
        return try content.map { try JSON(parsing: $0.body) }
    }

    @Test(arguments: [
        (
            "MESSAGE_SENT", #""message":"Hi <you> & me""#, "*Ann*: Hi &lt;you&gt; &amp; me",
            "*Ann* (#general): Hi &lt;you&gt; &amp; me"
        ),
        ("MESSAGE_SENT", #""message":"waves","kind":"action""#, "*Ann* _waves_", "*Ann* (#general) _waves_"),
        (
            "MESSAGE_EDITED", #""message":"new""#, "*Ann* edited a message: new",
            "*Ann* edited a message in #general: new"
        ),
        ("MESSAGE_DELETED", "", "*Ann* deleted a message", "*Ann* deleted a message in #general"),
        ("USER_JOINED_CHANNEL", "", "*Ann* joined #general", "*Ann* joined #general"),
        ("USER_LEFT_CHANNEL", "", "*Ann* left #general", "*Ann* left #general"),
        (
            "CHANNEL_TOPIC_SET", #""topic":"Tea""#, "*Ann* set the topic of #general: Tea",
            "*Ann* set the topic of #general: Tea"
        ),
        (
            "CHANNEL_TOPIC_SET", #""topic":"""#, "*Ann* took away the topic of #general",
            "*Ann* took away the topic of #general"
        ),
        ("CHANNEL_CREATED", "", "*Ann* created #general", "*Ann* created #general"),
        ("CHANNEL_DESTROYED", "", "*Ann* closed #general", "*Ann* closed #general"),
    ])
    func slackIsToldInWords(type: String, more: String, alone: String, among: String) throws {
        let event = Self.event(type, more)
        #expect(try Self.body(event, .slack) == .object([.init("text", .string(alone))]))
        #expect(try Self.body(event, .slack, namesChannel: true)?["text"]?.string == among)
    }

    @Test(arguments: ChatPreset.allCases, ["USER_REGISTERED", "USER_RENAMED", "SOMETHING_NEW"])
    func ofOtherEventsNothingIsSaid(preset: ChatPreset, type: String) throws {
        #expect(
            try Self.body(#"{"eventId":"e1","timestamp":1,"type":"\#(type)","userId":"ann","name":"Ann"}"#, preset)
                == nil)
    }

    @Test func slackIsNotMadeToCallEverybody() throws {
        let text = try Self.body(Self.event("MESSAGE_SENT", #""message":"<!channel> <@U1>""#), .slack)?["text"]?.string
        #expect(text == "*Ann*: &lt;!channel&gt; &lt;@U1&gt;")
    }

    @Test func mattermostIsNotMadeToCallEverybody() throws {
        let event = Self.event("MESSAGE_SENT", #""message":"@all @channel a@b.example""#)
        let text = try Self.body(event, .mattermost)?["text"]?.string
        #expect(text == "**Ann**: @\u{200B}all @\u{200B}channel a@\u{200B}b.example")
    }

    @Test func discordShowsTheNameByItself() throws {
        let said = try #require(try Self.body(Self.event("MESSAGE_SENT", #""message":"@everyone Hi""#), .discord))
        #expect(said["content"]?.string == "@everyone Hi")
        #expect(said["username"]?.string == "Ann")
        #expect(said["allowed_mentions"]?["parse"] == .array([]))
        let among = try Self.body(Self.event("MESSAGE_SENT", #""message":"Hi""#), .discord, namesChannel: true)
        #expect(among?["content"]?.string == "(#general) Hi")
        let left = try Self.body(Self.event("USER_LEFT_CHANNEL"), .discord)
        #expect(left?["content"]?.string == "left #general")
    }

    @Test(
        arguments: [
            ("Ann", "Ann"), ("Discord fan", nil), ("CLYDE", nil), ("here", nil), ("hereby", "hereby"), (" ", nil),
            (String(repeating: "a", count: 81), String(repeating: "a", count: 79) + "…"),
            (String(repeating: "😀", count: 40), String(repeating: "😀", count: 40)),
            (String(repeating: "😀", count: 41), String(repeating: "😀", count: 39) + "…"),
        ] as [(String, String?)])
    func discordTakesSomeNamesOnly(name: String, username: String?) throws {
        #expect(ChatPreset.username(name) == username)
    }

    @Test func aNameThatDiscordRefusesStandsInTheText() throws {
        let line = ChatLine(author: "*Clyde*", channel: "general", what: .said("Hi"))
        let json = try JSON(parsing: ChatPreset.discord.body(of: line, namesChannel: false))
        #expect(json["username"] == nil)
        #expect(json["content"]?.string == #"**\*Clyde\***: Hi"#)
    }

    /// A message whose text was erased from the log is nothing that people see.
    @Test(arguments: [(#","erased":true"#, false), ("", true)])
    func anErasedMessageIsNoLine(_ row: (member: String, isLine: Bool)) throws {
        for type in ["MESSAGE_SENT", "MESSAGE_EDITED"] {
            let event = #"{"type":"\#(type)","channelId":"general","userId":"ann","message":""\#(row.member)}"#
            #expect((ChatLine(try JSONObject(parsing: Array(event.utf8))) != nil) == row.isLine)
        }
    }

    // MARK: Lengths

    @Test(arguments: [(ChatPreset.slack, 40_000), (.discord, 2000)], ["a", "ä", "😀", "&", "👩‍👩‍👧‍👦"])
    func aLongTextIsCutAtACharacterWithAMark(_ limited: (preset: ChatPreset, limit: Int), character: String) throws {
        let line = ChatLine(
            author: "Ann", channel: "general", what: .said(String(repeating: character, count: 50_000)))
        let json = try JSON(parsing: limited.preset.body(of: line, namesChannel: true))
        let text = try #require((json["text"] ?? json["content"])?.string)
        let piece = limited.preset == .slack && character == "&" ? "&amp;" : character
        #expect(text.utf16.count <= limited.limit)
        #expect(text.utf16.count > limited.limit - piece.utf16.count)
        #expect(text.hasSuffix(piece + "…"))
        #expect(!text.contains("\u{FFFD}"))
    }

    @Test func mattermostCountsRunes() throws {
        func text(_ count: Int) throws -> String {
            let line = ChatLine(author: "A", channel: "c", what: .said(String(repeating: "😀", count: count)))
            return try JSON(parsing: ChatPreset.mattermost.body(of: line, namesChannel: false))["text"]?.string ?? ""
        }
        // "**A**: " are seven.
        #expect(try text(16_376).unicodeScalars.count == 16_383)
        #expect(try text(16_376).hasSuffix("😀"))
        #expect(try text(16_377).unicodeScalars.count == 16_383)
        #expect(try text(16_377).hasSuffix("😀…"))
    }

    @Test(arguments: [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abc", 1, "…"), ("", 0, ""), ("a👩‍👩‍👧‍👦b", 5, "a…"),
        ("e\u{301}e\u{301}", 3, "e\u{301}…"),
    ])
    func aTextIsCutWhereItFits(text: String, limit: Int, cut: String) {
        #expect(ChatText(limit: limit, unit: .utf16) { String($0) }.fit("", text) == cut)
    }

    @Test func whatStandsAroundATextIsKept() {
        #expect(ChatText(limit: 6, unit: .runes) { String($0) }.fit("_", "abcdef", "_") == "_abc…_")
    }

    // MARK: As a process

    @Test(arguments: ChatPreset.allCases) func aServiceGetsItsOwnWords(preset: ChatPreset) async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            .object([
                .init("name", .string("chat")), .init("url", .string(receiver.url("/in"))),
                .init("allow_private", .bool(true)), .init("body", .string(preset.rawValue)),
                .init("channels", .array([.string("general")])),
            ])
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "chat", event: Self.event("USER_REGISTERED"))
        try await webhook.deliver(2, to: "chat", event: Self.event("MESSAGE_SENT", #""message":"häß \u2028😀""#))
        try await webhook.acks([1, 2])
        let request = try await receiver.request()
        let json = try JSON(parsing: Array(request.body.utf8))
        let expected: [ChatPreset: String] = [
            .slack: "*Ann*: häß \u{2028}😀", .mattermost: "**Ann**: häß \u{2028}😀", .discord: "häß \u{2028}😀",
        ]
        #expect((json["text"] ?? json["content"])?.string == expected[preset])
        #expect(request.id == "e1")
        // No key was given, and none is needed.
        #expect(request.headers["webhook-signature"] == nil)
        #expect(request.headers["content-type"]?.string == "application/json")
        #expect(try receiver.unread().isEmpty)
    }
}
