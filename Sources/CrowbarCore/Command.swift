import JSONBytes

/// A wish that is well-formed, but not decided yet.
public struct Command: Sendable, Equatable {
    /// The limits of a command's fields, in bytes of UTF-8.
    public enum Limit {
        /// A message.
        public static let message = 16 << 10
        /// A name of a user or a channel.
        public static let name = 256
        /// A topic or a description.
        public static let topic = 4 << 10
        /// The free object `meta`, as JSON.
        public static let meta = 4 << 10
        /// How deep a command's JSON may be nested, in levels.
        public static let depth = 64
    }

    /// How a message is meant.
    public enum Kind: String, Sendable { case text, action, notice }

    /// What is wished for, with its own fields.
    public enum Body: Sendable, Equatable {
        case registerUser(name: String)
        case renameUser(name: String)
        case createChannel(name: String?, description: String?, isPrivate: Bool = false)
        case destroyChannel
        case setTopic(String)
        case joinChannel
        case leaveChannel
        case sendMessage(String, messageId: String?, kind: Kind?, replyTo: String?)
        case editMessage(messageId: String, String)
        case deleteMessage(messageId: String)
        case inviteUser(invitee: String)
        case removeUser(member: String)
        case addReaction(messageId: String, String)
        case removeReaction(messageId: String, String)
    }

    /// Its kind.
    public var type: CommandType
    /// What is wished for.
    public var body: Body
    /// The client's own id for the event, if it gave one.
    public var eventId: String?
    /// Who acts, if the command says; for REGISTER_USER who is registered.
    public var userId: String?
    /// The channel; empty for the commands about users.
    public var channelId: String
    /// The free object, as its bytes came (line breaks outside of strings and line separators within escaped).
    public var meta: [UInt8]?

    /// Makes a command.
    public init(
        _ type: CommandType, _ body: Body, eventId: String? = nil, userId: String? = nil, channelId: String = "",
        meta: [UInt8]? = nil
    ) {
        self.type = type
        self.body = body
        self.eventId = eventId
        self.userId = userId
        self.channelId = channelId
        self.meta = meta
    }
}

extension Command {
    /// The command in one form whatever the spelling it came in (order of members, white space, escapes), as bytes to
    /// hash for idempotency: what was asked, by whom; neither the id it was asked under nor the time.
    /// - Parameter actor: The user who acts.
    public func canonicalBytes(actor: String) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        func put(_ text: String?) {
            guard let text else { return out.append(0xFF) }
            // A length before each field, so that no two different commands run together into the same bytes.
            out.appendDecimal(Int64(text.utf8.count))
            out.append(0x3A)
            out.append(contentsOf: text.utf8)
        }
        put(type.rawValue)
        put(actor)
        put(channelId)
        switch body {
        case .registerUser(let name):
            // Who is registered, which need not be who acts.
            put(userId)
            put(name)
        case .renameUser(let name): put(name)
        case .createChannel(let name, let description, let isPrivate):
            put(name)
            put(description)
            // Only then: a command without it has the bytes that it had before there were private channels.
            if isPrivate { put("private") }
        case .setTopic(let topic): put(topic)
        case .sendMessage(let text, let messageId, let kind, let replyTo):
            put(text)
            put(messageId)
            put((kind ?? .text).rawValue)
            put(replyTo)
        case .editMessage(let messageId, let text):
            put(messageId)
            put(text)
        case .deleteMessage(let messageId): put(messageId)
        case .inviteUser(let user), .removeUser(let user): put(user)
        case .addReaction(let messageId, let reaction), .removeReaction(let messageId, let reaction):
            put(messageId)
            put(reaction)
        case .destroyChannel, .joinChannel, .leaveChannel: break
        }
        if let meta {
            out.append(0xFE)
            out.append(contentsOf: meta)
        }
        return out
    }
}
