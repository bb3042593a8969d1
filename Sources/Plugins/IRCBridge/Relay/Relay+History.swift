import PluginWire

// History: what was said while the client was away, and what of it the chat already has.
extension Relay {
    /// How long after a message its reference is stored, in seconds.
    static let stateDelay = 1.0
    /// How long after somebody came or went that is stored, in seconds.
    static let membersDelay = 30.0

    /// The queue's state, as it was stored last.
    mutating func restore(_ state: NetworkState) {
        keptState = state
        connection.flow = FlowControl(share: state.share)
        keptState.keep(Set(connection.links.map { fold($0.target) }))
        connection.moves = keptState.moves
        restoreMessageIDs()
        for channel in Set(connection.links.map(\.channel)) {
            users.restore((state.members[channel] ?? []).map { idPrefix + $0 }, channel)
        }
    }

    /// The chat has a line of a channel.
    /// - Parameter part: Its place among the lines of its message.
    mutating func stored(_ target: String, _ reference: String, part: Int = 1, now: Instant) -> [RelayAction] {
        let target = fold(target)
        if places.stored(target, reference, part: part) {
            keptState.note(target, reference)
        } else {
            askFromBefore(target, reference)
        }
        saveSoon(now)
        return []
    }

    /// The state has changed: it is stored a moment later, also where less has changed before and waits longer.
    mutating func saveSoon(_ now: Instant) { stateDue = min(stateDue ?? .infinity, now + Self.stateDelay) }

    /// Stores the state when it is due, with the messages to which nothing was added for a while.
    mutating func saveDueState(_ now: Instant) -> [RelayAction] {
        guard let stateDue, stateDue <= now else { return [] }
        settlePlaces(now)
        let actions = saveState()
        if places.isWaiting { self.stateDue = now + Self.stateDelay }
        return actions
    }

    private mutating func settlePlaces(_ now: Instant) {
        for place in places.settled(now: now, isListening: connection.isListening) {
            keptState.note(place.target, place.reference)
        }
    }

    /// The connection is lost: a message that may have had more lines is asked for again.
    mutating func leavePlaces(_ now: Instant) {
        settlePlaces(now)
        if let place = places.connectionLost(now: now, isListening: connection.isListening) {
            askFromBefore(place.target, place.reference)
        }
    }

    /// Has the next connection ask from the moment before a message that may have more lines, where no earlier message
    /// is known to ask from.
    private mutating func askFromBefore(_ target: String, _ reference: String) {
        guard keptState.references[target] == nil else { return }
        let before = MessageReference(text: reference)?.momentBefore
        keptState.note(target, before?.text ?? reference)
    }

    /// What identifies a new line; nil where nothing does.
    mutating func identify(_ message: IRCMessage) -> LineIDs.LineID? {
        guard !message.tags.isEmpty, let target = message.params.first.map(fold),
            connection.memberships[target] != nil
        else { return nil }
        return history.identify(message, in: target, byContent: hasHistory)
    }

    /// Whether the server can be asked for what was said before.
    private var hasHistory: Bool {
        connection.registration.enabled.contains("batch")
            && connection.registration.enabled.contains { $0 == "chathistory" || $0 == "draft/chathistory" }
    }

    /// What the ids of this network's people begin with.
    var idPrefix: String { "\(connection.plugin)/\(connection.config.name)/" }

    /// Stores the queue's state where it has changed.
    mutating func saveState() -> [RelayAction] {
        guard stateDue != nil || users.hasChanged else { return [] }
        users.hasChanged = false
        keptState.members = [:]
        if connection.config.presence != .off {
            for channel in Set(connection.links.map(\.channel)) {
                keptState.members[channel] = users.members(of: channel).map { String($0.dropFirst(idPrefix.count)) }
            }
        }
        stateDue = nil
        keptState.moves = connection.moves
        keptState.messages = connection.messageIDs.stored(without: idPrefix, room: keptState.roomForMessages)
        return [.plugin(.state(queue: connection.config.name, state: keptState.json))]
    }

    /// The client is in a channel: asks for what it has missed there.
    mutating func askHistory(_ target: String, _ now: Instant) -> [RelayAction] {
        guard hasHistory, !inbound(target).isEmpty,
            let reference = keptState.references[target].flatMap({ MessageReference(text: $0) }),
            let name = connection.memberships[target]?.name
        else { return [] }
        let line = history.ask(
            target, name: name, after: reference,
            kinds: MessageReference.kinds(connection.supports.messageReferenceTypes),
            most: connection.supports.historyLength,
            isLabelled: connection.registration.enabled.contains("labeled-response"), now: now)
        return line.map { askLater(target, $0, now) } ?? []
    }

