/// Who holds the event streams: so many in all, and of each user and address no more than a share of them.
struct StreamShares: Sendable {
    /// The numbers.
    struct Limits: Sendable, Equatable {
        /// Streams at once.
        var all = APIConfiguration.Limit.streams
        /// Streams without a token at once, so that they never hold every place.
        var anonymous = APIConfiguration.Limit.streams / 2
        /// Streams of one user.
        var user = APIConfiguration.Limit.streamsOfUser
        /// Streams from one address.
        var address = APIConfiguration.Limit.streamsOfAddress

        init() {}

        /// The limits of a listener: no more than half of its connections, and on the command line's nothing else.
        init(_ door: Door, connections: Int) {
            all = max(1, min(all, connections / 2))
            anonymous = max(1, min(anonymous, all / 2))
            if door.isCommandLine { (user, address) = (all, all) }
        }
    }

    /// Which limit is reached.
    enum Full: Equatable, Sendable { case all, anonymous, user, address }

    private let limits: Limits
    private var all = 0
    private var anonymous = 0
    private var users: [String: Int] = [:]
    private var addresses: [String: Int] = [:]

    init(_ limits: Limits) { self.limits = limits }

    /// Whether nobody holds anything.
    var isEmpty: Bool { all == 0 && anonymous == 0 && users.isEmpty && addresses.isEmpty }

    /// Takes a place.
    /// - Returns: nil where it is taken; else what is full.
    mutating func take(user: String?, address: String) -> Full? {
        if all >= limits.all { return .all }
        if let user, users[user, default: 0] >= limits.user { return .user }
        if user == nil, anonymous >= limits.anonymous { return .anonymous }
        if addresses[address, default: 0] >= limits.address { return .address }
        all += 1
        addresses[address, default: 0] += 1
        if let user { users[user, default: 0] += 1 } else { anonymous += 1 }
        return nil
    }

    /// Gives back a place that was taken.
    mutating func give(user: String?, address: String) {
        all -= 1
        Self.lower(&addresses, address)
        if let user { Self.lower(&users, user) } else { anonymous -= 1 }
    }

    private static func lower(_ counts: inout [String: Int], _ key: String) {
        let count = (counts[key] ?? 1) - 1
        counts[key] = count > 0 ? count : nil
    }
}

/// The bytes of bodies that are held: so many in all, and of each caller no more than a share of them.
struct BodyShares: Sendable {
    /// Which limit is reached.
    enum Full: Equatable, Sendable { case all, holder }

    private let all: Int
    private let each: Int
    private var held = 0
    private var holders: [String: Int] = [:]

    /// - Parameters:
    ///   - all: Bytes of all together.
    ///   - each: Bytes of one holder.
    init(all: Int, each: Int) {
        self.all = all
        self.each = each
    }

    /// Whether nobody holds anything.
    var isEmpty: Bool { held == 0 && holders.isEmpty }

    /// Takes bytes.
    /// - Parameter holder: Whose share they come from; nil where the caller has no share of its own.
    /// - Returns: nil where they are taken; else what is full.
    mutating func take(_ count: Int, for holder: String?) -> Full? {
        if held + count > all { return .all }
        if let holder {
            let now = holders[holder, default: 0]
            if now + count > each { return .holder }
            if count > 0 { holders[holder] = now + count }
        }
        held += count
        return nil
    }

    /// Gives back bytes that were taken.
    mutating func give(_ count: Int, for holder: String?) {
        held -= count
        guard let holder, count > 0 else { return }
        let left = holders[holder, default: 0] - count
        holders[holder] = left > 0 ? left : nil
    }
}
