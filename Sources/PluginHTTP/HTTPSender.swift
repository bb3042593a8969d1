import HTTPClient
import PluginKit
import PluginWire
import Synchronization

/// Hands what the host says to the one thread that makes the requests, without ever waiting for it.
package final class HTTPSender<Configuration: SendConfiguration>: Sendable {
    /// What the thread has to do, in the order in which the host said it.
    package enum Order: Sendable {
        /// Deliver an event to the endpoint of a queue.
        case deliver(Delivery, queue: String)
        /// Queues start, with their states.
        case start([HostMessage.QueueStart])
        /// Adopt a configuration, and answer under the id.
        case configure(MessageID, Configuration)
        /// Answer an operator's question about one queue or all.
        case ask(MessageID, String, queue: String?)
        /// Note the answer to a command.
        case result(HostMessage.CommandResult)
    }

    /// What waits for the thread. Bounded by the windows of the queues and the limit of commands in flight.
    struct Inbox: Sendable {
        var orders: [Order] = []
        var drainMs: Int64?
    }

    private let inbox = Mutex(Inbox())
    private let multi: CurlMulti

    /// Starts the thread.
    /// - Parameters:
    ///   - configuration: What `ready` declared; an endpoint gets its deliveries once its queue has started.
    ///   - plugin: The plugin's name, for the commands that log lines name.
    ///   - commandsInFlight: Commands without an answer that the host allows.
    ///   - send: Sends a message to the host; called on the thread.
    ///   - drained: Called on the thread when, after ``drain(within:)``, it has ended its work.
    /// - Returns: nil where libcurl cannot start.
    package init?(
        _ configuration: Configuration, plugin: String, commandsInFlight: Int64 = 1,
        send: @escaping @Sendable (PluginMessage) -> Void, drained: @escaping @Sendable () -> Void
    ) {
        let budget = DescriptorBudget.claimed()
        guard let multi = CurlMulti(maxIdle: budget.kept) else { return nil }
        self.multi = multi
        startThread { [self] in
            let loop = SendLoop<Configuration.Service>(
                configuration, plugin: plugin, commandsInFlight: Int(commandsInFlight), multi: multi.pointer,
                budget: budget, send: send)
            loop.run { self.take() }
            drained()
        }
    }

    /// Hands over an order.
    package func enqueue(_ order: Order) {
        let isFirst = inbox.withLock {
            $0.orders.append(order)
            return $0.orders.count == 1
        }
        if isFirst { multi.wakeUp() }
    }

    /// Starts nothing more, and ends once what is in flight has ended or the time is over.
    package func drain(within ms: Int64) {
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
