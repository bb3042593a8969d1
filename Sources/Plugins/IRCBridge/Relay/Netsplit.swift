import DequeModule

/// People who went because two servers of the network lost each other. Most are back within minutes: only those who are
/// not have left.
struct Netsplit: Equatable, Sendable {
    /// The most people waited for; those past it leave at once.
    static let mostGone = 20_000

    /// How long they are waited for, in seconds.
    static let patience = 300.0

    /// Those who go with one split go within this of one another, in seconds.
    static let between = 10.0

    private var lastLoss: Instant?
    private struct Loss: Equatable {
        var nick: String
        var until: Instant
    }

    private var gone: [String: (person: Roster.Person, until: Instant)] = [:]
    /// Their order of time, which is the order of their ends; also of some who are back, never of the first.
    private var order: Deque<Loss> = []

    static func == (a: Netsplit, b: Netsplit) -> Bool { a.order == b.order }

    /// Whether nobody more is waited for.
    var isFull: Bool { gone.count >= Self.mostGone }

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
        gone[nick] = (person, now + Self.patience)
        order.append(Loss(nick: nick, until: now + Self.patience))
        tidy()
        return isFirst
    }

    /// Somebody is in a channel. `nick` is folded.
    mutating func joined(_ nick: String, _ channel: String) {
        guard gone[nick] != nil else { return }
        gone[nick]?.person.channels.remove(channel)
        if gone[nick]?.person.channels.isEmpty == true { gone[nick] = nil }
        tidy()
    }

    /// Takes those who are back from the beginning of the order, and from all of it once they are most of it.
    private mutating func tidy() {
        while let first = order.first, gone[first.nick]?.until != first.until { order.removeFirst() }
        guard order.count > 2 * gone.count + 64 else { return }
        order = Deque(order.filter { gone[$0.nick]?.until == $0.until })
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
    var nextEnd: Instant? { order.first?.until }

    /// Takes those who did not come back in time, each with the channels where they are missed.
    mutating func givenUp(now: Instant) -> [Roster.Person] {
        var given: [Roster.Person] = []
        while let first = order.first, first.until <= now {
            order.removeFirst()
            if let (person, _) = gone.removeValue(forKey: first.nick) { given.append(person) }
            tidy()
        }
        return given
    }
}
