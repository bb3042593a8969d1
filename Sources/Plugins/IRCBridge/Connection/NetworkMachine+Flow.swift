// How fast this server is written to.
extension NetworkMachine {
    /// The flood limit of a new connection.
    func newBucket(_ now: Instant) -> FloodBucket {
        FloodBucket(burst: flow.isReduced ? 1 : config.burst, rate: rate, now: now)
    }

    /// Lines a second in the long run; 0: no limit. A server with `SAFERATE` slows clients down by itself.
    var rate: Double {
        flow.rate(supports.isSafeRate ? 0 : config.linesPerSecond, isRetrying: ledger.hasRetries)
    }

    /// The server has answered what was written at an instant; nil: nothing that is timed.
    mutating func adapt(to written: Instant?, _ now: Instant) {
        guard let written else { return }
        let wasThrottled = flow.hasThrottled
        flow.answered(from: written, now: now)
        if wasThrottled, !flow.hasThrottled { bucket = newBucket(now) }
        keepShare(now)
    }

    /// The server drops what is said to a channel because it comes too fast.
    /// - Parameter seconds: How long is to be waited, where the server says so.
    /// - Returns: What can be done about what it has dropped; nil: nothing.
    mutating func throttled(_ target: String, _ words: String, seconds: Double?, _ now: Instant) -> Remedy? {
        let isAgain = ledger.hasAgainInFlight
        guard let isNews = memberships[target]?.throttled(words, seconds: seconds, isAgain: isAgain, now: now) else {
            return nil
        }
        delays.look(at: now)
        // Where a time is named it is the channel that is slow.
        if seconds != nil { return .spaced }
        if isNews {
            flow.throttled(now: now)
            bucket = newBucket(now)
            keepShare(now)
        }
        return .slower
    }

    /// Lines were lost with the connection or the channel: writes slower, where the server names flooding as the
    /// reason.
    mutating func slowDown(_ reason: String, _ now: Instant) {
        flow.ended(isFlood: FlowControl.isFlood(reason), now: now)
        keepShare(now)
    }

    private mutating func keepShare(_ now: Instant) {
        guard !isPuppet, keptState.share != flow.share else { return }
        keptState.share = flow.share
        saveSoon(now)
        // The status has it; not with each step.
        delays.look(at: now + DelayWatch.interval)
    }

    /// What the operator is told of it; nil where all is written as configured.
    var slownessTold: String? {
        guard flow.share < 1, rate > 0 else { return nil }
        let cause =
            flow.hasThrottled
            ? "drops messages that come too fast"
            : flow.hasFlooded ? "ended a connection for flooding" : "answers late"
        return "the server \(cause), so that it gets \((rate * 100).rounded() / 100) lines a second for now"
    }
}
