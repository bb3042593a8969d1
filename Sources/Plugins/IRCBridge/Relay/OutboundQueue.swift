import DequeModule

/// The messages for one network, from their delivery until the server is known to have them.
///
/// A delivery is cut into parts, one for each of its targets. These wait in lanes (``OutboundLanes``), so that a target
/// that the client is not in delays nobody else. What was written stays here until the server has confirmed it
/// (``ReceiptTracker``). Until then a lost connection brings it back, in order.
struct OutboundQueue: Sendable {
    /// A delivery of which parts are left.
    private struct Open {
        var left: Int
        var isHeard = false
        /// The targets that have accepted theirs.
        var heard: [String] = []
        var missed: Miss?
    }

    /// How often a message is written. A server that ends the connection over a message would end each one that it is
    /// written on, and nothing else would ever be said.
    static let mostTries = 2

    var receipts = ReceiptTracker()
    private var open: [Int64: Open] = [:]
    var lanes = OutboundLanes()
    /// Parts whose lines were all written, without a confirmation.
    var sent: Deque<Entry> = []
    /// By lane the parts that a puppet, by its serial, was given and has not confirmed.
    var delegated: [String: Deque<(serial: Int, entry: Entry)>] = [:]
    private(set) var lastOrder = 0
    /// Whether messages may wait whose first try was lost.
    var hasRetries = false
    /// Why the last lost messages were lost.
    var lastLoss = ""
    /// Lines of the parts that were all written.
    var sentLines = 0

    /// Deliveries in the queue.
    var count: Int { open.count }
    /// Parts whose lines were all written, without a confirmation.
    var sentCount: Int { sent.count }
    /// Whether something was written that the server has not confirmed.
    var hasUnconfirmed: Bool { !receipts.isEmpty || !sent.isEmpty }
    /// Whether something waits to be written.
    var hasWaiting: Bool { !lanes.isEmpty }
    /// Whether a message has some of its lines written and some not.
    var hasBegun: Bool { lanes.heads.contains(where: \.isBegun) }
    /// Whether a fence can be written: there is something after the last one, which was answered.
    var needsFence: Bool { !receipts.awaitsFence && hasUnconfirmed }

    // MARK: - Deliveries

    /// Accepts a delivery; those of one channel of the chat arrive in order.
    mutating func accept(_ entry: Entry) {
        open[entry.delivery] = Open(left: max(entry.targets.count, 1))
        for target in entry.targets.isEmpty ? [nil] : entry.targets.map({ $0 }) {
            var part = entry
            lastOrder += 1
            part.order = lastOrder
            part.targets = target.map { [$0] } ?? []
            part.lane = entry.message.channel + "\0" + (target ?? "")
            lanes.append(part)
        }
    }

    /// Completes a part.
    /// - Returns: Its delivery, where it was the last of it, with the targets that accepted it: failed where none did,
    ///   with the one that the reason is of.
    mutating func finish(_ part: Entry) -> Entry? {
        guard var delivery = open[part.delivery] else { return nil }
        delivery.left -= 1
        if let failure = part.failure {
            delivery.missed = delivery.missed ?? Miss(target: part.targets.first ?? "", reason: failure)
        } else {
            delivery.isHeard = true
            delivery.heard += part.targets
            receipts.accepted(by: part.targets)
        }
        open[part.delivery] = delivery.left > 0 ? delivery : nil
        guard delivery.left <= 0 else { return nil }
        var whole = part
        whole.failure = delivery.isHeard ? nil : delivery.missed?.reason
        whole.missed = delivery.isHeard ? delivery.missed : nil
        whole.targets = delivery.isHeard ? delivery.heard : delivery.missed.map { [$0.target] } ?? []
        return whole
    }

    /// Forgets all deliveries, because the host delivers them again.
    mutating func clear() {
        (lanes, delegated, open) = (OutboundLanes(), [:], [:])
        resetWritten()
    }

    /// Removes waiting messages that are not begun and no longer wanted.
    /// - Returns: Their deliveries, with the targets of the removed parts, as far as nothing else of them is left.
    mutating func removeWaiting(where isLeft: (Entry) -> Bool) -> [Entry] {
        var verdicts: [Int64: Bool] = [:]
        var removed: [Entry] = []
        for part in lanes.entries.filter({ !$0.isBegun }).sorted(by: { $0.order < $1.order }) {
            let isOut = verdicts[part.delivery] ?? isLeft(part)
            verdicts[part.delivery] = isOut
            if isOut { removed.append(part) }
        }
        let orders = Set(removed.map(\.order))
        lanes.removeAll { orders.contains($0.order) }
        return withdraw(removed)
    }

