/// How often an endpoint may be asked.
struct Rate: Hashable, Sendable {
    /// Requests a minute that a rate may say: one, or as many as make 10,000 a second.
    static let perMinute: ClosedRange<Double> = 1...600_000
    /// The most requests at once, after a pause.
    static let bursts: ClosedRange<Int64> = 1...10_000

    /// Requests a second in the long run.
    var perSecond: Double
    /// Requests at once at most, after a pause.
    var burst: Int64

    /// Reads `"5/s"` or `"30/m"`; nil for anything else, and for what is not within ``perMinute``.
    /// - Parameter burst: Nil: what comes in a second, one at least.
    init?(_ text: String, burst: Int64? = nil) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units: [Substring: Double] = ["s": 60, "m": 1]
        guard parts.count == 2, let unit = units[parts[1]], let number = Self.number(parts[0]) else { return nil }
        self.init(perMinute: number * unit, burst: burst)
    }

    /// Requests a second as a number.
    init?(perSecond: Double, burst: Int64? = nil) {
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
    var window: Int64 { max(1, Int64((perSecond * 10).rounded(.up))) }
}
