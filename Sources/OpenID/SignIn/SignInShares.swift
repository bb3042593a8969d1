/// The sign-ins that are under way: so many in all, and of each network no more than a share, so that one with many of
/// them keeps nobody else out. A value.
struct SignInShares: Sendable {
    /// Which limit is reached.
    enum Full: Equatable, Sendable { case all, network }

    /// Sign-ins at once.
    static let all = 32
    /// Sign-ins at once from one network.
    static let each = 4

    private var count = 0
    private var networks: [String: Int] = [:]

    /// Whether none is under way.
    var isEmpty: Bool { count == 0 && networks.isEmpty }

    /// Begins a sign-in.
    /// - Returns: nil where it may begin; else what is full.
    mutating func take(_ network: String) -> Full? {
        if networks[network, default: 0] >= Self.each { return .network }
        if count >= Self.all { return .all }
        count += 1
        networks[network, default: 0] += 1
        return nil
    }

    /// Ends a sign-in that was begun.
    mutating func give(_ network: String) {
        count -= 1
        let left = (networks[network] ?? 1) - 1
        networks[network] = left > 0 ? left : nil
    }
}
