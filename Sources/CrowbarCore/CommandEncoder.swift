import JSONBytes

/// Writes a command as one that is asked about it sees it: one compact line, members in a fixed order.
public enum CommandEncoder {
    /// The bytes of a command: its own fields, the id that its event would have, who acts, and where it came from.
    public static func bytes(_ submission: Submission) -> [UInt8] {
        let command = submission.command
        var json = JSONWriter(capacity: 384)
        json.beginObject()
        json.member("type", command.type.rawValue)
        json.member("eventId", submission.eventId)
        json.member("userId", EventEncoder.userId(submission))
        if command.type.hasChannel { json.member("channelId", command.channelId) }
        command.body.write(to: &json, messageId: nil)
        submission.origin?.write(to: &json)
        if let meta = command.meta {
            json.key("meta")
            json.raw(meta)
        }
        json.endObject()
        return json.bytes
    }
}

extension Command.Body {
    /// Writes the fields that are this kind of command's own, in the order of the event.
    /// - Parameter messageId: The id of a message that was given none; nil: left out.
    func write(to json: inout JSONWriter, messageId fallback: String?) {
        switch self {
        case .registerUser(let name), .renameUser(let name): json.member("name", name)
        case .createChannel(let name, let description, let isPrivate):
            json.member("channelName", ifPresent: name)
            json.member("channelDescription", ifPresent: description)
            if isPrivate { json.member("private", true) }
        case .destroyChannel, .joinChannel, .leaveChannel: break
        case .setTopic(let topic): json.member("topic", topic)
        case .sendMessage(let text, let messageId, let kind, let replyTo):
            json.member("messageId", ifPresent: messageId ?? fallback)
            json.member("message", text)
            json.member("kind", ifPresent: kind?.rawValue)
            json.member("replyTo", ifPresent: replyTo)
        case .editMessage(let messageId, let text):
            json.member("messageId", messageId)
            json.member("message", text)
        case .deleteMessage(let messageId): json.member("messageId", messageId)
        case .inviteUser(let invitee): json.member("invitee", invitee)
        case .removeUser(let member): json.member("member", member)
        case .addReaction(let messageId, let reaction), .removeReaction(let messageId, let reaction):
            json.member("messageId", messageId)
            json.member("reaction", reaction)
        }
    }
}

extension Submission.Origin {
    /// Writes `origin`.
    func write(to json: inout JSONWriter) {
        json.key("origin")
        json.beginObject()
        json.member("plugin", ifPresent: plugin)
        json.member("ref", ifPresent: ref)
        json.member("traceparent", ifPresent: traceParent?.text)
        json.endObject()
    }
}
