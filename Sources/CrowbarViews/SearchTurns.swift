import Synchronization

/// Whose turn it is to search: so few at once that other questions always find a reading connection.
final class SearchTurns: Sendable {
    /// Searches at once.
    static let atOnce = 2
    /// Searches that wait at most. Each turn is short, so the last of them does not wait long.
    static let most = 32

    private struct State {
        var running = 0
        /// Those who wait, in order.
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let state = Mutex(State())

    /// The searches that run and that wait.
    var counts: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.waiting.count) } }

    /// Runs a search once it is its turn.
    /// - Throws: ``ViewRefusal/searchesFull``, and what the search throws.
    func run<Result: Sendable>(_ search: () async throws -> Result) async throws -> Result {
        let isAdmitted = await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.running < Self.atOnce {
                    state.running += 1
                    return true
                }
                if state.waiting.count >= Self.most { return false }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        guard isAdmitted else { throw ViewRefusal.searchesFull }
        // A turn that ends goes to the next one who waits.
        defer {
            let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                if state.waiting.isEmpty {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
            next?.resume(returning: true)
        }
        return try await search()
    }
}
