import CrowbarCore
import GRDB

/// Read markers in `markers.db`.
///
/// `synchronous=NORMAL`: after a power cut the last of them may be missing, and what was read since is unread again.
/// Accounts are in a file of their own, since each change there is synced and makes the server forget its tokens.
public final class SQLiteMarkers: Markers {
    private let database: DatabaseQueue

    static let formats = [
        """
        CREATE TABLE markers (
            userId TEXT NOT NULL, channelId TEXT NOT NULL, position INTEGER NOT NULL, eventId TEXT,
            PRIMARY KEY (userId, channelId)) WITHOUT ROWID;
        CREATE TABLE revisions (userId TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
        """
    ]

    /// Opens the markers, or makes them.
    /// - Throws: ``StoreError``.
    public init(path: String) throws {
        database = try StoreDatabase.open(
            path: path, label: "crowbar.markers", synchronous: "NORMAL", formats: Self.formats)
    }

    public func markers(of user: String) async throws -> UserMarkers {
        try await run("cannot be read") { db in
            let revision = try RawStatement(cached: "SELECT revision FROM revisions WHERE userId = ?", db)
            defer { revision.reset() }
            revision.bind(1, user)
            var found = UserMarkers(revision: try revision.step() ? revision.int(0) : 0)
            let rows = try RawStatement(
                cached: "SELECT channelId, position, eventId FROM markers WHERE userId = ?", db)
            defer { rows.reset() }
            rows.bind(1, user)
            while try rows.step() {
                found.channels[rows.text(0)] = ReadMarker(
                    position: rows.int(1), eventId: rows.isNull(2) ? nil : rows.text(2))
            }
            return found
        }
    }

    public func set(_ marker: ReadMarker, of user: String, in channel: String, onlyForward: Bool) async throws -> Bool {
        try await run("cannot be written") { db in
            var isMoved = false
            try db.inTransaction(.immediate) {
                let put = try RawStatement(
                    cached: """
                        INSERT INTO markers (userId, channelId, position, eventId) VALUES (?1, ?2, ?3, ?4)
                        ON CONFLICT (userId, channelId) DO UPDATE SET
                        position = excluded.position, eventId = excluded.eventId
                        WHERE excluded.position > markers.position
                            OR (?5 = 0 AND excluded.position <> markers.position)
                        """, db)
                put.bind(1, user)
                put.bind(2, channel)
                put.bind(3, marker.position)
                put.bind(4, marker.eventId)
                put.bind(5, onlyForward ? 1 : 0)
                try put.run()
                isMoved = db.changesCount > 0
                guard isMoved else { return .commit }
                let count = try RawStatement(
                    cached: """
                        INSERT INTO revisions (userId, revision) VALUES (?, 1)
                        ON CONFLICT (userId) DO UPDATE SET revision = revision + 1
                        """, db)
                count.bind(1, user)
                try count.run()
                return .commit
            }
            return isMoved
        }
    }

    /// Removes all markers of a user.
    /// - Throws: ``StoreError``.
    public func removeAll(of user: String) async throws {
        try await run("cannot be written") { db in
            try db.inTransaction(.immediate) {
                for table in ["markers", "revisions"] {
                    let drop = try RawStatement(cached: "DELETE FROM \(table) WHERE userId = ?", db)
                    drop.bind(1, user)
                    try drop.run()
                }
                return .commit
            }
        }
    }

    /// Closes the connection once its work is done. The markers cannot be used after it.
    public func close() throws { try database.close() }

    private func run<T: Sendable>(
        _ action: String, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { [path = database.path] db in
                continuation.resume(with: Result { try StoreDatabase.mapErrors(of: path, action) { try body(db) } })
            }
        }
    }
}
