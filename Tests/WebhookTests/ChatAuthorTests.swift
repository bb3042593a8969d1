import JSONBytes
import Testing

@testable import Webhook

/// Who speaks in a chat service, and what its texts can hold.
@Suite struct ChatAuthorTests {
    private static func body(_ event: String, _ preset: ChatPreset) throws -> JSON {
        let object = try JSONObject(parsing: Array(event.utf8))
        let content = try #require(try BodyFormat.chat(preset, namesChannel: false).content(of: object))
        return try JSON(parsing: content.body)
    }

    private static let hook = #""userId":"incoming/ci","userName":"incoming/ci""#

    /// A hook speaks under the name that it gives, cleaned as any name; nobody else can give one.
    @Test(arguments: [
        (hook, #"{"username":"main #7"}"#, "*main #7*: hi", "main #7", "**main \\#7**: hi"),
        (hook, #"{"username":"a*:\u202e\n b"}"#, "*a b*: hi", "a*: b", "**a\\* b**: hi"),
        (hook, "{}", "*incoming/ci*: hi", "incoming/ci", "**incoming/ci**: hi"),
        (hook, #"{"username":"\u200b"}"#, "*incoming/ci*: hi", "incoming/ci", "**incoming/ci**: hi"),
        (hook, #"{"username":7}"#, "*incoming/ci*: hi", "incoming/ci", "**incoming/ci**: hi"),
        (#""userId":"ann","userName":"Ann""#, #"{"username":"Bob"}"#, "*Ann*: hi", "Ann", "**Ann**: hi"),
        (#""userId":"x/incoming/ci","userName":"X""#, #"{"username":"Bob"}"#, "*X*: hi", "X", "**X**: hi"),
    ])
    func theNameThatAHookGives(who: String, meta: String, slack: String, discord: String, mattermost: String) throws {
        let event =
            #"{"eventId":"e1","timestamp":1,"type":"MESSAGE_SENT",\#(who),"channelId":"general","message":"hi","#
            + #""meta":\#(meta)}"#
        #expect(try Self.body(event, .slack)["text"]?.string == slack)
        #expect(try Self.body(event, .discord)["username"]?.string == discord)
        #expect(try Self.body(event, .mattermost)["text"]?.string == mattermost)
    }

    /// What no text for people needs is not there; the rest of Unicode is.
    @Test(
        arguments: ChatPreset.allCases,
        [
            (#"a\u0000b"#, "a\u{FFFD}b"), (#"a\u0001\u0007\u001b\u001fb"#, "ab"), (#"a\u007f\u0080\u009fb"#, "ab"),
            (#"a\tb\nc"#, "a\tb\nc"), (#"a\r\nb\rc\u0085d"#, "a\nb\nc\nd"), (#"a\ufffe\uffffb"#, "a\u{FFFE}\u{FFFF}b"),
            (#"a\u2028b\ud83d\ude00"#, "a\u{2028}b😀"),
        ])
    func signsThatNoTextNeeds(preset: ChatPreset, _ row: (typed: String, seen: String)) throws {
        let event =
            #"{"eventId":"e1","timestamp":1,"type":"MESSAGE_SENT","userId":"ann","userName":"Ann","#
            + #""channelId":"general","message":"\#(row.typed)"}"#
        let body = try Self.body(event, preset)
        let text = try #require((body["text"] ?? body["content"])?.string)
        #expect(Array(text.utf8.suffix(row.seen.utf8.count)) == Array(row.seen.utf8), "\(text.debugDescription)")
        #expect(text.utf8.count - row.seen.utf8.count == (preset == .slack ? 7 : preset == .discord ? 0 : 9))
    }
}
