/// The projections that are kept as rows.
public enum ViewName: String, Sendable, CaseIterable {
    /// Users and their names.
    case users
    /// Channels and their members.
    case channels
    /// Messages, reactions, mentions, and what `unread` counts.
    case messages
    /// The full-text index over the messages.
    case search
}

/// The last event that a view has applied, with everything before it.
public struct ViewCheckpoint: Sendable, Equatable {
    /// Its position; 0 where nothing was applied yet.
    public var position: Int64
    /// Its id; empty where nothing was applied yet.
    public var eventId: String

    /// Before the first event.
    public static let start = ViewCheckpoint(position: 0, eventId: "")

    /// Makes one.
    public init(position: Int64, eventId: String) {
        self.position = position
        self.eventId = eventId
    }
}
