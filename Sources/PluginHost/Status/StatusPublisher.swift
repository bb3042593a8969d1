import CrowbarCore

/// Publishes a session's status at most every 100 ms, with each queue's rate over the last ten seconds.
struct StatusPublisher {
    /// Milliseconds between two publications.
    static let interval: Int64 = 100

    private let status: SessionStatus
    private var lastPublish: Int64 = 0
    private var publishedQueues = 0
    private var rates: [(time: Int64, settlements: [Int64])] = []

    init(_ status: SessionStatus) { self.status = status }

    /// Notes that the process is gone.
    func clear() { status.clear() }

    /// When the next publication is due, on the monotonic clock.
    func nextDue(now: Int64) -> Int64? {
        lastPublish + Self.interval > now ? lastPublish + Self.interval : nil
    }

    /// Publishes `view` with the queues as they are, if that is due.
    mutating func publish(_ view: inout SessionStatus.View, _ queues: [QueueRunner], now: Int64) {
        guard
            now - lastPublish >= Self.interval || queues.count != publishedQueues
                || status.current.pid == nil
        else {
            return
        }
        publishedQueues = queues.count
        let shown = rows(queues, now)
        let isChanged = zip(shown, view.queues).contains {
            $0.settlements != $1.settlements || $0.inFlight != $1.inFlight
                || $0.ratePerSecond != $1.ratePerSecond || $0.cursor != $1.cursor
                || $0.waiting != $1.waiting
        }
        view.queues = shown
        status.show(view)
        // An idle plugin is not woken for its listing.
        lastPublish = isChanged ? now : now - Self.interval
    }

    private mutating func rows(_ queues: [QueueRunner], _ now: Int64) -> [SessionStatus.Queue] {
        let settlements = queues.map(\.queue.settlements)
        if rates.last.map({ now - $0.time >= 1000 }) ?? true {
            rates.append((now, settlements))
            if rates.count > 10 { rates.removeFirst() }
        }
        let base = rates.first ?? (now, settlements)
        let seconds = Double(max(1, now - base.time)) / 1000
        return queues.enumerated().filter { $1.droppedAt == nil }.map { i, queue in
            SessionStatus.Queue(
                name: queue.id.queue, cursor: queue.savedCursor, scanned: queue.queue.scanned,
                inFlight: queue.queue.unsettled, parked: queue.queue.parkedLanes.count,
                settlements: settlements[i],
                ratePerSecond: i < base.settlements.count
                    ? Double(settlements[i] - base.settlements[i]) / seconds : 0,
                filter: queue.filter, waiting: queue.queue.waitingForRetry, isHeld: queue.queue.window == 0,
                hasCaughtUp: queue.hasCaughtUp, settledThrough: queue.queue.settledThrough)
        }
    }
}
