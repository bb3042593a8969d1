import CrowbarCore
import Testing

/// What is removed from each kind of event, and what stays byte for byte.
@Suite struct EventErasureTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var type: EventType
        var erasure: EventErasure
        var before: String
        var after: String?

        var testDescription: String { "\(type) \(erasure.rawValue) \(before)" }
    }

    static let rows = [
        Row(
            type: .messageSent, erasure: .text,
            before: #"""
                {"eventId":"e1","timestamp":5,"type":"MESSAGE_SENT","userId":"ann","userName":"Ann","messageId":"m1",\#
                "message":"a \"secret\"","kind":"text","origin":{"plugin":"irc"},"meta":{"client":"web"}}
                """#,
            after: #"""
                {"eventId":"e1","timestamp":5,"type":"MESSAGE_SENT","userId":"ann","userName":"Ann","messageId":"m1",\#
                "message":"","kind":"text","origin":{"plugin":"irc"},"erased":true}
                """#),
        Row(
            type: .messageEdited, erasure: .text,
            before: #"{"eventId":"e2","messageId":"m1","message":"new","previous":"old"}"#,
            after: #"{"eventId":"e2","messageId":"m1","message":"","erased":true}"#),
        // A name alone.
        Row(
            type: .messageSent, erasure: .name, before: #"{"userId":"ann","userName":"Ann","message":"hello"}"#,
            after: #"{"userId":"ann","userName":"erased","message":"hello"}"#),
        Row(
            type: .messageSent, erasure: [.text, .name], before: #"{"userName":"Ann","message":"hello"}"#,
            after: #"{"userName":"erased","message":"","erased":true}"#),
        Row(
            type: .userRegistered, erasure: [.text, .name], before: #"{"userId":"ann","name":"Ann","meta":{}}"#,
            after: #"{"userId":"ann","name":"erased","meta":{}}"#),
        Row(type: .userRenamed, erasure: .name, before: #"{"name":"Ann"}"#, after: #"{"name":"erased"}"#),
        // The name of a channel is not the user's; a topic is no message.
        Row(type: .channelCreated, erasure: [.text, .name], before: #"{"userId":"ann","name":"General"}"#, after: nil),
        Row(type: .channelTopicSet, erasure: [.text, .name], before: #"{"topic":"x","meta":{"a":1}}"#, after: nil),
        Row(
            type: .messageDeleted, erasure: [.text, .name], before: #"{"userName":"Ann","messageId":"m1"}"#,
            after: #"{"userName":"erased","messageId":"m1"}"#),
        // Members within other members stay.
        Row(
            type: .messageSent, erasure: .text, before: #"{"checks":[{"message":"x"}],"message":"y"}"#,
            after: #"{"checks":[{"message":"x"}],"message":"","erased":true}"#),
        // What was erased before does not change again.
        Row(type: .messageSent, erasure: .text, before: #"{"message":"","erased":true}"#, after: nil),
        Row(
            type: .messageSent, erasure: [.text, .name], before: #"{"userName":"erased","message":"","erased":true}"#,
            after: nil),
        // An empty text that was not erased is.
        Row(type: .messageSent, erasure: .text, before: #"{"message":""}"#, after: #"{"message":"","erased":true}"#),
    ]

    @Test(arguments: rows) func erases(_ row: Row) throws {
        let found = try row.erasure.apply(to: Array(row.before.utf8), type: row.type)
        #expect(found.map { String(decoding: $0, as: UTF8.self) } == row.after)
    }

    @Test func everyTypeIsAccepted() throws {
        for type in EventType.allCases {
            let found = try EventErasure.text.apply(to: Array(#"{"message":"x"}"#.utf8), type: type)
            #expect((found != nil) == (type == .messageSent || type == .messageEdited), "\(type)")
        }
    }
}
