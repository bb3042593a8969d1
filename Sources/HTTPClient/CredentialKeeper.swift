/// Credentials of one origin, and when to fetch them again. Times are seconds of Unix time.
package struct CredentialKeeper: Sendable {
    /// Credentials without an end are looked up this often, as a file may have been changed.
    package static let lookInterval: Int64 = 300
    /// Credentials are fetched again this long before their end, or when a quarter of their time is left, if that is
    /// less.
    package static let margin: Int64 = 900
    /// Credentials are not used in their last seconds, as clocks differ and requests take time.
    package static let lastUse: Int64 = 30
    /// The wait after a fetch that failed: at first, doubling up to the last.
    package static let retries: ClosedRange<Int64> = 1...60
    /// The least time between two fetches, whatever a service says of the credentials.
    package static let leastInterval: Int64 = 5

    /// Why the last fetch failed.
    package private(set) var problem: CredentialProblem?
    private var credentials: AWSCredentials?
    private var refreshAt: Int64 = 0
    private var fetchedAt: Int64?
    private var isFetching = false
    private var failures = 0

    package init() {}

    /// What requests may be signed with now.
    package func usable(at now: Int64) -> AWSCredentials? {
        guard let credentials, credentials.expiration.map({ now < $0 - Self.lastUse }) ?? true else { return nil }
        return credentials
    }

    /// Whether a fetch is to be started.
    package func isDue(at now: Int64) -> Bool { !isFetching && now >= refreshAt }

    /// When the next fetch is due; nil: one is under way.
    package var due: Int64? { isFetching ? nil : refreshAt }

    /// Notes that a fetch was started.
    package mutating func start() { isFetching = true }

    /// Takes what a fetch brought.
    package mutating func take(_ fetched: Result<AWSCredentials, CredentialProblem>, at now: Int64) {
        isFetching = false
        switch fetched {
        case .success(let new):
            (credentials, problem, failures, fetchedAt) = (new, nil, 0, now)
            if let end = new.expiration {
                refreshAt = max(now + Self.leastInterval, end - min(Self.margin, max(0, end - now) / 4))
            } else {
                refreshAt = now + Self.lookInterval
            }
        case .failure(let why):
            problem = why
            refreshAt = now + min(Self.retries.upperBound, Self.retries.lowerBound << Int64(min(failures, 10)))
            failures += 1
        }
    }

    /// A service does not accept them: fetch them again as soon as allowed.
    package mutating func doubt(at now: Int64) {
        refreshAt = min(refreshAt, max(now, (fetchedAt ?? 0) + Self.leastInterval))
    }
}
