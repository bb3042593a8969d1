// The network's services: identification, and regaining the configured nick.
extension ConnectionMachine {
    /// The client is registered: nothing is known of the services yet.
    mutating func resetServices(_ now: Instant) {
        connection.nickServ = NickServ()
        connection.account = AccountRenewal(provedAt: now)
        connection.nickKeeper.registered(now: now)
    }

    mutating func identify(_ now: Instant) -> [Action] {
        guard let account = connection.config.nickServ else { return [] }
        return [.send(connection.nickServ.identify(account, connection.config.nick, has: connection.nick, now: now))]
    }

    /// The client has the nick that it should have: NickServ may know it by that alone.
    mutating func hasOwnNick(_ now: Instant) -> [Action] {
        connection.registration.isProved || connection.nickServ.isSettled ? [] : identify(now)
    }

    /// Whether the channels wait for NickServ.
    var waitsForServices: Bool { connection.nickServ.waitsUntil != nil }

    /// A line of the services, or of the server about them; nothing else is any of theirs.
    mutating func services(_ message: IRCMessage, _ now: Instant) -> [Action] {
        guard case .registered = connection.phase else { return [] }
        let wasWaiting = waitsForServices
        let oldProblems = servicesProblems
        var actions: [Action] = []
        switch message.verb {
        case "900":
            connection.nickServ.isKnown()
            actions = identified(now) + accountProved(now)
        case "901": actions = accountLost(message.params.last ?? "", now)
        case "AUTHENTICATE", "902", "903", "904", "905", "906", "907", "908":
            actions = steps(connection.registration.renewing(message), now)
        case "401":
            guard message.params.count > 1, isService(message.params[1]) else { return [] }
            connection.nickServ.isMissing()
            connection.nickKeeper.hasNoServices()
        case "NOTICE":
            guard message.params.count == 2, isOwn(message.params[0]), let source = message.source,
                isService(IRCSource(source).nick)
            else { return [] }
            if let config = connection.config.nickServ, connection.nickServ.said(message.params[1], config) {
                // The nick is only asked for now; this is no answer to that.
                actions = identified(now) + accountProved(now)
            } else {
                let secret = connection.config.nickServ?.password
                actions = send(
                    connection.nickKeeper.said(
                        message.params[1], connection.config.nick, has: connection.nick, secret: secret, now: now))
                if !wasWaiting { actions += servicesAsk(message.params[1], now) }
            }
        default: return []
        }
        if wasWaiting, !waitsForServices { return actions + joinAtLast(now) }
        return servicesProblems == oldProblems ? actions : actions + membershipChanged(now)
    }

    /// What the status says of the client's account and nick.
    var servicesProblems: [String] {
        [
            connection.account.problem, connection.nickServ.problem,
            connection.nickKeeper.problem(connection.config.nick, has: connection.nick),
        ].compactMap { $0 }
    }

    /// The server does not give the client a nick; nil where the line is about something else.
    mutating func nickRefused(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        let named = { [supports = connection.supports] (name: String) in
            supports.isChannel(name) ? Casemapping.rfc1459.fold(name) : nil
        }
        // The same numeric refuses a channel.
        if message.verb == "437", message.params.count > 1,
            connection.memberships[fold(message.params[1])]?.isJoined == false
        {
            return nil
        }
        guard let refusal = NickRefusal(message, wanted: connection.config.nick, channel: named) else { return nil }
        let before = servicesProblems
        let lines = connection.nickKeeper.refused(refusal, connection.config.nick, has: connection.nick, now: now)
        return send(lines) + (servicesProblems == before ? [] : tellHealth())
    }

    /// Whether a name is that of the configured service, else NickServ's.
    private func isService(_ name: String) -> Bool {
        name.prefix { $0 != "@" }.lowercased() == connection.config.nickServ?.nick ?? "nickserv"
    }

    mutating func identified(_ now: Instant) -> [Action] {
        if connection.config.nickServ?.ownsNicks == false { return [] }
        return send(connection.nickKeeper.identified(connection.config.nick, has: connection.nick, now: now))
    }

    private mutating func joinAtLast(_ now: Instant) -> [Action] { connection.isDraining ? pump(now) : join(now) }

    /// NickServ has not answered in time.
    mutating func tickServices(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        if let until = connection.nickServ.waitsUntil, until <= now {
            connection.nickServ.isSilent()
            actions = joinAtLast(now)
        }
        let before = servicesProblems
        actions += tickAccount(now)
        actions += send(
            connection.nickKeeper.tick(
                connection.config.nick, has: connection.nick, longest: connection.supports.nickLength, now: now))
        return servicesProblems == before ? actions : actions + tellHealth()
    }

    /// Somebody goes, or takes another nick, or the server says that they are not there (731).
    mutating func someoneLeft(_ message: IRCMessage) -> [Action] {
        let left: [String]
        switch message.verb {
        case "QUIT", "NICK": left = [IRCSource(message.source ?? "").nick]
        case "731": left = message.params.last?.split(separator: ",").map { IRCSource(String($0)).nick } ?? []
        default: return []
        }
        let wanted = connection.supports.casemapping.fold(connection.config.nick)
        guard left.contains(where: { connection.supports.casemapping.fold($0) == wanted }) else { return [] }
        return send(
            connection.nickKeeper.isFree(connection.config.nick, has: connection.nick, now: connection.lastHeard))
    }
}
