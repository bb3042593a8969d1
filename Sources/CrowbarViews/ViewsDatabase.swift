import CrowbarSQLite
import GRDB
import Glibc
import Logging

/// The file of the views, `views.db`.
public enum ViewsDatabase {
    /// The format of the file: of the table that lists the views. Their own rows have a version each.
    public static let format = 1
    /// Reading connections.
    private static let readers = 4
    /// The longest wait for a lock, in seconds.
    static let busySeconds = 1.0
    /// The page caches of the writing and of each reading connection, in KiB.
    private static let (writerCache, readerCache) = (16 << 10, 2 << 10)

    /// Opens the file, or makes it. A file that cannot be used as it is, damaged or of a newer format, is replaced:
    /// everything in it can be computed from the log.
    /// - Throws: ``StoreError``.
    static func open(
        path: String, versions: ViewVersions, logger: Logger
    ) throws -> (DatabasePool, ViewWriter) {
        do {
            return try openExisting(path, versions)
        } catch {
            guard isDamaged(error) || isNewer(error) else { throw StoreError.opening(path, error) }
            let reason = isNewer(error) ? "\(error)" : StorageCause(error, path: path)?.summary ?? "\(error)"
            logger.warning(
                "views.db cannot be used and is replaced; all views are rebuilt from the log",
                metadata: ["path": "\(path)", "reason": "\(reason)"])
            remove(path)
            do { return try openExisting(path, versions) } catch { throw StoreError.opening(path, error) }
        }
    }

    /// Removes the file. No connection may be open.
    static func remove(_ path: String) {
        for suffix in ["-wal", "-shm", "-journal", ""] { unlink(path + suffix) }
    }

    /// Whether an error says that the file's contents are of no use.
    static func isDamaged(_ error: any Error) -> Bool {
        let cause = StorageCause(error)
        return cause == .damaged || cause == .notADatabase
    }

    private static func isNewer(_ error: any Error) -> Bool {
        if case StoreError.newerFormat = error { true } else { false }
    }

    private static func openExisting(_ path: String, _ versions: ViewVersions) throws -> (DatabasePool, ViewWriter) {
        var configuration = Configuration()
        configuration.label = "crowbar.views"
        configuration.maximumReaderCount = readers
        configuration.busyMode = .timeout(busySeconds)
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -\(readerCache)") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        let writer = try pool.writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    PRAGMA synchronous = NORMAL; PRAGMA cache_size = -\(writerCache);
                    PRAGMA journal_size_limit = 67108864;
                    """)
            var writer: ViewWriter?
            try db.inTransaction(.immediate) {
                let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard found <= format else {
                    throw StoreError.newerFormat(path: path, found: found, supported: format)
                }
                if found < 1 { try db.execute(sql: ViewGenerations.schema + "PRAGMA user_version = \(format);") }
                writer = try ViewWriter(db, versions: versions)
                return .commit
            }
            // The closure above has run, or thrown.
            guard let writer else { throw StoreError.cannotOpen(path: path, why: "it could not be read") }
            return writer
        }
        return (pool, writer)
    }
}
