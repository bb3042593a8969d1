/// So much on average, so much at once: a pure value.
struct TokenBucket {
    /// Tokens a second.
    let rate: Double
    /// Tokens at most.
    let burst: Double
    private var tokens: Double
    private var updated: Int64?

    init(rate: Double, burst: Double) {
        self.rate = rate
        self.burst = burst
        tokens = burst
    }

    /// Takes a token if there is one.
    /// - Parameter now: Milliseconds on the monotonic clock.
    mutating func take(now: Int64) -> Bool {
        if available(now: now) < 1 { return false }
        tokens -= 1
        return true
    }

    /// How many tokens there are.
    /// - Parameter now: Milliseconds on the monotonic clock.
    mutating func available(now: Int64) -> Int {
        if let updated { tokens = min(burst, tokens + Double(max(0, now - updated)) * rate / 1000) }
        updated = now
        return Int(max(0, tokens))
    }

    /// Takes tokens that were ``available(now:)``.
    mutating func spend(_ count: Int) { tokens -= Double(count) }

    /// The longest wait that is told, in milliseconds: at a rate of almost nothing it would be no number of these.
    private static let longestWait = 86_400_000.0

    /// Milliseconds until there is a token, or until it is worth asking again.
    func wait() -> Int64 { tokens >= 1 ? 0 : Int64(min((1 - tokens) * 1000 / rate, Self.longestWait).rounded(.up)) }
}
