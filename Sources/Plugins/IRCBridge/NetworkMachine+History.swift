import PluginWire

// What was said while the client was away, and what the chat has of it.
extension NetworkMachine {
    /// How long after a message its reference is stored, in seconds.
    static let stateDelay = 1.0
    /// How long after somebody came or went that is stored, in seconds.
    static let membersDelay = 30.0

    /// The queue's state, as it was stored last.
    mutating func restore(_ state: NetworkState) {
        keptState = state
        keptState.keep(Set(links.map { fold($0.target) }))
        for channel in Set(links.map(\.channel)) {
            speakers.restore((state.members[channel] ?? []).map { idPrefix + $0 }, channel)
        }
    }

    /// The chat has a message of a channel.
    mutating func stored(_ target: String, _ reference: String, now: Instant) -> [NetworkAction] {
        keptState.note(fold(target), reference)
        stateDue = stateDue ?? now + Self.stateDelay
        return []
    }

    /// What the ids of this network's people begin with.
    private var idPrefix: String { "\(plugin)/\(config.name)/" }

    /// Stores what is to be stored.
    mutating func saveState() -> [NetworkAction] {
        guard stateDue != nil || speakers.hasChanged else { return [] }
        speakers.hasChanged = false
        keptState.members = [:]
        if config.presence != .off {
            for channel in Set(links.map(\.channel)) {
                keptState.members[channel] = speakers.members(of: channel).map { String($0.dropFirst(idPrefix.count)) }
            }
        }
        stateDue = nil
        return [.plugin(.state(queue: config.name, state: keptState.json))]
    }

    /// The client is in a channel: asks for what it has missed there.
    mutating func askHistory(_ target: String, _ now: Instant) -> [NetworkAction] {
        let hasHistory = registration.enabled.contains { $0 == "chathistory" || $0 == "draft/chathistory" }
        guard hasHistory, registration.enabled.contains("batch"), !inbound(target).isEmpty,
            let reference = keptState.references[target], let name = memberships[target]?.name
        else { return [] }
        let most = supports.historyLength
        return askLater(target, catchUp.ask(target, name: name, after: reference, most: most, now: now), now)
    }

    /// A batch of the server begins or ends.
    mutating func batch(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard let ended = batches.take(message), CatchUp.playbacks.contains(ended.type),
            let target = ended.params.first.map({ fold($0) }), catchUp.isAsked(target)
        else { return [] }
        if let line = catchUp.nextPage(target, most: supports.historyLength, now: now) {
            return askLater(target, line, now)
        }
        return endHistory(target, now)
    }

    /// Asks for a page in its turn; it is waited for from then on.
    private mutating func askLater(_ target: String, _ line: String, _ now: Instant) -> [NetworkAction] {
        catchUp.waits(target, from: .infinity)
        enqueue(.history(target, line))
        return pump(now)
    }

    /// The server cannot give a history: that of the channels it names, else all, is not waited for.
    mutating func historyFailed(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        guard message.params.first == "CHATHISTORY" else { return [] }
        let named = message.params.map { fold($0) }.filter { catchUp.isAsked($0) }
        return (named.isEmpty ? catchUp.waiting() : named).flatMap { endHistory($0, now) }
    }

    /// A channel has no more history: what was held back meanwhile comes.
    mutating func endHistory(_ target: String, _ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        for message in catchUp.end(target) { actions += relay(message, now) }
        // Some who spoke are not there any more.
        return actions + settleMembers(target)
    }

    /// Whether a message is to be taken now: none that a server repeats unasked, and none before the history is there.
    /// - Returns: Nil where it is; else what is to be done instead.
    mutating func heldBack(_ message: IRCMessage, _ target: String, _ now: Instant) -> [NetworkAction]? {
        if let batch = message.tags["batch"], batches.isPart(batch, of: CatchUp.playbacks) {
            guard catchUp.isAsked(target) else { return [] }
            catchUp.took(target, message)
            return nil
        }
        guard catchUp.isAsked(target) else { return nil }
        return catchUp.hold(target, message) ? [] : endHistory(target, now)
    }
}
