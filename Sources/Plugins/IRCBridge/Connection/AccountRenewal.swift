/// The client's account while it is connected: whether the services may have forgotten it, and when it is proved to
/// them again.
struct AccountRenewal: Equatable, Sendable {
    /// How long the answer to a proof is waited for, in seconds.
    static let patience = 30.0
    /// How long what channels refuse is held after the account was lost, in seconds.
    static let hold = 120.0
    /// The shortest times between two proofs, the last one again and again, in seconds.
    static let waits = [30.0, 60, 120, 300, 600]

    /// How the server says that the client is logged out; nil: it does not.
    private(set) var lost: String?
    /// Why the last proof failed.
    private(set) var failure: String?
    /// Whether the server has taken SASL back: an account may be lost meanwhile.
    private(set) var isDoubtful = false
    /// Whether to prove it at the next opportunity.
    private(set) var isWanted = false
    /// Until when an answer is waited for; nil: nothing was asked.
    private(set) var until: Instant?
    /// When it is proved next.
    private var next: Instant?
    private var lastTry: Instant
    private var tries = 0

    /// The account was proved at registration, or tried to be.
    init(provedAt now: Instant = 0) { lastTry = now }

    /// When ``due`` work exists: the timeout of an answer, or the next proof.
    var due: Instant? { until ?? next }

    /// Whether nothing says that the services have forgotten it.
    var isFine: Bool { lost == nil && !isDoubtful && !isWanted }

    /// What the status says of it; nil where there is no problem.
    var problem: String? {
        let why = failure.map { "proving its account again failed: \($0)" }
        guard let lost else { return why }
        let words = lost.isEmpty ? "" : " (\(lost))"
        return "logged out of its account\(words)" + (why.map { "; " + $0 } ?? "")
    }

    /// What the status says besides.
    var note: String? {
        guard isDoubtful, problem == nil else { return nil }
        return "the server offers no SASL for now; the account is proved again once it does"
    }

    /// The server says that the client is logged out.
    mutating func isLost(_ words: String) { (lost, isWanted) = (words, true) }

    /// The server has taken SASL back.
    mutating func isDoubted() { isDoubtful = true }

    /// Whether it can be proved now, without asking too often.
    func mayTry(_ now: Instant) -> Bool { until == nil && now >= lastTry + wait }

    /// Schedules a proof, now or after the minimum interval.
    mutating func wants(now: Instant) {
        isWanted = true
        if until == nil { next = max(now, lastTry + wait) }
    }

    private var wait: Double { Self.waits[min(tries, Self.waits.count - 1)] }

    /// A proof is begun.
    mutating func begins(now: Instant) {
        // One that is long ago says nothing of how often this happens.
        tries = now - lastTry > 2 * Self.waits[Self.waits.count - 1] ? 1 : tries + 1
        (lastTry, next, until) = (now, nil, now + Self.patience)
    }

    /// It cannot be proved now, and is when the server offers a way.
    mutating func waitsForOffer() { next = nil }

    /// The proof has failed: it is tried again later.
    mutating func failed(_ reason: String?, now: Instant) {
        failure = reason
        (until, isWanted) = (nil, true)
        next = now + wait
    }

    /// The services know the client.
    mutating func proved() { (lost, failure, isDoubtful, isWanted, until, next) = (nil, nil, false, false, nil, nil) }
}
