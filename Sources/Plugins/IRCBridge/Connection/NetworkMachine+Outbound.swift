import PluginWire

/// From the chat to IRC.
extension NetworkMachine {
    /// An event of this network's queue.
    mutating func deliver(_ event: HostMessage.EventDelivery, now: Instant) -> [NetworkAction] {
        guard !isDraining else { return [] }
        guard var message = ChatMessage(event: event.event) else {
            return channelCreated(event.event) + [settle([event.delivery])]
        }
        let isOwn = message.origin == plugin && message.ref?.hasPrefix(config.name + "/") == true
        recent.note(&message, isForeign: !isOwn)
        var actions: [NetworkAction] = []
        if isOwn, let id = message.authorID {
            actions = speakers.shown(id, as: message.author, ref: config.name).map { .emit($0) }
        }
        let targets = links.filter { link in
            link.channel == message.channel && link.direction != .toChat
                && !(message.origin == plugin && message.ref == link.ref)
        }
        guard !targets.isEmpty else { return actions + [settle([event.delivery])] }
        if ledger.count == 0 { nextWorking = now + Self.workingInterval }
        var entry = OutboundLedger.Entry(
            delivery: event.delivery, message: message, targets: targets.map { fold($0.target) })
        entry.since = now
        delays.look(at: now + DelayWatch.patience)
        if isLeftOut(message, now) {
            return actions + (backlog.leave(entry, now: now).map { [settle([$0])] } ?? [])
        }
        if let summary = backlog.summary(message.channel) { ledger.accept(summary) }
        ledger.accept(entry)
        return actions + pump(now)
    }

    /// Whether a message of the time without a connection is not worth saying any more.
    private mutating func isLeftOut(_ message: ChatMessage, _ now: Instant) -> Bool {
        guard !config.catchUp.isNone, case .registered = phase, message.timestamp > 0 else { return false }
        let said = Double(message.timestamp) / 1000 - unixStart
        guard said < registeredAt else { return false }
        return backlog.judge(message, age: now - said, config.catchUp) == .leave
    }

    /// The client is registered: leaves out what has waited too long.
    mutating func beginCatchUp(_ now: Instant) -> [NetworkAction] {
        registeredAt = now
        backlog.begin()
        guard !config.catchUp.isNone else { return [] }
        var machine = self
        let left = ledger.removeWaiting { machine.isLeftOut($0.message, now) }
        backlog = machine.backlog
        let settled = left.compactMap { backlog.leave($0, now: now) }
        return settled.isEmpty ? [] : [settle(settled)]
    }

    /// How long the server may leave lines without their echo before it is asked by a PING as well, in seconds.
    static let receiptLimit = 5.0

    /// When the next such PING is due; not before there is room for it.
    var receiptsDue: Instant? {
        guard receipts != .fences, ledger.needsFence else { return nil }
        let due = ledger.needsAnswer ? 0 : lastReceipt + Self.receiptLimit
        return max(due, bucket.isLimited ? bucket.nextToken : 0)
    }

