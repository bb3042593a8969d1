import Synchronization

/// Whose read marker moved, and where.
public struct MovedMarker: Sendable, Hashable {
    /// The user.
    public var userId: String
    /// The channel.
    public var channelId: String

    /// Makes one.
    public init(userId: String, channelId: String) {
        self.userId = userId
        self.channelId = channelId
    }
}

/// Reports that read markers moved. It does not carry where to: a reader looks the marker up.
public final class MarkerSignal: Sendable {
    private struct State {
        var next = 0
        var subscribers: [Int: @Sendable (MovedMarker) -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Makes a signal without subscribers.
    public init() {}

    /// Has `report` called after each move until the token is given to ``cancel(_:)``. It must return at once.
    public func subscribe(_ report: @escaping @Sendable (MovedMarker) -> Void) -> Int {
        state.withLock {
            $0.next += 1
            $0.subscribers[$0.next] = report
            return $0.next
        }
    }

    /// Ends a subscription.
    public func cancel(_ token: Int) {
        state.withLock { _ = $0.subscribers.removeValue(forKey: token) }
    }

    /// Reports a move to all subscribers.
    public func notify(_ move: MovedMarker) {
        let subscribers = state.withLock { Array($0.subscribers.values) }
        for report in subscribers { report(move) }
    }
}
