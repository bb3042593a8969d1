/// The users and their present names; serves `allusers`.
public enum UsersView {
    /// Raise it with every change of what ``changes(for:)`` or its rows mean: the view is then rebuilt.
    public static let version = 1
    /// The older versions whose rows this code reads. They are served while the new ones are built.
    public static let readableVersions: Set<Int> = []

    /// A change of the view's rows.
    public enum Change: Sendable, Equatable {
        /// The user has this name from now on.
        case named(id: String, name: String)
    }

    /// How an event changes the rows.
    /// - Throws: ``ViewError/unreadable(position:reason:)``.
    public static func changes(for event: ViewEvent) throws(ViewError) -> [Change] {
        switch event.type {
        case .userRegistered, .userRenamed: [.named(id: event.userId, name: try event.required("name"))]
        case .channelCreated, .channelDestroyed, .channelTopicSet, .userJoinedChannel, .userLeftChannel, .messageSent,
            .messageEdited, .messageDeleted, .userInvited, .userRemoved, .reactionAdded, .reactionRemoved:
            []
        }
    }
}
