import HummingbirdCore
import NIOCore
import Synchronization

/// Counts a listener's connections. Where all places are taken, a new connection takes the place of the one that has
/// been idle longest; where none is idle, it waits to be accepted.
final class ConnectionGate: AvailableConnectionsDelegate {
    private struct State {
        var open = 0
        var next: UInt64 = 0
        /// The connections that wait for a request, by age.
        var idle: [UInt64: any Channel] = [:]
    }

    private let limit: Int
    private let log: SparseLog
    private let metrics: HTTPMetrics?
    private let state = Mutex(State())

    init(limit: Int, log: SparseLog, metrics: HTTPMetrics? = nil) {
        self.limit = limit
        self.log = log
        self.metrics = metrics
    }

    /// Connections that are open.
    var count: Int { state.withLock { $0.open } }

    func isAcceptingNewConnections() -> Bool { state.withLock { $0.open < limit } }

    func connectionOpened() {
        let (isFull, victim) = state.withLock { state -> (Bool, (any Channel)?) in
            state.open += 1
            guard state.open >= limit else { return (false, nil) }
            return (true, state.idle.keys.min().flatMap { state.idle.removeValue(forKey: $0) })
        }
        guard isFull else { return }
        metrics?.note(.connectionLimit)
        if let victim {
            log.warn(
                .idleClosed, "all \(limit) HTTP connections are in use; the longest idle one is closed for a new one")
            victim.close(promise: nil)
        } else {
            log.warn(
                .connectionsFull,
                "all \(limit) HTTP connections are busy; new ones wait. A higher limit of open files allows up to "
                    + "\(APIConfiguration.Limit.connections)")
        }
    }

    func connectionClosed() { state.withLock { $0.open -= 1 } }

    /// Notes that a connection waits for a request.
    /// - Parameter isNew: Whether it has made none yet.
    /// - Returns: Its number while it waits; nil where there is no room to wait, and the connection must close.
    func waits(_ channel: any Channel, isNew: Bool) -> UInt64? {
        state.withLock { state in
            if !isNew, state.open >= limit { return nil }
            state.next += 1
            state.idle[state.next] = channel
            return state.next
        }
    }

    /// Notes that a connection waits no more.
    func waitsNoMore(_ number: UInt64) { state.withLock { _ = $0.idle.removeValue(forKey: number) } }
}
