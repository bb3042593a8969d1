import CrowbarCore
import GRDB

/// The tables of `log.db` and how older formats become this one.
enum LogSchema {
    /// The format that this version writes, as `PRAGMA user_version`.
    static let version = 2

    /// Brings a database to ``version``.
    /// - Parameters:
    ///   - path: For the error.
    ///   - secret: Makes the secret of a new log.
    /// - Throws: ``StoreError/newerFormat(path:found:supported:)`` or GRDB's errors.
    static func migrate(_ db: Database, path: String, secret: () -> [UInt8]) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else { throw StoreError.newerFormat(path: path, found: found, supported: version) }
        if found == version { return }
        // One transaction: a migration that is interrupted leaves the format that was there.
        try db.inTransaction(.immediate) {
            if found < 1 {
                try db.execute(sql: first)
                let put = try RawStatement(cached: "INSERT INTO meta (key, value) VALUES ('secret', ?)", db)
                put.bind(1, blob: secret())
                try put.run()
            }
            if found < 2 { try db.execute(sql: second) }
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// The log's secret.
    /// - Throws: ``LogError/damaged(_:)`` where it is missing or not of 32 bytes.
    static func secret(_ db: Database) throws -> [UInt8] {
        let rows = try RawStatement(cached: "SELECT value FROM meta WHERE key = 'secret'", db)
        defer { rows.reset() }
        guard try rows.step(), rows.bytes(0).count == 32 else { throw LogError.damaged("its secret is missing") }
        return Array(rows.bytes(0))
    }

    /// The log's head when a version first opened it that derives ids from keys and queues: which events may have an id
    /// of the form before (docs/decisions/0059-keys-have-a-queue.md).
    static func keysScopedAfter(_ db: Database) throws -> Int64 {
        let key = "keysScopedAfter"
        if let known = try Int64.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) {
            return known
        }
        let head = try Int64.fetchOne(db, sql: "SELECT max(position) FROM events") ?? 0
        try db.execute(sql: "INSERT INTO meta (key, value) VALUES (?, ?)", arguments: [key, head])
        return head
    }

    /// The key of the table `meta` that says that a user is erased. Older versions do not look for it, so it needs no
    /// other format.
    static func erasedKey(_ user: String) -> String { "erasedUser:\(user)" }

    // `json` stands last, so that a row's other columns are found on its first page however long the event is.
    // AUTOINCREMENT on channels: a key must never come again, since messages of a destroyed channel stay under theirs.
    static let first = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE events (
            position INTEGER PRIMARY KEY, eventId TEXT NOT NULL UNIQUE, type INTEGER NOT NULL, channelId TEXT,
            userId TEXT NOT NULL, originPlugin TEXT, depth INTEGER NOT NULL, commandHash BLOB NOT NULL,
            timestamp INTEGER NOT NULL, json BLOB NOT NULL);
        CREATE INDEX eventsByChannel ON events (channelId, position);
        CREATE TABLE users (userId TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE channels (
            key INTEGER PRIMARY KEY AUTOINCREMENT, channelId TEXT NOT NULL UNIQUE, creator TEXT NOT NULL);
        CREATE TABLE members (
            channelKey INTEGER NOT NULL, userId TEXT NOT NULL, PRIMARY KEY (channelKey, userId)) WITHOUT ROWID;
        CREATE TABLE messages (
            channelKey INTEGER NOT NULL, messageId TEXT NOT NULL, userId TEXT NOT NULL, textPosition INTEGER NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channelKey, messageId)) WITHOUT ROWID;
        """

    // Who may read what (docs/decisions/0080-private-channels.md), invitations and reactions. Columns with a constant
    // default: no row is written, so the migration takes the same short time for every log. An audience of 0 takes no
    // bytes in a row, which is why `audience` may stand behind `json`.
    // `members.private` repeats the channel's, so that the index names a user's private channels and public ones cost
    // it nothing.
    private static let second = """
        ALTER TABLE events ADD COLUMN audience INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE channels ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE members ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX privateMembers ON members (userId, channelKey) WHERE private = 1;
        CREATE TABLE invitations (
            channelKey INTEGER NOT NULL, userId TEXT NOT NULL, PRIMARY KEY (channelKey, userId)) WITHOUT ROWID;
        CREATE INDEX invitationsByUser ON invitations (userId, channelKey);
        CREATE TABLE reactions (
            channelKey INTEGER NOT NULL, messageId TEXT NOT NULL, reaction TEXT NOT NULL, userId TEXT NOT NULL,
            PRIMARY KEY (channelKey, messageId, reaction, userId)) WITHOUT ROWID;
        CREATE TABLE reactionCounts (
            channelKey INTEGER NOT NULL, messageId TEXT NOT NULL, reaction TEXT NOT NULL, count INTEGER NOT NULL,
            PRIMARY KEY (channelKey, messageId, reaction)) WITHOUT ROWID;
        """
}
