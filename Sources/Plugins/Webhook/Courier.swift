import HTTPClient
import JSONBytes
import PluginKit
import PluginWire
import Synchronization

/// Hands what the host says to the one thread that posts, without ever waiting for it.
final class Courier: Sendable {
    /// What the thread has to do, in the order in which the host said it.
    enum Order: Sendable {
        /// Deliver an event to the endpoint of a queue.
        case deliver(Job, queue: String)
        /// Queues begin, with their states.
        case start([HostMessage.QueueStart])
        /// A new configuration, to be answered under the id.
        case configure(MessageID, WebhookConfiguration)
        /// A question of the operator's, about one queue or all.
        case ask(MessageID, String, queue: String?)
    }

    /// What the thread has to take over. Bounded by the windows of the queues.
    struct Inbox: Sendable {
        var orders: [Order] = []
        var drainMs: Int64?
    }

    private let inbox = Mutex(Inbox())
    private let multi: CurlMulti

    /// Starts the thread.
    /// - Parameters:
    ///   - configuration: What `ready` declared; an endpoint gets its deliveries once its queue has begun.
    ///   - plugin: The plugin's name, for the commands that log lines name.
    ///   - send: Takes messages for the host; called on the thread.
    ///   - drained: Called on the thread when, after ``drain(within:)``, it has ended its work.
    /// - Returns: nil where libcurl cannot start.
    init?(
        _ configuration: WebhookConfiguration, plugin: String,
        send: @escaping @Sendable (PluginMessage) -> Void, drained: @escaping @Sendable () -> Void
    ) {
        let room = FileRoom.claimed()
        guard let multi = CurlMulti(maxIdle: room.kept) else { return nil }
        self.multi = multi
        startThread { [self] in
            let loop = CourierLoop(configuration, plugin: plugin, multi: multi.pointer, room: room, send: send)
            loop.run { self.take() }
            drained()
        }
    }

    /// Takes an order.
    func put(_ order: Order) {
        let isFirst = inbox.withLock {
            $0.orders.append(order)
            return $0.orders.count == 1
        }
        if isFirst { multi.wakeUp() }
    }

    /// Starts nothing more, and ends once what is in flight has ended or the time is over.
    func drain(within ms: Int64) {
        inbox.withLock { $0.drainMs = ms }
        multi.wakeUp()
    }

    private func take() -> Inbox {
        inbox.withLock {
            let taken = $0
            $0 = Inbox()
            return taken
        }
    }
}
