import HTTPClient
import PluginKit
import PluginWire
import Synchronization

/// Hands events to the one thread that makes the requests, without ever waiting for it.
final class Courier: Sendable {
    /// What the thread has to take over. Bounded by the windows of the queues and the limit of commands in flight.
    struct Inbox: Sendable {
        var jobs: [(lane: Int, job: Job)] = []
        var results: [HostMessage.CommandResult] = []
        var questions: [Question] = []
        var drainMs: Int64?
    }

    /// What the operator wants to know, or have done; bounded by the host.
    struct Question: Sendable {
        var id: MessageID
        var what: String
        var queue: String?
    }

    private let inbox = Mutex(Inbox())
    private let multi: CurlMulti

    /// Starts the thread.
    /// - Parameters:
    ///   - commandsInFlight: Commands without an answer that the host allows.
    ///   - send: Takes messages for the host; called on the thread.
    ///   - drained: Called on the thread when, after ``drain(within:)``, it has ended its work.
    /// - Returns: nil where libcurl cannot start.
    init?(
        _ configuration: AWSConfiguration, _ surroundings: Surroundings, commandsInFlight: Int64,
        send: @escaping @Sendable (PluginMessage) -> Void, drained: @escaping @Sendable () -> Void
    ) {
        guard let multi = CurlMulti(maxIdle: CourierLoop.maxIdleConnections) else { return nil }
        self.multi = multi
        startThread { [self] in
            let loop = CourierLoop(
                configuration, surroundings, commandsInFlight: Int(commandsInFlight), multi: multi.pointer, send: send)
            loop.run { self.take() }
            drained()
        }
    }

    /// Takes an event for the target at this index.
    func deliver(_ job: Job, to lane: Int) { put { $0.jobs.append((lane, job)) } }

    /// Takes the answer to a command.
    func answer(_ result: HostMessage.CommandResult) { put { $0.results.append(result) } }

    /// Takes a question of the operator's.
    func ask(_ id: MessageID, _ what: String, _ queue: String?) {
        put { $0.questions.append(Question(id: id, what: what, queue: queue)) }
    }

    /// Starts nothing more, and ends once what is in flight has ended or the time is over.
    func drain(within ms: Int64) { put { $0.drainMs = ms } }

    private func put(_ change: (inout Inbox) -> Void) {
        let isFirst = inbox.withLock {
            let isFirst = $0.jobs.isEmpty && $0.results.isEmpty && $0.questions.isEmpty && $0.drainMs == nil
            change(&$0)
            return isFirst
        }
        if isFirst { multi.wakeUp() }
    }

    private func take() -> Inbox {
        inbox.withLock {
            let taken = $0
            $0 = Inbox()
            return taken
        }
    }
}
