import CrowbarSQLite
import GRDB

/// What was published to one target, kept in `views.db` over restarts. It can be lost: then the target is compared file
/// by file.
struct PublishedTable: Sendable {
    /// Up to where the changes of a projection were published.
    struct Mark: Equatable, Sendable {
        /// The generation of its rows.
        var generation: Int64
        /// The position up to which every change is published.
        var position: Int64
    }

    let target: String

    private static let schema = """
        CREATE TABLE IF NOT EXISTS published (
            target TEXT NOT NULL, path TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL, tag TEXT,
            PRIMARY KEY (target, path)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS publishedMarks (
            target TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, position INTEGER NOT NULL,
            PRIMARY KEY (target, name)) WITHOUT ROWID;
        """

    /// Reads what was published, and makes the tables where there are none.
    func load(_ pool: DatabasePool) async throws -> (
        files: [PublishedFile: (stamp: PublishStamp, tag: String?)], marks: [ViewName: Mark]
    ) {
        try await pool.writeWithoutTransaction { db in try db.execute(sql: Self.schema) }
        return try await pool.read { db in
            var files: [PublishedFile: (stamp: PublishStamp, tag: String?)] = [:]
            let rows = try Row.fetchCursor(
                db, sql: "SELECT path, version, position, tag FROM published WHERE target = ?", arguments: [target])
            while let row = try rows.next() {
                let path: String = row["path"]
                guard let file = PublishedFile(path) else { continue }
                files[file] = (PublishStamp(version: row["version"], position: row["position"]), row["tag"])
            }
            var marks: [ViewName: Mark] = [:]
            for row in try Row.fetchAll(
                db, sql: "SELECT name, generation, position FROM publishedMarks WHERE target = ?", arguments: [target])
            {
                guard let name = ViewName(rawValue: row["name"]) else { continue }
                marks[name] = Mark(generation: row["generation"], position: row["position"])
            }
            return (files, marks)
        }
    }

    /// Notes what a file is now; a stamp of nil: it is not there, or not known.
    func note(_ file: PublishedFile, _ stamp: PublishStamp?, tag: String?, _ pool: DatabasePool) async throws {
        try await pool.writeWithoutTransaction { db in
            if let stamp {
                try db.execute(
                    sql:
                        "INSERT OR REPLACE INTO published VALUES (?, ?, ?, ?, ?)",
                    arguments: [target, file.path, stamp.version, stamp.position, tag])
            } else {
                try db.execute(
                    sql: "DELETE FROM published WHERE target = ? AND path = ?", arguments: [target, file.path])
            }
        }
    }

    /// Notes up to where everything is published.
    func note(_ marks: [ViewName: Mark], _ pool: DatabasePool) async throws {
        try await pool.writeWithoutTransaction { db in
            for (name, mark) in marks {
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO publishedMarks (target, name, generation, position) VALUES (?, ?, ?, ?)
                        """, arguments: [target, name.rawValue, mark.generation, mark.position])
            }
        }
    }
}
