import CrowbarSQLite
import GRDB

/// The table of `views.db` that lists the generations of all views.
enum ViewGenerations {
    static let schema = """
        CREATE TABLE views (
            generation INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version INTEGER NOT NULL,
            isLive INTEGER NOT NULL, position INTEGER NOT NULL, eventId TEXT NOT NULL, source INTEGER,
            audience INTEGER NOT NULL DEFAULT 0, publicEventId TEXT NOT NULL DEFAULT '');
        """

    /// Adds a generation that is not served yet.
    /// - Parameter source: The generation of the messages that an index is over.
    /// - Returns: Its number.
    static func register(_ db: Database, _ name: ViewName, _ version: Int, source: Int64?) throws -> Int64 {
        try db.execute(
            sql: """
                INSERT INTO views (name, version, isLive, position, eventId, source) VALUES (?, ?, 0, 0, '', ?)
                """, arguments: [name.rawValue, version, source])
        return db.lastInsertedRowID
    }

    /// Drops a generation's tables and, of messages, its indexes'.
    static func drop(_ db: Database, _ generation: Int64, _ projections: [any ViewRows.Type]) throws {
        let rows = try Row.fetchAll(
            db, sql: "SELECT generation, name FROM views WHERE generation = ?1 OR source = ?1 ORDER BY source IS NULL",
            arguments: [generation])
        for row in rows {
            let (name, number): (String, Int64) = (row["name"], row["generation"])
            let tables =
                projections.first { $0.name.rawValue == name }?.tables(number) ?? SearchRows.tables(number)
            for table in tables { try db.execute(sql: "DROP TABLE IF EXISTS \(table)") }
        }
        try db.execute(sql: "DELETE FROM views WHERE generation = ?1 OR source = ?1", arguments: [generation])
    }
}
