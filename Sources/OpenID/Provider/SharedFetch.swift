import Synchronization

/// A cache with those who wait for the fetch that is under way.
final class SharedFetch<Policy: FetchPolicy>: Sendable {
    private struct State {
        var policy: Policy
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ policy: Policy) { state = Mutex(State(policy: policy)) }

    /// Asks the policy.
    func decide<Decision: Sendable>(_ body: (inout Policy) -> Decision) -> Decision {
        state.withLock { body(&$0.policy) }
    }

    /// Waits until no fetch is under way.
    func join() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.policy.isFetching { state.waiting.append(continuation) }
                return !state.policy.isFetching
            }
            if isOver { continuation.resume() }
        }
    }

    /// Reports a fetch's end, and wakes who waits for it.
    func end(_ body: (inout Policy) -> Void) {
        let waiting = state.withLock { state in
            body(&state.policy)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
