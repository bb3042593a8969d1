import Synchronization

/// Tells readers that the log has grown. A wake-up carries no data and may come once for many appends, or for none.
public final class GrowthSignal: Sendable {
    private struct State {
        var next = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Makes a signal without readers.
    public init() {}

    /// Has `wake` called after each growth until the token is given to ``cancel(_:)``. It must return at once.
    public func subscribe(_ wake: @escaping @Sendable () -> Void) -> Int {
        state.withLock {
            $0.next += 1
            $0.waiting[$0.next] = wake
            return $0.next
        }
    }

    /// Ends a subscription.
    public func cancel(_ token: Int) {
        state.withLock { _ = $0.waiting.removeValue(forKey: token) }
    }

    /// Wakes all readers.
    public func notify() {
        let waiting = state.withLock { Array($0.waiting.values) }
        for wake in waiting { wake() }
    }

    /// The wake-ups as a sequence; those that come while nobody looks become one.
    public func wakeUps() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let token = subscribe { continuation.yield() }
        continuation.onTermination = { [weak self] _ in self?.cancel(token) }
        return stream
    }
}
