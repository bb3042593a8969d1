/// When an issuer's keys are fetched: a policy without I/O.
///
/// Keys are good for an hour. A token with an unknown `kid` has them fetched again, at most once a minute. If a fetch
/// fails, the keys are kept.
public struct KeyCache: Sendable {
    /// How long keys are used without a fetch, in milliseconds.
    public static let lifetime: Int64 = 3_600_000
    /// The shortest time between the starts of two fetches, in milliseconds.
    public static let interval: Int64 = 60_000

    /// What to do for a token.
    public enum Decision: Sendable {
        /// Verify it by these keys.
        case use(KeySet)
        /// Start a fetch, report it by ``fetched(_:now:)`` or ``failed()``, and ask again.
        case fetch
        /// Wait for the fetch that is under way, then ask again.
        case join
        /// There are no keys, and the last fetch failed a moment ago; milliseconds until the next one.
        case unavailable(retryAfter: Int64)
    }

    private var keys: KeySet?
    private var fetchedAt: Int64 = 0
    private var startedAt: Int64?
    /// Whether a fetch is under way.
    public private(set) var isFetching = false

    /// Makes an empty cache.
    public init() {}

    /// Decides about a token.
    /// - Parameters:
    ///   - keyId: Its `kid`.
    ///   - now: The Unix time in milliseconds.
    public mutating func decide(keyId: String?, now: Int64) -> Decision {
        guard let keys else {
            if isFetching { return .join }
            let wait = wait(now)
            return wait > 0 ? .unavailable(retryAfter: wait) : start(now)
        }
        let isFresh = now >= fetchedAt && now - fetchedAt < Self.lifetime
        if isFresh, keys.hasKey(id: keyId) { return .use(keys) }
        if isFetching { return .join }
        return wait(now) > 0 ? .use(keys) : start(now)
    }

    /// Takes the keys that a fetch brought.
    public mutating func fetched(_ keys: KeySet, now: Int64) {
        (self.keys, fetchedAt, isFetching) = (keys, now, false)
    }

    /// Notes that a fetch failed.
    public mutating func failed() { isFetching = false }

    private mutating func start(_ now: Int64) -> Decision {
        (startedAt, isFetching) = (now, true)
        return .fetch
    }

    /// Milliseconds until a fetch may start. A start in the future is of before the clock was set back.
    private func wait(_ now: Int64) -> Int64 {
        guard let startedAt, now >= startedAt else { return 0 }
        return max(0, startedAt + Self.interval - now)
    }
}
