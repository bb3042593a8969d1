/// One channel on IRC that the bridge has to be in, and how that goes.
struct Membership: Equatable, Sendable {
    /// The first wait before a refused or ended membership is tried again, in seconds; doubled each time.
    static let firstWait = 5.0
    /// The longest such wait, in seconds.
    static let longestWait = 300.0
    /// Kicks within ``kickMemory`` after which the client does not come back.
    static let mostKicks = 5
    /// How long a kick is remembered, in seconds.
    static let kickMemory = 3600.0
    /// How long messages wait for a channel that refuses the bridge before they are given up, in seconds.
    static let patience = 300.0

    /// The channel's name, as configured.
    let name: String
    /// Its key.
    let key: String?
    /// Whether the client is in it.
    private(set) var isJoined = false
    /// Why it is not, as the server put it.
    private(set) var refusal: String?
    /// When to ask again.
    private(set) var nextTry: Instant?
    private var refusedSince: Instant?
    private var failures = 0
    private var kicks: [Instant] = []
    /// The topic, as far as the server has told it.
    var topic: String?
    /// Whether WHO was asked for who is in it.
    var isAskingWho = false

    init(name: String, key: String?) {
        self.name = name
        self.key = key
    }

    /// Whether the server has answered.
    var isDecided: Bool { isJoined || refusal != nil }

    /// The line that asks to join.
    mutating func ask() -> String {
        nextTry = nil
        return IRCMessage("JOIN", [name] + (key.map { [$0] } ?? [])).line
    }

    mutating func joined() {
        isJoined = true
        refusal = nil
        refusedSince = nil
        nextTry = nil
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
        refusal =
            isUnwanted ? reason + " (kicked \(Self.mostKicks) times: it stays out until the next connection)" : reason
        topic = nil
        isAskingWho = false
        refusedSince = refusedSince ?? now
        nextTry = isUnwanted ? nil : now + min(Self.firstWait * Double(1 << min(failures, 10)), Self.longestWait)
        failures += 1
    }

    /// The connection is lost.
    mutating func connectionLost() { self = Membership(name: name, key: key) }

    func state(now: Instant) -> OutboundLedger.TargetState {
        if isJoined { return .joined }
        guard let refusedSince, let refusal, now - refusedSince >= Self.patience else { return .waiting }
        return .dead(refusal)
    }
}
