import Dispatch
import GRDB
import Synchronization

/// What waits for the log's writing connection, in order, and the thread that does it.
///
/// One thread stays with the connection as long as the log is open. A queue would give each append to another thread of
/// its pool, whose stack and memory are in no cache: that costs as much as the append's own statements where appends
/// are rare.
final class WriterTurns: Sendable {
    /// What is to be done with the connection, outside of a transaction.
    typealias Turn = @Sendable (Database) -> Void

    private struct State {
        var turns: [Turn] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)

    /// Has something done after all that was put before it.
    func put(_ turn: @escaping Turn) {
        state.withLock { $0.turns.append(turn) }
        signal.signal()
    }

    /// Lets ``run(_:)`` return once all is done that was put before.
    func close() {
        state.withLock { $0.isClosed = true }
        signal.signal()
    }

    /// Does what is put, on the thread that calls it, until it is closed.
    func run(_ db: Database) {
        while true {
            signal.wait()
            guard let turn = state.withLock({ $0.turns.isEmpty ? nil : $0.turns.removeFirst() }) else { return }
            turn(db)
        }
    }
}
