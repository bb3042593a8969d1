/// Slows down who tries tokens that are not there: a bucket of failures for each address.
struct FailureLimiter: Sendable {
    /// Failures in a row that an address has free.
    static let burst: Int64 = 20
    /// Milliseconds until one failure is forgotten.
    static let refill: Int64 = 1_000
    /// Addresses that are remembered.
    static let maxAddresses = 4_096

    /// For each address the time at which its last failure will be forgotten.
    private var full: [String: Int64] = [:]

    /// When an address' last failure will be forgotten; nil where there is none. A time further off than failures can
    /// bring about is of before the clock was set back, and says nothing any more.
    private func until(_ address: String, _ now: Int64) -> Int64? {
        full[address].flatMap { $0 - now > Self.burst * Self.refill ? nil : $0 }
    }

    /// Whether an address has failed too often to be let try again now.
    func isBlocked(_ address: String, now: Int64) -> Bool {
        guard let until = until(address, now) else { return false }
        return until - now > (Self.burst - 1) * Self.refill
    }

    /// Notes a failure.
    mutating func fail(_ address: String, now: Int64) {
        if full.count >= Self.maxAddresses, full[address] == nil {
            full = full.filter { $0.value > now && until($0.key, now) != nil }
            // With so many addresses at it at once, those known no longer help: start from nothing instead of growing.
            if full.count >= Self.maxAddresses { full.removeAll() }
        }
        full[address] = min(max(until(address, now) ?? now, now) + Self.refill, now + Self.burst * Self.refill)
    }
}
