/// One channel on IRC that the bridge has to be in, and how that goes.
struct Membership: Equatable, Sendable {
    /// The first wait before a refused or ended membership is tried again, in seconds; doubled each time.
    static let firstWait = 5.0
    /// The longest such wait, in seconds.
    static let longestWait = 300.0
    /// How long the server may take to answer a JOIN, in seconds.
    static let answerLimit = 30.0
    /// How long the client must have been in it to restart the backoff, in seconds.
    static let steady = 60.0
    /// Kicks within ``kickMemory`` after which the client does not come back.
    static let mostKicks = 5
    /// How long a kick is remembered, in seconds.
    static let kickMemory = 3600.0
    /// How long messages wait for a channel that refuses the bridge, in seconds: at its first refusal after that they
    /// are given up.
    static let patience = 300.0

    /// The channel's name, as the server knows it.
    var name: String
    /// Its key; another one is for the next time that the client joins.
    var key: String?
    /// Whether the client is in it.
    private(set) var isJoined = false
    /// Why it is not, as the server put it.
    private(set) var refusal: String?
    /// When to ask again.
    private(set) var nextTry: Instant?
    /// By when the server has to answer what it was asked.
    private(set) var deadline: Instant?
    /// Since when it has refused, also on the connection before this one.
    private(set) var refusedSince: Instant?
    private var isGivenUp = false
    private var joinedAt: Instant?
    private var failures = 0
    private var kicks: [Instant] = []
    /// Until when it may refuse what is said because the services do not know the client's account.
    private var unknownUntil: Instant?
    /// Whether it refuses what is said for now.
    private var settling = Settling()
    /// The topic, as far as the server has told it.
    var topic: String?
    /// Whether the end of its names has come, and that of WHO: each comes once, and to take it again and again, with
    /// all the people of a large channel, would keep the bridge busy.
    var hasNames = false, hasWho = false
    /// Whether WHO was asked for who is in it.
    var isAskingWho = false

    init(name: String, key: String?, refusedSince: Instant? = nil) {
        (self.name, self.key, self.refusedSince) = (name, key, refusedSince)
    }

    /// Whether the server has answered.
    var isDecided: Bool { isJoined || refusal != nil }

    /// Whether it is asked for in a line of its own: servers that do not like a list may answer for none of it.
    var isAskedAlone: Bool {
        failures > 0 || key.map { $0.hasPrefix(":") || $0.contains(",") || $0.contains(" ") } == true
    }

    /// A JOIN is queued; ``asked(now:)`` follows.
    mutating func wanted() { nextTry = nil }

    /// A JOIN is written.
    mutating func asked(now: Instant) {
        nextTry = nil
        deadline = now + Self.answerLimit
    }

    /// The server has let the client in.
    mutating func joined(now: Instant) {
        isJoined = true
        refusal = nil
        refusedSince = nil
        isGivenUp = false
        nextTry = nil
        deadline = nil
        joinedAt = now
        settling = Settling()
    }

    /// Somebody has thrown the client out; ``refused(_:now:)`` is still to follow.
    mutating func kicked(now: Instant) {
        kicks = (kicks.filter { now - $0 < Self.kickMemory } + [now]).suffix(Self.mostKicks)
    }

    /// Whether the client was thrown out so often that it does not come back by itself.
    private var isUnwanted: Bool { kicks.count >= Self.mostKicks }

    /// The server refuses, or has thrown the client out.
    mutating func refused(_ reason: String, now: Instant) {
        isJoined = false
        let reason = IRCText.words(reason)
        refusal =
            isUnwanted
            ? reason + " (kicked \(Self.mostKicks) times: it stays out until the next connection, as after 'crowbar "
                + "plugins restart')" : reason
        topic = nil
        isAskingWho = false
        (hasNames, hasWho) = (false, false)
        deadline = nil
        // After a short stay the backoff continues: a client that is kicked at once must not rejoin at once, for ever.
        if let joinedAt, now - joinedAt >= Self.steady { failures = 0 }
        joinedAt = nil
        let since = refusedSince ?? now
        refusedSince = since
        isGivenUp = now - since >= Self.patience
        var wait = min(Self.firstWait * Double(1 << min(failures, 10)), Self.longestWait)
        // Waiting messages are given up only by an answer, so ask once more by then.
        if !isGivenUp { wait = min(wait, max(since + Self.patience - now, Self.firstWait)) }
        nextTry = isUnwanted ? nil : now + wait
        failures += 1
    }

    /// The server has moved the client to another channel: it does not come back by itself.
    mutating func movedAway(_ reason: String, now: Instant) {
        refused(reason, now: now)
        nextTry = nil
    }

    /// The channel does not take what was said.
    /// - Parameter registeredAt: When the client was registered.
    /// - Returns: Whether to retry at ``heldUntil``; else the refusal is final.
    mutating func holds(_ words: String, registeredAt: Instant, now: Instant) -> Bool {
        guard isJoined, let joinedAt else { return false }
        return settling.refused(
            words, joinedAt: joinedAt, registeredAt: registeredAt, patience: unknownUntil, now: now)
    }

    /// The server drops what is said there, see ``Settling/throttled(_:seconds:isAgain:now:)``.
    mutating func throttled(_ words: String, seconds: Double?, isAgain: Bool, now: Instant) -> Bool? {
        guard isJoined else { return nil }
        return settling.throttled(words, seconds: seconds, isAgain: isAgain, now: now)
    }

    /// Something is said again there.
    mutating func saidAgain(now: Instant) { settling.saidAgain(now: now) }

    /// The client's account may be gone: what the channel refuses until an instant is said again.
    mutating func accountLost(until end: Instant) { unknownUntil = end }

    /// How it refuses messages for now, and how often it was tried; nil where it does not.
    var hold: (words: String, tries: Int)? { settling.words.map { ($0, settling.tries) } }

    /// When what waits is said again.
    var heldUntil: Instant? { settling.until }

    /// The channel has taken something that was said.
    /// - Parameter hasMore: Whether more waits that is said again.
    mutating func taken(hasMore: Bool) { settling.taken(hasMore: hasMore) }

    /// The channel's modes have changed.
    /// - Returns: Whether something waits that may be said now.
    mutating func modesChanged(now: Instant) -> Bool {
        guard settling.isHeld(now) else { return false }
        settling.changed()
        return true
    }

    func state(now: Instant) -> OutboundQueue.TargetState {
        if isJoined { return settling.isHeld(now) ? .waiting : .joined }
        guard let refusal, let refusedSince else { return .waiting }
        // Nothing more is tried after too many kicks, so that only time tells.
        let isOver = isGivenUp || nextTry == nil && deadline == nil && now - refusedSince >= Self.patience
        return isOver ? .dead(refusal) : .waiting
    }
}
