/// A token bucket: so many at once, and then as they drip in.
struct TokenBucket: Sendable {
    private let perMillisecond: Double
    private let burst: Double
    private var tokens: Double
    private var countedAt: Int64

    /// Makes a full one.
    /// - Parameter now: Milliseconds of a clock that never goes back.
    init(_ rate: Rate, now: Int64) {
        perMillisecond = rate.perSecond / 1000
        burst = Double(rate.burst)
        tokens = burst
        countedAt = now
    }

    /// Takes a token.
    /// - Returns: 0, or where there is none the milliseconds until there is one, at least 1.
    mutating func take(now: Int64) -> Int64 {
        if now > countedAt {
            tokens = min(burst, tokens + Double(now - countedAt) * perMillisecond)
            countedAt = now
        }
        // What drips in is rounded; a thousandth of a token must not cost a millisecond's wait more.
        let slack = 1e-6
        if tokens + slack >= 1 {
            tokens -= 1
            return 0
        }
        return max(1, Int64(((1 - tokens - slack) / perMillisecond).rounded(.up)))
    }
}
