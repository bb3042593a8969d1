import Identity

/// A cache of something that is fetched: a policy whose shell is ``SharedFetch``.
protocol FetchPolicy: Sendable {
    /// Whether a fetch is under way.
    var isFetching: Bool { get }
}

extension KeyCache: FetchPolicy {}

/// When the discovery document is fetched: a policy without I/O.
///
/// A document is good for an hour. If a fetch fails, the old one is kept.
struct MetadataCache: FetchPolicy {
    /// How long a document is used without a fetch, in milliseconds.
    static let lifetime: Int64 = 3_600_000
    /// The shortest time between the starts of two fetches, in milliseconds.
    static let interval: Int64 = 10_000

    /// What to do.
    enum Decision: Sendable, Equatable {
        case use(OpenIDSettings.Endpoints)
        /// Start a fetch, report its end, and ask again.
        case fetch
        /// Wait for the fetch that is under way, then ask again.
        case join
        /// There is no document, and the last fetch failed a moment ago.
        case unavailable
    }

    private var endpoints: OpenIDSettings.Endpoints?
    private var fetchedAt: Int64 = 0
    private var startedAt: Int64?
    private(set) var isFetching = false

    /// Decides.
    /// - Parameter now: The Unix time in milliseconds.
    mutating func decide(now: Int64) -> Decision {
        let isFresh = endpoints != nil && now >= fetchedAt && now - fetchedAt < Self.lifetime
        if isFresh, let endpoints { return .use(endpoints) }
        if isFetching { return .join }
        // A start in the future is of before the clock was set back.
        let isTooEarly = startedAt.map { now >= $0 && now - $0 < Self.interval } ?? false
        if isTooEarly { return endpoints.map { .use($0) } ?? .unavailable }
        (startedAt, isFetching) = (now, true)
        return .fetch
    }

    /// Takes the document that a fetch brought.
    mutating func fetched(_ endpoints: OpenIDSettings.Endpoints, now: Int64) {
        (self.endpoints, fetchedAt, isFetching) = (endpoints, now, false)
    }

    /// Notes that a fetch failed.
    mutating func failed() { isFetching = false }
}
