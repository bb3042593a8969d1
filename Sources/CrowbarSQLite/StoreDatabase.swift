import CrowbarCore
import GRDB

/// Opening of the small databases beside the log.
enum StoreDatabase {
    /// The longest wait for the lock of another process, in seconds.
    static let busySeconds = 5.0

    /// Opens a database in WAL mode with one connection, or makes it.
    /// - Parameter formats: What brings the database from each format to the next, from none to the first on.
    /// - Throws: ``StoreError``.
    static func open(path: String, label: String, synchronous: String, formats: [String]) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = label
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(busySeconds)
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -512") }
        return try mapErrors(path) {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = \(synchronous); PRAGMA journal_size_limit = 4194304")
                try db.inTransaction(.immediate) {
                    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                    guard found <= formats.count else {
                        throw StoreError.newerFormat(path: path, found: found, supported: formats.count)
                    }
                    for format in formats.dropFirst(found) { try db.execute(sql: format) }
                    try db.execute(sql: "PRAGMA user_version = \(formats.count)")
                    return .commit
                }
            }
            return queue
        }
    }

    /// Runs `body`; errors of GRDB and SQLite become ``StoreError``, with the cause in words.
    /// - Parameters:
    ///   - opening: The path, where it is being opened.
    ///   - path: The path, where it is open.
    static func mapErrors<T>(_ opening: String? = nil, of path: String? = nil, _ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            guard let cause = StorageCause(error, path: opening ?? path) else { throw error }
            if let opening { throw StoreError.cannotOpen(path: opening, why: "\(cause)") }
            let file = path ?? (error as? RawStatement.Failure)?.path
            throw StoreError.failed(file.map { "\($0) cannot be used: \(cause)" } ?? "the database failed: \(cause)")
        }
    }
}
