// Who the client is to the network's services, and the nick that it should have.
extension NetworkMachine {
    /// The client is registered: proves to NickServ who it is before the channels are joined, where SASL has not.
    mutating func greetServices(_ now: Instant) -> [NetworkAction] {
        nickServ = NickServ()
        account = AccountRenewal(provedAt: now)
        nickKeeper.registered(now: now)
        if isPuppet { return [] }
        for line in config.perform { enqueue(.perform(line)) }
        let performed = config.perform.isEmpty ? [] : pump(now)
        return performed + (registration.isProved ? identified(now) : identify(now))
    }

    mutating func identify(_ now: Instant) -> [NetworkAction] {
        guard let account = config.nickServ else { return [] }
        return [.send(nickServ.identify(account, config.nick, has: nick, now: now))]
    }

    /// The client has the nick that it should have: NickServ may know it by that alone.
    mutating func hasOwnNick(_ now: Instant) -> [NetworkAction] {
        registration.isProved || nickServ.isSettled ? [] : identify(now)
    }

    /// Whether the channels wait for NickServ.
    var waitsForServices: Bool { nickServ.waitsUntil != nil }

    /// A line of the services, or of the server about them; nothing else is any of theirs.
    mutating func services(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard case .registered = phase else { return [] }
        let wasWaiting = waitsForServices
        let oldProblems = servicesProblems
        var actions: [NetworkAction] = []
        switch message.verb {
        case "900":
            nickServ.isKnown()
            actions = identified(now) + accountProved(now)
        case "901": actions = accountLost(message.params.last ?? "", now)
        case "AUTHENTICATE", "902", "903", "904", "905", "906", "907", "908":
            actions = steps(registration.renewing(message), now)
        case "401":
            guard message.params.count > 1, isService(message.params[1]) else { return [] }
            nickServ.isMissing()
            nickKeeper.hasNoServices()
        case "NOTICE":
            guard message.params.count == 2, isOwn(message.params[0]), let source = message.source,
                isService(IRCSource(source).nick)
            else { return [] }
            if let config = config.nickServ, nickServ.said(message.params[1], config) {
                // The nick is only asked for now; this is no answer to that.
                actions = identified(now) + accountProved(now)
            } else {
                let secret = config.nickServ?.password
                actions = send(
                    nickKeeper.said(message.params[1], config.nick, has: nick, secret: secret, now: now))
                if !wasWaiting { actions += servicesAsk(message.params[1], now) }
            }
        default: return []
        }
        if wasWaiting, !waitsForServices { return actions + joinAtLast(now) }
        return servicesProblems == oldProblems ? actions : actions + membershipChanged(now)
    }

    /// What the status says of the client's account and nick.
    var servicesProblems: [String] {
        [account.problem, nickServ.problem, nickKeeper.problem(config.nick, has: nick)].compactMap { $0 }
    }

    /// The server does not give the client a nick; nil where the line is about something else.
    mutating func nickRefused(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        let named = { [supports] (name: String) in supports.isChannel(name) ? Casemapping.rfc1459.fold(name) : nil }
        // The same numeric refuses a channel.
        if message.verb == "437", message.params.count > 1, memberships[fold(message.params[1])]?.isJoined == false {
            return nil
        }
        guard let refusal = NickRefusal(message, wanted: config.nick, channel: named) else { return nil }
        let before = servicesProblems
        let lines = nickKeeper.refused(refusal, config.nick, has: nick, now: now)
        return send(lines) + (servicesProblems == before ? [] : tellHealth())
    }

    /// Whether a name is that of the service which is told the password, else NickServ's.
    private func isService(_ name: String) -> Bool {
        name.prefix { $0 != "@" }.lowercased() == config.nickServ?.nick ?? "nickserv"
    }

    private mutating func identified(_ now: Instant) -> [NetworkAction] {
        if config.nickServ?.ownsNicks == false { return [] }
        return send(nickKeeper.identified(config.nick, has: nick, now: now))
    }

    private mutating func joinAtLast(_ now: Instant) -> [NetworkAction] { isDraining ? pump(now) : join(now) }

    /// NickServ has not answered in time.
    mutating func tickServices(_ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        if let until = nickServ.waitsUntil, until <= now {
            nickServ.isSilent()
            actions = joinAtLast(now)
        }
        let before = servicesProblems
        actions += tickAccount(now)
        actions += send(nickKeeper.tick(config.nick, has: nick, longest: supports.nickLength, now: now))
        return servicesProblems == before ? actions : actions + tellHealth()
    }

    /// Somebody goes, or takes another nick, or the server says that they are not there (731).
    mutating func someoneLeft(_ message: IRCMessage) -> [NetworkAction] {
        let left: [String]
        switch message.verb {
        case "QUIT", "NICK": left = [IRCSource(message.source ?? "").nick]
        case "731": left = message.params.last?.split(separator: ",").map { IRCSource(String($0)).nick } ?? []
        default: return []
        }
        let wanted = supports.casemapping.fold(config.nick)
        guard left.contains(where: { supports.casemapping.fold($0) == wanted }) else { return [] }
        return send(nickKeeper.isFree(config.nick, has: nick, now: lastHeard))
    }

    func send(_ lines: [String]) -> [NetworkAction] { lines.map { .send($0) } }
}
