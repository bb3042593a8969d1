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
        let targets = links.filter { link in
            link.channel == message.channel && link.direction != .toChat
                && !(message.origin == plugin && message.ref == link.ref)
        }
        guard !targets.isEmpty else { return [settle([event.delivery])] }
        if ledger.count == 0 { nextWorking = now + Self.workingInterval }
        let entry = OutboundLedger.Entry(
            delivery: event.delivery, message: message, targets: targets.map { fold($0.target) })
        if isLeftOut(message, now) {
            return backlog.leave(entry, now: now).map { [settle([$0])] } ?? []
        }
        if let summary = backlog.summary(message.channel) { ledger.accept(summary) }
        ledger.accept(entry)
        return pump(now)
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

    /// How long the server may leave labels unanswered before it is asked by a PING as well, in seconds.
    static let receiptLimit = 5.0

    /// When the next such PING is due.
    var receiptsDue: Instant? {
        registration.hasReceipts && ledger.needsFence ? lastReceipt + Self.receiptLimit : nil
    }

    /// The server has answered a line that was written with a label: it has it, or does not take it.
    mutating func labelled(_ message: IRCMessage, _ label: String, _ now: Instant) -> [NetworkAction] {
        let isRefused = message.verb.utf8.count == 3 && (message.verb.hasPrefix("4") || message.verb.hasPrefix("5"))
        let failure = isRefused || message.verb == "FAIL" ? message.params.last ?? message.verb : nil
        lastReceipt = now
        figures.answered(label, now: now)
        // The echo shows the client's mask as others see it.
        if message.verb == "PRIVMSG", let source = message.source, isOwn(IRCSource(source).nick) { setMask(source) }
        let done = ledger.answered(label, failure: failure)
        return received(unlabelled: message, now) + finish(done) + pump(now)
    }

    /// Writes what may be written now.
    mutating func pump(_ now: Instant) -> [NetworkAction] {
        guard case .registered = phase else { return [] }
        var actions = leadPuppets(now)
        var settled: [Int64] = []
        ledger.isLabelled = registration.hasReceipts
        if ledger.sentCount == 0 { lastReceipt = now }
        while true {
            if wantsFence {
                guard bucket.take(now: now) else { break }
                actions.append(ask(ledger.fence(), now))
            }
            guard ledger.hasWaiting, mayBegin || ledger.hasBegun, bucket.take(now: now) else { break }
            guard let turn = nextTurn(now) else {
                bucket.giveBack()
                break
            }
            switch turn {
            case .line(let line):
                actions.append(.send(line))
                figures.sent(line, now: now)
                if !isPuppet { relayMarks.said(line, now: now) }
            case .settled(let entry):
                bucket.giveBack()
                if entry.failure == nil { settled.append(entry.delivery) } else { actions += finish([entry]) }
            }
        }
        actions += leadPuppets(now)
        // Nothing more goes out now, so the fence goes behind all of it.
        if mayFence(now), !bucket.isLimited || !ledger.hasWaiting || ledger.isAwaited || isDraining,
            bucket.take(now: now)
        {
            actions.append(ask(ledger.fence(), now))
        }
        if !settled.isEmpty { actions.append(settle(settled)) }
        return actions + endDrain(now)
    }

    /// Whether a message may be begun. One that is begun is always finished, as the fence goes behind whole messages.
    var mayBegin: Bool { !isDraining && ledger.sentLines < Self.mostUnconfirmed }

    /// Where lines are dear the fence waits for a few messages; where they are not it is set at the end of each pump.
    private var wantsFence: Bool {
        !registration.hasReceipts && ledger.needsFence && bucket.isLimited && ledger.sentCount >= Self.limitedFence
    }

    private func mayFence(_ now: Instant) -> Bool {
        ledger.needsFence && (receiptsDue.map { $0 <= now || isDraining } ?? true)
    }

    private mutating func endDrain(_ now: Instant) -> [NetworkAction] {
        guard isDraining, case .registered = phase else { return [] }
        guard now >= drainEnds || (!ledger.hasBegun && ledger.sentCount == 0 && puppets.count == 0) else { return [] }
        phase = .registering(since: now)
        return [.send("QUIT :Crowbar is stopped"), .close]
    }

    /// A PONG has come.
    mutating func fenceAnswered(_ token: String, _ now: Instant) -> [NetworkAction] {
        figures.answered(token, now: now)
        let done = ledger.pong(token)
        guard !done.isEmpty else { return [] }
        nextWorking = now + Self.workingInterval
        return finish(done) + pump(now)
    }

    private func finish(_ entries: [OutboundLedger.Entry]) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        let settled = entries.filter { $0.failure == nil }.map(\.delivery)
        if !settled.isEmpty { actions.append(settle(settled)) }
        for entry in entries {
            guard let failure = entry.failure else { continue }
            actions.append(
                .plugin(
                    .reject(
                        delivery: entry.delivery, code: "channel_unavailable", message: failure, deadLetter: true)))
        }
        return actions
    }

    func settle(_ deliveries: [Int64]) -> NetworkAction {
        .plugin(.ack(deliveries.count == 1 ? .one(deliveries[0]) : .many(deliveries), state: nil))
    }

    mutating func openWindow(_ now: Instant) -> [NetworkAction] {
        guard !isWindowOpen, !isDraining else { return [] }
        isWindowOpen = true
        nextWorking = now + Self.workingInterval
        return [.plugin(.window(queue: config.name, events: Int64(window)))]
    }

    func fold(_ name: String) -> String { Casemapping.rfc1459.fold(name) }
}
