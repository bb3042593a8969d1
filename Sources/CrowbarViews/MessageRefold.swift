import CrowbarCore
import CrowbarSQLite
import GRDB

/// Removes the rows of one channel from those of ``MessageRows``, so that they can be recomputed.
///
/// To remove a text from a search index, the very text that it has must be given, and rows that are wrong need not have
/// it. So the index is left alone where the texts are the same afterwards, and is rebuilt where they are not.
struct MessageRefold {
    private let db: Database
    private let suffix: String
    private let past: [Int64]
    private let present: Int64?
    private let channel: String
    /// The positions of the present life's messages.
    private let positions: [Int64]
    /// The texts before, as hashes.
    private let before: [Int64: Int]

    init(_ history: ChannelHistory, through end: Int64, _ db: Database, _ suffix: String) throws {
        let lives = history.lives(through: end)
        (self.db, self.suffix, past, present) = (db, suffix, lives.past, lives.present)
        channel = history.channel
        var sent: Set<Int64> = []
        if let present {
            history.forEach(through: end) { _, entry in
                if entry.type == .messageSent, entry.position > present { sent.insert(entry.position) }
            }
        }
        before = try Self.texts(db, suffix, present, sent)
        let stored = try Int64.fetchAll(
            db, sql: "SELECT position FROM messages\(suffix) WHERE channel = ?", arguments: [present])
        positions = Array(sent.union(stored))
    }

    /// Removes the present life's rows; those of past lives are left to be removed in parts, as they always are.
    func removeRows() throws {
        let past = past.json
        for table in ["messageMembers", "memberNames", "mentions"] {
            try db.execute(
                sql: """
                    DELETE FROM \(table)\(suffix) WHERE channel = ?2 OR channel IN (SELECT value FROM json_each(?1))
                    """, arguments: [past, present])
        }
        try db.execute(
            sql: """
                UPDATE lives\(suffix) SET isAlive = 0
                WHERE key IN (SELECT value FROM json_each(?1)) OR id = ?2 AND isAlive = 1
                """, arguments: [past, channel])
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO lives\(suffix) (key, id, audience, isAlive, last, changed)
                SELECT value, ?2, 0, 0, 0, 0 FROM json_each(?1)
                WHERE EXISTS (SELECT 1 FROM messages\(suffix) WHERE channel = value)
                """, arguments: [past, channel])
        guard let present else { return }
        try db.execute(sql: "DELETE FROM lives\(suffix) WHERE key = ?", arguments: [present])
        let mine = positions.json
        for (table, column) in [("reactions", "message"), ("reactionCounts", "message"), ("messages", "position")] {
            try db.execute(
                sql: "DELETE FROM \(table)\(suffix) WHERE \(column) IN (SELECT value FROM json_each(?))",
                arguments: [mine])
        }
    }

    /// Whether a search index that was in step with the rows before is not any more.
    func haveTextsChanged() throws -> Bool {
        try Self.texts(db, suffix, present, Set(positions)) != before
    }

    /// The hashes of the texts of messages that are not deleted, by position.
    private static func texts(
        _ db: Database, _ suffix: String, _ present: Int64?, _ positions: Set<Int64>
    ) throws -> [Int64: Int] {
        guard let present else { return [:] }
        let rows = RawStatement(
            try db.makeStatement(
                sql: """
                    SELECT position, text FROM messages\(suffix)
                    WHERE (channel = ?1 OR position IN (SELECT value FROM json_each(?2))) AND isDeleted = 0
                    """))
        defer { rows.reset() }
        rows.bind(1, present)
        rows.bind(2, positions.json)
        var texts: [Int64: Int] = [:]
        while try rows.step() { texts[rows.int(0)] = rows.text(1).hashValue }
        return texts
    }
}
