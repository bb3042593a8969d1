import DequeModule

// What becomes of a channel on IRC, and what that means for the messages to it.
extension OutboundLedger {
    /// The server did not accept a line to a target, and does not say which (404 and 482 without a label). Where no
    /// such line is unconfirmed, the refusal is of something else.
    /// - Parameters:
    ///   - isTopic: Whether it was a topic that it did not accept.
    ///   - remedy: What can be done about it.
    mutating func refuse(_ target: String, _ reason: String, isTopic: Bool, _ remedy: Remedy = .none) {
        guard canRefuse(target, isTopic: isTopic) else { return }
        let what = Refusable(target: target, isTopic: isTopic)
        if awaitsEcho(target), !isTopic { return note(.refusal(reason, remedy), in: target) }
        let isOfUse = flight.contains { !$0.isTagged && $0.refusable == what && remedy.helps($0.text) }
        let refusal = Refusal(what: what, remedy: isOfUse ? remedy : .none)
        refusals[refusal] = ((refusals[refusal]?.count ?? 0) + 1, reason)
    }

    /// Finds the lines that were refused, now that all up to a fence are answered.
    ///
    /// It is known how many of a target's lines they are. Where they are not all, the last ones are taken to be it, as
    /// a channel that begins to refuse goes on; and from then on its messages are written one by one, so that there is
    /// no doubt.
    mutating func judge(through fence: Int) {
        let answered = Array(flight.prefix { $0.fence != 0 && $0.fence <= fence })
        let targets = Set(answered.map(\.refusable.target))
        for target in targets { settleUnechoed(answered, in: target) }
        flight.removeFirst(answered.count)
        // With labels the answer to each line says whether it arrived: a server that answers what was written behind
        // it has dropped it.
        if receipts == .labels {
            for line in answered where line.isTagged && line.isShown {
                fail(line, ConnectionState.showedNobody)
            }
        }
        for target in targets {
            if let left = doubtful[target] { doubtful[target] = left > 1 ? left - 1 : nil }
        }
        var left = answered.filter { $0.label == nil || $0.isTagged }
        for (refusal, said) in refusals.sorted(by: { $0.key.remedy.rawValue < $1.key.remedy.rawValue }) {
            let lines = left.indices.filter {
                left[$0].refusable == refusal.what && (refusal.remedy == .none || refusal.remedy.helps(left[$0].text))
            }
            // A channel that refuses for now takes the later ones.
            let refused = refusal.remedy == .later ? lines.prefix(said.count) : lines.suffix(said.count)
            for i in refused { fail(left[i], said.reason, refusal.remedy) }
            if !lines.isEmpty { doubtful[refusal.what.target] = Self.doubt }
            for i in refused.reversed() { left.remove(at: i) }
        }
        refusals = [:]
    }

    /// Takes back what was written to a target since the last PONG, to be written again: the client was not there.
    /// - Parameter reason: Why, for the messages that are given up.
    mutating func takeBack(_ target: String, _ reason: String = "the client was not in the channel") {
        noteLoss(reason)
        let back = sent.filter { $0.targets.contains(target) }
        sent.removeAll { $0.targets.contains(target) }
        flight.removeAll { $0.refusable.target == target }
        for refusal in refusals.keys where refusal.what.target == target { refusals[refusal] = nil }
        outcomes[target] = nil
        countSent()
        for lane in rotation {
            if let head = lanes[lane]?.first, head.targets.contains(target) { lanes[lane]?[0] = Self.unwritten(head) }
        }
        restore(back)
    }

    /// Whether a message that was written in vain can be written again; then none other is begun before it.
    mutating func isRetryNext(_ state: (String) -> TargetState) -> Bool {
        guard hasRetries else { return false }
        let heads = lanes.values.lazy.compactMap(\.first).filter { $0.tries > 0 && $0.lines == nil }
        hasRetries = !heads.isEmpty
        return heads.contains { head in head.targets.first.map { state($0) != .waiting } ?? true }
    }

    /// Writes nothing more to a target until what was written is answered: the order stays where that is refused.
    mutating func hold(_ target: String) {
        if flight.contains(where: { $0.refusable.target == target }) { held[target] = lastOrder }
    }

