import Synchronization

/// Rung by anybody and heard by one task. Rings that nobody has heard yet are one.
///
/// A stream would end when the task is cancelled, and with it the supervision of processes that have to be brought to
/// their end just then.
final class WakeSignal: Sendable {
    private struct State {
        var isSignalled = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Lets whoever waits go on, or whoever waits next.
    func signal() {
        let waiting = state.withLock { state in
            state.isSignalled = state.waiting == nil
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Waits until it is rung, cancelled or not; returns at once where it was rung since the last time.
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