    private mutating func withdraw(_ parts: [Entry]) -> [Entry] {
        var wholes: [Entry] = []
        var places: [Int64: Int] = [:]
        for part in parts {
            open[part.delivery]?.left -= 1
            if let place = places[part.delivery] {
                wholes[place].targets += part.targets
            } else {
                places[part.delivery] = wholes.count
                wholes.append(part)
            }
        }
        return wholes.filter { whole in
            guard open[whole.delivery]?.left ?? 0 <= 0 else { return false }
            open[whole.delivery] = nil
            return true
        }
    }

    // MARK: - Writing

    /// The next line to write or message to settle, lane by lane; nil where everything that waits has to wait.
    /// - Parameters:
    ///   - onlyBegun: Begin no message, only finish.
    ///   - voice: Who says a message.
    ///   - state: The state of a target.
    ///   - render: The lines of a message for one target.
    mutating func turn(
        onlyBegun: Bool = false, voice: (Entry) -> PuppetPool.Voice = { _ in .relay },
        state: (String) -> TargetState, render: (ChatMessage, String) -> [String]
    ) -> Turn? {
        var skipped = 0
        let onlyRetries = isRetryNext(state)
        while skipped < lanes.count {
            guard var entry = lanes.next else { return nil }
            if entry.lines == nil, delegated[entry.lane] == nil, !onlyBegun, !onlyRetries || entry.tries > 0,
                !isBlocked(entry), entry.again != nil || voice(entry) == .relay
            {
                prepare(&entry, state, render)
            }
            guard let lines = entry.lines, !waitsForBatch(entry), !isPaused(entry, state) else {
                lanes.rotate()
                skipped += 1
                continue
            }
            guard entry.nextLine < lines.count else {
                lanes.removeNext()
                skipped = 0
                if let whole = finish(entry) { return .settled(whole) }
                continue
            }
            return .line(write(&entry, lines))
        }
        return nil
    }

    /// Whether a lost message can be written again; then no other one is begun before it.
    private mutating func isRetryNext(_ state: (String) -> TargetState) -> Bool {
        guard hasRetries else { return false }
        let heads = lanes.heads.filter { $0.tries > 0 && $0.lines == nil }
        hasRetries = !heads.isEmpty
        return heads.contains { head in head.targets.first.map { state($0) != .waiting } ?? true }
    }

    /// Whether a message has to wait for the server's answer to the one before.
    private func isBlocked(_ entry: Entry) -> Bool {
        if receipts.blocks(entry.targets.first, isRetry: entry.tries > 0) { return true }
        guard let target = entry.targets.first else { return false }
        if receipts.mode == .labels, let concerned = entry.message.concernedID {
            // The echo of the message that it answers or deletes carries the id to do so by.
            return sent.contains { $0.lane == entry.lane && $0.message.id == concerned }
        }
        guard receipts.mode == .fences, receipts.isDoubtful(target) else { return false }
        return sent.contains { $0.targets.first == target }
    }

    /// Whether a message of several lines waits for another one: the server does not say which it refuses
    /// (`FAIL BATCH`), so one is unconfirmed at a time.
    private func waitsForBatch(_ entry: Entry) -> Bool {
        guard entry.nextLine == 0, let first = entry.lines?.first, WireLine.isBatch(first) else { return false }
        return receipts.hasBatch
    }

    /// Whether the rest of a message that is said again waits, because the channel accepts only so much at once.
    private func isPaused(_ entry: Entry, _ state: (String) -> TargetState) -> Bool {
        guard entry.isBegun, entry.isAgain, let target = entry.targets.first else { return false }
        return entry.nextLine < entry.lines?.count ?? 0 && state(target) == .waiting
    }

    private func prepare(
        _ entry: inout Entry, _ state: (String) -> TargetState, _ render: (ChatMessage, String) -> [String]
    ) {
        guard let target = entry.targets.first else {
            entry.lines = []
            return
        }
        guard entry.tries < Self.mostTries else {
            entry.failure = "it was written \(Self.mostTries) times and not confirmed: \(lastLoss)"
            entry.lines = []
            return
        }
        switch state(target) {
        case .waiting: break
        case .dead(let reason): (entry.failure, entry.lines) = (reason, [])
        case .joined: entry.lines = entry.again ?? render(entry.message, target)
        }
    }