    /// Writes what may be written now.
    mutating func pump(_ now: Instant) -> [NetworkAction] {
        guard case .registered = phase else { return [] }
        lines.drafts = drafts
        // What a bouncer without a server is told is lost.
        if bouncer.lost != nil { return endDrain(now) }
        var actions = leadPuppets(now)
        if flow.isReduced || flow.hasFlooded { bucket.setRate(rate, now: now) }
        var settled: [OutboundLedger.Entry] = []
        ledger.receipts = receipts
        if !ledger.needsFence { lastReceipt = now }
        while wantsFence || isControlNext || mayWrite, bucket.take(now: now) {
            if wantsFence {
                actions.append(askFence(now))
                continue
            }
            if isControlNext, let line = nextControl(now) {
                wasControl = true
                bucket.charge(line)
                actions.append(.send(line))
                continue
            }
            wasControl = false
            guard mayWrite, let turn = nextTurn(now) else {
                bucket.giveBack()
                if controls.isEmpty || isDraining { break }
                // Nothing can be said, so that the questions need not take turns with it.
                guard let line = nextControl(now), bucket.take(now: now) else { break }
                bucket.charge(line)
                actions.append(.send(line))
                continue
            }
            switch turn {
            case .line(let made):
                let parts = WireLine.parts(made).map { keptState.moves.written($0) }
                let line = parts.joined(separator: WireLine.separator)
                let names = keptState.moves.configured
                for (i, part) in parts.enumerated() {
                    if i > 0 { bucket.chargeLine() }
                    bucket.charge(part)
                    actions.append(.send(part))
                    // Of the lines of a message only the first has an author: another one may be anybody's words.
                    if !isPuppet, i < 2 { relayMarks.said(part, names: names, now: now) }
                }
                if let target = ledger.targetOfAgain { memberships[target]?.saidAgain(now: now) }
                (hasProgressed, hasSpoken) = (true, true)
                figures.sent(line, now: now)
                if receipts == .echoes { figures.asked(OutboundLedger.echoKey(ledger.lastLabel), now: now) }
                if receipts != .fences { delays.asked(now: now) }
                if !isPuppet, let whole = WireLine.joined(line) { relayMarks.said(whole, names: names, now: now) }
            case .settled(let entry):
                bucket.giveBack()
                settled.append(entry)
            }
        }
        actions += leadPuppets(now)
        // Nothing more goes out now, so the fence goes behind all of it. Where that is for want of a token there is
        // none for the fence either, so it comes behind more.
        if mayFence(now), bucket.take(now: now) { actions.append(askFence(now)) }
        return actions + finish(settled) + widen(now) + endDrain(now)
    }

    /// Whether a message may be begun. One that is begun is always finished, as far as the server keeps up.
    var mayBegin: Bool { !isDraining && ledger.sentLines < flow.lines }

    /// Whether a line of a message may be written.
    var mayWrite: Bool {
        guard ledger.hasWaiting, mayBegin || ledger.hasBegun else { return false }
        if !flow.isReduced { return !bucket.isLimited || ledger.unansweredBytes < flow.bytes }
        return ledger.unansweredLines < flow.lines && ledger.unansweredBytes < flow.bytes
    }

    /// Where lines are dear the fence waits for a few messages; where they are not it is set at the end of each pump.
    private var wantsFence: Bool {
        receipts == .fences && ledger.needsFence && bucket.isLimited && ledger.sentCount >= Self.limitedFence
    }

    private func mayFence(_ now: Instant) -> Bool {
        ledger.needsFence && (receiptsDue.map { $0 <= now || isDraining } ?? true)
    }

    private mutating func endDrain(_ now: Instant) -> [NetworkAction] {
        guard isDraining, case .registered = phase else { return [] }
        guard now >= drainEnds || (!ledger.hasBegun && ledger.sentCount == 0 && puppets.count == 0) else { return [] }
        phase = .registering(since: now)
        return [.send(isPuppet ? "QUIT :Gone from the chat" : "QUIT :Crowbar is stopped"), .close]
    }

    /// The server has answered a PING or another question.
    mutating func fenceAnswered(_ token: String, _ now: Instant) -> [NetworkAction] {
        adapt(to: figures.answered(token, now: now), now)
        // A line before it whose echo has not come will have none.
        if receipts == .echoes { figures.giveUp() }
        hasProgressed = true
        let done = ledger.pong(token)
        return finish(done) + relayForeign(now) + pump(now)
    }

    /// Tells the host of deliveries that are done. One that has reached some channel on IRC is said, whatever the
    /// others did with it: as a dead letter it would be said there twice, when it is tried again.
    mutating func finish(_ entries: [OutboundLedger.Entry]) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for miss in entries.compactMap(\.missed) where !isPuppet && toldMissed.insert(miss.target).inserted {
            let text =
                "\(config.name): what is said does not get to \(miss.target), though to other channels: \(miss.reason)"
            actions.append(.plugin(.log(level: "warning", message: text, fields: nil)))
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

    func settle(_ deliveries: [Int64]) -> NetworkAction {
        .plugin(.ack(deliveries.count == 1 ? .one(deliveries[0]) : .many(deliveries), state: nil))
    }

    mutating func openWindow(_ now: Instant) -> [NetworkAction] {
        guard !isWindowOpen, !isDraining else { return [] }
        let given = widen(now)
        isWindowOpen = true
        nextWorking = now + Self.workingInterval
        return given + [.plugin(.window(queue: config.name, events: Int64(window)))]
    }

    func fold(_ name: String) -> String { Casemapping.rfc1459.fold(name) }
}
