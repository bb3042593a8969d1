import ChatMarkdown
import PluginWire

// Puppets, as the relay leads them.
extension Relay {
    /// Whether a nick is the client's own or that of a user's connection.
    func isOurs(_ nick: String) -> Bool { isOwn(nick) || puppets.isOwn(connection.supports.casemapping.fold(nick)) }

    /// Whether somebody in a repeated history was the client itself or a connection of a user, maybe of an earlier run.
    func wasOurs(_ nick: String) -> Bool {
        let folded = connection.supports.casemapping.fold(nick)
        return folded == connection.supports.casemapping.fold(connection.config.nick)
            || keptState.nicks.contains(folded)
    }

    /// The client has a nick, under which a history will show what it says. The usual one is stored with what else is.
    mutating func noteOwnNick(now: Instant) {
        guard keptState.noteNick(connection.supports.casemapping.fold(connection.nick)),
            connection.nick != connection.config.nick
        else { return }
        saveSoon(now)
    }

    /// Who says an entry, as far as its channels are there.
    func voiceFinder(_ now: Instant) -> (inout PuppetPool, OutboundQueue.Entry) -> PuppetPool.Voice {
        let (memberships, longest) = (connection.memberships, connection.supports.nickLength)
        let (plugin, prefix) = (connection.plugin, connection.config.name + "/")
        let (ids, redacts) = (connection.messageIDs, connection.lines.drafts.redacts)
        return { pool, entry in
            let message = entry.message
            // Those of this network need no second nick on it.
            let isLocal = message.origin == plugin && message.ref?.hasPrefix(prefix) == true
            // A name that a hook gave for one message is nobody's nick.
            guard let user = message.authorID, !message.isByHook, !entry.isForRelay, !isLocal, message.isSaidByAuthor,
                entry.targets.allSatisfy({ memberships[$0]?.isJoined == true })
            else { return .relay }
            if redacts, let speaker = ids.speaker(ofDeleted: message, in: entry.targets) {
                return speaker.map { pool.readyVoice(of: $0, targets: entry.targets, now: now) } ?? .relay
            }
            return pool.voice(of: user, name: message.author, targets: entry.targets, longest: longest, now: now)
        }
    }

    /// Gives puppets the messages that they can say, and opens or closes puppets.
    mutating func leadPuppets(_ now: Instant) -> [RelayAction] {
        guard connection.config.puppets != nil || puppets.count > 0 else { return [] }
        var actions: [RelayAction] = []
        puppets.tick(now: now)
        if !connection.isDraining {
            let voice = voiceFinder(now)
            var pool = PuppetPool(nil)
            swap(&pool, &puppets)
            let handed = connection.outbound.handOver { pool.config == nil ? .relay : voice(&pool, $0) }
            puppets = pool
            // The order to change a nick comes before what is said under it.
            actions += perform(puppets.takeOrders(now: now), now)
            for (serial, entry) in handed {
                puppets.gave(serial, now: now)
                var entry = entry
                entry.message.nicks = addressed(entry)
                if entry.message.concernedID != nil {
                    for target in entry.targets {
                        entry.message.concerned[target] = connection.messageIDs.concerned(entry.message, in: target)
                    }
                }
                let theirs = presentLinks(connection.links.filter { entry.targets.contains(fold($0.target)) })
                actions.append(.puppet(serial, .say(entry, theirs)))
            }
        }
        return actions + perform(puppets.takeOrders(now: now), now)
    }

    /// The nicks of those whom a message addresses.
    private func addressed(_ entry: OutboundQueue.Entry) -> [String: String] {
        guard let text = entry.message.saidText, text.utf8.contains(0x40) else { return [:] }
        var found: [String: String] = [:]
        _ = Mentions.toIRC(StyledText(markdown: text).plain) { name in
            let there = entry.targets.contains { roster.contains(name, in: $0) } ? roster.person(name)?.nick : nil
            let nick = puppets.nick(of: name) ?? there
            found[name] = nick
            return nick
        }
        return found
    }

