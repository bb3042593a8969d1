/// What happened. The raw value is the log's own short code; ``name`` is what stands in the event.
public enum EventType: UInt8, Sendable, CaseIterable {
    case userRegistered = 1
    case userRenamed = 2
    case channelCreated = 3
    case channelDestroyed = 4
    case channelTopicSet = 5
    case userJoinedChannel = 6
    case userLeftChannel = 7
    case messageSent = 8
    case messageEdited = 9
    case messageDeleted = 10
    case userInvited = 11
    case userRemoved = 12
    case reactionAdded = 13
    case reactionRemoved = 14

    /// The event's `type`, as `MESSAGE_SENT`.
    public var name: String {
        switch self {
        case .userRegistered: "USER_REGISTERED"
        case .userRenamed: "USER_RENAMED"
        case .channelCreated: "CHANNEL_CREATED"
        case .channelDestroyed: "CHANNEL_DESTROYED"
        case .channelTopicSet: "CHANNEL_TOPIC_SET"
        case .userJoinedChannel: "USER_JOINED_CHANNEL"
        case .userLeftChannel: "USER_LEFT_CHANNEL"
        case .messageSent: "MESSAGE_SENT"
        case .messageEdited: "MESSAGE_EDITED"
        case .messageDeleted: "MESSAGE_DELETED"
        case .userInvited: "USER_INVITED"
        case .userRemoved: "USER_REMOVED"
        case .reactionAdded: "REACTION_ADDED"
        case .reactionRemoved: "REACTION_REMOVED"
        }
    }

    /// The type of that name, or nil.
    public init?(name: String) {
        guard let found = Self.byName[name] else { return nil }
        self = found
    }

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })
}

/// What can be asked for. Each becomes exactly one event.
public enum CommandType: String, Sendable, CaseIterable {
    case registerUser = "REGISTER_USER"
    case renameUser = "RENAME_USER"
    case createChannel = "CREATE_CHANNEL"
    case destroyChannel = "DESTROY_CHANNEL"
    case setTopic = "SET_TOPIC"
    case joinChannel = "JOIN_CHANNEL"
    case leaveChannel = "LEAVE_CHANNEL"
    case sendMessage = "SEND_MESSAGE"
    case editMessage = "EDIT_MESSAGE"
    case deleteMessage = "DELETE_MESSAGE"
    case inviteUser = "INVITE_USER"
    case removeUser = "REMOVE_USER"
    case addReaction = "ADD_REACTION"
    case removeReaction = "REMOVE_REACTION"

    /// The event it becomes.
    public var event: EventType {
        switch self {
        case .registerUser: .userRegistered
        case .renameUser: .userRenamed
        case .createChannel: .channelCreated
        case .destroyChannel: .channelDestroyed
        case .setTopic: .channelTopicSet
        case .joinChannel: .userJoinedChannel
        case .leaveChannel: .userLeftChannel
        case .sendMessage: .messageSent
        case .editMessage: .messageEdited
        case .deleteMessage: .messageDeleted
        case .inviteUser: .userInvited
        case .removeUser: .userRemoved
        case .addReaction: .reactionAdded
        case .removeReaction: .reactionRemoved
        }
    }
}
