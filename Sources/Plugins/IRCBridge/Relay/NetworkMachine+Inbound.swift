import ChatMarkdown
import PluginKit
import PluginWire

/// From IRC to the chat, and what the server says about the connection.
extension NetworkMachine {
    /// A line of the server, without CR LF.
    mutating func received(_ line: IRCMessage, now: Instant) -> [NetworkAction] {
        let message = keptState.moves.read(line)
        lastHeard = now
        hasAsked = false
        places.heardLine()
        let recovered = delays.heard() ? recheckDelays(now) : []
        let actions = read(message, now)
        return recovered.isEmpty ? actions : recovered + actions
    }

    private mutating func read(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        if let label = message.tags["label"], !CatchUp.isLabel(label) { return labelled(message, label, now) }
        return partOfAnswer(message, now) ?? received(unlabelled: message, now)
    }

    mutating func received(unlabelled message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        if let actions = collected(message, now) { return actions }
        if message.verb != "BATCH", let batch = playbackBatch(message) { return repeated(message, batch, now) }
        if let actions = bouncerSaid(message, now) ?? saidAsOwn(message, now) { return actions }
        switch message.verb {
        case "PRIVMSG": return relay(message, now)
        case "NOTICE":
            return noticed(message, now) + services(message, now) + relay(message, now)
        case "PING":
            return [.send(SafeLine.of(IRCMessage("PONG", message.params.suffix(1)).line, longest: lines.longest))]
        case "PONG": return ponged(message, now)
        case "ERROR":
            if refusal == nil { refusal = self.refusal(message.params.last ?? "") }
            return []
        default: break
        }
        if case .registering = phase { return steps(registration.take(message), now) }
        guard case .registered = phase else { return [] }
        return services(message, now) + someoneLeft(message) + relayerMoved(message) + serverSaid(message, now)
    }

    /// What a server's last words mean.
    private func refusal(_ words: String) -> (reason: String, isFinal: Bool) {
        guard case .registering = phase else {
            return ("the server closed the link: \(words)", ServerRefusal.isBan(words))
        }
        let refusal = ServerRefusal(numeric: nil, words: words, hasPassword: config.serverPassword != nil)
        return (refusal.reason, refusal.isFinal)
    }

    /// A key was derived that ``NetworkAction/derive(_:)`` asked for; nil: it could not be.
    mutating func derived(_ key: [UInt8]?, now: Instant) -> [NetworkAction] {
        switch phase {
        case .registering, .registered: return steps(registration.derived(key), now)
        case .idle, .waiting, .connecting: return []
        }
    }

    mutating func steps(_ steps: [Registration.Step], _ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for step in steps {
            switch step {
            case .send(let line): actions.append(.send(line))
            case .derive(let derivation): actions.append(.derive(derivation))
            case .failed(let reason, let isFinal):
                refusal = (reason, isFinal)
                actions += [.send("QUIT"), .close]
            case .proved: actions += accountProved(now)
            case .unproved(let reason): actions += renewalFailed(reason, now)
            case .registered(let accepted):
                phase = .registered(since: now)
                figures.registered()
                nick = accepted
                if registration.isBouncer { bouncer.found() }
                if ledger.count > 0 { delays.look(at: now + DelayWatch.interval) }
                if isPuppet { actions.append(.news(.nick(accepted))) }
                isMaskAssumed = true
                assumeMask()
                actions += logConnected() + beginCatchUp(now) + greetServices(now)
                actions += isDraining ? pump(now) : join(now)
            }
        }
        return actions
    }

    mutating func setMask(_ mask: String) {
        guard mask.utf8.count <= Self.longestMask else { return }
        isMaskAssumed = false
        (maskCheck, hasSpoken) = (lastHeard + Self.maskInterval, false)
        self.mask = mask
        lines.mask = mask
    }

    /// The mask until the server shows it: as long as it says that one can be, else as RFC 2812 and common limits let
    /// it be (ten bytes of a user name with a `~` before them, 63 of a host).
    private mutating func assumeMask() {
        guard isMaskAssumed else { return }
        let user = String(repeating: "u", count: supports.userLength + 1)
        setMask("\(nick)!\(user)@\(String(repeating: "h", count: supports.hostLength))")
        isMaskAssumed = true
    }

    mutating func join(_ now: Instant) -> [NetworkAction] {
        if waitsForServices { return [] }
        if bouncer.lost != nil { return tellHealth() }
        var fresh: Set<String> = []
        for link in links {
            let known = memberships[fold(link.target)]
            if known == nil || known?.key == nil && link.key != nil && known?.isJoined == false {
                let target = fold(link.target)
                memberships[target] = Membership(
                    name: presentName(link), key: link.key, refusedSince: refusedSince.removeValue(forKey: target))
                if keptState.moves.moved[target] == nil { fresh.insert(target) } else { stayOut(target, now) }
            }
        }
        for target in fresh.sorted() { enqueue(.join(target)) }
        return membershipChanged(now)
    }

