import JSONBytes
import PluginKit

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

    /// What the ids of incoming hooks begin with. No account and no plugin's user has such an id.
    static let hooks = "incoming/"

    /// The author's name, else their id, safe to stand beside other text. An incoming hook speaks under the name that
    /// the message came with (`meta.username`).
    var author: String
    /// The author's id, for a service to which nothing of the name is left.
    var authorID: String
    /// The channel.
    var channel: String
    var what: What

    /// Reads an event; nil where it is nothing that people in a channel see, as a registration is, or
    /// has lost its text (`erased`).
    init?(_ event: JSONObject) {
        guard let type = event.string("type"), let channel = event.string("channelId"),
            event.bool("erased") != true
        else { return nil }
        // The log of an older version may have a NUL, which Mattermost for one cannot store.
        let text = JSONString.withoutNUL(event.string("message") ?? "")
        switch type {
        case "MESSAGE_SENT": what = event.string("kind") == "action" ? .did(text) : .said(text)
        case "MESSAGE_EDITED": what = .edited(text)
        case "MESSAGE_DELETED": what = .deleted
        case "USER_JOINED_CHANNEL": what = .joined
        case "USER_LEFT_CHANNEL": what = .left
        case "CHANNEL_TOPIC_SET": what = .setTopic(ShownText.line(event.string("topic") ?? ""))
        case "CHANNEL_CREATED": what = .created
        case "CHANNEL_DESTROYED": what = .destroyed
        default: return nil
        }
        self.channel = ShownText.name(channel)
        authorID = ShownText.name(event.string("userId") ?? "")
        // Only a hook's own messages have this id, so nobody else speaks under a name that they were not given.
        let isHook = event.string("userId")?.hasPrefix(ChatLine.hooks) ?? false
        author = isHook ? ShownText.name(event.object("meta")?.string("username") ?? "") : ""
        if author.isEmpty { author = ShownText.name(event.string("userName") ?? "") }
        if author.isEmpty { author = authorID.isEmpty ? "?" : authorID }
    }

    init(author: String, channel: String, what: What, authorID: String = "") {
        (self.author, self.channel, self.what, self.authorID) = (author, channel, what, authorID)
    }

    /// The author's name without the signs by which a service tells it from the text.
    func author(without signs: ShownText.Signs) -> String {
        for candidate in [author, authorID] {
            let name = ShownText.name(candidate, without: signs)
            if !name.isEmpty { return name }
        }
        return "?"
    }
}
