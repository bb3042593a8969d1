import PluginWire

/// The IRC connection of one chat user: it joins the channels where the user speaks and says their messages. It brings
/// nothing into the chat, so it keeps no list of people and no history. The relay opens it and gives it messages.
struct Puppet: ConnectionMachine {
    typealias Action = PuppetAction

    var connection: ConnectionState
    private var nextProgress: Instant = 0

    init(config: NetworkConfig, plugin: String) {
        connection = ConnectionState(
            config: config, links: [], plugin: plugin, messageIDs: MessageIDMap(limit: MessageIDMap.mostOfPuppet))
    }

    /// Says a message.
    /// - Parameter needed: The links of its channels.
    mutating func say(_ entry: OutboundQueue.Entry, _ needed: [LinkConfig], now: Instant) -> [PuppetAction] {
        needed.forEach { learnName($0) }
        for var link in needed where !connection.links.contains(where: { fold($0.target) == fold(link.target) }) {
            // Nothing comes into the chat by this connection.
            link.direction = .toIRC
            connection.links.append(link)
        }
        for target in entry.targets where connection.memberships[target]?.refusal != nil {
            connection.memberships[target] = nil
        }
        connection.outbound.accept(entry)
        guard case .registered = connection.phase else { return [] }
        return join(now)
    }

    /// Uses the present name of a link's channel, which the relay knows.
    private mutating func learnName(_ link: LinkConfig) {
        let target = fold(link.target)
        guard let name = link.presentName, connection.moves.renamed[target] != name else { return }
        connection.moves.rename(target, to: name)
        connection.memberships[target]?.name = name
    }

    /// Uses other limits and another nick, and leaves the channels without a link.
    mutating func reconfigure(_ new: NetworkConfig, links all: [LinkConfig], now: Instant) -> [PuppetAction] {
        let kept = connection.links.filter { link in all.contains { fold($0.target) == fold(link.target) } }
        let old = connection.config
        adopt(new, now)
        return continueSession(from: old, leaving: relink(kept), now)
    }

    /// Forgets the messages given so far.
    mutating func clear() -> [PuppetAction] {
        connection.outbound.clear()
        return []
    }

    mutating func start(now: Instant) -> [PuppetAction] {
        connection.phase = .connecting
        connection.refusal = nil
        return [.connect]
    }

    mutating func closed(reason: String, random: Double, now: Instant) -> [PuppetAction] {
        let why = connectionLost(reason, now: now)
        resetSession()
        connection.phase = .idle
        if connection.isDraining { return [.left] }
        return [connection.registration.hasNoNick ? .unfit(why) : .lost(why)]
    }

    mutating func tick(now: Instant) -> [PuppetAction] { tickConnection(now: now) }

    func wake(now: Instant) -> Instant? { connectionWake(now: now) }

    mutating func drain(deadline: Double, now: Instant) -> [PuppetAction] {
        beginDrain(deadline: deadline, now: now)
        switch connection.phase {
        case .idle, .waiting, .connecting:
            connection.phase = .idle
            return [.left]
        case .registering: return [.send("QUIT"), .close]
        case .registered: return pump(now)
        }
    }

    mutating func tickRegistered(since: Instant, now: Instant) -> [PuppetAction] {
        guard now >= nextProgress, connection.outbound.count > 0 else { return [] }
        nextProgress = now + Relay.workingInterval
        defer { connection.hasProgressed = false }
        return connection.hasProgressed ? [.working] : []
    }

    func nextDue(since: Instant, now: Instant) -> Instant? { connection.outbound.count > 0 ? nextProgress : nil }

    mutating func resetSession() { connection.resetSession() }

    mutating func lineArrived(now: Instant) -> [PuppetAction] {
        _ = connection.delays.heard()
        return []
    }

    mutating func registrationCompleted(now: Instant) -> [PuppetAction] {
        nextProgress = now + Relay.workingInterval
        return [.nick(connection.nick)]
    }

    mutating func nickChanged(now: Instant) -> [PuppetAction] { [.nick(connection.nick)] }

