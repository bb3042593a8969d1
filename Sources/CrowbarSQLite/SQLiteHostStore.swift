import CrowbarCore
import GRDB

/// The plugin host's bookkeeping in `host.db`.
///
/// `synchronous=NORMAL`: after a power cut its last commits may be missing, which costs deliveries made twice and never
/// one left out; a crash of the process loses nothing.
public final class SQLiteHostStore: HostStore {
    let database: DatabaseQueue

    /// Opens the bookkeeping, or makes it.
    /// - Throws: ``StoreError``.
    public init(path: String) throws {
        database = try StoreDatabase.open(
            path: path, label: "crowbar.host", synchronous: "NORMAL",
            formats: Self.formats)
    }

    static let formats = [
        """
        CREATE TABLE queues (
            plugin TEXT NOT NULL, queue TEXT NOT NULL, cursorPosition INTEGER, cursorEventId TEXT,
            bornAt INTEGER NOT NULL, settled BLOB NOT NULL, retries BLOB NOT NULL, state BLOB,
            PRIMARY KEY (plugin, queue)) WITHOUT ROWID;
        CREATE TABLE deadLetters (
            id INTEGER PRIMARY KEY, plugin TEXT NOT NULL, queue TEXT NOT NULL, position INTEGER NOT NULL,
            eventId TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,
            first INTEGER NOT NULL, last INTEGER NOT NULL, UNIQUE (plugin, queue, position));
        """,
        """
        ALTER TABLE queues ADD COLUMN parked BLOB NOT NULL DEFAULT x'';
        ALTER TABLE queues ADD COLUMN droppedAt INTEGER;
        ALTER TABLE deadLetters ADD COLUMN redrive INTEGER NOT NULL DEFAULT 0;
        """,
        "ALTER TABLE queues ADD COLUMN savedAt INTEGER;",
    ]

    public func queues(of plugin: String) async throws -> [String: QueueRecord] {
        try await run { db in
            let rows = try RawStatement(
                cached: """
                    SELECT queue, cursorPosition, cursorEventId, bornAt, settled, retries, state, parked, droppedAt,
                    savedAt FROM queues WHERE plugin = ?
                    """, db)
            defer { rows.reset() }
            rows.bind(1, plugin)
            var found: [String: QueueRecord] = [:]
            while try rows.step() {
                let queue = rows.text(0)
                guard let settled = QueueBytes.ranges(Array(rows.bytes(4))),
                    let retries = QueueBytes.retries(Array(rows.bytes(5))),
                    let parked = QueueBytes.parked(Array(rows.bytes(7)))
                else { throw StoreError.failed("the queue \(plugin)/\(queue) is damaged") }
                found[queue] = QueueRecord(
                    cursor: rows.isNull(1) ? nil : LogEntryID(position: rows.int(1), eventId: rows.text(2)),
                    bornAt: rows.int(3), settled: settled, retries: retries, parked: parked,
                    state: rows.isNull(6) ? nil : Array(rows.bytes(6)),
                    droppedAt: rows.isNull(8) ? nil : rows.int(8), savedAt: rows.isNull(9) ? nil : rows.int(9))
            }
            return found
        }
    }

    public func save(
        _ records: [QueueID: QueueRecord], deadLetters: [DeadLetter], redriven: [QueueID: [Int64]]
    ) async throws {
        try await run { db in
            try db.inTransaction(.immediate) {
                for (id, record) in records { try Self.put(db, id, record) }
                for letter in deadLetters { try Self.put(db, letter) }
                for (id, positions) in redriven {
                    for position in positions { try Self.remove(db, id, position) }
                }
                return .commit
            }
        }
    }

