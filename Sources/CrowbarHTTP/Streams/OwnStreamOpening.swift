import CrowbarCore

/// Looks up what a stream with `mine=true` begins with. It costs as much as a page, since each public channel is asked
/// for the user, so it has its turn as a page has.
struct OwnStreamOpening: Sendable {
    let log: ReadableLog
    let rights: ReadAccess
    let turns: CatchUpTurns

    /// What a user may read, and which of it concerns the user.
    func access(of user: String) async throws -> (Access, OwnEvents) {
        try await turns.run { [rights] in try await rights.ownAccess(of: user) }
    }

    /// The id of the last event that the user may read, if it is near the head.
    func lastReadable(for access: Access) async throws -> String? {
        try await turns.run { [log] in try await log.lastReadable(through: access.head, for: access)?.eventId }
    }
}