    /// A line of what a server repeats. Of that which was asked for the messages are taken, and nothing else.
    mutating func repeated(_ message: IRCMessage, _ batch: Batches.Batch, _ now: Instant) -> [RelayAction] {
        guard let target = batch.params.first.map({ fold($0) }) else { return [] }
        guard history.isAnswered(target, by: batch) else {
            let isSpeech =
                ["PRIVMSG", "NOTICE"].contains(message.verb) && message.params.first.map { fold($0) } == target
            return isSpeech ? relayMissed(message, target, now) : []
        }
        // It is no message, and does not count as one.
        if message.verb == "REDACT", message.params.first.map({ fold($0) }) == target {
            return redacted(message, now, isPlayback: true)
        }
        let line = history.took(target, message)
        guard message.verb == "PRIVMSG" || message.verb == "NOTICE", message.params.first.map({ fold($0) }) == target,
            !Self.isEventText(message)
        else { return [] }
        return relay(message, now, isPlayback: true, played: line)
    }

    /// Relays what a bouncer repeats, where it was said while the client was away and no history was asked for.
    mutating func relayMissed(_ message: IRCMessage, _ target: String, _ now: Instant) -> [RelayAction] {
        guard connection.bouncer.isThere, !history.isAsked(target), playback.isMissed(message, target) else {
            return []
        }
        let relayed = relay(message, now, isPlayback: true, played: identify(message))
        // Who spoke may be gone.
        let nick = IRCSource(message.source ?? "").nick
        return relayed.isEmpty ? [] : relayed + outsiderLeaves(nick, message.tags["account"], target)
    }

    /// Whether a server tells in words, as if somebody had said them, who came and went (Ergo's HistServ).
    private static func isEventText(_ message: IRCMessage) -> Bool {
        message.source.map { $0.hasPrefix("HistServ!HistServ@") } == true
    }

    mutating func batchEnded(_ ended: Batches.Batch, _ now: Instant) -> [RelayAction] {
        if ended.type == "labeled-response" {
            return ended.label.map { historyIsEmpty($0, now) } ?? []
        }
        guard let target = ended.params.first.map({ fold($0) }), history.isAnswered(target, by: ended) else {
            return []
        }
        return go(on: target, history.pageEnded(target, most: connection.supports.historyLength, now: now), now)
    }

    /// The server has answered a request for a history by nothing.
    mutating func historyIsEmpty(_ label: String, _ now: Instant) -> [RelayAction] {
        guard let target = history.channel(labelled: label) else { return [] }
        return go(on: target, history.pageEnded(target, most: connection.supports.historyLength, now: now), now)
    }

    /// Asks for a page in its turn; it is waited for from then on.
    private mutating func askLater(_ target: String, _ line: String, _ now: Instant) -> [RelayAction] {
        history.waits(target, from: .infinity)
        enqueue(.history(target, line))
        return pump(now)
    }

    private func warnOfMoment(_ target: String) -> [RelayAction] {
        log(
            "warning",
            "\(connection.memberships[target]?.name ?? target): more was said in one millisecond than the server gives "
                + "at once, and it gives no ids: some of that may be missing in the chat")
    }

    private mutating func go(on target: String, _ next: HistoryFetch.Next, _ now: Instant) -> [RelayAction] {
        switch next {
        case .ask(let line): askLater(target, line, now)
        case .askPast(let line): warnOfMoment(target) + askLater(target, line, now)
        case .complete: endHistory(target, now, isCut: false)
        case .cut: endHistory(target, now)
        }
    }

    /// The server cannot give a history: that of the channels it names, else all, is asked for by another reference
    /// or not waited for.
    /// - Parameter params: What follows on `CHATHISTORY` in the server's answer.
    mutating func historyFailed(_ message: IRCMessage, _ params: some Sequence<String>, _ now: Instant)
        -> [RelayAction]
    {
        let named = params.map { fold($0) }.filter { history.isAsked($0) }
        var failed = named.isEmpty ? history.waiting() : named
        if let label = message.tags["label"] { failed = history.channel(labelled: label).map { [$0] } ?? [] }
        return failed.flatMap { go(on: $0, history.failed($0, most: connection.supports.historyLength, now: now), now) }
    }

    /// A channel has no more history: what was held back meanwhile comes.
    /// - Parameter isCut: Whether some of it may be missing; the next connection asks for it again.
    mutating func endHistory(_ target: String, _ now: Instant, isCut: Bool = true) -> [RelayAction] {
        var actions: [RelayAction] = []
        for message in history.end(target, isCut: isCut) {
            actions +=
                message.verb == "REDACT"
                ? redacted(message, now) : relay(message, now, isPlayback: false, wasHeld: true)
        }
        // Some who spoke are not there any more.
        return actions + settleMembers(target)
    }

    /// Holds back a new message until the channel's history is complete.
    /// - Returns: Nil where it is not held back; else the actions to perform instead.
    mutating func heldBack(_ message: IRCMessage, _ target: String, _ now: Instant) -> [RelayAction]? {
        guard history.isAsked(target) else { return nil }
        return history.hold(target, message) ? [] : endHistory(target, now)
    }

    mutating func historyQueryDue(_ target: String, _ now: Instant) -> Bool {
        guard history.isAsked(target) else { return false }
        history.waits(target, from: now)
        return true
    }
}
