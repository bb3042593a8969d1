import CrowbarCore

/// Reads the log for a session, one request at a time, off the task that owns the session's state.
final class LogReader: Sendable {
    enum Request: Sendable {
        case page(after: Int64)
        case positions([Int64], queue: Int)
        /// A part of a parked lane.
        case lane(LogLane, key: String, from: Int64, through: Int64, queue: Int)
    }

    private let log: any EventLog
    private let requests: AsyncStream<Request>
    private let submit: AsyncStream<Request>.Continuation

    init(log: any EventLog) {
        self.log = log
        // The session asks again only after the answer.
        (requests, submit) = AsyncStream.makeStream(of: Request.self, bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ request: Request) { submit.yield(request) }

    func close() { submit.finish() }

    func run(_ mailbox: Mailbox) async {
        for await request in requests { mailbox.post(await read(request)) }
    }

    /// Reads what is asked for.
    /// - Returns: What the session receives in its mailbox.
    func read(_ request: Request) async -> Mailbox.Input {
        do {
            switch request {
            case .page(let after):
                let page = try await log.read(
                    after: after, limit: QueueRunner.pageEntries, maxBytes: QueueRunner.pageBytes)
                return .page(page, after: after)
            case .positions(let positions, let queue):
                return .fetched(try await log.read(positions: positions), queue: queue)
            case .lane(let lane, let key, let from, let through, let queue):
                let page = try await log.read(
                    lane: lane, after: from - 1, through: through, limit: DeliveryQueue.Limit.parkedAhead,
                    maxBytes: QueueRunner.pageBytes)
                return .lane(page, key: key, through: through, queue: queue)
            }
        } catch {
            return .readFailed("\(error)")
        }
    }
}
