/// What waits to be said for long, and whether the server is silent: when that is looked at, and what was found.
struct DelayWatch: Sendable {
    /// How long a message may wait before the status says so, in seconds. A server that says nothing for as long is
    /// silent.
    static let patience = 30.0
    /// How often what waits for long is looked at, in seconds.
    static let interval = 10.0
    /// How long the server may take to answer a question before its silence means something, in seconds.
    static let answerTime = 10.0
    /// Tries from which a channel that refuses for now is more than a hitch, as for the host's own retries.
    static let manyTries = 3
    /// Channels that are named.
    static let mostNamed = 5

    /// Messages to a channel on IRC that wait for long.
    struct Delay: Equatable, Sendable {
        var target: String
        /// As configured.
        var name: String
        var count: Int
        /// When the first of them came, in UTC.
        var since: String
        var cause: String

        /// For the status.
        var told: String { "\(DelayWatch.waiting(count, to: name, since: since)): \(cause)" }
    }

    /// A channel that refuses messages for now to it.
    struct Hold: Equatable, Sendable {
        var name: String
        var words: String
        var tries: Int

        /// For the status.
        var told: String { "\(name) refuses messages for now (\(words))" }
    }

    /// What a server said after a message, of which it is not known whether it is about that.
    struct Doubt: Equatable, Sendable {
        var name: String
        var words: String
        var at: Instant

        /// For the status and the log.
        var told: String {
            "after a message to \(name) the server said “\(words)”; the message may not have been delivered"
        }
    }

    /// How long the status has a doubt, in seconds.
    static let doubtTime = 600.0
    /// Doubts that are remembered, so that each is logged once on a connection; more are not logged.
    static let mostDoubts = 32

    /// The last one.
    private(set) var doubt: Doubt?
    /// What was logged, without its digits.
    private var loggedDoubts: Set<String> = []
    /// When the question behind what was written was asked.
    var fenceAt: Instant = 0

    /// The server has said something after a message to a channel that may be about it.
    /// - Returns: Whether to log it.
    mutating func doubts(_ words: String, of name: String, now: Instant) -> Bool {
        doubt = Doubt(name: name, words: words, at: now)
        look(at: now + Self.doubtTime)
        return loggedDoubts.count < Self.mostDoubts
            && loggedDoubts.insert(words.filter { !$0.isNumber }).inserted
    }

    /// When the status has the doubt no more.
    var doubtEnds: Instant? { doubt.map { $0.at + Self.doubtTime } }

    /// Time has passed.
    mutating func endDoubt(_ now: Instant) {
        if let doubtEnds, doubtEnds <= now { doubt = nil }
    }

    /// When it is looked at next; nil: nothing waits.
    var due: Instant?
    /// What the status says of a connection that is not there.
    var down = ""
    var late: [Delay] = []
    /// By the channel's folded name.
    var holds: [String: Hold] = [:]
    /// Channels of which the log has it.
    var logged: Set<String> = []
    /// When the first question was written that the server has not answered.
    private(set) var questionAt: Instant?
    /// Since when the server is silent.
    private(set) var silentSince: Instant?

    /// Something is asked that the server answers at once.
    mutating func asked(now: Instant) { questionAt = questionAt ?? now }

    /// The server says something, or is not listened to.
    /// - Returns: Whether it was silent before.
    mutating func heard() -> Bool {
        questionAt = nil
        defer { silentSince = nil }
        return silentSince != nil
    }

    /// When the server's silence means something.
    /// - Parameter lastHeard: When it said something last.
    func silenceDue(lastHeard: Instant) -> Instant? {
        guard silentSince == nil, let questionAt else { return nil }
        return max(lastHeard + Self.patience, questionAt + Self.answerTime)
    }

    /// The server is silent.
    mutating func isSilent(since: Instant) { silentSince = since }

    /// Looks no later than at an instant.
    mutating func look(at instant: Instant) { due = min(due ?? instant, instant) }

    /// Whether the status says nothing of what waits.
    var isQuiet: Bool { late.isEmpty && holds.isEmpty }

    /// Channels have taken what was said.
    /// - Parameter isAll: Whether nothing waits any more.
    /// - Returns: Whether the status says something else by that.
    mutating func taken(_ targets: [String], isAll: Bool) -> Bool {
        var hasChanged = isAll && !late.isEmpty
        if isAll { (late, logged) = ([], []) }
        for target in targets where holds.removeValue(forKey: target) != nil { hasChanged = true }
        return hasChanged
    }

    /// What the status says of what waits for long: the first of it, and how much more there is.
    var lateTold: [String] {
        let more = late.count - Self.mostNamed
        let channels = more == 1 ? "1 more channel" : "\(more) more channels"
        return late.prefix(Self.mostNamed).map(\.told) + (more > 0 ? ["so do messages to \(channels)"] : [])
    }

    /// Channels that refuse for now, without those of which messages wait for long.
    private var otherHolds: [Hold] {
        holds.filter { target, _ in !late.contains { $0.target == target } }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Those of them that were tried often, and the others.
    var holdsTold: (degraded: [String], notes: [String]) {
        let many = otherHolds.filter { $0.tries >= Self.manyTries }
        let few = otherHolds.filter { $0.tries < Self.manyTries }
        return (many.prefix(Self.mostNamed).map(\.told), few.prefix(Self.mostNamed).map(\.told))
    }

    /// How many messages wait, in words.
    static func waiting(_ count: Int, to name: String? = nil, since: String) -> String {
        let target = name.map { " to " + $0 } ?? ""
        return count == 1 ? "1 message\(target) waits since \(since)" : "\(count) messages\(target) wait since \(since)"
    }
}
