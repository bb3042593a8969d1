import CrowbarCore
import GRDB

/// The tables of `log.db` and how older formats become this one.
enum LogSchema {
    /// The format that this version writes, as `PRAGMA user_version`.
    static let version = 1

    /// Brings a database to ``version``.
    /// - Parameters:
    ///   - path: For the error.
    ///   - secret: Makes the secret of a new log.
    /// - Throws: ``StoreError/newerFormat(path:found:supported:)`` or GRDB's errors.
    static func migrate(_ db: Database, path: String, secret: () -> [UInt8]) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else { throw StoreError.newerFormat(path: path, found: found, supported: version) }
        if found < 1 {
            try db.inTransaction(.immediate) {
                try db.execute(sql: first)
                let put = try RawStatement(cached: "INSERT INTO meta (key, value) VALUES ('secret', ?)", db)
                put.bind(1, blob: secret())
                try put.run()
                try db.execute(sql: "PRAGMA user_version = 1")
                return .commit
            }
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

    // `json` stands last, so that a row's other columns are found on its first page however long the event is.
    // AUTOINCREMENT on channels: a key must never come again, since messages of a destroyed channel stay under theirs.
    private static let first = """
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
}
