import CrowbarSQLite
import GRDB

/// Opening of `views.db`.
enum ViewsDatabase {
    /// The format of the file: of the table that lists the views. Their own rows have a version each.
    static let format = 1
    /// Reading connections.
    private static let readers = 4
    /// The longest wait for a lock, in seconds.
    private static let busySeconds = 1.0
    /// The page caches of the writing and of each reading connection, in KiB.
    private static let (writerCache, readerCache) = (16 << 10, 2 << 10)

    /// Opens the file, or makes it.
    /// - Throws: ``StoreError``.
    static func open(path: String) throws -> (DatabasePool, ViewWriter) {
        var configuration = Configuration()
        configuration.label = "crowbar.views"
        configuration.maximumReaderCount = readers
        configuration.busyMode = .timeout(busySeconds)
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -\(readerCache)") }
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            let writer = try pool.writeWithoutTransaction { db in
                try db.execute(
                    sql: "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -\(writerCache);")
                var writer: ViewWriter?
                try db.inTransaction(.immediate) {
                    let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                    guard found <= format else {
                        throw StoreError.newerFormat(path: path, found: found, supported: format)
                    }
                    if found < 1 { try db.execute(sql: ViewWriter.schema + "PRAGMA user_version = \(format);") }
                    writer = try ViewWriter(db)
                    return .commit
                }
                // The closure above has run, or thrown.
                guard let writer else { throw StoreError.cannotOpen(path: path, why: "it could not be read") }
                return writer
            }
            return (pool, writer)
        } catch {
            guard let cause = StorageCause(error, path: path) else { throw error }
            throw StoreError.cannotOpen(path: path, why: "\(cause)")
        }
    }
}
