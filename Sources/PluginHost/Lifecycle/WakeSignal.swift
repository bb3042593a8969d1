import Synchronization

/// Wakes one waiting task. Signals that arrive before the task waits are merged into one.
///
/// An `AsyncStream` would finish when the task is cancelled, at the moment when the supervisor still has to shut
/// processes down.
final class WakeSignal: Sendable {
    private struct State {
        var isSignalled = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Resumes the waiting task, or the next one that waits.
    func signal() {
        let waiting = state.withLock { state in
            state.isSignalled = state.waiting == nil
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Waits for a signal, also when cancelled. Returns at once if there was one since the last wait.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isSignalled = state.withLock { state in
                if !state.isSignalled { state.waiting = continuation }
                defer { state.isSignalled = false }
                return state.isSignalled
            }
            if isSignalled { continuation.resume() }
        }
    }
}
