import JSONBytes

/// What an event says to people in a chat.
struct ChatLine: Equatable, Sendable {
    /// What happened.
    enum What: Equatable, Sendable {
        case said(String)
        /// Somebody's own description of what they do ("/me").
        case did(String)
        case edited(String)
        case deleted
        case joined, left
        case setTopic(String)
        case created, destroyed
    }

    /// The author's name, else their id, on one line.
    var author: String
    /// The channel.
    var channel: String
    var what: What

    /// Reads an event; nil where it is nothing that people in a channel see, as a registration is.
    init?(_ event: JSONObject) {
        guard let type = event.string("type"), let channel = event.string("channelId") else { return nil }
        let text = event.string("message") ?? ""
        switch type {
        case "MESSAGE_SENT": what = event.string("kind") == "action" ? .did(text) : .said(text)
        case "MESSAGE_EDITED": what = .edited(text)
        case "MESSAGE_DELETED": what = .deleted
        case "USER_JOINED_CHANNEL": what = .joined
        case "USER_LEFT_CHANNEL": what = .left
        case "CHANNEL_TOPIC_SET": what = .setTopic(event.string("topic") ?? "")
        case "CHANNEL_CREATED": what = .created
        case "CHANNEL_DESTROYED": what = .destroyed
        default: return nil
        }
        self.channel = channel
        author = Self.oneLine(event.string("userName") ?? event.string("userId") ?? "?")
    }

    init(author: String, channel: String, what: What) {
        (self.author, self.channel, self.what) = (author, channel, what)
    }

    private static func oneLine(_ name: String) -> String {
        String(name.map { $0.isNewline || $0.unicodeScalars.allSatisfy { $0.value < 0x20 } ? " " : $0 })
    }
}