    /// Opens the window once the server has answered for every channel, and says how things are.
    mutating func membershipChanged(_ now: Instant) -> [NetworkAction] {
        if waitsForServices { return pump(now) }
        var actions: [NetworkAction] = []
        if memberships.values.allSatisfy(\.isDecided) { actions += openWindow(now) }
        actions += tellHealth()
        return actions + pump(now)
    }

    private mutating func serverSaid(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let source = IRCSource(message.source ?? "")
        switch message.verb {
        case "JOIN", "KICK", "PART", "NICK", "QUIT", "ACCOUNT", "353", "354":
            let who = message.verb == "KICK" ? message.params.dropFirst().first ?? "" : source.nick
            return isOwn(who) ? serverDid(message, source, now) : presence(message, source, now)
        case "366", "315":
            guard message.params.count > 1 else { return [] }
            return listEnded(fold(message.params[1]), isNames: message.verb == "366") + pump(now)
        case "CAP": return capabilitiesChanged(message, now)
        case "BATCH": return batch(message, now)
        case "FAIL" where message.params.first == "CHATHISTORY":
            return historyFailed(message, message.params.dropFirst(), now)
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
        case "REDACT": return redacted(message, now)
        case "RENAME": return renamed(message, now)
        case _ where ["421", "461"].contains(message.verb) && message.params.dropFirst().first == "CHATHISTORY":
            return historyFailed(message, [], now)
        case "263":
            speechRefused(message, now)
            return []
        case "ACK": return message.tags["label"].map { historyIsEmpty($0, now) } ?? []
        case "TOPIC", "332": return topic(message, source)
        case "INVITE":
            guard message.params.count > 1, isOwn(message.params[0]),
                memberships[fold(message.params[1])]?.isJoined == false
            else { return [] }
            enqueue(.join(fold(message.params[1])))
            return pump(now)
        case "MODE":
            if let target = message.params.first, message.params.count > 1 {
                nickKeeper.modesChanged(fold(target), message.params[1], now: now)
            }
            // A voice, or a mode that is gone.
            guard let target = message.params.first.map(fold), memberships[target]?.modesChanged(now: now) == true
            else { return [] }
            return pump(now)
        case "352":
            // WHO shows the client as others see it.
            guard message.params.count > 5, isOwn(message.params[5]) else { return [] }
            setMask("\(nick)!\(message.params[2])@\(message.params[3])")
            return []
        case "396", "CHGHOST": return hostChanged(message, source)
        case "005":
            let wasSafe = supports.isSafeRate
            supports.take(message.params.dropFirst().dropLast())
            roster.casemapping = supports.casemapping
            lines.topicLength = supports.topicLength
            lines.longest = supports.longestLine
            assumeMask()
            if supports.isSafeRate != wasSafe {
                bucket = newBucket(now)
            }
            return supports.hasMonitor ? send(nickKeeper.watch(config.nick, has: nick)) : []
        // Servers have many numerics for it, and make up more; 926 is InspIRCd's for a forbidden channel.
        case _ where message.verb.utf8.count == 3 && ["4", "5", "926"].contains { message.verb.hasPrefix($0) }:
            return channelRefused(message, now)
        case _ where message.verb.utf8.count == 3 && ["6", "7", "8", "9"].contains { message.verb.hasPrefix($0) }:
            return otherNumeric(message, now)
        default: return []
        }
    }

    /// What befalls the client itself.
    private mutating func serverDid(
        _ message: IRCMessage, _ source: IRCSource, _ now: Instant
    ) -> [NetworkAction] {
        guard let name = message.params.first else { return [] }
        switch message.verb {
        case "JOIN":
            sawMask(message.source ?? "")
            guard memberships[fold(name)] != nil else { return strayed(name, now) }
            joinedAgain(fold(name), now: now)
            memberships[fold(name)]?.joined(now: now)
            isBack(fold(name), now)
            noteOwnNick(now: now)
            let asked = playbackFollows(fold(name), message, now)
            return membershipChanged(now) + askHistory(fold(name), now) + asked
        case "KICK":
            memberships[fold(name)]?.kicked(now: now)
            if memberships[fold(name)] != nil { lastLoss = (fold(name), now) }
            return lostChannel(name, "kicked by \(source.nick): \(message.params.last ?? "")", now)
        case "PART": return takenOut(name, message, now)
        case "NICK":
            guard IRCSource.isName(name) else { return [] }
            let old = nick
            nick = name
            let wasAssumed = isMaskAssumed
            if let mark = mask.firstIndex(of: "!") { setMask(name + mask[mark...]) }
            isMaskAssumed = wasAssumed
            noteOwnNick(now: now)
            var actions = send(nickKeeper.changed(config.nick, from: old, to: name, now: now))
            if name == config.nick { actions += hasOwnNick(now) }
            return actions + (isPuppet ? [.news(.nick(name))] : []) + membershipChanged(now)
        default: return []
        }
    }

