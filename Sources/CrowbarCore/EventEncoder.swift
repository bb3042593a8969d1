import JSONBytes

/// Writes events as they are stored and delivered: one compact line, members in a fixed order.
public enum EventEncoder {
    /// The bytes of an event.
    /// - Parameters:
    ///   - submission: The command it came from.
    ///   - decision: What the decision added.
    ///   - timestamp: Unix time in milliseconds.
    public static func bytes(_ submission: Submission, _ decision: Decision, timestamp: Int64) -> [UInt8] {
        let command = submission.command
        var json = JSONWriter(capacity: 384)
        json.beginObject()
        json.member("eventId", submission.eventId)
        json.member("timestamp", timestamp)
        json.member("type", command.type.event.name)
        json.member("userId", userId(submission))
        json.member("userName", ifPresent: decision.userName)
        if command.type.hasChannel { json.member("channelId", command.channelId) }
        command.body.write(to: &json, messageId: submission.eventId)
        json.member("previous", ifPresent: decision.previous)
        submission.origin?.write(to: &json)
        if let checks = submission.checks {
            json.key("checks")
            json.raw(checks)
        }
        if let meta = command.meta {
            json.key("meta")
            json.raw(meta)
        }
        json.endObject()
        return json.bytes
    }

    /// The event's `userId`: who acted, and for a registration who was registered.
    public static func userId(_ submission: Submission) -> String {
        if case .registerUser = submission.command.body { return submission.command.userId ?? submission.actor }
        return submission.actor
    }

    /// The text of a stored `MESSAGE_SENT` or `MESSAGE_EDITED`, or nil where the event has none.
    public static func messageText(in event: [UInt8]) -> String? {
        (try? JSONObject(parsing: event))?.string("message")
    }
}
