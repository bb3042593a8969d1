/// Tokens that were verified a moment ago, by their SHA-256, so that a busy program does not cost a signature a call.
public struct VerifiedTokenCache: Sendable {
    /// How long a token is remembered at most, in milliseconds. It is forgotten at its `exp`.
    public static let lifetime: Int64 = 60_000
    /// Tokens that are remembered.
    public static let capacity = 4_096

    private struct Entry {
        var token: VerifiedToken
        var stored: Int64
        var until: Int64
    }

    private var entries: [[UInt8]: Entry] = [:]

    /// Makes an empty cache.
    public init() {}

    /// Tokens that are remembered.
    var count: Int { entries.count }

    /// A token that was stored less than a minute ago and has not expired.
    public func token(hash: [UInt8], now: Int64) -> VerifiedToken? {
        // A time before it was stored is of a clock that was set back.
        guard let entry = entries[hash], entry.stored <= now, now < entry.until else { return nil }
        return entry.token
    }

    /// Remembers a token that was verified for use as a bearer. A full cache forgets what is over, or else everything:
    /// that costs one verification each.
    public mutating func store(_ token: VerifiedToken, hash: [UInt8], now: Int64) {
        if entries.count >= Self.capacity, entries[hash] == nil {
            entries = entries.filter { now < $0.value.until }
            if entries.count >= Self.capacity { entries.removeAll() }
        }
        entries[hash] = Entry(token: token, stored: now, until: min(now + Self.lifetime, token.expires))
    }

    /// Forgets all tokens, as after a change of the rules or keys that they were verified by.
    public mutating func removeAll() { entries.removeAll() }
}
