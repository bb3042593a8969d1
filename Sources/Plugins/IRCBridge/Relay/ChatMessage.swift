import JSONBytes

/// An event of the chat that is said on IRC.
struct ChatMessage: Equatable, Sendable {
    /// What happened.
    enum What: Equatable, Sendable {
        case text(String)
        case action(String)
        case notice(String)
        /// Was edited: the new text, and the old where it is known.
        case edit(String, previous: String?)
        case deletion
        case topic(String)
        /// So many messages were left out.
        case summary(Int)
    }

    /// The chat's channel.
    var channel: String
    /// What the ids of incoming hooks begin with. No account and no plugin's user has such an id.
    static let hooks = "incoming/"

    /// The author's name, else their id. An incoming hook speaks under the name that the message came with.
    var author: String
    /// Whether the name is one that an incoming hook gave for this message alone.
    var isByHook = false
    /// The author's id.
    var authorID: String?
    var what: What
    /// The plugin it came from, and where there.
    var origin: String?
    var ref: String?
    /// The message's id, where it is or concerns one, and that of the one it answers.
    var id: String?
    var replyTo: String?
    /// The beginning of what it answers, where that is known.
    var quote: String?
    /// By channel on IRC the server's ids of the message that it answers or deletes, where they are known.
    var concerned: [String: [String]] = [:]
    /// Whether to say it without optional IRCv3 features, because the server refused those.
    var isPlain = false
    /// The nicks of those whom it addresses by `@name`, where that was looked up before.
    var nicks: [String: String] = [:]
    /// When it was stored, in milliseconds of Unix; 0 where that is not known.
    var timestamp: Int64 = 0

    /// The message that it answers or deletes.
    var concernedID: String? { what == .deletion ? id : answeredID }

    /// The message that it answers.
    var answeredID: String? {
        switch what {
        case .text, .action, .notice, .edit: replyTo
        case .deletion, .topic, .summary: nil
        }
    }

    /// Whether it sets the channel's topic.
    var isTopic: Bool { if case .topic = what { true } else { false } }

    /// The lines it takes, long ones counted once.
    var lineCount: Int {
        switch what {
        case .text(let text), .action(let text), .notice(let text), .edit(let text, _): IRCText.lines(text).count
        case .deletion, .topic, .summary: 1
        }
    }

    /// Reads an event; nil where it is of another type, has no channel, or has lost its text (`erased`).
    init?(event: [UInt8]) {
        guard let object = try? JSONObject(parsing: event), let type = object.string("type"),
            let channel = object.string("channelId"), object.bool("erased") != true
        else { return nil }
        self.channel = channel
        authorID = object.string("userId")
        // Only a hook's own messages have this id, so nobody else speaks under a name that they were not given.
        if authorID?.hasPrefix(Self.hooks) == true, let name = object.object("meta")?.string("username") {
            author = name
            isByHook = true
        } else {
            author = object.string("userName") ?? authorID ?? "?"
        }
        let text = object.string("message") ?? ""
        switch type {
        case "MESSAGE_SENT":
            switch object.string("kind") {
            case "action": what = .action(text)
            case "notice": what = .notice(text)
            default: what = .text(text)
            }
        case "MESSAGE_EDITED": what = .edit(text, previous: object.string("previous"))
        case "CHANNEL_TOPIC_SET": what = .topic(object.string("topic") ?? "")
        case "MESSAGE_DELETED": what = .deletion
        default: return nil
        }
        timestamp = object.int("timestamp") ?? 0
        id = object.string("messageId")
        replyTo = object.string("replyTo")
        if let origin = object.object("origin") {
            self.origin = origin.string("plugin")
            ref = origin.string("ref")
        }
    }

    init(channel: String, author: String, what: What, origin: String? = nil, ref: String? = nil) {
        (self.channel, self.author, self.what, self.origin, self.ref) = (channel, author, what, origin, ref)
    }
}
