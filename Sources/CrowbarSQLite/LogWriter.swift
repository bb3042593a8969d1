import CrowbarCore
import GRDB
import GRDBSQLite

/// The log's writing side: decides and stores batches, one transaction each.
///
/// `@unchecked Sendable`: all its state is made and used on the serial queue of the pool's writing connection only, in
/// the closures that ``SQLiteLog`` gives to it.
final class LogWriter: @unchecked Sendable {
    private let tables: SQLiteDecisionTables
    private let begin, commit, rollback, find, insert: RawStatement
    private let now: @Sendable () -> Int64
    /// Behind it no event has an id of the form that keys had before they had a queue.
    private let keysScopedAfter: Int64
    private var lastPosition: Int64
    private var lastTimestamp: Int64
    /// A transaction was begun for an append that was expected.
    private var hasBegun = false
    /// Pages in the WAL behind the last commit.
    private(set) var walPages = 0

    init(_ db: Database, now: @escaping @Sendable () -> Int64) throws {
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        tables = try SQLiteDecisionTables(db)
        begin = try prepare("BEGIN IMMEDIATE")
        commit = try prepare("COMMIT")
        rollback = try prepare("ROLLBACK")
        find = try prepare("SELECT position, timestamp, commandHash FROM events WHERE eventId = ?")
        insert = try prepare(
            """
            INSERT INTO events (
                position, eventId, type, channelId, userId, originPlugin, depth, commandHash, timestamp, json,
                audience)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        self.now = now
        keysScopedAfter = try LogSchema.keysScopedAfter(db)
        let last = try Row.fetchOne(db, sql: "SELECT position, timestamp FROM events ORDER BY position DESC LIMIT 1")
        lastPosition = last?[0] ?? 0
        lastTimestamp = last?[1] ?? 0
        // It takes the place of SQLite's own, which checkpoints within the commit that others wait for. The writer
        // outlives its last commit, and with it the hook's last call.
        sqlite3_wal_hook(
            db.sqliteConnection,
            { writer, _, _, pages in
                if let writer { Unmanaged<LogWriter>.fromOpaque(writer).takeUnretainedValue().walPages = Int(pages) }
                return SQLITE_OK
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Begins the transaction of an append that is expected at once. Where that fails the append tries it, and tells.
    func beginEarly() { if !hasBegun { hasBegun = (try? begin.run()) != nil } }

    /// Notes that the connection was used for something else than an append.
    func connectionWasUsed() { tables.forget() }

    /// Ends it, as nothing is to be appended.
    func endEarly() {
        if hasBegun { try? rollback.run() }
        hasBegun = false
    }

    /// Decides and stores a batch; returns once the commit is synced, with what was stored in `tail`.
    /// - Returns: The outcomes, and whether anything was stored.
    /// - Throws: ``LogError``; nothing of the batch is stored then, and the next call begins from the same state.
    func append(
        _ batch: [Submission], _ db: Database, _ tail: LogTail
    ) throws -> (outcomes: [Result<Receipt, CommandError>], grew: Bool) {
        var outcomes: [Result<Receipt, CommandError>] = []
        outcomes.reserveCapacity(batch.count)
        var position = lastPosition
        var appended = LogPage(entries: batch.count)
        let timestamp = max(now(), lastTimestamp)
        do {
            if !hasBegun { try begin.run() }
            hasBegun = false
            for submission in batch {
                do {
                    outcomes.append(.success(try store(submission, at: position + 1, timestamp, &appended)))
                    if case .success(let receipt) = outcomes[outcomes.count - 1], !receipt.isDuplicate { position += 1 }
                } catch let refusal as CommandError {
                    outcomes.append(.failure(refusal))
                }
            }
            try commit.run()
        } catch {
            // After some errors (a full disk) SQLite has rolled back by itself.
            if sqlite3_get_autocommit(db.sqliteConnection) == 0 { try? rollback.run() }
            tables.forget()
            throw Self.reason(error)
        }
        let grew = position > lastPosition
        if grew {
            tail.replace(appended, after: lastPosition)
            lastPosition = position
            lastTimestamp = timestamp
        }
        return (outcomes, grew)
    }

    /// Writes a page that stays as it is, to see whether anything can be stored.
    /// - Throws: ``LogError``.
    func probe(_ db: Database) throws {
        endEarly()
        do {
            try begin.run()
            let format = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? LogSchema.version
            try db.execute(sql: "PRAGMA user_version = \(format)")
            try commit.run()
        } catch {
            if sqlite3_get_autocommit(db.sqliteConnection) == 0 { try? rollback.run() }
            throw Self.reason(error, path: sqlite3_db_filename(db.sqliteConnection, nil).map { String(cString: $0) })
        }
    }

    /// Why the log cannot be written, for callers and for the operator.
    private static func reason(_ error: any Error, path: String? = nil) -> any Error {
        guard let cause = StorageCause(error, path: path) else { return error }
        return LogError(cause, path: path ?? (error as? RawStatement.Failure)?.path ?? "log.db")
    }

    /// Stores one event and puts it behind `appended`, or does nothing.
    private func store(
        _ submission: Submission, at position: Int64, _ timestamp: Int64, _ appended: inout LogPage
    ) throws -> Receipt {
        if submission.idSource != .fresh, let known = try known(submission) { return known }
        let decision = try Decision.decide(submission, against: tables, position: position)
        // First the tables: a refusal by their own rules comes from the first statement that would write.
        if let change = decision.change { try tables.apply(change) }
        let audience = try decision.audience(in: tables)
        let channel = submission.command.type.hasChannel ? submission.command.channelId : nil
        let (user, json) = (
            EventEncoder.userId(submission), EventEncoder.bytes(submission, decision, timestamp: timestamp)
        )
        insert.bind(1, position)
        insert.bind(2, submission.eventId)
        insert.bind(3, Int64(submission.command.type.event.rawValue))
        insert.bind(4, channel)
        insert.bind(5, user)
        insert.bind(6, submission.origin?.plugin)
        insert.bind(7, Int64(submission.depth))
        insert.bind(8, blob: submission.commandHash)
        insert.bind(9, timestamp)
        insert.bind(10, blob: json)
        insert.bind(11, audience)
        try insert.run()
        json.withUnsafeBytes {
            appended.append(
                position: position, timestamp: timestamp, type: submission.command.type.event, channel: channel,
                user: user, origin: submission.origin?.plugin, depth: submission.depth,
                audience: audience, json: $0)
        }
        return Receipt(eventId: submission.eventId, position: position, timestamp: timestamp)
    }

    private func known(_ submission: Submission) throws -> Receipt? {
        if let (receipt, isSame) = try stored(submission.eventId, submission.commandHash) {
            if !isSame, submission.idSource != .derived { throw CommandError.eventIdConflict(submission.eventId) }
            return receipt
        }
        // Another command there may be another queue's, which is no conflict now.
        guard keysScopedAfter > 0, let former = submission.formerId,
            let (receipt, isSame) = try stored(former, submission.commandHash), isSame,
            receipt.position <= keysScopedAfter
        else { return nil }
        return receipt
    }

    /// The event of an id, and whether it came from the command of that hash; nil where there is none.
    private func stored(_ eventId: String, _ hash: [UInt8]) throws -> (Receipt, isSame: Bool)? {
        defer { find.reset() }
        find.bind(1, eventId)
        guard try find.step() else { return nil }
        let receipt = Receipt(eventId: eventId, position: find.int(0), timestamp: find.int(1), isDuplicate: true)
        return (receipt, find.bytes(2).elementsEqual(hash))
    }
}
