import GRDB
import GRDBSQLite
import Synchronization

/// Moves pages of the log's WAL into its database, by ``CheckpointPlan``: on a connection of its own beside the
/// appends, or on the writer's between two of them.
final class Checkpointer: Sendable {
    /// What has been done so far.
    struct Tally: Equatable {
        /// Steps beside the appends.
        var aside = 0
        /// Steps between two appends.
        var now = 0
        /// The most pages that were moved between two appends.
        var mostNow = 0
        /// Whether a reader held up the last step.
        var isHeldUp = false
    }

    private let aside: DatabaseQueue
    private let busySeconds: Double
    private let state = Mutex((plan: CheckpointPlan(), tally: Tally(), moved: 0))

    /// What has been done so far.
    var tally: Tally {
        state.withLock { state in
            var tally = state.tally
            tally.isHeldUp = state.plan.isHeldUp
            return tally
        }
    }

    /// - Parameters:
    ///   - path: The database, in WAL mode.
    ///   - busySeconds: The longest wait for a lock.
    /// - Throws: GRDB's errors.
    init(path: String, busySeconds: Double) throws {
        self.busySeconds = busySeconds
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
        switch state.withLock({ $0.plan.committed(pages) }) {
        case .nothing: break
        case .aside: aside.asyncWriteWithoutTransaction { [self] in move($0, isNow: false) }
        case .now: move(writer, isNow: true)
        }
    }

    /// Moves all pages and empties the WAL's file, so that no former bytes of a page are left in it. It does not wait.
    /// - Returns: Whether it was done; false while somebody reads or writes.
    func truncate() async throws -> Bool {
        try await aside.writeWithoutTransaction { [self, milliseconds = Int(busySeconds * 1_000)] db in
            try db.execute(sql: "PRAGMA busy_timeout = 0")
            defer { try? db.execute(sql: "PRAGMA busy_timeout = \(milliseconds)") }
            let code = sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
            if code == SQLITE_OK { state.withLock { $0.moved = 0 } }
            guard code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED else {
                throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
            return code == SQLITE_OK
        }
    }

    /// Passive: it waits neither for readers nor for another checkpoint.
    private func move(_ db: Database, isNow: Bool) {
        var (pages, moved): (CInt, CInt) = (0, 0)
        let code = sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved)
        state.withLock { state in
            guard code == SQLITE_OK, pages >= 0 else { return state.plan.failed() }
            state.plan.copied(Int(moved), of: Int(pages))
            // A WAL that has started again counts from 0.
            let before = Int(moved) < state.moved ? 0 : state.moved
            state.moved = Int(moved)
            if isNow {
                state.tally.now += 1
                state.tally.mostNow = max(state.tally.mostNow, Int(moved) - before)
            } else {
                state.tally.aside += 1
            }
        }
    }
}