    private mutating func write(_ entry: inout Entry, _ lines: [String]) -> String {
        let refusable = ReceiptTracker.Refusable(
            target: entry.targets.first ?? "", isTopic: entry.message.isTopic)
        var line = ReceiptTracker.Line(
            order: entry.order, lane: entry.lane, refusable: refusable, text: lines[entry.nextLine],
            place: entry.nextLine)
        entry.lineCount += line.count
        if entry.nextLine == 0 { entry.tries += 1 }
        line.isRetry = entry.tries > 1
        line.isAgain = entry.again != nil || entry.tries > 1
        let written = receipts.write(line)
        if let label = written.label { entry.labels.insert(label) }
        entry.nextLine += 1
        if entry.nextLine == lines.count {
            lanes.removeNext()
            sent.append(entry)
            sentLines += entry.lineCount
        } else {
            let begun = entry
            lanes.updateHead(of: begun.lane) { $0 = begun }
        }
        return written.text
    }

    /// Sets a fence after everything that was written.
    /// - Returns: The token of the PING.
    mutating func fence() -> String {
        let fence = receipts.fence()
        for i in sent.indices where sent[i].fence == 0 { sent[i].fence = fence.number }
        return fence.token
    }

    // MARK: - Answers

    /// Handles a PONG.
    /// - Returns: The deliveries that are confirmed or failed now.
    mutating func pong(_ token: String) -> [Entry] {
        guard let (fence, verdicts) = receipts.pong(token) else { return [] }
        for verdict in verdicts { note(verdict) }
        var done: [Entry] = []
        while let first = sent.first, first.fence != 0, first.fence <= fence {
            sent.removeFirst()
            if !sayAgain(first), let whole = finish(first) { done.append(whole) }
        }
        countSent()
        return done
    }

    /// The server has answered a line.
    /// - Parameters:
    ///   - label: The line's.
    ///   - failure: Why it does not accept the line, where it does not.
    ///   - remedy: What can be done about that.
    /// - Returns: The deliveries that are confirmed or failed now.
    mutating func answered(_ label: String, failure: String?, _ remedy: Remedy = .none) -> [Entry] {
        guard let line = receipts.answered(label) else { return [] }
        return settle(ReceiptTracker.Verdict(line: line, failure: failure, remedy: remedy))
    }

    /// Handles a message under the client's own nick.
    /// - Returns: What it is, and the deliveries that are confirmed or failed now.
    mutating func echoed(_ message: IRCMessage, in target: String) -> (echo: ReceiptTracker.Echo, done: [Entry]) {
        let echo = receipts.echoed(message, in: target)
        guard case .own(_, let verdicts) = echo else { return (echo, []) }
        return (echo, verdicts.flatMap { settle($0) })
    }

    private mutating func settle(_ verdict: ReceiptTracker.Verdict) -> [Entry] {
        let line = verdict.line
        if let label = line.label { update(line) { $0.labels.remove(label) } }
        note(verdict)
        guard let i = sent.firstIndex(where: { $0.order == line.order }), sent[i].labels.isEmpty else { return [] }
        let part = sent.remove(at: i)
        countSent()
        return sayAgain(part) ? [] : finish(part).map { [$0] } ?? []
    }

    private mutating func note(_ verdict: ReceiptTracker.Verdict) {
        if verdict.isUnsure { update(verdict.line) { $0.isUnsure = true } }
        guard let failure = verdict.failure else { return }
        update(verdict.line) { part in
            part.failure = failure
            part.refused[verdict.line.place] = verdict.remedy
        }
    }

    /// Changes the part of which a line is, whether all its lines were written or not.
    private mutating func update(_ line: ReceiptTracker.Line, _ body: (inout Entry) -> Void) {
        if let i = sent.firstIndex(where: { $0.order == line.order }) {
            body(&sent[i])
        } else if lanes.head(of: line.lane)?.order == line.order {
            lanes.updateHead(of: line.lane, body)
        }
    }

    /// The server has refused a message of several lines or a deletion, without saying by which label.
    /// - Parameter isRefused: Whether a line is the one.
    mutating func failDraft(_ reason: String, where isRefused: (ReceiptTracker.Line) -> Bool) {
        if let line = receipts.line(where: isRefused) { note(ReceiptTracker.Verdict(line: line, failure: reason)) }
    }

    /// The message of which the line with a label is.
    func entry(of label: String) -> Entry? {
        guard let line = receipts.line(labelled: label) else { return nil }
        if let entry = sent.first(where: { $0.order == line.order }) { return entry }
        return lanes.head(of: line.lane).flatMap { $0.order == line.order ? $0 : nil }
    }
}
