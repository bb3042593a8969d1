import ChatMarkdown
import PluginWire

// Connections of users, as the network's own connection leads them.
extension NetworkMachine {
    /// Whether a nick is the client's own or that of a user's connection.
    func isOurs(_ nick: String) -> Bool { isOwn(nick) || puppets.isOwn(supports.casemapping.fold(nick)) }

    /// Whether somebody in a repeated history was the client itself or a connection of a user, maybe of an earlier run.
    func wasOurs(_ nick: String) -> Bool {
        let folded = supports.casemapping.fold(nick)
        return folded == supports.casemapping.fold(config.nick) || keptState.nicks.contains(folded)
    }

    /// The client has a nick, under which a history will show what it says. The usual one is stored with what else is.
    mutating func noteOwnNick(now: Instant) {
        guard !isPuppet, keptState.noteNick(supports.casemapping.fold(nick)), nick != config.nick else { return }
        saveSoon(now)
    }

    /// Who says an entry, as far as its channels are there.
    private func voiceFinder(_ now: Instant) -> (inout PuppetPool, OutboundLedger.Entry) -> PuppetPool.Voice {
        let (memberships, longest, prefix) = (memberships, supports.nickLength, config.name + "/")
        let plugin = plugin
        let (ids, redacts) = (messageIDs, lines.drafts.redacts)
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

    /// The next thing for the bridge's own connection to do.
    mutating func nextTurn(_ now: Instant) -> OutboundLedger.Turn? {
        let (memberships, lines, roster, ids) = (memberships, lines, roster, messageIDs)
        let (voice, isPuppet) = (voiceFinder(now), isPuppet)
        // Taken out, so that it is not copied.
        var pool = PuppetPool(nil)
        swap(&pool, &puppets)
        let turn = ledger.turn(
            onlyBegun: !mayBegin,
            voice: { pool.config == nil ? .relay : voice(&pool, $0) },
            state: {
                if isPuppet, let refusal = memberships[$0]?.refusal { return .dead(refusal) }
                return memberships[$0]?.state(now: now) ?? .waiting
            },
            render: { message, target in
                // A topic that stands there already need not be set; two linked channels would set it for ever.
                if case .topic(let topic) = message.what, memberships[target]?.topic == topic { return [] }
                let name = memberships[target]?.name ?? target
                var message = message
                if message.concernedID != nil { message.concerned = [name: ids.concerned(message, in: target)] }
                return lines.lines(message, target: name) { name in
                    if let nick = message.nicks[name] ?? pool.nick(of: name) { return nick }
                    return roster.contains(name, in: target) ? roster.person(name)?.nick : nil
                }
            })
        puppets = pool
        return turn
    }

    /// Gives to users' connections what they can say, and does what their number needs.
    mutating func leadPuppets(_ now: Instant) -> [NetworkAction] {
        guard config.puppets != nil || puppets.count > 0 else { return [] }
        var actions: [NetworkAction] = []
        puppets.tick(now: now)
        if !isDraining {
            let voice = voiceFinder(now)
            var pool = PuppetPool(nil)
            swap(&pool, &puppets)
            let handed = ledger.handOver { pool.config == nil ? .relay : voice(&pool, $0) }
            puppets = pool
            // The order to change a nick comes before what is said under it.
            actions += perform(puppets.takeOrders(now: now), now)
            for (serial, entry) in handed {
                puppets.gave(serial, now: now)
                var entry = entry
                entry.message.nicks = addressed(entry)
                if entry.message.concernedID != nil {
                    for target in entry.targets {
                        entry.message.concerned[target] = messageIDs.concerned(entry.message, in: target)
                    }
                }
                let theirs = presentLinks(links.filter { entry.targets.contains(fold($0.target)) })
                actions.append(.puppet(serial, .say(entry, theirs)))
            }
        }
        return actions + perform(puppets.takeOrders(now: now), now)
    }

    /// The nicks of those whom a message addresses.
    private func addressed(_ entry: OutboundLedger.Entry) -> [String: String] {
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

    private mutating func perform(_ orders: [PuppetPool.Order], _ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for order in orders {
            switch order {
            case .open(let serial, let nick, let name):
                actions.append(.puppet(serial, .open(config.ofPuppet(nick, name: name))))
            case .rename(let serial, let nick, let name):
                actions.append(.puppet(serial, .reconfigure(config.ofPuppet(nick, name: name), links)))
            case .leave(let serial): actions.append(.puppet(serial, .leave(PuppetPool.leaveLimit)))
            case .drop(let serial):
                actions.append(.puppet(serial, .drop))
                let reason = "its connection was given up: the server confirmed nothing"
                // A server that answers nobody says nothing about this connection.
                puppetClosed(serial, reason, isUnfit: delays.silentSince == nil, now)
            }
        }
        return actions
    }

    /// A user's connection has something to tell.
    mutating func puppetDid(_ serial: Int, _ action: NetworkAction, now: Instant) -> [NetworkAction] {
        switch action {
        case .plugin(.ack(let which, _)):
            let deliveries: [Int64]
            switch which {
            case .one(let delivery): deliveries = [delivery]
            case .many(let many): deliveries = many
            default: return []
            }
            let (count, done) = ledger.confirm(serial, deliveries)
            puppets.confirmed(serial, count, now: now)
            return count == 0 ? [] : finish(done) + pump(now)
        case .plugin(.reject(let delivery, _, _, _)):
            let back = ledger.takeBack(from: serial, delivery)
            puppets.confirmed(serial, back.count, now: now)
            for entry in back { puppets.mute(serial, entry.targets, now: now) }
            return pump(now)
        case .news(.nick(let nick)):
            let folded = supports.casemapping.fold(nick)
            puppets.isNow(serial, folded, as: nick, now: now)
            if keptState.noteNick(folded) { saveSoon(now) }
            return pump(now)
        case .news(.said(let message, let target, let id)):
            noteSaid(message, target: target, id: id, by: puppets.user(of: serial))
            return []
        case .news(.working):
            puppets.isWorking(serial, now: now)
            return []
        case .news(.lost(let reason)): puppetClosed(serial, reason, now)
        case .news(.unfit(let reason)): puppetClosed(serial, reason, isUnfit: true, now)
        case .drained: puppetClosed(serial, "it left", now)
        default: return []
        }
        return pump(now)
    }

    private mutating func puppetClosed(_ serial: Int, _ reason: String, isUnfit: Bool = false, _ now: Instant) {
        guard puppets.closed(serial, reason, isUnfit: isUnfit, now: now) != nil else { return }
        _ = ledger.takeBack(from: serial)
    }

    /// Logs the users' connections that were lost, in one line.
    mutating func logPuppetLosses(_ now: Instant) -> [NetworkAction] {
        guard let text = puppets.losses.report(now: now) else { return [] }
        let line = IRCText.words("\(config.name): \(text)", most: Self.longestHealth)
        return [.plugin(.log(level: "warning", message: line, fields: nil))]
    }

    /// Takes another configuration of users' connections; see ``reconfigure(_:links:now:)``, which comes first.
    /// - Parameter old: The configuration before.
    mutating func reconfigurePuppets(from old: NetworkConfig, now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        if old.isReached(as: config) {
            puppets.reconfigure(config.puppets, now: now)
        } else {
            puppets.leaveAll(now: now)
            puppets.reconfigure(config.puppets, now: now)
        }
        actions += perform(puppets.takeOrders(now: now), now)
        for (serial, nick, name) in puppets.ready {
            actions.append(.puppet(serial, .reconfigure(config.ofPuppet(nick, name: name), links)))
        }
        return actions
    }

    /// All that users' connections were given is void.
    mutating func clearPuppets() -> [NetworkAction] {
        puppets.nothingIsGiven()
        return puppets.ready.map { .puppet($0.serial, .clear) }
    }
}

// A user's connection itself.
extension NetworkMachine {
    /// Takes something to say.
    /// - Parameter needed: The links that it goes by.
    mutating func say(_ entry: OutboundLedger.Entry, _ needed: [LinkConfig], now: Instant) -> [NetworkAction] {
        needed.forEach { learnName($0) }
        for var link in needed where !links.contains(where: { fold($0.target) == fold(link.target) }) {
            // Nothing comes into the chat by this connection.
            link.direction = .toIRC
            links.append(link)
        }
        for target in entry.targets where memberships[target]?.refusal != nil { memberships[target] = nil }
        ledger.accept(entry)
        guard case .registered = phase else { return [] }
        return join(now)
    }

    /// Tells somebody who writes to the user in private that this reaches nobody.
    mutating func sayUnreachable(
        _ message: IRCMessage, _ source: IRCSource, _ now: Instant
    ) -> [NetworkAction] {
        // Never in answer to a NOTICE, which may be one itself, nor to a client's request.
        guard message.verb == "PRIVMSG", message.params[1].utf8.first != 1, IRCSource.isName(source.nick),
            directBucket.take(now: now), bucket.take(now: now)
        else { return [] }
        let text =
            "\(config.realname) is on the other side of a bridge: private messages do not get there, "
            + "but what is said in a channel does"
        let head = "NOTICE \(source.nick) :"
        let budget = lines.longest - (mask.utf8.count + 2) - head.utf8.count
        return [.send(head + (MessageSplitter.split(text, budget: budget).first ?? ""))]
    }

    /// Takes other limits and another nick, and leaves the channels that are linked no more.
    mutating func follow(_ new: NetworkConfig, _ all: [LinkConfig], now: Instant) -> [NetworkAction] {
        let kept = links.filter { link in all.contains { fold($0.target) == fold(link.target) } }
        return reconfigure(new, links: kept, now: now)
    }
}

extension ChatMessage {
    /// Whether it is in its author's mouth: what the bridge sums up and topics, which need rights, are not.
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
        config.catchUp = Backlog.Limits()
        return config
    }
}
