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
        return try mapErrors(opening: path) {
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

    /// Runs `body` on a database that is being opened; errors of GRDB and SQLite become ``StoreError``.
    private static func mapErrors<T>(opening path: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch { throw StoreError.opening(path, error) }
    }

    /// Runs `body` on a database that is open; errors of GRDB and SQLite become ``StoreError`` with the cause.
    /// - Parameter action: What could not be done then.
    static func mapErrors<T>(of path: String, _ action: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            guard let cause = StorageCause(error, path: path) else { throw error }
            throw StoreError.unusable(path: path, action: action, cause: cause)
        }
    }
}