    /// Answers a private message to the user, which reaches nobody.
    mutating func relay(_ message: IRCMessage, _ now: Instant) -> [PuppetAction] {
        guard message.params.count == 2, let source = message.source.map(IRCSource.init), isOwn(message.params[0]),
            !isOwn(source.nick), !Bouncer.speaks(source)
        else { return [] }
        // Never in answer to a NOTICE, which may be one itself, nor to a CTCP request.
        guard message.verb == "PRIVMSG", message.params[1].utf8.first != 1, IRCSource.isName(source.nick),
            connection.directBucket.take(now: now), connection.bucket.take(now: now)
        else { return [] }
        let text =
            "\(connection.config.realname) is on the other side of a bridge: private messages do not get there, "
            + "but what is said in a channel does"
        let head = "NOTICE \(source.nick) :"
        let budget = connection.lines.longest - (connection.mask.utf8.count + 2) - head.utf8.count
        return [.send(head + (MessageSplitter.split(text, budget: budget).first ?? ""))]
    }

    mutating func nextTurn(_ now: Instant) -> OutboundQueue.Turn? {
        let (memberships, lines, ids) = (connection.memberships, connection.lines, connection.messageIDs)
        return connection.outbound.turn(
            onlyBegun: !mayBegin,
            state: { target in
                // The relay says at once what a channel does not accept from the puppet.
                if let refusal = memberships[target]?.refusal { return .dead(refusal) }
                return memberships[target]?.state(now: now) ?? .waiting
            },
            render: { message, target in
                let name = memberships[target]?.name ?? target
                var message = message
                if message.concernedID != nil { message.concerned = [name: ids.concerned(message, in: target)] }
                return lines.lines(message, target: name) { message.nicks[$0] }
            })
    }

    mutating func finish(_ entries: [OutboundQueue.Entry]) -> [PuppetAction] {
        let confirmed = entries.filter { $0.failure == nil }.map(\.delivery)
        let refused = entries.filter { $0.failure != nil }.map { PuppetAction.refused($0.delivery) }
        return (confirmed.isEmpty ? [] : [.confirmed(confirmed)]) + refused
    }

    mutating func messageShown(_ message: ChatMessage, target: String, id: String) -> [PuppetAction] {
        connection.record(message, target: target, id: id, by: nil)
        return [.said(message, target: target, id: id)]
    }

    mutating func linksChanged(_ targets: Set<String>) { connection.moves.keep(targets) }

    // SETNAME where the server has it; else the next connection shows the new name.
    var canRename: Bool { true }
    var retriesRefused: Bool { false }
    var awaitsOthers: Bool { false }
    var farewell: String { "QUIT :Gone from the chat" }
}

// What concerns the relay only.
extension Puppet {
    mutating func handleOwn(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [PuppetAction]? { nil }
    mutating func observe(_ message: IRCMessage, _ now: Instant) -> [PuppetAction] { [] }
    mutating func repeated(_ message: IRCMessage, _ batch: Batches.Batch, _ now: Instant) -> [PuppetAction] { [] }
    mutating func batchEnded(_ batch: Batches.Batch, _ now: Instant) -> [PuppetAction] { [] }
    mutating func playbackAnswered(_ token: String, isServers: Bool) -> [PuppetAction]? { nil }
    mutating func historyQueryDue(_ target: String, _ now: Instant) -> Bool { false }
    func isKnown(_ nick: String) -> Bool { false }
    mutating func featuresChanged() {}
    mutating func channelJoined(_ target: String, _ message: IRCMessage, _ now: Instant) -> [PuppetAction] { [] }
    mutating func channelLost(_ target: String) {}
    mutating func channelsDecided(now: Instant) -> [PuppetAction] { [] }
    mutating func channelRenamed(_ target: String, to name: String, _ now: Instant) {}
    mutating func movedAway(_ target: String, to name: String, _ now: Instant) -> [PuppetAction] { [] }
    mutating func channelRelinked(_ old: String, to new: String) {}
    mutating func channelUnlinked(_ target: String) {}
    mutating func configurationChanged(from old: NetworkConfig) -> [PuppetAction] { [] }
    mutating func leadPuppets(_ now: Instant) -> [PuppetAction] { [] }
    mutating func wrote(_ parts: [String], _ now: Instant) {}
    mutating func widen(_ now: Instant) -> [PuppetAction] { [] }
    mutating func shareChanged(_ now: Instant) {}
    mutating func doubt(_ words: String, of target: String, _ now: Instant) -> [PuppetAction] { [] }
    mutating func tellHealth() -> [PuppetAction] { [] }
    func log(_ level: String, _ text: String) -> [PuppetAction] { [] }
}
