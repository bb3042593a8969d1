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
    /// What is to be done with the connection: outside of a transaction, or in the one that was begun for it early.
    typealias Turn = @Sendable (Database) -> Void

    private struct State {
        var turns: [Turn] = []
        /// Something is being done.
        var isBusy = false
        /// An append is likely to come at once.
        var isExpecting = false
        var isClosed = false
    }

    private let patience: Int
    private let state = Mutex(State())
    /// Counts the turns, the expectations, and the end.
    private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// - Parameter patience: How long an append is expected, in nanoseconds; less than a second.
    init(patience: Int = 5_000_000) {
        self.patience = patience
        // It fails for an initial value that is too large only.
        sem_init(signal, 0, 0)
    }

    deinit {
        sem_destroy(signal)
        signal.deallocate()
    }

    /// Has something done after all that was put before it.
    func put(_ turn: @escaping Turn) {
        state.withLock { $0.turns.append(turn) }
        sem_post(signal)
    }

    /// Says that an append is likely to be put at once, so that the thread is awake and has begun when it is.
    func expect() {
        let isAsleep = state.withLock { state in
            // Where there is something to do already, it has begun by itself.
            guard !state.isBusy, state.turns.isEmpty, !state.isExpecting else { return false }
            state.isExpecting = true
            return true
        }
        if isAsleep { sem_post(signal) }
    }

    /// Lets ``run(_:)`` return once all is done that was put before.
    func close() {
        state.withLock { $0.isClosed = true }
        sem_post(signal)
    }

    private enum Next {
        case turn(Turn)
        case expectation
        /// What was expected has come before the thread was awake.
        case nothing
        case end
    }

    /// Does what is put, on the thread that calls it, until it is closed.
    /// - Parameters:
    ///   - onExpectation: Begins an append that is expected.
    ///   - onVain: Undoes that, as none has come; also called in the end, whatever was begun.
    func run(_ db: Database, onExpectation: () -> Void, onVain: () -> Void) {
        while true {
            state.withLock { $0.isBusy = false }
            // A signal handler may have interrupted it.
            while sem_wait(signal) != 0 {}
            switch next() {
            case .turn(let turn): turn(db)
            case .expectation:
                onExpectation()
                if !isPutInTime() { onVain() }
            case .nothing: break
            case .end:
                onVain()
                return
            }
        }
    }

    private func next() -> Next {
        state.withLock { state in
            state.isBusy = true
            let isExpecting = state.isExpecting
            state.isExpecting = false
            if !state.turns.isEmpty { return .turn(state.turns.removeFirst()) }
            return isExpecting ? .expectation : state.isClosed ? .end : .nothing
        }
    }

    /// Waits for the next turn, or the end, for a moment, and leaves it to be taken.
    private func isPutInTime() -> Bool {
        // By the clock of the day, which the call wants: where that jumps, what has begun ends earlier, or with the
        // next turn.
        var end = timespec()
        clock_gettime(CLOCK_REALTIME, &end)
        end.tv_nsec += patience
        if end.tv_nsec >= 1_000_000_000 {
            end.tv_sec += 1
            end.tv_nsec -= 1_000_000_000
        }
        while sem_timedwait(signal, &end) != 0 {
            if errno != EINTR { return false }
        }
        sem_post(signal)
        return true
    }
}
