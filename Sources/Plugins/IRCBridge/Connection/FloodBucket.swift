/// How fast a server lets a client talk: a token bucket. A line costs a token, and a long one more, as servers of the
/// ircu family count two seconds a line and one more for each 120 bytes, and as InspIRCd keeps no more than 8 KiB of
/// what it has not got round to.
struct FloodBucket: Equatable, Sendable {
    /// Bytes of a line that its token pays for; more than most lines have.
    static let freeBytes = 200
    /// Bytes beyond these for one more token.
    static let bytesPerToken = 156.0

    /// Lines at once after a rest.
    let burst: Int
    /// Lines a second in the long run; 0: no limit.
    private(set) var rate: Double
    private var tokens: Double
    private var filled: Instant

    init(burst: Int, rate: Double, now: Instant) {
        self.burst = max(1, burst)
        self.rate = rate
        tokens = Double(self.burst)
        filled = now
    }

    /// Whether there is a limit at all.
    var isLimited: Bool { rate > 0 }

    /// Goes on at another rate, with the tokens that there are.
    mutating func setRate(_ new: Double, now: Instant) {
        guard new != rate else { return }
        if isLimited {
            tokens = min(Double(burst), tokens + (now - filled) * rate)
        } else {
            tokens = Double(burst)
        }
        (rate, filled) = (new, now)
    }

    /// Takes a token, where there is one.
    mutating func take(now: Instant) -> Bool {
        guard isLimited else { return true }
        tokens = min(Double(burst), tokens + (now - filled) * rate)
        filled = now
        // A hair under one is one, else rounding makes the caller wake for nothing.
        guard tokens >= 1 - 1e-6 else { return false }
        tokens -= 1
        return true
    }

    /// Takes what a long line costs beside its token. That may leave less than nothing, which time makes up for.
    /// - Parameter line: Without CR LF.
    mutating func charge(_ line: String) {
        guard isLimited else { return }
        tokens -= max(0, Double(line.utf8.count + 2 - Self.freeBytes)) / Self.bytesPerToken
    }

    /// Takes what a further line costs that is written at once with the one before. As with
    /// ``charge(_:)``, time makes up for it.
    mutating func chargeLine() { if isLimited { tokens -= 1 } }

    /// Gives back a token that was taken and not used.
    mutating func giveBack() { if isLimited { tokens = min(Double(burst), tokens + 1) } }

    /// When the next token is there, after ``take(now:)`` has found none.
    var nextToken: Instant { filled + max(0, 1 - tokens) / max(rate, 1e-9) }
}

/// A point of a clock that never goes back, in seconds.
typealias Instant = Double
