import CrowbarCore
import GRDB
import GRDBSQLite
import Glibc

/// The embedded log: one SQLite file in WAL mode that holds the events and the decision tables.
///
/// An append is one transaction and returns once its commit is synced (`synchronous=FULL`). Readers have connections of
/// their own and one short transaction a page, so that neither side waits for the other and the WAL can shrink. The
/// files are closed with the last reference to the object.
public final class SQLiteLog: EventLog {
    /// Limits of memory and files.
    enum Limit {
        /// The page cache of the writing connection, in KiB.
        static let writerCache = 4096
        /// The page cache of each reading connection, in KiB.
        static let readerCache = 1024
        /// Reading connections.
        static let readers = 4
        /// The pages of a WAL that readers let grow beyond them which its file keeps once it starts again.
        static let walPages = 8 << 10
        /// The longest wait for a lock, in seconds.
        static let busySeconds = 1.0
    }

    public let growth = GrowthSignal()
    public let secret: [UInt8]
    let pool: DatabasePool
    private let writer: LogWriter
    private let turns = WriterTurns()
    private let tail = LogTail()
    let checkpointer: Checkpointer
    private let path: String
    private let health = SharedWriteHealth()

    /// Opens a log, or makes it.
    /// - Parameters:
    ///   - path: The database file; its folder must be there. `-wal` and `-shm` files stand beside it.
    ///   - now: The Unix time in milliseconds.
    ///   - random32: 32 random bytes, for the secret of a new log.
    /// - Throws: ``StoreError``, ``LogError/damaged(_:)``.
    public init(
        path: String, now: @escaping @Sendable () -> Int64, random32: () -> [UInt8]
    ) throws {
        do {
            pool = try DatabasePool(path: path, configuration: Self.configuration)
            (writer, secret) = try pool.writeWithoutTransaction { db in
                try LogSchema.migrate(db, path: path, secret: random32)
                // Only now: the pool sets NORMAL once it has prepared its connection.
                try db.execute(
                    sql: """
                        PRAGMA synchronous = FULL; PRAGMA cache_size = -\(Limit.writerCache);
                        PRAGMA journal_size_limit = \(Limit.walPages * 4096);
                        """)
                try Self.requireDurability(db, path: path)
                return (try LogWriter(db, now: now), try LogSchema.secret(db))
            }
            checkpointer = try Checkpointer(path: path, busySeconds: Limit.busySeconds)
        } catch {
            guard let cause = StorageCause(error, path: path) else { throw error }
            throw StoreError.cannotOpen(path: path, why: "\(cause)")
        }
        self.path = path
        pool.asyncWriteWithoutTransaction { [turns, writer] in
            turns.run($0, onExpectation: writer.beginEarly, onVain: writer.endEarly)
        }
    }

    deinit { turns.close() }

    /// Asks whether commits of a connection are synced.
    /// - Throws: ``StoreError/notDurable(path:synchronous:)``.
    static func requireDurability(_ db: Database, path: String) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1
        if found != 2 { throw StoreError.notDurable(path: path, synchronous: found) }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "crowbar.log"
        configuration.maximumReaderCount = Limit.readers
        configuration.busyMode = .timeout(Limit.busySeconds)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = -\(Limit.readerCache)")
        }
        return configuration
    }

    public func append(_ batch: [Submission], then done: @escaping @Sendable (AppendOutcome) -> Void) {
        turns.put { [writer, tail, growth, checkpointer, health] db in
            do {
                let (outcomes, grew) = try writer.append(batch, db, tail)
                if grew { health.succeeded() }
                if grew { growth.notify() }
                done(.success(outcomes))
                if grew { checkpointer.committed(writer.walPages, db) }
            } catch {
                health.failed(error)
                done(.failure(error))
            }
        }
    }

    public func requireWritable() async throws {
        if StorageCause.isFull(StorageCause.folder(of: path)) { throw LogError(.diskFull, path: path) }
        // A probe is a page and may fit where a command does not.
        if let failure = health.failure, failure.isFileSizeLimit, StorageCause.isAtFileSizeLimit(path) { throw failure }
        guard health.beginProbe(now: Self.monotonic()) else {
            if let failure = health.failure { throw failure }
            return
        }
        do {
            try await withWriter { [writer] in try writer.probe($0) }
            health.succeeded()
        } catch {
            health.failed(error)
            throw error
        }
    }

    private static func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func expectAppend() { turns.expect() }

    /// Does something with the writing connection, behind all appends that were begun before.
    func withWriter<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            turns.put { [writer] db in
                writer.endEarly()
                let result = Result { try body(db) }
                writer.connectionWasUsed()
                continuation.resume(with: result)
            }
        }
    }

    /// As ``withWriter(_:)`` for ``Eraser``: errors are a ``LogError``, the last append is no longer given from memory,
    /// and the WAL's pages count as after an append.
    func withErasingWriter<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do {
            return try await withWriter { [writer, tail, checkpointer] db in
                defer { tail.forget() }
                let result = try body(db)
                checkpointer.committed(writer.walPages, db)
                return result
            }
        } catch {
            guard !(error is LogError), let cause = StorageCause(error, path: path) else { throw error }
            throw LogError(cause, path: path)
        }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            pool.asyncRead { [path] access in
                do {
                    continuation.resume(returning: try body(try access.get()))
                } catch let error as LogError {
                    continuation.resume(throwing: error)
                } catch {
                    let why = StorageCause(error, path: path).map { "\(path): \($0)" } ?? "\(error)"
                    continuation.resume(throwing: LogError.unavailable(why))
                }
            }
        }
    }

    public func head() async throws -> LogEntryID? {
        try await read { try LogReader.entry($0, atOrBefore: .max)?.id }
    }

    public func read(after position: Int64, limit: Int, maxBytes: Int) async throws -> LogPage {
        try await read { try LogReader.page($0, after: position, limit: limit, maxBytes: maxBytes) }
    }

    public func recent(after position: Int64) -> LogPage? { tail.page(after: position) }

    public func read(positions: [Int64]) async throws -> LogPage {
        try await read { try LogReader.page($0, positions: positions) }
    }

    public func read(
        lane: LogLane, after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        try await read {
            try LogReader.page($0, lane: lane, after: position, through: end, limit: limit, maxBytes: maxBytes)
        }
    }

    public func readUserEvents(
        after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        try await read {
            try LogReader.userEvents($0, after: position, through: end, limit: limit, maxBytes: maxBytes)
        }
    }

    public func readRights(of user: String, withPublic: Bool) async throws -> ReadRights {
        try await read { try LogReader.rights($0, of: user, withPublic: withPublic) }
    }

    public func channel(_ id: String, for user: String) async throws -> ChannelMembership? {
        try await read { try LogReader.channel($0, id, for: user) }
    }

    public func position(of eventId: String) async throws -> Int64? {
        try await read { try LogReader.position($0, of: eventId) }
    }

    public func entry(atOrBefore position: Int64) async throws -> LogEntryID? {
        try await read { try LogReader.entry($0, atOrBefore: position)?.id }
    }

    public func lastEntry(before milliseconds: Int64) async throws -> LogEntryID? {
        try await read { try LogReader.lastEntry($0, before: milliseconds) }
    }

    public func count(after position: Int64, through end: Int64) async throws -> Int64 {
        try await read { try LogReader.count($0, after: position, through: end) }
    }

    public func tally(after position: Int64, through end: Int64) async throws -> [LogTally] {
        try await read { try LogReader.tally($0, after: position, through: end) }
    }
}