    private static func put(_ db: Database, _ id: QueueID, _ record: QueueRecord) throws {
        let put = try RawStatement(
            cached: """
                INSERT OR REPLACE INTO queues
                (plugin, queue, cursorPosition, cursorEventId, bornAt, settled, retries, state, parked, droppedAt,
                savedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, db)
        put.bind(1, id.plugin)
        put.bind(2, id.queue)
        put.bind(3, record.cursor?.position)
        put.bind(4, record.cursor?.eventId)
        put.bind(5, record.bornAt)
        put.bind(6, blob: QueueBytes.bytes(record.settled))
        put.bind(7, blob: QueueBytes.bytes(record.retries))
        put.bind(8, blobIfPresent: record.state)
        put.bind(9, blob: QueueBytes.bytes(record.parked))
        put.bind(10, record.droppedAt)
        put.bind(11, record.savedAt)
        try put.run()
    }

    private static func put(_ db: Database, _ letter: DeadLetter) throws {
        let put = try RawStatement(
            cached: """
                INSERT INTO deadLetters (plugin, queue, position, eventId, code, message, attempts, first, last)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (plugin, queue, position) DO UPDATE SET
                code = excluded.code, message = excluded.message, attempts = excluded.attempts, last = excluded.last,
                redrive = 0
                """, db)
        put.bind(1, letter.id.plugin)
        put.bind(2, letter.id.queue)
        put.bind(3, letter.entry.position)
        put.bind(4, letter.entry.eventId)
        put.bind(5, letter.code)
        put.bind(6, letter.message)
        put.bind(7, letter.attempts)
        put.bind(8, letter.first)
        put.bind(9, letter.last)
        try put.run()
    }

    public func deadLetters(of plugin: String, queue: String?, limit: Int) async throws -> [DeadLetter] {
        try await run { db in
            let rows = try RawStatement(
                cached: """
                    SELECT queue, position, eventId, code, message, attempts, first, last FROM deadLetters
                    WHERE plugin = ?1 AND (?2 IS NULL OR queue = ?2) ORDER BY id LIMIT ?3
                    """, db)
            defer { rows.reset() }
            rows.bind(1, plugin)
            rows.bind(2, queue)
            rows.bind(3, Int64(limit))
            var letters: [DeadLetter] = []
            while try rows.step() {
                letters.append(
                    DeadLetter(
                        id: QueueID(plugin: plugin, queue: rows.text(0)),
                        entry: LogEntryID(position: rows.int(1), eventId: rows.text(2)), code: rows.text(3),
                        message: rows.text(4), attempts: rows.int(5), first: rows.int(6), last: rows.int(7)))
            }
            return letters
        }
    }

    public func deadLetterCounts() async throws -> [QueueID: Int] {
        try await run { db in
            let rows = try RawStatement(
                cached: "SELECT plugin, queue, count(*) FROM deadLetters GROUP BY plugin, queue", db)
            defer { rows.reset() }
            var counts: [QueueID: Int] = [:]
            while try rows.step() {
                counts[QueueID(plugin: rows.text(0), queue: rows.text(1))] = Int(rows.int(2))
            }
            return counts
        }
    }

    public func plugins() async throws -> [String] {
        try await run { db in
            let rows = try RawStatement(cached: "SELECT DISTINCT plugin FROM queues ORDER BY plugin", db)
            defer { rows.reset() }
            var plugins: [String] = []
            while try rows.step() { plugins.append(rows.text(0)) }
            return plugins
        }
    }

    public func forget(plugin: String) async throws {
        try await run { db in
            try db.inTransaction(.immediate) {
                for table in ["queues", "deadLetters"] {
                    let drop = try RawStatement(cached: "DELETE FROM \(table) WHERE plugin = ?", db)
                    drop.bind(1, plugin)
                    try drop.run()
                }
                return .commit
            }
        }
    }

    public func forget(queue: QueueID) async throws {
        try await run { db in
            try db.inTransaction(.immediate) {
                for table in ["queues", "deadLetters"] {
                    let drop = try RawStatement(cached: "DELETE FROM \(table) WHERE plugin = ? AND queue = ?", db)
                    drop.bind(1, queue.plugin)
                    drop.bind(2, queue.queue)
                    try drop.run()
                }
                return .commit
            }
        }
    }

    /// Closes the connection once its work is done. The store cannot be used after it.
    public func close() throws { try database.close() }

    /// Runs on the connection's queue. Not GRDB's `async` functions: those give up when the task is cancelled, and a
    /// server that stops saves its cursors in just such tasks.
    func run<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { [path = database.path] db in
                continuation.resume(
                    with: Result { try StoreDatabase.mapErrors(of: path, "cannot be used") { try body(db) } })
            }
        }
    }
}
