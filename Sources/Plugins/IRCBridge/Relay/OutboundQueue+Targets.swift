import DequeModule

// Messages that are written again, and what becomes of their channels.
extension OutboundQueue {
    /// The connection is lost: everything without a confirmation waits again, in its old order.
    /// - Parameter reason: Why, for the messages that are given up.
    mutating func connectionLost(_ reason: String = "the connection was lost") {
        noteLoss(reason)
        let back = Array(sent)
        resetWritten()
        for lane in lanes.names { lanes.updateHead(of: lane) { $0 = $0.unwritten } }
        restore(back)
    }

    /// Takes back what was written to a target since the last PONG, to be written again: the client was not there.
    /// - Parameter reason: Why, for the messages that are given up.
    mutating func takeBack(_ target: String, _ reason: String = "the client was not in the channel") {
        noteLoss(reason)
        let back = sent.filter { $0.targets.contains(target) }
        sent.removeAll { $0.targets.contains(target) }
        receipts.takeBack(target)
        countSent()
        for lane in lanes.names where lanes.head(of: lane)?.targets.contains(target) == true {
            lanes.updateHead(of: lane) { $0 = $0.unwritten }
        }
        restore(back)
    }

    private mutating func noteLoss(_ reason: String) { if hasUnconfirmed { lastLoss = reason } }

    private mutating func restore(_ entries: some BidirectionalCollection<Entry>) {
        hasRetries = true
        for entry in entries.reversed() { lanes.prepend(entry.unwritten) }
    }

    mutating func resetWritten() {
        (sent, sentLines) = ([], 0)
        receipts.reset()
    }

    mutating func countSent() { sentLines = sent.reduce(0) { $0 + $1.lineCount } }

    /// Puts a message of which the server has refused lines back into its lane, where something can be done about each
    /// of these; its other lines were said.
    /// - Returns: Whether it is said again.
    mutating func sayAgain(_ part: Entry) -> Bool {
        guard part.failure != nil, let lines = part.lines, !part.refused.isEmpty else { return false }
        let isDraftRefused = part.refused.contains { place, remedy in
            !remedy.waits && lines.indices.contains(place) && WireLine.isDraft(lines[place])
        }
        if isDraftRefused {
            var fresh = part.unwritten
            fresh.tries = max(part.tries - 1, 0)
            (fresh.again, fresh.message.isPlain) = (nil, true)
            self.lanes.insert(fresh, afterBegun: true)
            return true
        }
        guard
            part.refused.allSatisfy({ lines.indices.contains($0.key) && $0.value.helps(lines[$0.key]) })
        else { return false }
        // Where messages are dropped for coming too fast it is not known of each whether it was.
        let isDropped = part.refused.values.contains(.slower)
        if isDropped, part.tries >= Self.mostTries { return false }
        var fresh = part.unwritten
        // What was refused was not said: only what gets lost is counted.
        fresh.tries = part.isUnsure || isDropped ? part.tries : max(part.tries - 1, 0)
        if isDropped { (hasRetries, lastLoss) = (true, part.failure ?? "") }
        if part.isUnsure { (hasRetries, lastLoss) = (true, ReceiptTracker.unsure) }
        fresh.again = part.refused.sorted { $0.key < $1.key }.map { $0.value.applied(to: lines[$0.key]) }
        if part.refused.values.contains(where: \.waits), let target = part.targets.first { receipts.probe(target) }
        self.lanes.insert(fresh, afterBegun: true)
        return true
    }

    /// Whether something waits for a target that is said again.
    func hasMoreAgain(_ target: String) -> Bool { lanes.heads.contains { $0.isAgain && $0.targets.contains(target) } }

    /// Writes nothing more to a target until what was written is answered: the order stays where that is refused.
    mutating func hold(_ target: String) { receipts.hold(target, through: lastOrder) }

