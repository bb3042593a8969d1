/// How often each user does something: so many times in a second, and a burst of them at once.
struct UserRate: Sendable {
    /// Users that are remembered beside those who have used up their burst.
    static let maxUsers = 4_096

    /// Milliseconds until one time is free again.
    private let refill: Int64
    private let burst: Int64
    /// For each user the time at which the whole burst will be free again.
    private var full: [String: Int64] = [:]

    /// - Parameters:
    ///   - perSecond: Times in a second.
    ///   - burst: Times at once.
    init(perSecond: Int, burst: Int) {
        refill = 1_000 / Int64(perSecond)
        self.burst = Int64(burst)
    }

    /// The users that are remembered.
    var count: Int { full.count }

    /// Counts one time.
    /// - Returns: Whether it is free; one that is not does not count.
    mutating func take(_ name: String, now: Int64) -> Bool {
        if full.count >= Self.maxUsers, full[name] == nil { full = full.filter { $0.value > now } }
        var until = max(full[name] ?? now, now)
        // A time further off than the burst can bring about is of before the clock was set back.
        if until - now > burst * refill { until = now }
        if until - now > (burst - 1) * refill { return false }
        full[name] = until + refill
        return true
    }
}
