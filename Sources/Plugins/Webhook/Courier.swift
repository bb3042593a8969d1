import CCurl
import JSONBytes
import PluginKit
import PluginWire
import Synchronization

/// Hands deliveries to the one thread that posts them, without ever waiting for it.
final class Courier: Sendable {
    /// What the thread has to take over. Bounded by the windows of the queues.
    struct Inbox: Sendable {
        var jobs: [(lane: Int, job: Job)] = []
        var drainMs: Int64?
    }

    private let inbox = Mutex(Inbox())
    private let wakeup: Wakeup

    /// Starts the thread.
    /// - Parameters:
    ///   - lanes: The endpoints with their queues' states.
    ///   - send: Takes messages for the host; called on the thread.
    ///   - drained: Called on the thread when, after ``drain(within:)``, it has ended its work.
    /// - Returns: nil where libcurl cannot start.
    init?(
        _ lanes: [(endpoint: Endpoint, state: JSON)], leftOut: [WebhookConfiguration.LeftOut],
        send: @escaping @Sendable (PluginMessage) -> Void, drained: @escaping @Sendable () -> Void
    ) {
        guard ccurl_global_init(), let multi = ccurl_multi_make(CourierLoop.maxIdleConnections) else { return nil }
        wakeup = Wakeup(multi)
        let wakeup = wakeup
        startThread { [self] in
            let loop = CourierLoop(lanes, leftOut: leftOut, multi: wakeup.multi, send: send)
            loop.run { self.take() }
            drained()
        }
    }

    /// Takes a delivery for the endpoint at this index.
    func deliver(_ job: Job, to lane: Int) {
        let isFirst = inbox.withLock {
            $0.jobs.append((lane, job))
            return $0.jobs.count == 1
        }
        if isFirst { wakeup() }
    }

    /// Starts nothing more, and ends once what is in flight has ended or the time is over.
    func drain(within ms: Int64) {
        inbox.withLock { $0.drainMs = ms }
        wakeup()
    }

    private func take() -> Inbox {
        inbox.withLock {
            let taken = $0
            $0 = Inbox()
            return taken
        }
    }

    /// The thread's multi handle, and what other threads may do with it.
    // Unchecked: the pointer never changes and lives as long as the process. Of libcurl's calls only
    // curl_multi_wakeup is made from other threads, which its manual allows; all others are the courier's thread's.
    private final class Wakeup: @unchecked Sendable {
        let multi: OpaquePointer
        init(_ multi: OpaquePointer) { self.multi = multi }
        func callAsFunction() { ccurl_multi_wakeup(multi) }
    }
}
