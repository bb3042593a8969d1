import GRDB
import GRDBSQLite
import Synchronization

/// Moves pages of the log's WAL into its database, by ``CheckpointPlan``: on a connection of its own beside the
/// appends, or on the writer's between two of them.
final class Checkpointer: Sendable {
    private let aside: DatabaseQueue
    private let plan = Mutex(CheckpointPlan())

    /// - Parameters:
    ///   - path: The database, in WAL mode.
    ///   - busySeconds: The longest wait for a lock.
    /// - Throws: GRDB's errors.
    init(path: String, busySeconds: Double) throws {
        var configuration = Configuration()
        configuration.label = "crowbar.checkpoint"
        configuration.busyMode = .timeout(busySeconds)
        // It reads nothing but the pages that it moves, and those past its cache.
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = 0; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0")
        }
        aside = try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Goes by the plan after a commit.
    /// - Parameters:
    ///   - pages: What the WAL holds behind it.
    ///   - writer: The connection that committed, on its queue and outside of a transaction.
    func committed(_ pages: Int, _ writer: Database) {
        switch plan.withLock({ $0.committed(pages) }) {
        case .nothing: break
        case .aside: aside.asyncWriteWithoutTransaction { [self] in move($0) }
        case .now: move(writer)
        }
    }

    private func move(_ db: Database) {
        var (pages, moved): (CInt, CInt) = (0, 0)
        let code = sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved)
        plan.withLock { plan in
            if code == SQLITE_OK, pages >= 0 { plan.copied(Int(moved), of: Int(pages)) } else { plan.failed() }
        }
    }
}
