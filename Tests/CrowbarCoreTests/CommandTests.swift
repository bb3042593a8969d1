import CrowbarCore
import JSONBytes
import Testing

@Suite struct CommandTests {
    private static func parse(_ json: String) throws -> Command { try Command(parsing: Array(json.utf8)) }

    static let valid: [(String, Command.Body)] = [
        (#"{"type":"REGISTER_USER","userId":"irc/ann","name":"Ann"}"#, .registerUser(name: "Ann")),
        (#"{"type":"RENAME_USER","name":"é"}"#, .renameUser(name: "é")),
        (#"{"type":"CREATE_CHANNEL","channelId":"c"}"#, .createChannel(name: nil, description: nil)),
        (
            #"{"type":"CREATE_CHANNEL","channelId":"0.a_-","channelName":"N","channelDescription":""}"#,
            .createChannel(name: "N", description: "")
        ),
        (#"{"type":"DESTROY_CHANNEL","channelId":"c","timestamp":"ignored"}"#, .destroyChannel),
        (#"{"type":"SET_TOPIC","channelId":"c","topic":""}"#, .setTopic("")),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","meta":{}}"#, .joinChannel),
        (#"{"type":"LEAVE_CHANNEL","channelId":"c","eventId":"a.b_c:~-"}"#, .leaveChannel),
        (
            #"{"type":"SEND_MESSAGE","channelId":"c","message":" x"}"#,
            .sendMessage(" x", messageId: nil, kind: nil, replyTo: nil)
        ),
        // A combining mark on a space is visible.
        (
            #"{"type":"SEND_MESSAGE","channelId":"c","message":" \u0301"}"#,
            .sendMessage(" \u{301}", messageId: nil, kind: nil, replyTo: nil)
        ),
        (#"{"type":"RENAME_USER","name":" \u0301"}"#, .renameUser(name: " \u{301}")),
        (
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"x","messageId":"m","kind":"notice","replyTo":"r"}"#,
            .sendMessage("x", messageId: "m", kind: .notice, replyTo: "r")
        ),
        (#"{"type":"EDIT_MESSAGE","channelId":"c","messageId":"m","message":"y"}"#, .editMessage(messageId: "m", "y")),
        (#"{"type":"DELETE_MESSAGE","channelId":"c","messageId":"m"}"#, .deleteMessage(messageId: "m")),
    ]

    /// Six signs that look like the escape of a NUL, and are none.
    @Test(arguments: [#"{"a":"\\u0000"}"#, #"{"a":"u0000"}"#, #"{"a":"\u00010"}"#])
    func whatIsNoNULIsTaken(_ meta: String) throws {
        let command = try Self.parse(
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"\\u0000","meta":\#(meta)}"#)
        #expect(command.meta == Array(meta.utf8))
    }

    @Test(arguments: valid) func taken(_ json: String, _ body: Command.Body) throws {
        #expect(try Self.parse(json).body == body)
    }

    static let refused: [(String, CommandError.Code, String?)] = [
        ("", .malformed, nil), ("[]", .malformed, nil), ("{", .malformed, nil), (#"{"type":"#, .malformed, nil),
        (#"{"type":"JOIN_CHANNEL","type":"JOIN_CHANNEL","channelId":"c"}"#, .malformed, nil),
        ("{}", .invalidCommand, "type"), (#"{"type":1}"#, .invalidCommand, "type"),
        (#"{"type":"X"}"#, .invalidCommand, "type"), (#"{"type":"MESSAGE_SENT"}"#, .invalidCommand, "type"),
        (#"{"type":"REGISTER_USER","name":"A"}"#, .invalidCommand, "userId"),
        (#"{"type":"REGISTER_USER","userId":"a b","name":"A"}"#, .invalidCommand, "userId"),
        (#"{"type":"REGISTER_USER","userId":"","name":"A"}"#, .invalidCommand, "userId"),
        (#"{"type":"REGISTER_USER","userId":"a"}"#, .invalidCommand, "name"),
        (#"{"type":"RENAME_USER","name":" "}"#, .invalidCommand, "name"),
        (#"{"type":"RENAME_USER","name":"a\u0007"}"#, .invalidCommand, "name"),
        (#"{"type":"RENAME_USER","name":null}"#, .invalidCommand, "name"),
        (#"{"type":"RENAME_USER","name":"a\u0000"}"#, .invalidCommand, "name"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"a\u0000b"}"#, .invalidCommand, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"\u0000"}"#, .invalidCommand, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"x","replyTo":"\u0000"}"#, .invalidCommand, "replyTo"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"x","meta":{"a":"\u0000"}}"#, .invalidCommand, "meta"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"x","meta":{"\u0000":1}}"#, .invalidCommand, "meta"),
        (
            #"{"type":"EDIT_MESSAGE","channelId":"c","messageId":"m","message":"\u0000x"}"#, .invalidCommand, "message"
        ),
        (#"{"type":"SET_TOPIC","channelId":"c","topic":"\u0000"}"#, .invalidCommand, "topic"),
        (
            #"{"type":"CREATE_CHANNEL","channelId":"c","channelDescription":"\u0000"}"#, .invalidCommand,
            "channelDescription"
        ),
        (#"{"type":"CREATE_CHANNEL","channelId":"c","channelName":"\u0000"}"#, .invalidCommand, "channelName"),
        (#"{"type":"RENAME_USER","name":"A","channelId":"c"}"#, .invalidCommand, "channelId"),
        (#"{"type":"RENAME_USER","name":"\#(String(repeating: "n", count: 257))"}"#, .invalidCommand, "name"),
        (#"{"type":"CREATE_CHANNEL"}"#, .invalidCommand, "channelId"),
        (#"{"type":"CREATE_CHANNEL","channelId":"A"}"#, .invalidCommand, "channelId"),
        (#"{"type":"CREATE_CHANNEL","channelId":"-a"}"#, .invalidCommand, "channelId"),
        (
            #"{"type":"CREATE_CHANNEL","channelId":"\#(String(repeating: "c", count: 65))"}"#, .invalidCommand,
            "channelId"
        ),
        (#"{"type":"CREATE_CHANNEL","channelId":"c","topic":"t"}"#, .invalidCommand, "topic"),
        (#"{"type":"SET_TOPIC","channelId":"c"}"#, .invalidCommand, "topic"),
        (
            #"{"type":"SET_TOPIC","channelId":"c","topic":"\#(String(repeating: "t", count: 4097))"}"#, .invalidCommand,
            "topic"
        ),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","eventId":"a/b"}"#, .invalidCommand, "eventId"),
        (
            #"{"type":"JOIN_CHANNEL","channelId":"c","eventId":"\#(String(repeating: "e", count: 129))"}"#,
            .invalidCommand, "eventId"
        ),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","origin":{}}"#, .invalidCommand, "origin"),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","checks":[]}"#, .invalidCommand, "checks"),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","userName":"A"}"#, .invalidCommand, "userName"),
        (#"{"type":"JOIN_CHANNEL","channelId":"c","meta":[]}"#, .invalidCommand, "meta"),
        (
            #"{"type":"JOIN_CHANNEL","channelId":"c","meta":{"m":"\#(String(repeating: "m", count: 4096))"}}"#,
            .invalidCommand, "meta"
        ),
        (#"{"type":"SEND_MESSAGE","channelId":"c"}"#, .invalidCommand, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":7}"#, .invalidCommand, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":""}"#, .emptyMessage, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":" \n\u2003"}"#, .emptyMessage, "message"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"\u2003"}"#, .emptyMessage, "message"),
        (
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"\#(String(repeating: "x", count: 16_385))"}"#,
            .messageTooLong, "message"
        ),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"x","kind":"shout"}"#, .invalidCommand, "kind"),
        (#"{"type":"SEND_MESSAGE","channelId":"c","message":"x","messageId":""}"#, .invalidCommand, "messageId"),
        (#"{"type":"EDIT_MESSAGE","channelId":"c","message":"x"}"#, .invalidCommand, "messageId"),
        (#"{"type":"EDIT_MESSAGE","channelId":"c","messageId":"m","message":" "}"#, .emptyMessage, "message"),
        (#"{"type":"DELETE_MESSAGE","channelId":"c"}"#, .invalidCommand, "messageId"),
    ]

    @Test(arguments: refused.map { ($0.0, ($0.1, $0.2)) })
    func notTaken(_ json: String, _ why: (CommandError.Code, String?)) {
        do {
            _ = try Self.parse(json)
            Issue.record("taken: \(json)")
        } catch {
            let refusal = error as? CommandError
            #expect(refusal?.code == why.0)
            #expect(refusal?.field == why.1)
        }
    }

    @Test func badUTF8IsMalformed() {
        let bytes = Array(#"{"type":"RENAME_USER","name":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
        do {
            _ = try Command(parsing: bytes)
            Issue.record("taken")
        } catch {
            #expect(error.code == .malformed)
        }
    }

    @Test func theLongestMessageIsTaken() throws {
        _ = try Self.parse(
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"\#(String(repeating: "x", count: 16_384))"}"#)
    }

    @Test(arguments: [
        #"{"type":"SEND_MESSAGE","channelId":"c","message":"hi é"}"#,
        #" { "message" : "\u0068i \u00e9" , "channelId":"c", "type":"SEND_MESSAGE","timestamp":9,"eventId":"x" } "#,
        #"{"type":"SEND_MESSAGE","channelId":"c","message":"hi é","kind":"text","userId":"zed"}"#,
    ])
    func oneCommandHasOneForm(_ json: String) throws {
        let first = try Self.parse(#"{"type":"SEND_MESSAGE","channelId":"c","message":"hi é"}"#)
        #expect(try Self.parse(json).canonicalBytes(actor: "ann") == first.canonicalBytes(actor: "ann"))
    }

    @Test func differentCommandsHaveDifferentForms() throws {
        let commands = [
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"b"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"ca","message":"a"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a","messageId":"m"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a","replyTo":"m"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a","kind":"action"}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a","meta":{}}"#,
            #"{"type":"SEND_MESSAGE","channelId":"c","message":"a","meta":{"a":1}}"#,
            #"{"type":"EDIT_MESSAGE","channelId":"c","messageId":"m","message":"a"}"#,
            #"{"type":"DELETE_MESSAGE","channelId":"c","messageId":"m"}"#,
            #"{"type":"REGISTER_USER","userId":"a","name":"n"}"#, #"{"type":"REGISTER_USER","userId":"b","name":"n"}"#,
            #"{"type":"JOIN_CHANNEL","channelId":"c"}"#, #"{"type":"LEAVE_CHANNEL","channelId":"c"}"#,
            #"{"type":"CREATE_CHANNEL","channelId":"c","channelName":"n"}"#,
            #"{"type":"CREATE_CHANNEL","channelId":"c","channelDescription":"n"}"#,
        ]
        let forms = try commands.map { try Self.parse($0).canonicalBytes(actor: "ann") }
        #expect(Set(forms).count == commands.count)
        #expect(try !forms.contains(Self.parse(commands[0]).canonicalBytes(actor: "bob")))
    }
}

/// Private channels and reactions as they are written and read.
@Suite struct PrivateCommandTests {
    private static func parse(_ json: String) throws(CommandError) -> Command { try Command(parsing: Array(json.utf8)) }

    private static func reaction(_ text: String) -> CommandError? {
        let json = #"{"type":"ADD_REACTION","channelId":"c","messageId":"m","reaction":"\#(text)"}"#
        do throws(CommandError) {
            _ = try parse(json)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        "👍", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "é", "字", "!", ":+1:", ":thumbs_up:", ":a-b_9:", "❤️", ":", "½",
        ":123456789012345678901234567890:",
    ])
    func aReactionIsOneCharacterOrAName(_ text: String) {
        #expect(Self.reaction(text) == nil)
    }

    @Test(arguments: [
        "", "ab", "👍👍", ":A:", "::", ":a", "a:", ":a b:", ":1234567890123456789012345678901:", " ", "\u{A0}", "\\n",
        "\u{200D}", "\u{200B}", "e\u{301}", "\u{301}", "\\u0007", "\u{212B}", "\\u0000",
        "a" + String(repeating: "\u{323}", count: 40),
    ])
    func whatIsNoneIsRefused(_ text: String) {
        let refusal = Self.reaction(text)
        #expect(refusal?.code == .invalidCommand && refusal?.field == "reaction", "\(refusal?.message ?? "taken")")
    }

    @Test func privateIsTrueOrFalse() throws {
        let create = #"{"type":"CREATE_CHANNEL","channelId":"c","private":"#
        #expect(try Self.parse(create + "true}").body == .createChannel(name: nil, description: nil, isPrivate: true))
        #expect(try Self.parse(create + "false}").body == .createChannel(name: nil, description: nil))
        for wrong in ["1", "null", "\"true\"", "[]"] {
            let refusal = #expect(throws: CommandError.self) { try Self.parse(create + wrong + "}") }
            #expect(refusal?.code == .invalidCommand && refusal?.field == "private")
        }
        let refusal = #expect(throws: CommandError.self) {
            try Self.parse(#"{"type":"JOIN_CHANNEL","channelId":"c","private":true}"#)
        }
        #expect(refusal?.field == "private")
    }

    @Test func theHashOfAnOldCommandStaysAndPrivateMakesAnother() throws {
        let open = Command(.createChannel, .createChannel(name: nil, description: nil), channelId: "c")
        let closed = Command(
            .createChannel, .createChannel(name: nil, description: nil, isPrivate: true), channelId: "c")
        let old: [UInt8] = Array("14:CREATE_CHANNEL3:ann1:c".utf8) + [0xFF, 0xFF]
        #expect(open.canonicalBytes(actor: "ann") == old)
        #expect(closed.canonicalBytes(actor: "ann") != old)
    }

    @Test(arguments: [
        (#"{"type":"INVITE_USER","channelId":"c"}"#, "invitee"),
        (#"{"type":"INVITE_USER","channelId":"c","invitee":"a b"}"#, "invitee"),
        (#"{"type":"INVITE_USER","channelId":"c","invitee":"a","member":"a"}"#, "member"),
        (#"{"type":"REMOVE_USER","channelId":"c"}"#, "member"),
        (#"{"type":"REMOVE_USER","channelId":"c","member":1}"#, "member"),
        (#"{"type":"ADD_REACTION","channelId":"c","reaction":"x"}"#, "messageId"),
        (#"{"type":"REMOVE_REACTION","channelId":"c","messageId":"m"}"#, "reaction"),
    ])
    func fieldsAreNamed(_ json: String, _ field: String) {
        let refusal = #expect(throws: CommandError.self) { try Self.parse(json) }
        #expect(refusal?.code == .invalidCommand && refusal?.field == field)
    }
}
