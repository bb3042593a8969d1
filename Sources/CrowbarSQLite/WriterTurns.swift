import GRDB
import Glibc
import Synchronization

/// What waits for the log's writing connection, in order, and the thread that does it.
///
/// One thread stays with the connection as long as the log is open. A queue would give each append to another thread of
/// its pool, whose stack and memory are in no cache: that costs as much as the append's own statements where appends
/// are rare.
// Unchecked: a semaphore of sem_overview(7) is made for several threads, and its address stays from `init` to `deinit`.
final class WriterTurns: @unchecked Sendable {
    /// What is to be done with the connection, outside of a transaction.
    typealias Turn = @Sendable (Database) -> Void

    private let turns = Mutex<[Turn]>([])
    /// Counts the turns, and the end.
    private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        // It fails for an initial value that is too large only.
        sem_init(signal, 0, 0)
    }

    deinit {
        sem_destroy(signal)
        signal.deallocate()
    }

    /// Has something done after all that was put before it.
    func put(_ turn: @escaping Turn) {
        turns.withLock { $0.append(turn) }
        sem_post(signal)
    }

    /// Lets ``run(_:)`` return once all is done that was put before.
    func close() { sem_post(signal) }

    /// Does what is put, on the thread that calls it, until it is closed.
    func run(_ db: Database) {
        while true {
            // A signal handler may have interrupted it.
            while sem_wait(signal) != 0 {}
            // None is left only at the end.
            guard let turn = turns.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
            turn(db)
        }
    }
}
