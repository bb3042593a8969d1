/// How often, and how often at once, each user searches.
struct SearchShares: Sendable {
    /// Which limit is reached.
    enum Full: Equatable, Sendable { case rate, running }

    /// Users that are remembered beside those whose searches run.
    static let maxUsers = 4_096
    /// Milliseconds until one search is free again.
    private static let refill = 1_000 / Int64(APIConfiguration.Limit.searchesPerSecond)
    private static let burst = Int64(APIConfiguration.Limit.searchesPerSecond)

    private struct User {
        var running = 0
        /// When all searches will be free again.
        var full: Int64
    }

    private var users: [String: User] = [:]

    /// Whether nobody is remembered but those who may not search yet.
    func isEmpty(now: Int64) -> Bool { users.allSatisfy { $0.value.running == 0 && $0.value.full <= now } }

    /// Begins a search.
    /// - Returns: nil where it may run; else what is full.
    mutating func take(_ name: String, now: Int64) -> Full? {
        if users.count >= Self.maxUsers, users[name] == nil {
            users = users.filter { $0.value.running > 0 || $0.value.full > now }
        }
        var user = users[name] ?? User(full: now)
        // A time further off than searches can bring about is of before the clock was set back.
        if user.full - now > Self.burst * Self.refill { user.full = now }
        if user.running >= APIConfiguration.Limit.searchesAtOnce { return .running }
        if user.full - now > (Self.burst - 1) * Self.refill { return .rate }
        user.running += 1
        user.full = max(user.full, now) + Self.refill
        users[name] = user
        return nil
    }

    /// Ends a search that was begun.
    mutating func give(_ name: String) { users[name]?.running -= 1 }
}
