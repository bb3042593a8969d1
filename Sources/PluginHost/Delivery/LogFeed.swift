import CrowbarCore

/// Chooses what a session reads from the log next, and hands what was read to its queues: a value without I/O.
/// ``LogReader`` does the reading, one request at a time.
struct LogFeed {
    /// The read under way; nil if none is.
    private(set) var request: LogReader.Request?
    /// When reading is retried after a failure, on the monotonic clock.
    private(set) var retryAt: Int64?
    /// A page that was read before any queue wanted it, and the position behind which it was read.
    private var ahead: (page: LogPage, after: Int64)?
    /// The position behind which a page was read ahead last.
    private var lastAhead: Int64 = -1
    /// The last read was, or could have been, of a parked lane.
    private var wasLane = false
    private var grewWhileReading = false

    // MARK: What to read

    /// Starts the next read; nil if nothing is needed or a read is under way.
    mutating func start(_ queues: inout [QueueRunner]) -> LogReader.Request? {
        if request != nil || retryAt != nil { return nil }
        useAhead(&queues)
        request = choose(&queues)
        return request
    }

    private mutating func choose(_ queues: inout [QueueRunner]) -> LogReader.Request? {
        if let i = queues.firstIndex(where: { !$0.fetching.isEmpty && !$0.isPaused }) {
            return .positions(queues[i].fetching.map(\.position), queue: i)
        }
        // Pages and parked lanes alternate, so that a lane with much to read delays nobody.
        wasLane.toggle()
        if wasLane, let lane = lane(&queues) { return lane }
        if let after = queues.lazy.filter(\.needsPage).map(\.queue.scanned).min() {
            return page(after: after)
        }
        if !wasLane, let lane = lane(&queues) { return lane }
        return nextPage(queues)
    }

    private mutating func page(after position: Int64) -> LogReader.Request {
        grewWhileReading = false
        return .page(after: position)
    }

    private func lane(_ queues: inout [QueueRunner]) -> LogReader.Request? {
        for i in queues.indices {
            guard let part = queues[i].revival() else { continue }
            return .lane(part.lane, key: part.key, from: part.from, through: part.through, queue: i)
        }
        return nil
    }

    /// The page behind the one that is being delivered, so that reading and writing overlap.
    private mutating func nextPage(_ queues: [QueueRunner]) -> LogReader.Request? {
        if let last = ahead?.page.entries.last?.position,
            queues.allSatisfy({ $0.queue.scanned >= last || $0.droppedAt != nil || $0.isPaused })
        {
            ahead = nil
        }
        guard ahead == nil, let after = queues.lazy.compactMap(\.fullPageEnd).max(), after != lastAhead
        else {
            return nil
        }
        lastAhead = after
        return page(after: after)
    }

    // MARK: What was read

    /// Gives the queues what is in memory: the page that was read ahead, or the log's latest events.
    /// - Returns: Whether a queue accepted a page.
    mutating func fill(_ queues: inout [QueueRunner], from log: any EventLog) -> Bool {
        if useAhead(&queues) { return true }
        guard request == nil, retryAt == nil,
            let after = queues.lazy.filter(\.needsPage).map(\.queue.scanned).min(),
            let page = log.recent(after: after)
        else { return false }
        grewWhileReading = false
        return share(page, after, &queues)
    }

    /// Applies a page of the log.
    mutating func received(_ page: LogPage, after position: Int64, _ queues: inout [QueueRunner]) {
        request = nil
        if share(page, position, &queues) || page.entries.isEmpty { return }
        ahead = (page, position)
    }

    /// Notes that a read for a single queue has ended.
    mutating func finished() { request = nil }

    /// Notes that a read failed. Queues ask again at `time`.
    mutating func failed(retryAt time: Int64, _ queues: inout [QueueRunner]) {
        request = nil
        retryAt = time
        for i in queues.indices { queues[i].queue.failedToRead() }
    }

    /// Ends the wait after a failure once it is over.
    mutating func resume(now: Int64) { if let due = retryAt, due <= now { retryAt = nil } }

    /// Notes that the log may have grown.
    mutating func logGrew(_ queues: inout [QueueRunner]) {
        grewWhileReading = request != nil
        for i in queues.indices { queues[i].isAtEnd = false }
    }

    @discardableResult private mutating func useAhead(_ queues: inout [QueueRunner]) -> Bool {
        guard let (page, after) = ahead, let last = page.entries.last?.position,
            queues.contains(where: {
                $0.needsPage && $0.queue.scanned >= after && $0.queue.scanned < last
            })
        else { return false }
        ahead = nil
        share(page, after, &queues)
        return true
    }

    @discardableResult
    private func share(_ page: LogPage, _ after: Int64, _ queues: inout [QueueRunner]) -> Bool {
        var isTaken = false
        let last = page.entries.last?.position
        for i in queues.indices where queues[i].needsPage && queues[i].queue.scanned >= after {
            if let last, last <= queues[i].queue.scanned { continue }
            queues[i].take(page)
            isTaken = true
            if grewWhileReading { queues[i].isAtEnd = false }
        }
        return isTaken
    }
}
