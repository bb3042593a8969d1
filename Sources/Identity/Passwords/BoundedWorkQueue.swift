import Glibc
import Synchronization

/// Runs expensive work on threads of its own: a few pieces at a time, a bounded number waiting, the rest refused.
///
/// The threads are none of Dispatch's: those are as few as the machine has processors, and all tasks run on them too.
/// Two hashes on a machine with two processors would stop the whole server.
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
    private let niceness: Int32
    private let state = Mutex(State())

    /// Makes a queue.
    /// - Parameters:
    ///   - atOnce: Pieces of work that run at a time.
    ///   - capacity: Pieces of work that wait at most.
    ///   - niceness: By how much the scheduler prefers other threads, 0 to 19.
    init(atOnce: Int, capacity: Int, niceness: Int32 = 19) {
        self.atOnce = atOnce
        self.capacity = capacity
        self.niceness = niceness
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
        if starts { startThread(new) }
    }

    /// What a new thread gets.
    private final class Start: Sendable {
        let queue: BoundedWorkQueue
        let first: Waiting

        init(_ queue: BoundedWorkQueue, _ first: Waiting) { (self.queue, self.first) = (queue, first) }
    }

    /// A hash takes a thousand times as long as the start of a thread, so none is kept.
    private func startThread(_ first: Waiting) {
        let start = Unmanaged.passRetained(Start(self, first))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                // On Linux this is of the calling thread alone.
                setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, start.queue.niceness)
                start.queue.work(through: start.first)
                return nil
            }, start.toOpaque())
        if code == 0 {
            pthread_detach(thread)
        } else {
            // No room for a thread: the work is done here, late but in order.
            start.release()
            work(through: first)
        }
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
