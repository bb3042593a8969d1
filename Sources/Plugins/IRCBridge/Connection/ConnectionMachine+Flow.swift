// The rate at which the server is written to.
extension ConnectionMachine {
    /// The flood limit of a new connection.
    func newBucket(_ now: Instant) -> FloodBucket {
        FloodBucket(burst: connection.flow.isReduced ? 1 : connection.config.burst, rate: rate, now: now)
    }

    /// Lines a second in the long run; 0: no limit. A server with `SAFERATE` slows clients down by itself.
    var rate: Double {
        connection.flow.rate(
            connection.supports.isSafeRate ? 0 : connection.config.linesPerSecond,
            isRetrying: connection.outbound.hasRetries)
    }

    /// The server has answered what was written at an instant; nil: nothing that is timed.
    mutating func adapt(to written: Instant?, _ now: Instant) {
        guard let written else { return }
        let wasThrottled = connection.flow.hasThrottled
        connection.flow.answered(from: written, now: now)
        if wasThrottled, !connection.flow.hasThrottled { connection.bucket = newBucket(now) }
        shareChanged(now)
    }

    /// The server drops what is said to a channel because it comes too fast.
    /// - Parameter seconds: How long to wait, where the server says so.
    /// - Returns: What can be done about what it has dropped; nil: nothing.
    mutating func throttled(_ target: String, _ words: String, seconds: Double?, _ now: Instant) -> Remedy? {
        let isAgain = connection.outbound.receipts.hasAgain
        guard
            let isNews = connection.memberships[target]?.throttled(words, seconds: seconds, isAgain: isAgain, now: now)
        else {
            return nil
        }
        connection.delays.look(at: now)
        // Where a time is named it is the channel that is slow.
        if seconds != nil { return .spaced }
        if isNews {
            connection.flow.throttled(now: now)
            connection.bucket = newBucket(now)
            shareChanged(now)
        }
        return .slower
    }

    /// Lines were lost with the connection or the channel: writes slower, where the server names flooding as the
    /// reason.
    mutating func slowDown(_ reason: String, _ now: Instant) {
        connection.flow.ended(isFlood: FlowControl.isFlood(reason), now: now)
        shareChanged(now)
    }
}
