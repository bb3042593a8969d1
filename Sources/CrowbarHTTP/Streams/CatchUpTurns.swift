import Synchronization

/// Whose turn it is to read a page of the log: few at once, so that readers far behind leave the log to others. The
/// order is that of asking; those who read more ask again behind the others.
final class CatchUpTurns: Sendable {
    private struct State {
        var running = 0
        var next = 0
        /// Those who wait, in order; without an entry in `continuations` they have gone.
        var waiting: [Int] = []
        var continuations: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let atOnce: Int
    private let state = Mutex(State())

    /// - Parameter atOnce: Pages that are read at once.
    init(atOnce: Int = APIConfiguration.Limit.catchUps) { self.atOnce = atOnce }

    /// The pages that are being read, and those who wait.
    var counts: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.continuations.count) } }

    /// Runs a read once it is its turn.
    /// - Throws: `CancellationError`, and what the read throws.
    func run<Result: Sendable>(_ read: () async throws -> Result) async throws -> Result {
        guard await admit() else { throw CancellationError() }
        defer { finish() }
        return try await read()
    }

    private func admit() async -> Bool {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if state.running < atOnce {
                        state.running += 1
                        return true
                    }
                    state.waiting.append(number)
                    state.continuations[number] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.continuations.removeValue(forKey: number) }?.resume(returning: false)
        }
    }

    /// Gives the turn to the next one who still waits.
    private func finish() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            while !state.waiting.isEmpty {
                if let next = state.continuations.removeValue(forKey: state.waiting.removeFirst()) { return next }
            }
            state.running -= 1
            return nil
        }
        next?.resume(returning: true)
    }
}
