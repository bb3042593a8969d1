import CrowbarCore
import CrowbarSQLite
import GRDB

/// One full-text index over the messages of one generation: FTS5 with trigrams, which keeps no copy of the texts.
///
/// It is changed in the transactions that change the messages, so that the two never differ. One that is built beside
/// the served one takes part as far as it was built.
final class SearchRows {
    /// Raise it with every change of what is indexed or how: the index is then rebuilt.
    static let version = 1
    /// The older versions of indexes that this code reads and keeps in step with the messages. They are served while
    /// the new one is built.
    static let readableVersions: Set<Int> = []

    /// Its number.
    let generation: Int64
    /// The position of the last message that was indexed, while it is being built; nil once it is complete.
    private(set) var through: Int64?
    private let insert, remove, next: RawStatement

    static func tables(_ generation: Int64) -> [String] { ["search_\(generation)"] }

    /// Makes an empty index.
    /// - Parameter messages: The generation of the messages.
    static func create(_ db: Database, _ generation: Int64, over messages: Int64) throws {
        try db.execute(
            sql: """
                CREATE VIRTUAL TABLE search_\(generation) USING fts5 (
                    text, content = 'messages_\(messages)', content_rowid = 'position', tokenize = 'trigram')
                """)
    }

    init(_ db: Database, _ generation: Int64, over messages: Int64, through: Int64?) throws {
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        self.generation = generation
        self.through = through
        let table = "search_\(generation)"
        insert = try prepare("INSERT INTO \(table) (rowid, text) VALUES (?, ?)")
        remove = try prepare("INSERT INTO \(table) (\(table), rowid, text) VALUES ('delete', ?, ?)")
        next = try prepare(
            """
            SELECT position, text FROM messages_\(messages) WHERE position > ? AND isDeleted = 0
            ORDER BY position LIMIT ?
            """)
    }

    /// Indexes a message's text.
    func add(_ position: Int64, _ text: String) throws { try change(insert, position, text) }

    /// Takes a message's text out; it must be the very text that was indexed.
    func remove(_ position: Int64, _ text: String) throws { try change(remove, position, text) }

    private func change(_ statement: RawStatement, _ position: Int64, _ text: String) throws {
        if let through, position > through { return }
        statement.bind(1, position)
        statement.bind(2, text)
        try statement.run()
    }

    /// Indexes the next messages of the build.
    /// - Parameter limit: The messages at most.
    /// - Returns: Whether the index is complete.
    func build(limit: Int) throws -> Bool {
        guard let through else { return true }
        var texts: [(Int64, String)] = []
        next.bind(1, through)
        next.bind(2, Int64(limit))
        while try next.step() { texts.append((next.int(0), next.text(1))) }
        next.reset()
        for (position, text) in texts {
            insert.bind(1, position)
            insert.bind(2, text)
            try insert.run()
        }
        self.through = texts.count < limit ? nil : texts.last?.0
        return self.through == nil
    }

    /// Merges a part of the index's segments, so that texts that were taken out leave the file: a text that is removed
    /// is only marked until the segment that has it is merged.
    /// - Parameters:
    ///   - isFirst: Whether the merge of the whole index begins.
    ///   - pages: The pages that are written, about.
    /// - Returns: Whether everything is merged.
    func merge(_ db: Database, isFirst: Bool, pages: Int) throws -> Bool {
        let before = db.totalChangesCount
        let table = "search_\(generation)"
        // https://sqlite.org/fts5.html, "The 'merge' command": a negative number begins, and fewer than two changes say
        // that nothing is left.
        try db.execute(
            sql: "INSERT INTO \(table) (\(table), rank) VALUES ('merge', ?)", arguments: [isFirst ? -pages : pages])
        return db.totalChangesCount - before < 2
    }

    /// Goes back to what a transaction that was undone had found.
    func restore(through: Int64?) { self.through = through }
}
