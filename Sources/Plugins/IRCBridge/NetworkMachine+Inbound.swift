import PluginWire

/// From IRC to the chat, and what the server says about the connection.
extension NetworkMachine {
    /// A line of the server, without CR LF.
    mutating func received(_ message: IRCMessage, now: Instant) -> [NetworkAction] {
        lastHeard = now
        hasAsked = false
        switch message.verb {
        case "PRIVMSG", "NOTICE": return relay(message)
        case "PING": return [.send(IRCMessage("PONG", message.params.suffix(1)).line)]
        case "PONG": return fenceAnswered(message.params.last ?? "", now)
        case "ERROR":
            if refusal == nil { refusal = Self.refusal(message.params.last ?? "", phase) }
            return []
        default: break
        }
        if case .registering = phase { return steps(registration.take(message), now) }
        guard case .registered = phase else { return [] }
        return serverSaid(message, now)
    }

    /// What a server's last words mean. Some have no numeric for a wrong password or a ban, only these words (ngIRCd:
    /// `Access denied: Bad password?`).
    private static func refusal(_ words: String, _ phase: Phase) -> (reason: String, isFinal: Bool) {
        guard case .registering = phase else { return ("the server closed the link: \(words)", false) }
        let small = words.lowercased()
        if small.contains("password") { return ("wrong server_password: \(words)", true) }
        let isBan = ["banned", "-lined", "not authorized", "access denied"].contains { small.contains($0) }
        return ("\(isBan ? "banned" : "the server closed the link"): \(words)", isBan)
    }

    mutating func steps(_ steps: [Registration.Step], _ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for step in steps {
            switch step {
            case .send(let line): actions.append(.send(line))
            case .failed(let reason, let isFinal):
                refusal = (reason, isFinal)
                actions += [.send("QUIT"), .close]
            case .registered(let accepted):
                phase = .registered(since: now)
                nick = accepted
                nextRegain = now + Self.regainInterval
                // Until the server shows it, as long as RFC 2812 and common limits let it be.
                setMask("\(accepted)!\(String(repeating: "u", count: 11))@\(String(repeating: "h", count: 63))")
                actions += isDraining ? pump(now) : join(now)
            }
        }
        return actions
    }

    private mutating func setMask(_ mask: String) {
        self.mask = mask
        lines.mask = mask
    }

    private mutating func join(_ now: Instant) -> [NetworkAction] {
        for link in links where memberships[fold(link.target)]?.key == nil {
            memberships[fold(link.target)] = Membership(name: link.target, key: link.key)
        }
        var actions: [NetworkAction] = []
        for key in memberships.keys.sorted() {
            if let line = memberships[key]?.ask() { actions.append(.send(line)) }
        }
        return actions + membershipChanged(now)
    }

    /// Opens the window once the server has answered for every channel, and says how things are.
    private mutating func membershipChanged(_ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        if memberships.values.allSatisfy(\.isDecided) { actions += openWindow(now) }
        let refused = memberships.values.filter { !$0.isJoined }.sorted { $0.name < $1.name }
            .compactMap { membership in membership.refusal.map { "\(membership.name): \($0)" } }
        if refused.isEmpty {
            actions += setHealth(.ok, "connected to \(config.host) as \(nick)")
        } else {
            actions += setHealth(.degraded, "connected as \(nick); not in \(refused.joined(separator: ", "))")
        }
        return actions + pump(now)
    }

    private mutating func serverSaid(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let source = IRCSource(message.source ?? "")
        switch message.verb {
        case "JOIN":
            guard isOwn(source.nick), let name = message.params.first else { return [] }
            if !source.host.isEmpty { setMask(message.source ?? mask) }
            memberships[fold(name)]?.joined()
            return membershipChanged(now)
        case "KICK":
            guard message.params.count > 1, isOwn(message.params[1]) else { return [] }
            return lostChannel(message.params[0], "kicked by \(source.nick): \(message.params.last ?? "")", now)
        case "PART":
            guard isOwn(source.nick), let name = message.params.first else { return [] }
            return lostChannel(name, "no longer in it", now)
        case "NICK":
            guard isOwn(source.nick), let new = message.params.first else { return [] }
            nick = new
            if let mark = mask.firstIndex(of: "!") { setMask(new + mask[mark...]) }
            return membershipChanged(now)
        case "396":
            if let host = message.params.dropFirst().first, let at = mask.firstIndex(of: "@") {
                setMask(mask[...at] + host)
            }
            return []
        case "005":
            supports.take(message.params.dropFirst().dropLast())
            if supports.isSafeRate { bucket = FloodBucket(burst: 1, rate: 0, now: now) }
            return []
        case "403", "404", "405", "437", "471", "473", "474", "475", "476", "477", "489", "442":
            return channelRefused(message, now)
        default: return []
        }
    }

    private mutating func lostChannel(_ name: String, _ reason: String, _ now: Instant) -> [NetworkAction] {
        guard memberships[fold(name)] != nil else { return [] }
        memberships[fold(name)]?.refused(reason, now: now)
        ledger.takeBack(fold(name))
        return membershipChanged(now)
    }

    private mutating func channelRefused(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard message.params.count >= 2, let membership = memberships[fold(message.params[1])] else { return [] }
        let reason = message.params.last ?? message.verb
        if membership.isJoined {
            // The client is in it and may not speak there.
            if message.verb == "404" { ledger.fail(fold(membership.name), reason) }
            return []
        }
        if membership.isDecided, membership.nextTry != nil { return [] }
        memberships[fold(membership.name)]?.refused(reason, now: now)
        return membershipChanged(now)
    }

    private mutating func relay(_ message: IRCMessage) -> [NetworkAction] {
        guard message.params.count == 2, let source = message.source.map(IRCSource.init), !isOwn(source.nick),
            !source.host.isEmpty
        else { return [] }
        let target = fold(message.params[0])
        var text = message.params[1]
        var kind = message.verb == "NOTICE" ? "notice" : nil
        if text.utf8.first == 1 {
            // Of the client-to-client requests only ACTION is something said.
            guard message.verb == "PRIVMSG", text.hasPrefix("\u{1}ACTION ") else { return [] }
            text = String(text.dropFirst(8))
            kind = "action"
        }
        text = IRCText.plain(text)
        guard text.utf8.contains(where: { $0 != 0x20 }) else { return [] }
        let speaker = speaker(source, account: message.tags["account"])
        var actions: [NetworkAction] = []
        for link in links where link.direction != .toIRC && fold(link.target) == target {
            let key = message.tags["msgid"].map { "\(link.ref)/\(link.channel)/\($0)" }
            let commands = speakers.commands(
                speaker, link, message: text, kind: kind, key: key, sentAt: message.tags["time"])
            actions += commands.map { .emit($0) }
        }
        return actions
    }

    private func speaker(_ source: IRCSource, account: String?) -> Speakers.Speaker {
        let id: String
        if let account, !account.isEmpty {
            id = BridgeUserID.account(account, plugin: plugin, network: config.name, supports.casemapping)
        } else {
            id = BridgeUserID.nick(source.nick, plugin: plugin, network: config.name, supports.casemapping)
        }
        return Speakers.Speaker(id: id, name: IRCText.plain(source.nick))
    }
}