    private mutating func perform(_ orders: [PuppetPool.Order], _ now: Instant) -> [RelayAction] {
        var actions: [RelayAction] = []
        for order in orders {
            switch order {
            case .open(let serial, let nick, let name):
                actions.append(.puppet(serial, .open(connection.config.ofPuppet(nick, name: name))))
            case .rename(let serial, let nick, let name):
                actions.append(
                    .puppet(serial, .reconfigure(connection.config.ofPuppet(nick, name: name), connection.links)))
            case .leave(let serial): actions.append(.puppet(serial, .leave(PuppetPool.leaveLimit)))
            case .drop(let serial):
                actions.append(.puppet(serial, .drop))
                let reason = "its connection was closed: the server confirmed nothing"
                // A server that answers nobody says nothing about this connection.
                puppetClosed(serial, reason, isUnfit: connection.delays.silentSince == nil, now)
            }
        }
        return actions
    }

    /// A puppet reports something.
    mutating func puppetDid(_ serial: Int, _ action: PuppetAction, now: Instant) -> [RelayAction] {
        switch action {
        case .confirmed(let deliveries):
            let (count, done) = connection.outbound.confirm(serial, deliveries)
            puppets.confirmed(serial, count, now: now)
            return count == 0 ? [] : finish(done) + pump(now)
        case .refused(let delivery):
            let back = connection.outbound.takeBack(from: serial, delivery)
            puppets.confirmed(serial, back.count, now: now)
            for entry in back { puppets.mute(serial, entry.targets, now: now) }
            return pump(now)
        case .nick(let nick):
            let folded = connection.supports.casemapping.fold(nick)
            puppets.isNow(serial, folded, as: nick, now: now)
            if keptState.noteNick(folded) { saveSoon(now) }
            return pump(now)
        case .said(let message, let target, let id):
            record(message, target: target, id: id, by: puppets.user(of: serial))
            return []
        case .working:
            puppets.isWorking(serial, now: now)
            return []
        case .lost(let reason): puppetClosed(serial, reason, now)
        case .unfit(let reason): puppetClosed(serial, reason, isUnfit: true, now)
        case .left: puppetClosed(serial, "it left", now)
        case .connect, .close, .send, .derive: return []
        }
        return pump(now)
    }

    private mutating func puppetClosed(_ serial: Int, _ reason: String, isUnfit: Bool = false, _ now: Instant) {
        guard puppets.closed(serial, reason, isUnfit: isUnfit, now: now) != nil else { return }
        _ = connection.outbound.takeBack(from: serial)
    }

    /// Logs the puppets that were lost, in one line.
    mutating func logPuppetLosses(_ now: Instant) -> [RelayAction] {
        puppets.losses.report(now: now).map { log("warning", $0) } ?? []
    }

    /// Applies another configuration of puppets; see ``reconfigure(_:links:now:)``, which comes first.
    /// - Parameter old: The configuration before.
    mutating func reconfigurePuppets(from old: NetworkConfig, now: Instant) -> [RelayAction] {
        var actions: [RelayAction] = []
        if old.isReached(as: connection.config) {
            puppets.reconfigure(connection.config.puppets, now: now)
        } else {
            puppets.leaveAll(now: now)
            puppets.reconfigure(connection.config.puppets, now: now)
        }
        actions += perform(puppets.takeOrders(now: now), now)
        for (serial, nick, name) in puppets.ready {
            actions.append(
                .puppet(serial, .reconfigure(connection.config.ofPuppet(nick, name: name), connection.links)))
        }
        return actions
    }

    /// Clears the messages given to puppets.
    mutating func clearPuppets() -> [RelayAction] {
        puppets.nothingIsGiven()
        return puppets.ready.map { .puppet($0.serial, .clear) }
    }
}

extension ChatMessage {
    /// Whether its author can say it: not the bridge's summaries, nor topics, which need rights.
    var isSaidByAuthor: Bool {
        switch what {
        case .text, .action, .notice, .edit, .deletion: true
        case .topic, .summary: false
        }
    }

    /// What is said in it, as the chat writes it.
    var saidText: String? {
        switch what {
        case .text(let text), .action(let text), .notice(let text), .edit(let text, _): text
        case .deletion, .topic, .summary: nil
        }
    }
}

extension NetworkConfig {
    /// The configuration of a user's connection.
    func ofPuppet(_ nick: String, name: String) -> NetworkConfig {
        var config = self
        config.puppets = nil
        config.nick = nick
        config.realname = RelayFormat.short(name)
        // Neither by its password nor by its certificate is a user the bridge's account.
        config.sasl = nil
        config.nickServ = nil
        config.trust.identity = nil
        config.format = .bare
        config.presence = .off
        config.catchUp = OutboundBacklog.Limits()
        return config
    }
}
