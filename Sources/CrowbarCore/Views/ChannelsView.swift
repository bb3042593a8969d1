import JSONBytes

/// The channels with their members; serves `allchannels` and `channel/ID`.
public enum ChannelsView {
    /// Raise it with every change of what ``changes(for:)`` or its rows mean: the view is then rebuilt.
    public static let version = 1
    /// The older versions whose rows this code reads. They are served while the new ones are built.
    public static let readableVersions: Set<Int> = []

    /// A change of the view's rows. Channels are named by id: the change is about the life that the id has then.
    public enum Change: Sendable, Equatable {
        /// The channel exists and its creator is a member.
        case created(NewChannel)
        /// The channel is gone, with its members.
        case destroyed(id: String)
        /// The channel has this topic.
        case topic(id: String, topic: String)
        /// The user is a member.
        case joined(id: String, user: String)
        /// The user is no member any more; nothing where they were only invited.
        case left(id: String, user: String)
        /// The user has this name from now on.
        case named(user: String, name: String)
    }

    /// A channel as it is created.
    public struct NewChannel: Sendable, Equatable {
        /// The key of this life of the channel: the position of its CHANNEL_CREATED.
        public var key: Int64
        /// Its id.
        public var id: String
        /// Its name; the id where none was given.
        public var name: String
        /// Its description, or nil.
        public var description: String?
        /// Who created it.
        public var creator: String
        /// The audience of its events.
        public var audience: Int64
    }

    /// How an event changes the rows.
    /// - Throws: ``ViewError/unreadable(position:reason:)``.
    public static func changes(for event: ViewEvent) throws(ViewError) -> [Change] {
        switch event.type {
        case .userRegistered, .userRenamed: [.named(user: event.userId, name: try event.required("name"))]
        case .channelCreated:
            [
                .created(
                    NewChannel(
                        key: event.position, id: event.channelId,
                        name: event.json.string("channelName") ?? event.channelId,
                        description: event.json.string("channelDescription"), creator: event.userId,
                        audience: event.audience))
            ]
        case .channelDestroyed: [.destroyed(id: event.channelId)]
        case .channelTopicSet: [.topic(id: event.channelId, topic: try event.required("topic"))]
        case .userJoinedChannel: [.joined(id: event.channelId, user: event.userId)]
        case .userLeftChannel: [.left(id: event.channelId, user: event.userId)]
        case .userRemoved: [.left(id: event.channelId, user: try event.required("member"))]
        case .messageSent, .messageEdited, .messageDeleted, .userInvited, .reactionAdded, .reactionRemoved: []
        }
    }
}
