import PluginWire

// Writes the outbound queue within the flood limit, and asks the server to confirm it.
extension ConnectionMachine {
    /// When the next such PING is due; not before there is room for it.
    var receiptsDue: Instant? {
        guard receipts != .fences, connection.outbound.needsFence else { return nil }
        let due = connection.outbound.receipts.needsAnswer ? 0 : connection.lastReceipt + ConnectionState.receiptLimit
        return max(due, connection.bucket.isLimited ? connection.bucket.nextToken : 0)
    }

    /// Writes what may be written now.
    mutating func pump(_ now: Instant) -> [Action] {
        guard case .registered = connection.phase else { return [] }
        connection.lines.drafts = drafts
        // Lines to a bouncer without a server are lost.
        if connection.bouncer.lost != nil { return endDrain(now) }
        var actions = leadPuppets(now)
        if connection.flow.isReduced || connection.flow.hasFlooded { connection.bucket.setRate(rate, now: now) }
        var settled: [OutboundQueue.Entry] = []
        connection.outbound.receipts.mode = receipts
        if !connection.outbound.needsFence { connection.lastReceipt = now }
        while wantsFence || isControlNext || mayWrite, connection.bucket.take(now: now) {
            if wantsFence {
                actions.append(askFence(now))
                continue
            }
            if isControlNext, let line = nextControl(now) {
                connection.wasControl = true
                connection.bucket.charge(line)
                actions.append(.send(line))
                continue
            }
            connection.wasControl = false
            guard mayWrite, let turn = nextTurn(now) else {
                connection.bucket.giveBack()
                if connection.controls.isEmpty || connection.isDraining { break }
                // Nothing can be said, so that the questions need not take turns with it.
                guard let line = nextControl(now), connection.bucket.take(now: now) else { break }
                connection.bucket.charge(line)
                actions.append(.send(line))
                continue
            }
            switch turn {
            case .line(let made):
                let parts = WireLine.parts(made).map { connection.moves.written($0) }
                let line = parts.joined(separator: WireLine.separator)
                for (i, part) in parts.enumerated() {
                    if i > 0 { connection.bucket.chargeLine() }
                    connection.bucket.charge(part)
                    actions.append(.send(part))
                }
                if let target = connection.outbound.receipts.targetOfAgain {
                    connection.memberships[target]?.saidAgain(now: now)
                }
                (connection.hasProgressed, connection.hasSpoken) = (true, true)
                connection.figures.sent(line, now: now)
                if receipts == .echoes {
                    connection.figures.asked(ReceiptTracker.echoKey(connection.outbound.receipts.lastLabel), now: now)
                }
                if receipts != .fences { connection.delays.asked(now: now) }
                wrote(parts, now)
            case .settled(let entry):
                connection.bucket.giveBack()
                settled.append(entry)
            }
        }
        actions += leadPuppets(now)
        // Nothing more goes out now, so the fence goes behind all of it. Where that is for want of a token there is
        // none for the fence either, so it comes behind more.
        if mayFence(now), connection.bucket.take(now: now) { actions.append(askFence(now)) }
        return actions + finish(settled) + widen(now) + endDrain(now)
    }

    /// Whether a message may be begun. One that is begun is always finished, as far as the server keeps up.
    var mayBegin: Bool { !connection.isDraining && connection.outbound.sentLines < connection.flow.lines }

    /// Whether a line of a message may be written.
    var mayWrite: Bool {
        guard connection.outbound.hasWaiting, mayBegin || connection.outbound.hasBegun else { return false }
        if !connection.flow.isReduced {
            return !connection.bucket.isLimited || connection.outbound.receipts.unansweredBytes < connection.flow.bytes
        }
        return connection.outbound.receipts.unansweredLines < connection.flow.lines
            && connection.outbound.receipts.unansweredBytes < connection.flow.bytes
    }

    /// Where lines are dear the fence waits for a few messages; where they are not it is set at the end of each pump.
    private var wantsFence: Bool {
        receipts == .fences && connection.outbound.needsFence && connection.bucket.isLimited
            && connection.outbound.sentCount >= ConnectionState.limitedFence
    }

    private func mayFence(_ now: Instant) -> Bool {
        connection.outbound.needsFence && (receiptsDue.map { $0 <= now || connection.isDraining } ?? true)
    }

    private mutating func endDrain(_ now: Instant) -> [Action] {
        guard connection.isDraining, case .registered = connection.phase else { return [] }
        guard
            now >= connection.drainEnds
                || (!connection.outbound.hasBegun && connection.outbound.sentCount == 0 && !awaitsOthers)
        else { return [] }
        connection.phase = .registering(since: now)
        return [.send(farewell), .close]
    }

    /// The server has answered a PING or another question.
    mutating func fenceAnswered(_ token: String, _ now: Instant) -> [Action] {
        adapt(to: connection.figures.answered(token, now: now), now)
        // A line before it whose echo has not come will have none.
        if receipts == .echoes { connection.figures.giveUp() }
        connection.hasProgressed = true
        let done = connection.outbound.pong(token)
        return finish(done) + relayForeign(now) + pump(now)
    }

    /// Whether to ask the server how others see the client: where it shows the client nothing that it says, a
    /// user name or host that has changed without a word would let lines be cut.
    var wantsMask: Bool {
        connection.hasSpoken && receipts == .fences && connection.bouncer.lost == nil && !connection.isDraining
    }
}
