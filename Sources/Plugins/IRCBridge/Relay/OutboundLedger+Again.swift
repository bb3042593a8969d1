import DequeModule

// What is written again: after a lost connection, and where the server has refused it.
extension OutboundLedger {
    /// The connection is lost: all that is not known to have arrived waits again, in its old order.
    /// - Parameter reason: Why, for the messages that are given up.
    mutating func connectionLost(_ reason: String = "the connection was lost") {
        noteLoss(reason)
        let back = Array(sent)
        nothingIsWritten()
        for lane in rotation { if let head = lanes[lane]?.first { lanes[lane]?[0] = Self.unwritten(head) } }
        restore(back)
    }

    /// Notes why messages were written in vain.
    mutating func noteLoss(_ reason: String) { if hasUnconfirmed { lastLoss = reason } }

    mutating func nothingIsWritten() {
        sent = []
        sentLines = 0
        fenceInFlight = nil
        flight = []
        (refusals, doubtful, probed, held) = ([:], [:], [], [:])
        (outcomes, foreign) = ([:], [])
    }

    mutating func countSent() { sentLines = sent.reduce(0) { $0 + $1.lineCount } }

    static func unwritten(_ entry: Entry) -> Entry {
        var fresh = Entry(delivery: entry.delivery, message: entry.message, targets: entry.targets)
        (fresh.isForRelay, fresh.order, fresh.lane) = (entry.isForRelay, entry.order, entry.lane)
        (fresh.tries, fresh.again, fresh.since) = (entry.tries, entry.again, entry.since)
        return fresh
    }

    mutating func restore(_ entries: some BidirectionalCollection<Entry>) {
        hasRetries = true
        for entry in entries.reversed() {
            if lanes[entry.lane] == nil { rotation.append(entry.lane) }
            lanes[entry.lane, default: []].prepend(Self.unwritten(entry))
        }
    }

    /// A refusal without a label, and what can be done about it.
    struct Refusal: Hashable, Sendable {
        var what: Refusable
        var remedy: Remedy
    }

    /// Puts a message of which the server has refused lines back into its lane, where something can be done about each
    /// of these; the others of its lines were said.
    /// - Returns: Whether it is to be said again.
    mutating func sayAgain(_ part: Entry) -> Bool {
        guard part.failure != nil, let lines = part.lines, !part.refused.isEmpty else { return false }
        let isDraftRefused = part.refused.contains { place, remedy in
            !remedy.waits && lines.indices.contains(place) && WireLine.isDraft(lines[place])
        }
        if isDraftRefused {
            var fresh = Self.unwritten(part)
            fresh.tries = max(part.tries - 1, 0)
            (fresh.again, fresh.message.isPlain) = (nil, true)
            putBack(fresh)
            return true
        }
        guard
            part.refused.allSatisfy({ lines.indices.contains($0.key) && $0.value.helps(lines[$0.key]) })
        else { return false }
        // Where messages are dropped for coming too fast it is not known of each whether it was.
        let isDropped = part.refused.values.contains(.slower)
        if isDropped, part.tries >= Self.mostTries { return false }
        var fresh = Self.unwritten(part)
        // What was refused was not said: only what gets lost is counted.
        fresh.tries = part.isUnsure || isDropped ? part.tries : max(part.tries - 1, 0)
        if isDropped { (hasRetries, lastLoss) = (true, part.failure ?? "") }
        if part.isUnsure { (hasRetries, lastLoss) = (true, Self.unsure) }
        fresh.again = part.refused.sorted { $0.key < $1.key }.map { $0.value.applied(to: lines[$0.key]) }
        if part.refused.values.contains(where: \.waits), let target = part.targets.first {
            probed.insert(target)
        }
        putBack(fresh)
        return true
    }

    /// Puts a part back into its lane, in its old place.
    private mutating func putBack(_ part: Entry) {
        if lanes[part.lane] == nil { rotation.append(part.lane) }
        let waiting = lanes[part.lane] ?? []
        // One that is begun is finished first.
        let place = waiting.firstIndex { $0.order > part.order && !$0.isBegun } ?? waiting.endIndex
        lanes[part.lane, default: []].insert(part, at: place)
    }

    /// Notes that the server has refused, without saying by which label, a message of several lines or a deletion.
    /// - Parameter isRefused: Whether a line is the one.
    mutating func failDraft(_ reason: String, where isRefused: (Line) -> Bool) {
        if let line = flight.first(where: isRefused) { fail(line, reason) }
    }

    /// The message of which the line with a label is.
    func entry(of label: String) -> Entry? {
        guard let label = Int(label), let line = flight.first(where: { $0.label == label }) else { return nil }
        return sent.first { $0.order == line.order } ?? lanes[line.lane]?.first { $0.order == line.order }
    }

    /// Notes that the server has refused a line.
    mutating func fail(_ line: Line, _ reason: String, _ remedy: Remedy = .none) {
        if let i = sent.firstIndex(where: { $0.order == line.order }) {
            sent[i].failure = reason
            sent[i].refused[line.place] = remedy
        } else if lanes[line.lane]?.first?.order == line.order {
            // Some of its lines are still to be written.
            lanes[line.lane]?[0].failure = reason
            lanes[line.lane]?[0].refused[line.place] = remedy
        }
    }

    /// The target of the line with a label.
    func target(of label: String) -> String? {
        Int(label).flatMap { label in flight.first { $0.label == label }?.refusable.target }
    }

    /// The target of the message, without a label, that was written last.
    var lastTarget: String? { flight.last { !$0.isTagged && !$0.refusable.isTopic }?.refusable.target }

    /// The target of what was written last, if that was written again.
    var targetOfAgain: String? { flight.last.flatMap { $0.isAgain ? $0.refusable.target : nil } }

    /// Whether something waits for a target that is said again.
    func hasMoreAgain(_ target: String) -> Bool {
        lanes.values.contains { $0.first.map { $0.isAgain && $0.targets.contains(target) } == true }
    }

    /// Whether something is unconfirmed that was said to a target, or a topic of it.
    func hasUnconfirmed(_ target: String) -> Bool { flight.contains { $0.refusable.target == target } }

    /// Whether something without a label is unconfirmed that a target may refuse.
    func canRefuse(_ target: String, isTopic: Bool) -> Bool {
        let what = Refusable(target: target, isTopic: isTopic)
        return flight.contains { !$0.isTagged && $0.refusable == what }
    }
}
