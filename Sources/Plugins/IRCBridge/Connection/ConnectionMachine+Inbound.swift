/// What the numerics that refuse a JOIN mean for the operator.
private let refusals = [
    "470": "the server sends all to another channel: link that one", "471": "the channel is full",
    "473": "it is invite only: have somebody invite the bridge",
    "474": "the bridge is banned there", "475": "its key is missing or wrong: set the link's 'key'",
    "477": "it accepts registered nicks only: set 'sasl' or 'nickserv'",
]

// Lines of the server.
extension ConnectionMachine {
    /// A line of the server, without CR LF.
    mutating func received(_ line: IRCMessage, now: Instant) -> [Action] {
        let message = connection.moves.read(line)
        connection.lastHeard = now
        connection.hasAsked = false
        let recovered = lineArrived(now: now)
        let actions = read(message, now)
        return recovered.isEmpty ? actions : recovered + actions
    }

    private mutating func read(_ message: IRCMessage, _ now: Instant) -> [Action] {
        if let label = message.tags["label"], !HistoryFetch.isLabel(label) { return labelled(message, label, now) }
        return partOfAnswer(message, now) ?? received(unlabelled: message, now)
    }

    mutating func received(unlabelled message: IRCMessage, _ now: Instant) -> [Action] {
        if let actions = collected(message, now) { return actions }
        if message.verb != "BATCH", let batch = message.tags["batch"],
            let playback = connection.batches.enclosing(batch, of: HistoryFetch.playbacks)
        {
            return repeated(message, playback, now)
        }
        if let actions = bouncerSaid(message, now) ?? saidAsOwn(message, now) { return actions }
        switch message.verb {
        case "PRIVMSG": return relay(message, now)
        case "NOTICE":
            return noticed(message, now) + services(message, now) + relay(message, now)
        case "PING":
            return [
                .send(SafeLine.of(IRCMessage("PONG", message.params.suffix(1)).line, longest: connection.lines.longest))
            ]
        case "PONG": return ponged(message, now)
        case "ERROR":
            if connection.refusal == nil { connection.refusal = self.refusal(message.params.last ?? "") }
            return []
        default: break
        }
        if case .registering = connection.phase { return steps(connection.registration.take(message), now) }
        guard case .registered = connection.phase else { return [] }
        return services(message, now) + someoneLeft(message) + observe(message, now) + serverSaid(message, now)
    }

    /// What a server's last words mean.
    private func refusal(_ words: String) -> (reason: String, isFinal: Bool) {
        guard case .registering = connection.phase else {
            return ("the server closed the link: \(words)", ServerRefusal.isBan(words))
        }
        let refusal = ServerRefusal(numeric: nil, words: words, hasPassword: connection.config.serverPassword != nil)
        return (refusal.reason, refusal.isFinal)
    }

    /// A key was derived that ``Action/derive(_:)`` asked for; nil: it could not be.
    mutating func derived(_ key: [UInt8]?, now: Instant) -> [Action] {
        switch connection.phase {
        case .registering, .registered: return steps(connection.registration.derived(key), now)
        case .idle, .waiting, .connecting: return []
        }
    }

    mutating func steps(_ steps: [Registration.Step], _ now: Instant) -> [Action] {
        var actions: [Action] = []
        for step in steps {
            switch step {
            case .send(let line): actions.append(.send(line))
            case .derive(let derivation): actions.append(.derive(derivation))
            case .failed(let reason, let isFinal):
                connection.refusal = (reason, isFinal)
                actions += [.send("QUIT"), .close]
            case .proved: actions += accountProved(now)
            case .unproved(let reason): actions += renewalFailed(reason, now)
            case .registered(let accepted):
                connection.phase = .registered(since: now)
                connection.registeredAt = now
                connection.figures.registered()
                connection.nick = accepted
                if connection.registration.isBouncer { connection.bouncer.found() }
                if connection.outbound.count > 0 { connection.delays.look(at: now + DelayWatch.interval) }
                connection.isMaskAssumed = true
                assumeMask()
                resetServices(now)
                actions += registrationCompleted(now: now)
                actions += connection.isDraining ? pump(now) : join(now)
            }
        }
        return actions
    }

    mutating func setMask(_ mask: String) {
        guard mask.utf8.count <= ConnectionState.longestMask else { return }
        connection.isMaskAssumed = false
        (connection.maskCheck, connection.hasSpoken) = (connection.lastHeard + ConnectionState.maskInterval, false)
        self.connection.mask = mask
        connection.lines.mask = mask
    }

