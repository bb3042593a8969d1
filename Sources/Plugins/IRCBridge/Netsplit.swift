/// People who went because two servers of the network lost each other. Most are back within minutes: only those who are
/// not have left.
struct Netsplit: Equatable, Sendable {
    /// How long they are waited for, in seconds.
    static let patience = 300.0

    /// Those who go with one split go within this of one another, in seconds.
    static let between = 10.0

    private var lastLoss: Instant?
    private var gone: [String: (person: Roster.Person, until: Instant)] = [:]
    /// Their order of time, which is the order of their ends.
    private var order: [String] = []

    static func == (a: Netsplit, b: Netsplit) -> Bool { a.order == b.order }

    /// Whether the reason of a QUIT is that of a split: the names of two servers (RFC 1459 4.1.6), which no server lets
    /// a client say without a mark before it.
    static func isReason(_ reason: String) -> Bool {
        let names = reason.split(separator: " ", omittingEmptySubsequences: false)
        guard names.count == 2, names[0] != names[1] || names[0].hasPrefix("*.") else { return false }
        return names.allSatisfy { name in
            // InspIRCd can hide them: `*.net *.split`.
            let host = name.hasPrefix("*.") ? "x" + name.dropFirst() : String(name)
            return Hostname.isValid(host)
        }
    }

    /// Somebody went with a split. `nick` is folded.
    /// - Returns: Whether this is the first who went with it.
    mutating func lost(_ nick: String, _ person: Roster.Person, now: Instant) -> Bool {
        let isFirst = lastLoss.map { now - $0 > Self.between } ?? true
        lastLoss = now
        if gone.updateValue((person, now + Self.patience), forKey: nick) != nil { order.removeAll { $0 == nick } }
        order.append(nick)
        return isFirst
    }

    /// Somebody is in a channel. `nick` is folded.
    mutating func joined(_ nick: String, _ channel: String) {
        guard gone[nick] != nil else { return }
        gone[nick]?.person.channels.remove(channel)
        if gone[nick]?.person.channels.isEmpty == true { gone[nick] = nil }
    }

    /// Whether somebody is waited for in a channel. `nick` is folded.
    func isAwaited(_ nick: String, in channel: String) -> Bool {
        gone[nick]?.person.channels.contains(channel) == true
    }

    /// Those who are waited for in a channel.
    func awaited(in channel: String) -> [Roster.Person] {
        gone.values.map(\.person).filter { $0.channels.contains(channel) }
    }

    /// When the first of them is given up.
    var nextEnd: Instant? { order.first { gone[$0] != nil }.flatMap { gone[$0]?.until } }

    /// Takes those who did not come back in time, each with the channels where they are missed.
    mutating func givenUp(now: Instant) -> [Roster.Person] {
        var given: [Roster.Person] = []
        var kept: [String] = []
        for nick in order {
            guard let (person, until) = gone[nick] else { continue }
            if until <= now {
                gone[nick] = nil
                given.append(person)
            } else {
                kept.append(nick)
            }
        }
        order = kept
        return given
    }
}
