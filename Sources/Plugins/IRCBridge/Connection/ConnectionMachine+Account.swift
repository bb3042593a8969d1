// An account that is lost while the client is connected.
extension ConnectionMachine {
    /// The server says that the client is logged out (901).
    mutating func accountLost(_ words: String, _ now: Instant) -> [Action] {
        guard connection.config.sasl != nil || connection.config.nickServ != nil else { return [] }
        connection.account.isLost(IRCText.words(words))
        connection.nickServ.isForgotten()
        holdRefused(now)
        connection.account.wants(now: now)
        return renewIfDue(now)
    }

    /// Handles a change of the server's capabilities (`CAP NEW`, `DEL`, `ACK`, `NAK`).
    mutating func capabilitiesChanged(_ message: IRCMessage, _ now: Instant) -> [Action] {
        let before = (connection.registration.offersSASL, servicesProblems)
        var actions = steps(connection.registration.notified(message.params), now)
        guard connection.config.sasl != nil else { return actions }
        if before.0, !connection.registration.offersSASL {
            connection.account.isDoubted()
            holdRefused(now)
            actions += tellHealth()
        }
        let isProved = connection.account.isFine && (connection.registration.isProved || connection.nickServ.isSettled)
        if message.params.dropFirst().first?.uppercased() == "NEW", connection.registration.offersSASL, !isProved {
            connection.account.wants(now: now)
            actions += renewIfDue(now)
        }
        return servicesProblems == before.1 ? actions : actions + tellHealth()
    }

    /// The service asks for its password, as if it did not know the client (any more).
    mutating func servicesAsk(_ text: String, _ now: Instant) -> [Action] {
        guard connection.config.sasl != nil || connection.config.nickServ != nil, NickServ.asks(text),
            connection.account.until == nil
        else {
            return []
        }
        // After SASL services may say so of a nick that is not the account's, as soon as they see it.
        if connection.config.nickServ == nil, !connection.account.mayTry(now) { return [] }
        connection.nickServ.isForgotten()
        holdRefused(now)
        connection.account.wants(now: now)
        return renewIfDue(now)
    }

    /// What channels refuse from now on may be for want of the account: it waits for a while.
    private mutating func holdRefused(_ now: Instant) {
        for target in connection.memberships.keys {
            connection.memberships[target]?.accountLost(until: now + AccountRenewal.hold)
        }
    }

    private mutating func renewIfDue(_ now: Instant) -> [Action] {
        guard connection.account.until == nil, let due = connection.account.due, due <= now else { return [] }
        guard !connection.isDraining else {
            connection.account.waitsForOffer()
            return []
        }
        if connection.config.sasl != nil, connection.registration.offersSASL {
            connection.account.begins(now: now)
            return steps(connection.registration.renew(), now)
        }
        guard connection.config.nickServ != nil else {
            connection.account.waitsForOffer()
            return []
        }
        connection.account.begins(now: now)
        return identify(now)
    }

    /// The services know the client again: what was held, and channels that refused the client, are tried at once.
    mutating func accountProved(_ now: Instant) -> [Action] {
        guard !connection.account.isFine || connection.account.until != nil else { return [] }
        connection.account.proved()
        for target in connection.memberships.keys.sorted() {
            if connection.memberships[target]?.isJoined == true {
                _ = connection.memberships[target]?.modesChanged(now: now)
            } else if connection.memberships[target]?.nextTry != nil {
                enqueue(.join(target))
            }
        }
        return tellHealth() + pump(now)
    }

    /// The account could not be proved again.
    mutating func renewalFailed(_ reason: String, _ now: Instant) -> [Action] {
        connection.account.failed(IRCText.words(reason), now: now)
        return tellHealth()
    }

    /// Time has passed.
    mutating func tickAccount(_ now: Instant) -> [Action] {
        guard let due = connection.account.due, due <= now else { return [] }
        guard connection.account.until != nil else { return renewIfDue(now) }
        // NickServ's answer or silence is reported as NickServ's problem.
        let isSASL = connection.registration.isRenewing
        connection.account.failed(isSASL ? "the server did not answer" : nil, now: now)
        return steps(connection.registration.abandonRenewal(), now)
    }
}
