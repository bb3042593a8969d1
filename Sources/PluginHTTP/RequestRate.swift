/// How often an endpoint may be asked.
package struct RequestRate: Hashable, Sendable {
    /// Requests a minute that a rate may say: one, or as many as make 10,000 a second.
    package static let perMinute: ClosedRange<Double> = 1...600_000
    /// The most requests at once, after a pause.
    package static let bursts: ClosedRange<Int64> = 1...10_000

    /// Requests a second in the long run.
    package var perSecond: Double
    /// Requests at once at most, after a pause.
    package var burst: Int64

    /// Reads `"5/s"` or `"30/m"`; nil for anything else, and for what is not within ``perMinute``.
    /// - Parameter burst: Nil: what comes in a second, one at least.
    package init?(_ text: String, burst: Int64? = nil) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units: [Substring: Double] = ["s": 60, "m": 1]
        guard parts.count == 2, let unit = units[parts[1]], let number = Self.number(parts[0]) else { return nil }
        self.init(perMinute: number * unit, burst: burst)
    }

    /// Requests a second as a number.
    package init?(perSecond: Double, burst: Int64? = nil) {
        self.init(perMinute: perSecond * 60, burst: burst)
    }

    private init?(perMinute: Double, burst: Int64?) {
        guard Self.perMinute.contains(perMinute) else { return nil }
        perSecond = perMinute / 60
        self.burst = burst ?? max(1, Int64(perSecond.rounded(.up)))
    }

    /// A decimal number without sign or exponent.
    private static func number(_ text: Substring) -> Double? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E }) else { return nil }
        return Double(text)
    }

    /// Deliveries that an endpoint of this rate should hold at most: what it can post in ten seconds, so that none
    /// waits here so long that the host takes the plugin for hung.
    package var window: Int64 { max(1, Int64((perSecond * 10).rounded(.up))) }
}

/// A token bucket: so many at once, and then as they drip in.
struct TokenBucket: Sendable {
    private let perMillisecond: Double
    private let burst: Double
    private var tokens: Double
    private var countedAt: Int64

    /// Makes a full one.
    /// - Parameter now: Milliseconds of a clock that never goes back.
    init(_ rate: RequestRate, now: Int64) {
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
