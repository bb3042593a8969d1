import JSONBytes

/// The messages with their reactions and mentions, and who is where since when; serves `messages/ID`, `allmessages` and
/// `unread`, and feeds the search index.
public enum MessagesView {
    /// Raise it with every change of what ``changes(for:reading:folding:)`` or its rows mean: the view is then rebuilt.
    public static let version = 2
    /// The older versions whose rows this code reads. They are served while the new ones are built. Rows of version 1
    /// keep the author's name of a deleted message, which nobody reads.
    public static let readableVersions: Set<Int> = [1]

    /// A change of the view's rows. Channels and messages are named by id: the change is about the life that the
    /// channel's id has then.
    public enum Change: Sendable, Equatable {
        /// The channel exists and its creator is a member.
        case channelCreated(id: String, key: Int64, audience: Int64, creator: String)
        /// The channel is gone, with its members and messages.
        case channelDestroyed(id: String)
        /// The user is a member.
        case joined(channel: String, user: String)
        /// The user is no member any more.
        case left(channel: String, user: String)
        /// The user has this name from now on.
        case named(user: String, name: String)
        /// A message was sent.
        case sent(NewMessage)
        /// A message has another text.
        case edited(Edit)
        /// A message is gone from everywhere.
        case deleted(channel: String, messageId: String)
        /// A user has reacted to a message.
        case reacted(UserReaction)
        /// A user has taken a reaction back.
        case unreacted(UserReaction)
    }

    /// A user's reaction to a message.
    public struct UserReaction: Sendable, Equatable {
        /// The channel's id.
        public var channel: String
        /// The message's id.
        public var messageId: String
        /// An emoji, or its name between colons.
        public var reaction: String
        /// Who reacted.
        public var userId: String
    }

    /// A message as it is sent.
    public struct NewMessage: Sendable, Equatable {
        /// The channel's id.
        public var channel: String
        /// The message's id.
        public var messageId: String
        /// Who sent it.
        public var userId: String
        /// The author's name at that moment.
        public var userName: String
        /// The text.
        public var text: String
        /// How it is meant.
        public var kind: Command.Kind
        /// The id of the message that it answers, or nil.
        public var replyTo: String?
        /// The event's `origin` as JSON, or nil.
        public var origin: [UInt8]?
        /// The event's `meta` as JSON, or nil.
        public var meta: [UInt8]?
        /// The users that it mentions, in order of mention.
        public var mentions: [String]
    }

    /// A message's new text.
    public struct Edit: Sendable, Equatable {
        /// The channel's id.
        public var channel: String
        /// The message's id.
        public var messageId: String
        /// The text.
        public var text: String
        /// The users that it mentions, in order of mention.
        public var mentions: [String]
    }

    /// How an event changes the rows.
    /// - Parameters:
    ///   - names: The names of the channel's members at this position.
    ///   - folding: Makes texts the same that people take for the same (NFKC, then lower case).
    /// - Throws: ``ViewError``, or whatever `names` throws.
    public static func changes(
        for event: ViewEvent, reading names: some MemberNames, folding: (String) -> String
    ) throws -> [Change] {
        switch event.type {
        case .userRegistered, .userRenamed: return [.named(user: event.userId, name: try event.required("name"))]
        case .channelCreated:
            return [
                .channelCreated(
                    id: event.channelId, key: event.position, audience: event.audience, creator: event.userId)
            ]
        case .channelDestroyed: return [.channelDestroyed(id: event.channelId)]
        case .userJoinedChannel: return [.joined(channel: event.channelId, user: event.userId)]
        case .userLeftChannel: return [.left(channel: event.channelId, user: event.userId)]
        case .messageSent:
            let text = try event.required("message")
            let kind = event.json.string("kind").map(Command.Kind.init(rawValue:)) ?? .text
            guard let kind else {
                throw ViewError.unreadable(position: event.position, reason: "its kind is unknown")
            }
            return [
                .sent(
                    NewMessage(
                        channel: event.channelId, messageId: try event.required("messageId"), userId: event.userId,
                        userName: event.json.string("userName") ?? event.userId, text: text, kind: kind,
                        replyTo: event.json.string("replyTo"), origin: event.json.raw("origin").map(Array.init),
                        meta: event.json.raw("meta").map(Array.init),
                        mentions: try mentions(in: text, of: event, names, folding)))
            ]
        case .messageEdited:
            let text = try event.required("message")
            return [
                .edited(
                    Edit(
                        channel: event.channelId, messageId: try event.required("messageId"), text: text,
                        mentions: try mentions(in: text, of: event, names, folding)))
            ]
        case .messageDeleted:
            return [.deleted(channel: event.channelId, messageId: try event.required("messageId"))]
        case .userRemoved: return [.left(channel: event.channelId, user: try event.required("member"))]
        case .reactionAdded: return [.reacted(try reaction(event))]
        case .reactionRemoved: return [.unreacted(try reaction(event))]
        case .channelTopicSet, .userInvited: return []
        }
    }

    private static func reaction(_ event: ViewEvent) throws -> UserReaction {
        UserReaction(
            channel: event.channelId, messageId: try event.required("messageId"),
            reaction: try event.required("reaction"), userId: event.userId)
    }

    /// A message mentions nobody twice, and never its own author.
    private static func mentions(
        in text: String, of event: ViewEvent, _ names: some MemberNames, _ folding: (String) -> String
    ) throws -> [String] {
        try MentionFinder.users(in: text, channel: event.channelId, names: names, folding: folding)
            .filter { $0 != event.userId }
    }
}
