import PluginWire

// From the chat to IRC.
extension Relay {
    /// An event of this network's queue.
    mutating func deliver(_ event: HostMessage.EventDelivery, now: Instant) -> [RelayAction] {
        guard !connection.isDraining else { return [] }
        guard var message = ChatMessage(event: event.event) else {
            return channelCreated(event.event) + [settle([event.delivery])]
        }
        let isOwn = message.origin == connection.plugin && message.ref?.hasPrefix(connection.config.name + "/") == true
        recent.note(&message, isForeign: !isOwn)
        var actions: [RelayAction] = []
        if isOwn, let id = message.authorID {
            actions = users.shown(id, as: message.author, ref: connection.config.name).map { .emit($0) }
        }
        let targets = connection.links.filter { link in
            link.channel == message.channel && link.direction != .toChat
                && !(message.origin == connection.plugin && message.ref == link.ref)
        }
        guard !targets.isEmpty else { return actions + [settle([event.delivery])] }
        if connection.outbound.count == 0 { restartProgress(now) }
        var entry = OutboundQueue.Entry(
            delivery: event.delivery, message: message, targets: targets.map { fold($0.target) })
        entry.since = now
        connection.delays.look(at: now + DelayWatch.patience)
        if isLeftOut(message, now) {
            return actions + (backlog.leave(entry, now: now).map { [settle([$0])] } ?? [])
        }
        if let summary = backlog.summary(message.channel) { connection.outbound.accept(summary) }
        connection.outbound.accept(entry)
        return actions + pump(now)
    }

    /// Whether a message of the time without a connection is not worth saying any more.
    mutating func isLeftOut(_ message: ChatMessage, _ now: Instant) -> Bool {
        guard !connection.config.catchUp.isNone, case .registered = connection.phase, message.timestamp > 0 else {
            return false
        }
        let said = Double(message.timestamp) / 1000 - connection.unixStart
        guard said < connection.registeredAt else { return false }
        return backlog.judge(message, age: now - said, connection.config.catchUp) == .leave
    }

    /// The client is registered: leaves out what has waited too long.
    mutating func beginCatchUp(_ now: Instant) -> [RelayAction] {
        backlog.begin()
        guard !connection.config.catchUp.isNone else { return [] }
        var machine = self
        let left = connection.outbound.removeWaiting { machine.isLeftOut($0.message, now) }
        backlog = machine.backlog
        let settled = left.compactMap { backlog.leave($0, now: now) }
        return settled.isEmpty ? [] : [settle(settled)]
    }

    /// Reports deliveries that are confirmed or failed. One that has reached some channel on IRC is confirmed, whatever
    /// the others did with it: redriven as a dead letter it would be said there twice.
    mutating func finish(_ entries: [OutboundQueue.Entry]) -> [RelayAction] {
        var actions: [RelayAction] = []
        for miss in entries.compactMap(\.missed) where toldMissed.insert(miss.target).inserted {
            actions += log(
                "warning",
                "messages do not reach \(miss.target), although they reach other channels: \(miss.reason)")
        }
        let settled = entries.filter { $0.failure == nil }.map(\.delivery)
        if !settled.isEmpty { actions.append(settle(settled)) }
        for entry in entries {
            guard let failure = entry.failure else { continue }
            actions.append(
                .plugin(
                    .reject(
                        delivery: entry.delivery, code: "channel_unavailable", message: failure, deadLetter: true)))
        }
        return actions + noteHeard(entries)
    }

    func settle(_ deliveries: [Int64]) -> RelayAction {
        .plugin(.ack(deliveries.count == 1 ? .one(deliveries[0]) : .many(deliveries), state: nil))
    }

    mutating func openWindow(_ now: Instant) -> [RelayAction] {
        guard !isWindowOpen, !connection.isDraining else { return [] }
        let given = widen(now)
        isWindowOpen = true
        restartProgress(now)
        return given + [.plugin(.window(queue: connection.config.name, events: Int64(window)))]
    }

    /// Tells the host how many events are wanted, where that has changed: those that wait for a channel which is not
    /// there are not to take the place of others. There is an end to that too.
    mutating func widen(_ now: Instant) -> [RelayAction] {
        let state = { [memberships = connection.memberships] (target: String) -> OutboundQueue.TargetState in
            memberships[target]?.state(now: now) ?? .waiting
        }
        let given = connection.outbound.giveUpBlocked(beyond: Self.mostBlocked, state) {
            [memberships = connection.memberships] target in
            let refusal = memberships[target]?.refusal ?? "the server has not let the bridge in yet"
            return "\(refusal); \(Self.mostBlocked) later messages wait already"
        }
        let steps = connection.outbound.blocked(state) / Self.windowStep
        let wanted = Self.fullWindow + steps * Self.windowStep
        var actions = finish(given)
        if wanted != window {
            window = wanted
            if isWindowOpen { actions.append(.plugin(.window(queue: connection.config.name, events: Int64(window)))) }
        }
        return actions
    }

    /// The next line or settled message for the relay.
    mutating func nextTurn(_ now: Instant) -> OutboundQueue.Turn? {
        let (memberships, lines, ids) = (connection.memberships, connection.lines, connection.messageIDs)
        let roster = roster
        let voice = voiceFinder(now)
        // Taken out, so that it is not copied.
        var pool = PuppetPool(nil)
        swap(&pool, &puppets)
        let turn = connection.outbound.turn(
            onlyBegun: !mayBegin,
            voice: { pool.config == nil ? .relay : voice(&pool, $0) },
            state: { memberships[$0]?.state(now: now) ?? .waiting },
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

    mutating func wrote(_ parts: [String], _ now: Instant) {
        let names = connection.moves.configured
        // Of the lines of a message only the first has an author: another one may be anybody's words.
        for part in parts.prefix(2) { loopGuard.said(part, names: names, now: now) }
        let line = parts.joined(separator: WireLine.separator)
        if let whole = WireLine.joined(line) { loopGuard.said(whole, names: names, now: now) }
    }

    mutating func messageShown(_ message: ChatMessage, target: String, id: String) -> [RelayAction] {
        record(message, target: target, id: id, by: nil)
        return []
    }

    /// Records the server's id of a message of the chat.
    mutating func record(_ message: ChatMessage, target: String, id: String, by user: String?) {
        connection.record(message, target: target, id: id, by: user)
        stateDue = stateDue ?? connection.lastHeard + Self.stateDelay
    }
}
