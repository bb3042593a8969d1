import Synchronization

/// A door that one task waits at and another opens, so that a reader goes on only when it may.
final class Gate: Sendable {
    private struct State {
        var isOpen: Bool
        var isGone = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(isOpen: Bool) { state = Mutex(State(isOpen: isOpen)) }

    /// Lets the waiting task pass, or the next that comes.
    func open() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let waiting = state.waiting else {
                state.isOpen = true
                return nil
            }
            state.waiting = nil
            return waiting
        }
        waiting?.resume()
    }

    /// Lets everybody pass from now on.
    func remove() {
        state.withLock { $0.isGone = true }
        open()
    }

    /// Waits until the gate is opened, and closes it behind itself.
    func pass() async {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state in
                if state.isOpen || state.isGone {
                    state.isOpen = false
                    return true
                }
                state.waiting = continuation
                return false
            }
            if now { continuation.resume() }
        }
    }
}