    /// A target is known by another name: what waits goes there.
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
        lanes = lanes.reduce(into: [:]) { $0[renamed($1.key)] = Deque($1.value.map { renamed($0) }) }
        rotation = Deque(rotation.map { renamed($0) })
        sent = Deque(sent.map { renamed($0) })
        abroad = abroad.reduce(into: [:]) { abroad, lane in
            abroad[renamed(lane.key)] = Deque(lane.value.map { ($0.serial, renamed($0.entry)) })
        }
        for i in flight.indices where flight[i].refusable.target == old {
            flight[i].refusable.target = new
            flight[i].lane = renamed(flight[i].lane)
        }
        doubtful[old] = nil
    }

    /// A target is linked no more: what waits goes to the others alone.
    mutating func forget(_ target: String) {
        for lane in rotation {
            for i in lanes[lane]?.indices ?? 0..<0 { lanes[lane]?[i].targets.removeAll { $0 == target } }
        }
        doubtful[target] = nil
    }

    /// Messages that wait for a target which is not there.
    func blocked(_ state: (String) -> TargetState) -> Int {
        lanes.values.reduce(0) { sum, lane in
            lane.first?.targets.first.map { state($0) == .waiting } == true ? sum + lane.count : sum
        }
    }

    /// Gives up the oldest of the messages that wait for targets which are not there, where there are too many.
    /// - Parameters:
    ///   - most: How many may wait.
    ///   - reason: Why a target is not there.
    mutating func giveUpBlocked(
        beyond most: Int, _ state: (String) -> TargetState, reason: (String) -> String
    ) -> [Entry] {
        var done: [Entry] = []
        var over = blocked(state) - most
        while over > 0 {
            let waiting = lanes.filter { $0.value.first?.targets.first.map { state($0) == .waiting } == true }
            guard let longest = waiting.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) })?.key,
                var part = lanes[longest]?.popFirst()
            else { break }
            part.failure = part.targets.first.map(reason)
            if lanes[longest]?.isEmpty == true {
                lanes[longest] = nil
                rotation.removeAll { $0 == longest }
            }
            if let whole = finish(part) { done.append(whole) }
            over -= 1
        }
        return done
    }

    /// Takes out what waits, is not begun and is not wanted any more, in order.
    mutating func removeWaiting(where isLeft: (Entry) -> Bool) -> [Entry] {
        var verdicts: [Int64: Bool] = [:]
        var removed: [Entry] = []
        let waiting = lanes.values.joined().filter { !$0.isBegun }.sorted { $0.order < $1.order }
        for part in waiting {
            let isOut = verdicts[part.delivery] ?? isLeft(part)
            verdicts[part.delivery] = isOut
            if isOut { removed.append(part) }
        }
        let orders = Set(removed.map(\.order))
        for lane in Array(lanes.keys) {
            lanes[lane]?.removeAll { orders.contains($0.order) }
            if lanes[lane]?.isEmpty == true { lanes[lane] = nil }
        }
        rotation.removeAll { lanes[$0] == nil }
        return withdraw(removed)
    }
}

// What authors' own connections say.
extension OutboundLedger {
    /// Gives to the authors' own connections what they can say now. Only one connection at a time says something of a
    /// lane: the next one begins once the server has confirmed what the one before said.
    /// - Parameter voice: Who is to say an entry.
    /// - Returns: The parts, which go by their place instead of their delivery, as each is confirmed by itself.
    mutating func handOver(_ voice: (Entry) -> PuppetPool.Voice) -> [(serial: Int, entry: Entry)] {
        var handed: [(Int, Entry)] = []
        isAwaited = false
        for lane in rotation {
            while let head = lanes[lane]?.first, head.lines == nil, head.again == nil,
                case .puppet(let serial) = voice(head)
            {
                if let other = abroad[lane]?.first?.serial, other != serial { break }
                if sent.contains(where: { $0.lane == lane }) {
                    isAwaited = true
                    break
                }
                lanes[lane]?.removeFirst()
                abroad[lane, default: []].append((serial, head))
                var part = head
                part.delivery = Int64(head.order)
                handed.append((serial, part))
            }
        }
        for lane in rotation where lanes[lane]?.isEmpty == true { lanes[lane] = nil }
        rotation.removeAll { lanes[$0] == nil }
        return handed
    }

    /// An author's connection has confirmed some parts.
    /// - Returns: How many of them it was given, and the deliveries that are done with them.
    mutating func confirm(_ serial: Int, _ parts: [Int64]) -> (count: Int, done: [Entry]) {
        let confirmed = Set(parts)
        let taken = takeAbroad { $0 == serial && confirmed.contains(Int64($1.order)) }
        var done: [Entry] = []
        for part in taken { if let whole = finish(part) { done.append(whole) } }
        return (taken.count, done)
    }

    /// Takes back what an author's connection was given, to be said again in its old place.
    /// - Parameters:
    ///   - part: Only this one, which is then said by the bridge; nil: all.
    mutating func takeBack(from serial: Int, _ part: Int64? = nil) -> [Entry] {
        let back = takeAbroad { $0 == serial && (part == nil || part == Int64($1.order)) }
        for var entry in back {
            if part != nil { entry.isForRelay = true }
            let lane = entry.lane
            if lanes[lane] == nil { rotation.append(lane) }
            let order = entry.order
            let place = lanes[lane]?.firstIndex { $0.order > order } ?? lanes[lane]?.endIndex ?? 0
            lanes[lane, default: []].insert(entry, at: place)
        }
        return back
    }

    private mutating func takeAbroad(_ isTaken: (Int, Entry) -> Bool) -> [Entry] {
        var taken: [Entry] = []
        for (lane, entries) in abroad {
            var kept: Deque<(serial: Int, entry: Entry)> = []
            for one in entries {
                if isTaken(one.serial, one.entry) { taken.append(one.entry) } else { kept.append(one) }
            }
            if kept.count < entries.count { abroad[lane] = kept.isEmpty ? nil : kept }
        }
        return taken.sorted { $0.order < $1.order }
    }
}
