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
    /// Whether it is to be proved as soon as that can be done.
    private(set) var isWanted = false
    /// Until when an answer is waited for; nil: nothing was asked.
    private(set) var until: Instant?
    /// When it is proved next.
    private var next: Instant?
    private var lastTry: Instant
    private var tries = 0

    /// The account was proved at registration, or tried to be.
    init(provedAt now: Instant = 0) { lastTry = now }

    /// When something is to be done.
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

    /// It is to be proved, now or when that is not too soon.
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

// An account that is lost while the client is connected.
extension NetworkMachine {
    /// The server says that the client is logged out (901).
    mutating func accountLost(_ words: String, _ now: Instant) -> [NetworkAction] {
        guard !isPuppet, config.sasl != nil || config.nickServ != nil else { return [] }
        account.isLost(IRCText.words(words))
        nickServ.isForgotten()
        holdRefused(now)
        account.wants(now: now)
        return renewIfDue(now)
    }

    /// Handles a change of the server's capabilities (`CAP NEW`, `DEL`, `ACK`, `NAK`).
    mutating func capabilitiesChanged(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let before = (registration.offersSASL, servicesProblems)
        var actions = steps(registration.notified(message.params), now)
        guard config.sasl != nil, !isPuppet else { return actions }
        if before.0, !registration.offersSASL {
            account.isDoubted()
            holdRefused(now)
            actions += tellHealth()
        }
        let isProved = account.isFine && (registration.isProved || nickServ.isSettled)
        if message.params.dropFirst().first?.uppercased() == "NEW", registration.offersSASL, !isProved {
            account.wants(now: now)
            actions += renewIfDue(now)
        }
        return servicesProblems == before.1 ? actions : actions + tellHealth()
    }

    /// The service asks for its password, as if it did not know the client (any more).
    mutating func servicesAsk(_ text: String, _ now: Instant) -> [NetworkAction] {
        guard !isPuppet, config.sasl != nil || config.nickServ != nil, NickServ.asks(text), account.until == nil else {
            return []
        }
        // After SASL services may say so of a nick that is not the account's, as soon as they see it.
        if config.nickServ == nil, !account.mayTry(now) { return [] }
        nickServ.isForgotten()
        holdRefused(now)
        account.wants(now: now)
        return renewIfDue(now)
    }

    /// What channels refuse from now on may be for want of the account: it waits for a while.
    private mutating func holdRefused(_ now: Instant) {
        for target in memberships.keys { memberships[target]?.accountLost(until: now + AccountRenewal.hold) }
    }

    private mutating func renewIfDue(_ now: Instant) -> [NetworkAction] {
        guard account.until == nil, let due = account.due, due <= now else { return [] }
        guard !isDraining else {
            account.waitsForOffer()
            return []
        }
        if config.sasl != nil, registration.offersSASL {
            account.begins(now: now)
            return steps(registration.renew(), now)
        }
        guard config.nickServ != nil else {
            account.waitsForOffer()
            return []
        }
        account.begins(now: now)
        return identify(now)
    }

    /// The services know the client again: what was held, and channels that refused the client, are tried at once.
    mutating func accountProved(_ now: Instant) -> [NetworkAction] {
        guard !account.isFine || account.until != nil else { return [] }
        account.proved()
        for target in memberships.keys.sorted() {
            if memberships[target]?.isJoined == true {
                _ = memberships[target]?.modesChanged(now: now)
            } else if memberships[target]?.nextTry != nil {
                enqueue(.join(target))
            }
        }
        return tellHealth() + pump(now)
    }

    /// The account could not be proved again.
    mutating func renewalFailed(_ reason: String, _ now: Instant) -> [NetworkAction] {
        account.failed(IRCText.words(reason), now: now)
        return tellHealth()
    }

    /// Time has passed.
    mutating func tickAccount(_ now: Instant) -> [NetworkAction] {
        guard let due = account.due, due <= now else { return [] }
        guard account.until != nil else { return renewIfDue(now) }
        // What NickServ says, or that it says nothing, is told as its own.
        let isSASL = registration.isRenewing
        account.failed(isSASL ? "the server did not answer" : nil, now: now)
        return steps(registration.abandonRenewal(), now)
    }
}
