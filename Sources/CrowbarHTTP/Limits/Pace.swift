/// How fast a caller sends a body. Time in which the server stood still, or did not ask for more, does not count.
struct BodyPace: Sendable, Equatable {
    private let times: ListenerRules.Times
    private var last: Int64
    private var elapsed: Int64 = 0
    private var received = 0

    /// - Parameter now: When the headers were complete, in milliseconds.
    init(_ times: ListenerRules.Times, now: Int64) {
        self.times = times
        last = now
    }

    mutating func receive(_ count: Int) { received += count }

    /// Whether the body has become too slow.
    /// - Parameter isWanted: Whether the server waits for more of it.
    mutating func isTooSlow(now: Int64, isWanted: Bool) -> Bool {
        let step = min(max(0, now - last), 2 * times.tick)
        last = now
        if isWanted { elapsed += step }
        if elapsed >= times.body { return true }
        return elapsed >= times.bodyGrace && Int64(received) * 1_000 < elapsed * Int64(times.bodyRate)
    }
}

/// Whether a caller reads what it is sent.
struct ReadPace: Sendable, Equatable {
    private let times: ListenerRules.Times
    private var last: Int64
    private var stalled: Int64 = 0
    private var pending: Int

    /// - Parameters:
    ///   - pending: Bytes that wait to be sent.
    ///   - now: Since when no more can be written, in milliseconds.
    init(_ times: ListenerRules.Times, pending: Int, now: Int64) {
        self.times = times
        self.pending = pending
        last = now
    }

    /// Whether too little was read for too long.
    mutating func isTooSlow(pending now: Int, at time: Int64) -> Bool {
        stalled += min(max(0, time - last), 2 * times.tick)
        last = time
        // One long answer is many writes for the network: what counts is that it goes on.
        if pending - now >= max(1, times.readRate * Int(times.write) / 1_000) || now > pending {
            pending = now
            stalled = 0
        }
        return stalled >= times.write
    }
}