    /// The mask until the server shows it: as long as it says that one can be, else as RFC 2812 and common limits let
    /// it be (ten bytes of a user name with a `~` before them, 63 of a host).
    private mutating func assumeMask() {
        guard connection.isMaskAssumed else { return }
        let user = String(repeating: "u", count: connection.supports.userLength + 1)
        setMask("\(connection.nick)!\(user)@\(String(repeating: "h", count: connection.supports.hostLength))")
        connection.isMaskAssumed = true
    }

    mutating func join(_ now: Instant) -> [Action] {
        if waitsForServices { return [] }
        if connection.bouncer.lost != nil { return tellHealth() }
        var fresh: Set<String> = []
        for link in connection.links {
            let known = connection.memberships[fold(link.target)]
            if known == nil || known?.key == nil && link.key != nil && known?.isJoined == false {
                let target = fold(link.target)
                connection.memberships[target] = Membership(
                    name: presentName(link), key: link.key,
                    refusedSince: connection.refusedSince.removeValue(forKey: target))
                if connection.moves.moved[target] == nil { fresh.insert(target) } else { stayOut(target, now) }
            }
        }
        for target in fresh.sorted() { enqueue(.join(target)) }
        return membershipChanged(now)
    }

    /// Opens the window once the server has answered for every channel, and says how things are.
    mutating func membershipChanged(_ now: Instant) -> [Action] {
        if waitsForServices { return pump(now) }
        var actions: [Action] = []
        if connection.memberships.values.allSatisfy(\.isDecided) { actions += channelsDecided(now: now) }
        actions += tellHealth()
        return actions + pump(now)
    }

    private mutating func serverSaid(_ message: IRCMessage, _ now: Instant) -> [Action] {
        let source = IRCSource(message.source ?? "")
        if let actions = handleOwn(message, source, now) { return actions }
        switch message.verb {
        case "JOIN", "KICK", "PART", "NICK", "QUIT", "ACCOUNT", "353", "354":
            let who = message.verb == "KICK" ? message.params.dropFirst().first ?? "" : source.nick
            return isOwn(who) ? serverDid(message, source, now) : []
        case "CAP": return capabilitiesChanged(message, now)
        case "BATCH": return batch(message, now)
        case "400", "432", "433", "435", "436", "437", "438", "447", "484":
            return nickRefused(message, now) ?? channelRefused(message, now)
        case "FAIL" where message.params.first == "NICK": return nickRefused(message, now) ?? []
        case "FAIL" where ["PRIVMSG", "NOTICE"].contains(message.params.first ?? ""):
            speechRefused(message, now)
            return []
        case "FAIL" where ["REDACT", "BATCH"].contains(message.params.first ?? ""):
            draftRefused(message)
            return []
        case "FAIL": return joinRenamed(message, now) ?? joinFailed(message, now)
        case "RENAME": return renamed(message, now)
        case "263":
            speechRefused(message, now)
            return []
        case "INVITE":
            guard message.params.count > 1, isOwn(message.params[0]),
                connection.memberships[fold(message.params[1])]?.isJoined == false
            else { return [] }
            enqueue(.join(fold(message.params[1])))
            return pump(now)
        case "MODE":
            if let target = message.params.first, message.params.count > 1 {
                connection.nickKeeper.modesChanged(fold(target), message.params[1], now: now)
            }
            // A voice, or a mode that is gone.
            guard let target = message.params.first.map(fold),
                connection.memberships[target]?.modesChanged(now: now) == true
            else { return [] }
            return pump(now)
        case "352":
            // WHO shows the client as others see it.
            guard message.params.count > 5, isOwn(message.params[5]) else { return [] }
            setMask("\(connection.nick)!\(message.params[2])@\(message.params[3])")
            return []
        case "396", "CHGHOST": return hostChanged(message, source)
        case "005":
            let wasSafe = connection.supports.isSafeRate
            connection.supports.take(message.params.dropFirst().dropLast())
            featuresChanged()
            connection.lines.topicLength = connection.supports.topicLength
            connection.lines.longest = connection.supports.longestLine
            assumeMask()
            if connection.supports.isSafeRate != wasSafe {
                connection.bucket = newBucket(now)
            }
            return connection.supports.hasMonitor
                ? send(connection.nickKeeper.watch(connection.config.nick, has: connection.nick)) : []
        // Servers have many numerics for it, and make up more; 926 is InspIRCd's for a forbidden channel.
        case _ where message.verb.utf8.count == 3 && ["4", "5", "926"].contains { message.verb.hasPrefix($0) }:
            return channelRefused(message, now)
        case _ where message.verb.utf8.count == 3 && ["6", "7", "8", "9"].contains { message.verb.hasPrefix($0) }:
            return otherNumeric(message, now)
        default: return []
        }
    }