    private mutating func hostChanged(_ message: IRCMessage, _ source: IRCSource) -> [NetworkAction] {
        guard message.params.count > 1 else { return [] }
        if message.verb == "396" {
            // Some write the user name before it.
            let host = message.params[1].split(separator: "@", omittingEmptySubsequences: false).last ?? ""
            if let at = mask.firstIndex(of: "@"), !host.isEmpty { setMask("\(mask[...at])\(host)") }
        } else if isOwn(source.nick) {
            setMask("\(nick)!\(message.params[0])@\(message.params[1])")
        } else {
            roster.setHost(source.nick, user: message.params[0], host: message.params[1])
        }
        return []
    }

    /// A topic: told on joining, or set by somebody.
    private mutating func topic(_ message: IRCMessage, _ source: IRCSource) -> [NetworkAction] {
        let params = message.params.dropFirst(message.verb == "332" ? 1 : 0)
        guard params.count == 2, let name = params.first, let text = params.last else { return [] }
        memberships[fold(name)]?.topic = text
        // An own topic without the label of a line of the bridge was set by another session of its account.
        let isOtherSession = receipts == .labels && !isAnswer(message)
        guard message.verb == "TOPIC", !isOwn(source.nick) || isOtherSession, isPerson(source, "TOPIC"),
            !isIgnored(message.source ?? "")
        else { return [] }
        let speaker = speaker(source.nick, account: message.tags["account"] ?? roster.person(source.nick)?.account)
        return inbound(fold(name)).flatMap { link in
            speakers.topic(speaker, link, ShownText.line(IRCText.plain(text)), key: key(message, link)).map {
                .emit($0)
            }
        }
    }

    /// The chat's name for who is addressed in a channel on IRC: somebody there, or somebody of the chat.
    func addressee(_ nick: String, in target: String) -> String? {
        if let name = puppets.name(of: supports.casemapping.fold(nick)) { return name }
        return roster.contains(nick, in: target) ? roster.person(nick)?.nick : recent.author(nick)
    }

    /// What a command's event id is derived from.
    func key(_ message: IRCMessage, _ link: LinkConfig) -> String? {
        message.tags["msgid"].flatMap { id in id.utf8.count <= CatchUp.longestID ? Self.key(id, link) : nil }
    }

    /// What the event id of a message is derived from.
    /// - Parameter id: The server's id of it.
    static func key(_ id: String, _ link: LinkConfig) -> String { "\(link.ref)/\(link.channel)/\(id)" }

    mutating func lostChannel(_ name: String, _ reason: String, _ now: Instant) -> [NetworkAction] {
        guard memberships[fold(name)] != nil else { return [] }
        memberships[fold(name)]?.refused(reason, now: now)
        roster.forget(channel: fold(name))
        if FlowControl.isFlood(reason), ledger.hasUnconfirmed { slowDown(reason, now) }
        ledger.takeBack(fold(name), reason)
        return membershipChanged(now)
    }

    /// What the numerics that refuse a JOIN mean for the operator.
    private static let refusals = [
        "470": "the server sends all to another channel: link that one", "471": "the channel is full",
        "473": "it is invite only: have somebody invite the bridge",
        "474": "the bridge is banned there", "475": "its key is missing or wrong: set the link's 'key'",
        "477": "it takes registered nicks only: set 'sasl' or 'nickserv'",
    ]

    private mutating func channelRefused(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        if ["403", "442"].contains(message.verb), message.params.count > 1 { isNotThere(message.params[1]) }
        if let name = absence(message) {
            let words = IRCText.words(message.params.last ?? message.verb)
            return lostChannel(name, "the server says that the bridge is not in it: \(words)", now)
        }
        guard message.params.count >= 2, let membership = memberships[fold(message.params[1])], !membership.isJoined
        else {
            speechRefused(message, now)
            return []
        }
        let words = IRCText.words(message.params.last ?? message.verb)
        guard membership.deadline != nil else { return [] }
        var away: [NetworkAction] = []
        // The server puts the client into the other channel next.
        if message.verb == "470", message.params.count > 3, supports.isChannel(message.params[2]),
            memberships[fold(message.params[2])] == nil
        {
            away = forwarded(to: message.params[2])
        }
        let reason = Self.refusals[message.verb].map { "\($0) (\(words))" } ?? words
        memberships[fold(message.params[1])]?.refused(reason, now: now)
        return away + membershipChanged(now)
    }

    /// A standard reply that refuses a JOIN: `FAIL JOIN CODE #channel :words`.
    private mutating func joinFailed(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard message.params.first == "JOIN", message.params.count > 3 else { return [] }
        var actions: [NetworkAction] = []
        for target in message.params[2..<(message.params.count - 1)].map({ fold($0) })
        where memberships[target]?.deadline != nil {
            memberships[target]?.refused(message.params.last ?? "", now: now)
            actions += membershipChanged(now)
        }
        return actions
    }
}
