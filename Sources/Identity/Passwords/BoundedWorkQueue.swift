import Dispatch
import Synchronization

/// Runs expensive work on threads of its own: a few pieces at a time, a bounded number waiting, the rest refused.
final class BoundedWorkQueue: Sendable {
    /// Why work was not done.
    enum Refusal: Error, Equatable {
        /// As many wait as may wait.
        case full
    }

    private struct Waiting {
        var id: UInt64
        var run: @Sendable () -> Void
        /// Resumes the caller without the work.
        var cancel: @Sendable () -> Void
    }

    private struct State {
        var running = 0
        var waiting: [Waiting] = []
        var lastId: UInt64 = 0
        /// Work that was cancelled before it arrived here, or that runs.
        var cancelled: Set<UInt64> = []
    }

    private let atOnce: Int
    private let capacity: Int
    private let threads: DispatchQueue
    private let state = Mutex(State())

    /// Makes a queue.
    /// - Parameters:
    ///   - label: The name of its threads.
    ///   - atOnce: Pieces of work that run at a time.
    ///   - capacity: Pieces of work that wait at most.
    init(label: String, atOnce: Int, capacity: Int) {
        self.atOnce = atOnce
        self.capacity = capacity
        threads = DispatchQueue(label: label, attributes: .concurrent)
    }

    /// Pieces of work that wait.
    var waiting: Int { state.withLock { $0.waiting.count } }
    /// Pieces of work that run.
    var running: Int { state.withLock { $0.running } }

    /// Does a piece of work, in the order of arrival.
    /// - Throws: ``Refusal/full``, or `CancellationError` where the task is cancelled while the work waits.
    func run<T: Sendable>(_ work: @escaping @Sendable () -> T) async throws -> T {
        let id = state.withLock {
            $0.lastId += 1
            return $0.lastId
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
                enqueue(
                    Waiting(
                        id: id, run: { continuation.resume(returning: work()) },
                        cancel: { continuation.resume(throwing: CancellationError()) }),
                    refuse: { continuation.resume(throwing: $0) })
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func enqueue(_ new: Waiting, refuse: (any Error) -> Void) {
        let (refusal, starts): ((any Error)?, Bool) = state.withLock { state in
            if state.cancelled.remove(new.id) != nil { return (CancellationError(), false) }
            if state.running < atOnce {
                state.running += 1
                return (nil, true)
            }
            if state.waiting.count >= capacity { return (Refusal.full, false) }
            state.waiting.append(new)
            return (nil, false)
        }
        if let refusal { refuse(refusal) }
        if starts { threads.async { [self] in work(through: new) } }
    }

    private func work(through first: Waiting) {
        var next: Waiting? = first
        while let current = next {
            current.run()
            next = state.withLock { state in
                if state.waiting.isEmpty {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }

    private func cancel(_ id: UInt64) {
        let found: Waiting? = state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                // It runs, or it has not arrived yet.
                state.cancelled.insert(id)
                return nil
            }
            return state.waiting.remove(at: index)
        }
        found?.cancel()
    }
}
