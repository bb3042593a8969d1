import CrowbarCore

/// Principals of tokens seen a moment ago, so that a busy client does not cost a look into the accounts a call. Keyed
/// by the tokens' hashes: the tokens themselves are not kept.
struct TokenCache: Sendable {
    private struct Entry {
        var principal: Principal
        var stored: Int64
        var until: Int64
    }

    private let capacity: Int
    private let lifetime: Int64
    private var entries: [[UInt8]: Entry] = [:]

    /// Makes an empty cache.
    /// - Parameters:
    ///   - capacity: Tokens at most.
    ///   - lifetime: Milliseconds an entry is good for.
    init(capacity: Int, lifetime: Int64) {
        self.capacity = capacity
        self.lifetime = lifetime
    }

    var count: Int { entries.count }

    /// The principal of a token that was stored less than the lifetime ago and has not expired.
    func principal(of tokenHash: [UInt8], now: Int64) -> Principal? {
        guard let entry = entries[tokenHash], now < entry.until, now >= entry.stored else { return nil }
        return entry.principal
    }

    /// Forgets a token.
    mutating func remove(_ tokenHash: [UInt8]) { entries[tokenHash] = nil }

    /// Forgets all tokens.
    mutating func removeAll() { entries.removeAll() }

    /// Remembers a principal. A full cache forgets what is over, and else everything: which costs one look each.
    mutating func store(_ principal: Principal, of tokenHash: [UInt8], now: Int64) {
        if entries.count >= capacity {
            entries = entries.filter { now < $0.value.until }
            if entries.count >= capacity { entries.removeAll() }
        }
        let until = min(now + lifetime, principal.expires ?? .max)
        entries[tokenHash] = Entry(principal: principal, stored: now, until: until)
    }
}
