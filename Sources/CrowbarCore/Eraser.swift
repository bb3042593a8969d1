/// Removes texts and names from stored events. Beside ``Ingest`` it is the only writer of events, and it changes no
/// position, event id, timestamp, type, user, channel or command hash: cursors, idempotency and projections stay right.
public protocol Eraser: Sendable {
    /// Erases the texts of messages that were deleted before a time, in order of their deletion. How far it has come is
    /// stored in the log.
    /// - Parameters:
    ///   - milliseconds: Unix time in milliseconds; messages that were deleted at it or later keep their texts.
    ///   - limit: Deletions at most in this call.
    /// - Throws: ``LogError``.
    func eraseDeleted(before milliseconds: Int64, limit: Int) async throws -> DeletedErasure

    /// Erases the texts of all messages of that id in all lives of a channel. Whether they are deleted does not matter:
    /// the caller deletes a message before its text is erased.
    /// - Returns: The events that were changed, and those that have been erased before.
    /// - Throws: ``LogError``.
    func eraseMessage(_ messageId: String, in channel: String) async throws -> ErasedEvents

    /// Messages of a user that are not deleted, in channels that exist: at most `limit`, in no particular order.
    /// - Throws: ``LogError``.
    func messages(of user: String, limit: Int) async throws -> [StoredMessage]

    /// The message of that id in the channel that has this id now; nil if there is none or it is deleted.
    /// - Throws: ``LogError``.
    func message(_ messageId: String, in channel: String) async throws -> StoredMessage?

    /// Stores that a user is erased: from then on nobody can invite the user, and the user can join no channel.
    /// - Throws: ``LogError``.
    func markErased(_ user: String) async throws

    /// Whether a user is erased.
    /// - Throws: ``LogError``.
    func isErased(_ user: String) async throws -> Bool

    /// Channels that a user is in or invited to: at most `limit`, in no particular order.
    /// - Throws: ``LogError``.
    func memberships(of user: String, limit: Int) async throws -> [StoredMembership]

    /// A user's present name; nil if nobody has been registered under that id.
    /// - Throws: ``LogError``.
    func userName(_ user: String) async throws -> String?

    /// Erases the texts of a user's messages and the user's name in one part of the log. Only authors edit messages, so
    /// every text of them is in an event of that user.
    /// - Parameters:
    ///   - position: The last position of the part before; 0 to begin.
    ///   - limit: Positions at most in this part.
    /// - Throws: ``LogError``.
    func eraseUser(_ user: String, after position: Int64, limit: Int) async throws -> UserErasure

    /// Removes the former bytes of what was erased from the log's files, as far as the file system allows.
    /// - Returns: Whether it was done; false while readers hold on to them. It can be called again.
    /// - Throws: ``LogError``.
    func purgeErased() async throws -> Bool

    /// The number of the last erasure, if copies of what it erased may be left outside the log's tables; see
    /// ``ErasedCopies``. It is stored, so that a restart does not forget it.
    /// - Throws: ``LogError``.
    func unpurgedErasure() async throws -> Int64?

    /// Stores that no copies are left of what was erased up to an erasure.
    /// - Parameter erasure: What ``unpurgedErasure()`` gave before the copies were removed.
    /// - Throws: ``LogError``.
    func notePurged(_ erasure: Int64) async throws
}

/// What a call of ``Eraser/eraseDeleted(before:limit:)`` did.
public struct DeletedErasure: Sendable, Equatable {
    /// The events whose text was erased.
    public var events: Int
    /// Whether there is more to look at.
    public var hasMore: Bool

    /// Makes one.
    public init(events: Int, hasMore: Bool) {
        self.events = events
        self.hasMore = hasMore
    }
}

/// The events of which texts were erased.
public struct ErasedEvents: Sendable, Equatable {
    /// The events that were changed.
    public var changed: Int
    /// The events of the message, also those that had been erased before.
    public var found: Int

    /// Makes one.
    public init(changed: Int, found: Int) {
        self.changed = changed
        self.found = found
    }
}

/// A message that is not deleted.
public struct StoredMessage: Sendable, Equatable {
    /// The channel's id.
    public var channel: String
    /// The message's id.
    public var messageId: String
    /// Who sent it.
    public var author: String

    /// Makes one.
    public init(channel: String, messageId: String, author: String) {
        self.channel = channel
        self.messageId = messageId
        self.author = author
    }
}

/// A channel that a user is in or invited to.
public struct StoredMembership: Sendable, Equatable {
    /// The channel's id.
    public var channel: String
    /// Whether the user is a member; else the user is invited.
    public var isMember: Bool

    /// Makes one.
    public init(channel: String, isMember: Bool) {
        self.channel = channel
        self.isMember = isMember
    }
}

/// How far the erasing of a user has come.
public struct UserErasure: Sendable, Equatable {
    /// The events that were changed in this part.
    public var events: Int
    /// The last position of this part.
    public var position: Int64
    /// The last position of the log.
    public var end: Int64

    /// Makes one.
    public init(events: Int, position: Int64, end: Int64) {
        self.events = events
        self.position = position
        self.end = end
    }
}

/// Keeps copies of what events say, such as rows of views and a search index.
public protocol ErasedCopies: Sendable {
    /// Removes what is left of texts that are erased in the log up to a position.
    /// - Returns: Whether nothing is left; false if it has to be called again later.
    func purgeErased(through position: Int64) async throws -> Bool
}
