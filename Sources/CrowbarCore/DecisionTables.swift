/// What decisions need to know of the past: the folded state of users, channels, members and messages, kept by a log
/// beside its events and changed in the same transaction.
public protocol DecisionTables {
    /// The user's name, or nil where nobody of that id is registered.
    func userName(_ id: String) throws -> String?
    /// Whether the user was erased: then nobody invites them, and they join nothing.
    func isErased(_ user: String) throws -> Bool
    /// The channel, or nil where there is none of that id.
    func channel(_ id: String) throws -> ChannelState?
    /// Whether the user is in the channel.
    func isMember(_ user: String, of channel: ChannelState) throws -> Bool
    /// Whether the user is invited to the channel.
    func isInvited(_ user: String, to channel: ChannelState) throws -> Bool
    /// Whether the user has this reaction on the message.
    func hasReacted(_ user: String, with reaction: String, on message: String, in channel: ChannelState) throws -> Bool
    /// Whether anybody has this reaction on the message.
    func hasReaction(_ reaction: String, on message: String, in channel: ChannelState) throws -> Bool
    /// How many different reactions the message has.
    func reactionCount(on message: String, in channel: ChannelState) throws -> Int
    /// The message, also a deleted one, or nil where there is none of that id in the channel.
    func message(_ id: String, in channel: ChannelState) throws -> MessageState?
    /// The text of a message as it stands now.
    func text(of message: MessageState) throws -> String
    /// Changes the state as a stored event demands.
    mutating func apply(_ change: StateChange) throws
}

/// A channel, as far as decisions go.
public struct ChannelState: Sendable, Equatable {
    /// The log's own key of this life of the channel; another one after it was destroyed and created again.
    public var key: Int64
    /// Who created it.
    public var creator: String
    /// Whether only its members may read its events; it stays so for the whole life of the channel.
    public var isPrivate: Bool
    /// The audience of its events, as ``LogPage/Entry/audience``.
    public var audience: Int64 { isPrivate ? key : 0 }

    /// Makes one.
    public init(key: Int64, creator: String, isPrivate: Bool = false) {
        self.key = key
        self.creator = creator
        self.isPrivate = isPrivate
    }
}

/// A channel and what one user is in it.
public struct ChannelMembership: Sendable, Equatable {
    /// The channel.
    public var channel: ChannelState
    /// Whether the user is a member.
    public var isMember: Bool
    /// Whether the user is invited.
    public var isInvited: Bool

    /// Makes one.
    public init(_ channel: ChannelState, isMember: Bool, isInvited: Bool) {
        self.channel = channel
        self.isMember = isMember
        self.isInvited = isInvited
    }
}

/// A message, as far as decisions go.
public struct MessageState: Sendable, Equatable {
    /// Its author's id.
    public var author: String
    /// The position of the event that gave it its present text.
    public var textPosition: Int64
    /// Whether it was deleted.
    public var isDeleted: Bool

    /// Makes one.
    public init(author: String, textPosition: Int64, isDeleted: Bool = false) {
        self.author = author
        self.textPosition = textPosition
        self.isDeleted = isDeleted
    }
}

/// How a stored event changes the ``DecisionTables``.
public enum StateChange: Sendable, Equatable {
    case userNamed(id: String, name: String)
    /// The channel exists and its creator is a member.
    case channelCreated(id: String, creator: String, isPrivate: Bool)
    case channelDestroyed(id: String, ChannelState)
    /// The user is a member and no longer invited.
    case joined(user: String, ChannelState)
    case left(user: String, ChannelState)
    case invited(user: String, ChannelState)
    /// The user is neither a member nor invited.
    case removed(user: String, ChannelState)
    case messageSent(id: String, author: String, ChannelState, position: Int64)
    case messageEdited(id: String, ChannelState, position: Int64)
    case messageDeleted(id: String, ChannelState)
    case reactionAdded(String, message: String, user: String, ChannelState)
    case reactionRemoved(String, message: String, user: String, ChannelState)
}