    /// A target has another name: what waits goes there.
    mutating func retarget(_ old: String, to new: String) {
        func renamed(_ lane: String) -> String {
            let parts = lane.split(separator: "\0", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 && parts[1] == old ? "\(parts[0])\0\(new)" : lane
        }
        func renamed(_ entry: Entry) -> Entry {
            var entry = entry
            entry.lane = renamed(entry.lane)
            entry.targets = entry.targets.map { $0 == old ? new : $0 }
            return entry
        }
        lanes.rename({ renamed($0) }, { renamed($0) })
        sent = Deque(sent.map { renamed($0) })
        delegated = delegated.reduce(into: [:]) { delegated, lane in
            delegated[renamed(lane.key)] = Deque(lane.value.map { ($0.serial, renamed($0.entry)) })
        }
        receipts.retarget(old, to: new) { renamed($0) }
    }

    /// A target has no link any more: what waits goes to the others alone.
    mutating func forget(_ target: String) {
        lanes.updateAll { $0.targets.removeAll { $0 == target } }
        receipts.forget(target)
    }

    private func waiting(_ state: (String) -> TargetState) -> [String: Int] {
        lanes.lengths { $0.targets.first.map { state($0) == .waiting } == true }
    }

    /// Messages that wait for a target that the client is not in.
    func blocked(_ state: (String) -> TargetState) -> Int { waiting(state).values.reduce(0, +) }

    /// Gives up the oldest of the messages that wait for targets that the client is not in, where there are too many.
    /// - Parameters:
    ///   - most: How many may wait.
    ///   - reason: Why the client is not in a target.
    mutating func giveUpBlocked(
        beyond most: Int, _ state: (String) -> TargetState, reason: (String) -> String
    ) -> [Entry] {
        var done: [Entry] = []
        var over = blocked(state) - most
        while over > 0 {
            let longest = waiting(state).max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
            guard let longest, var part = lanes.removeHead(of: longest) else { break }
            part.failure = part.targets.first.map(reason)
            if let whole = finish(part) { done.append(whole) }
            over -= 1
        }
        return done
    }
}

// Messages that puppets say.
extension OutboundQueue {
    /// Gives puppets the messages that they can say now. Only one connection at a time says something of a lane: the
    /// next one begins once the server has confirmed what the one before said.
    /// - Parameter voice: Who says a message.
    /// - Returns: The parts, which go by their order instead of their delivery, as each is confirmed by itself.
    mutating func handOver(_ voice: (Entry) -> PuppetPool.Voice) -> [(serial: Int, entry: Entry)] {
        var handed: [(Int, Entry)] = []
        for lane in lanes.names {
            while let head = lanes.head(of: lane), head.lines == nil, head.again == nil,
                case .puppet(let serial) = voice(head)
            {
                if let other = delegated[lane]?.first?.serial, other != serial { break }
                if sent.contains(where: { $0.lane == lane }) { break }
                _ = lanes.removeHead(of: lane)
                delegated[lane, default: []].append((serial, head))
                var part = head
                part.delivery = Int64(head.order)
                handed.append((serial, part))
            }
        }
        return handed
    }

    /// A puppet has confirmed some parts.
    /// - Returns: How many of them it was given, and the deliveries that are complete now.
    mutating func confirm(_ serial: Int, _ parts: [Int64]) -> (count: Int, done: [Entry]) {
        let confirmed = Set(parts)
        let taken = takeDelegated { $0 == serial && confirmed.contains(Int64($1.order)) }
        var done: [Entry] = []
        for part in taken { if let whole = finish(part) { done.append(whole) } }
        return (taken.count, done)
    }

    /// Takes back what a puppet was given, to be said again in its old place.
    /// - Parameters:
    ///   - part: Only this one, which the relay says then; nil: all.
    mutating func takeBack(from serial: Int, _ part: Int64? = nil) -> [Entry] {
        let back = takeDelegated { $0 == serial && (part == nil || part == Int64($1.order)) }
        for var entry in back {
            if part != nil { entry.isForRelay = true }
            lanes.insert(entry)
        }
        return back
    }

    private mutating func takeDelegated(_ isTaken: (Int, Entry) -> Bool) -> [Entry] {
        var taken: [Entry] = []
        for (lane, entries) in delegated {
            var kept: Deque<(serial: Int, entry: Entry)> = []
            for one in entries {
                if isTaken(one.serial, one.entry) { taken.append(one.entry) } else { kept.append(one) }
            }
            if kept.count < entries.count { delegated[lane] = kept.isEmpty ? nil : kept }
        }
        return taken.sorted { $0.order < $1.order }
    }
}

// How long messages wait.
extension OutboundQueue {
    /// The state of the oldest message that waits for a target.
    enum Stage: Equatable, Sendable {
        /// Not written.
        case queued
        /// Not written again, after the first try was lost.
        case retried
        /// Written, or a part of it.
        case written
        /// Given to its author's puppet.
        case delegated
    }

    /// Messages that wait or are unconfirmed for a target.
    struct Wait: Equatable, Sendable {
        var target: String
        var count: Int
        /// When the oldest arrived, and its state.
        var since: Instant
        var stage: Stage
    }

    /// What waits for each target, the oldest first.
    var waits: [Wait] {
        var found: [String: Wait] = [:]
        func note(_ entry: Entry, _ stage: Stage) {
            guard let target = entry.targets.first else { return }
            var wait = found[target] ?? Wait(target: target, count: 0, since: entry.since, stage: stage)
            wait.count += 1
            if entry.since < wait.since { (wait.since, wait.stage) = (entry.since, stage) }
            found[target] = wait
        }
        for entry in sent { note(entry, .written) }
        for one in delegated.values.joined() { note(one.entry, .delegated) }
        for entry in lanes.entries { note(entry, entry.isBegun ? .written : entry.tries > 0 ? .retried : .queued) }
        return found.values.sorted { ($0.since, $0.target) < ($1.since, $1.target) }
    }

    /// When the oldest message arrived that waits or is unconfirmed.
    var oldest: Instant? {
        let delegated = delegated.values.lazy.joined().map(\.entry.since).min()
        return [lanes.entries.lazy.map(\.since).min(), delegated, sent.lazy.map(\.since).min()].compactMap { $0 }.min()
    }
}
