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
        (refusals, doubtful, probed) = ([:], [:], [])
    }

    mutating func countSent() { sentLines = sent.reduce(0) { $0 + ($1.lines?.count ?? 0) } }

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
        guard part.failure != nil, let lines = part.lines, !part.refused.isEmpty,
            part.refused.allSatisfy({ lines.indices.contains($0.key) && $0.value.helps(lines[$0.key]) })
        else { return false }
        var fresh = Self.unwritten(part)
        // What was refused was not said: only what gets lost is counted.
        fresh.tries = max(part.tries - 1, 0)
        fresh.again = part.refused.sorted { $0.key < $1.key }.map { $0.value.applied(to: lines[$0.key]) }
        if part.refused.values.contains(.later), let target = part.targets.first { probed.insert(target) }
        if lanes[fresh.lane] == nil { rotation.append(fresh.lane) }
        let waiting = lanes[fresh.lane] ?? []
        // One that is begun is finished first.
        let place = waiting.firstIndex { $0.order > fresh.order && !$0.isBegun } ?? waiting.endIndex
        lanes[fresh.lane, default: []].insert(fresh, at: place)
        return true
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
    var lastTarget: String? { flight.last { $0.label == nil && !$0.refusable.isTopic }?.refusable.target }

    /// Whether something without a label is unconfirmed that a target may refuse.
    func canRefuse(_ target: String, isTopic: Bool) -> Bool {
        let what = Refusable(target: target, isTopic: isTopic)
        return flight.contains { $0.label == nil && $0.refusable == what }
    }
}