    /// A line about the client itself.
    private mutating func serverDid(
        _ message: IRCMessage, _ source: IRCSource, _ now: Instant
    ) -> [Action] {
        guard let name = message.params.first else { return [] }
        switch message.verb {
        case "JOIN":
            sawMask(message.source ?? "")
            guard connection.memberships[fold(name)] != nil else { return strayed(name, now) }
            joinedAgain(fold(name), now: now)
            connection.memberships[fold(name)]?.joined(now: now)
            return membershipChanged(now) + channelJoined(fold(name), message, now)
        case "KICK":
            connection.memberships[fold(name)]?.kicked(now: now)
            if connection.memberships[fold(name)] != nil { connection.strays.lastLoss = (fold(name), now) }
            return lostChannel(name, "kicked by \(source.nick): \(message.params.last ?? "")", now)
        case "PART": return takenOut(name, message, now)
        case "NICK":
            guard IRCSource.isName(name) else { return [] }
            let old = connection.nick
            connection.nick = name
            let wasAssumed = connection.isMaskAssumed
            if let mark = connection.mask.firstIndex(of: "!") { setMask(name + connection.mask[mark...]) }
            connection.isMaskAssumed = wasAssumed
            var actions = send(connection.nickKeeper.changed(connection.config.nick, from: old, to: name, now: now))
            if name == connection.config.nick { actions += hasOwnNick(now) }
            return actions + nickChanged(now: now) + membershipChanged(now)
        default: return []
        }
    }

    private mutating func hostChanged(_ message: IRCMessage, _ source: IRCSource) -> [Action] {
        guard message.params.count > 1 else { return [] }
        if message.verb == "396" {
            // Some write the user name before it.
            let host = message.params[1].split(separator: "@", omittingEmptySubsequences: false).last ?? ""
            if let at = connection.mask.firstIndex(of: "@"), !host.isEmpty {
                setMask("\(connection.mask[...at])\(host)")
            }
        } else if isOwn(source.nick) {
            setMask("\(connection.nick)!\(message.params[0])@\(message.params[1])")
        }
        return []
    }

    mutating func lostChannel(_ name: String, _ reason: String, _ now: Instant) -> [Action] {
        guard connection.memberships[fold(name)] != nil else { return [] }
        connection.memberships[fold(name)]?.refused(reason, now: now)
        channelLost(fold(name))
        if FlowControl.isFlood(reason), connection.outbound.hasUnconfirmed { slowDown(reason, now) }
        connection.outbound.takeBack(fold(name), reason)
        return membershipChanged(now)
    }

    private mutating func channelRefused(_ message: IRCMessage, _ now: Instant) -> [Action] {
        if ["403", "442"].contains(message.verb), message.params.count > 1 { isNotThere(message.params[1]) }
        if let name = absence(message) {
            let words = IRCText.words(message.params.last ?? message.verb)
            return lostChannel(name, "the server says that the bridge is not in it: \(words)", now)
        }
        guard message.params.count >= 2, let membership = connection.memberships[fold(message.params[1])],
            !membership.isJoined
        else {
            speechRefused(message, now)
            return []
        }
        let words = IRCText.words(message.params.last ?? message.verb)
        guard membership.deadline != nil else { return [] }
        var away: [Action] = []
        // The server puts the client into the other channel next.
        if message.verb == "470", message.params.count > 3, connection.supports.isChannel(message.params[2]),
            connection.memberships[fold(message.params[2])] == nil
        {
            away = forwarded(to: message.params[2])
        }
        let reason = refusals[message.verb].map { "\($0) (\(words))" } ?? words
        connection.memberships[fold(message.params[1])]?.refused(reason, now: now)
        return away + membershipChanged(now)
    }

    /// A standard reply that refuses a JOIN: `FAIL JOIN CODE #channel :words`.
    private mutating func joinFailed(_ message: IRCMessage, _ now: Instant) -> [Action] {
        guard message.params.first == "JOIN", message.params.count > 3 else { return [] }
        var actions: [Action] = []
        for target in message.params[2..<(message.params.count - 1)].map({ fold($0) })
        where connection.memberships[target]?.deadline != nil {
            connection.memberships[target]?.refused(message.params.last ?? "", now: now)
            actions += membershipChanged(now)
        }
        return actions
    }

    /// A batch of the server begins or ends.
    mutating func batch(_ message: IRCMessage, _ now: Instant) -> [Action] {
        connection.batches.take(message).map { batchEnded($0, now) } ?? []
    }
}
