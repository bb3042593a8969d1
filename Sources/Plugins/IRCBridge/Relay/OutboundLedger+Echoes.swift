import DequeModule

// Echoes without labels (IRCv3 echo-message alone).
//
// The server shows the client what it passes on, in the order in which it was written. A line whose text comes back is
// confirmed, and so it is known that the server has handled all lines before it. Of those that did not come back as
// they were written it is known only what the server did meanwhile in that channel: messages that it has altered
// (colours stripped, words replaced), and refusals. Where these are as many as the lines, they belong to them in order.
extension OutboundLedger {
    /// What the server did with a line that did not come back as it was written.
    enum Outcome: Equatable, Sendable {
        /// It showed this instead, or this is of another session of the same account.
        case shown(IRCMessage)
        /// It refused it.
        case refusal(String, Remedy)
    }

    /// What a message under the client's own nick is.
    enum Echo: Equatable, Sendable {
        /// The echo of the line of this label, with the deliveries that are done with it.
        case own(Int, [Entry])
        /// It may be that of a line which the server has altered: known once the server has answered more.
        case held
        /// None: another session of the same account said it.
        case foreign
    }

    /// The most outcomes that are held for a channel; what comes past them is taken for no echo.
    static let mostOutcomes = 256
    /// Why lines are written again of which it is not known whether the server has passed them on.
    static let unsure = "the server showed other messages than were written, and not as many"

    /// What an echo is timed by.
    static func echoKey(_ label: Int) -> String { "echo-\(label)" }

    /// Whether there is a line to a channel whose echo has not come.
    func awaitsEcho(_ target: String) -> Bool { flight.contains { Self.awaitsEcho($0, target) } }

    private static func awaitsEcho(_ line: Line, _ target: String) -> Bool {
        line.label != nil && !line.isTagged && line.refusable.target == target
    }

    /// Whether the server is to be asked soon: what it did with some lines is not clear, or no echo will tell.
    var needsAnswer: Bool { receipts == .echoes && (!outcomes.isEmpty || flight.contains { $0.label == nil }) }

    mutating func note(_ outcome: Outcome, in target: String) {
        guard outcomes[target]?.count ?? 0 < Self.mostOutcomes else { return }
        outcomes[target, default: []].append(outcome)
    }

    /// Takes a message under the client's own nick.
    mutating func echoed(_ message: IRCMessage, in target: String) -> Echo {
        guard awaitsEcho(target) else { return .foreign }
        let text = IRCText.plain(message.params.last ?? "")
        let found = flight.firstIndex { line in
            let written = WireLine.untagged(line.text)
            guard Self.awaitsEcho(line, target), written.hasPrefix(message.verb + " "),
                let start = written.firstRange(of: " :")
            else { return false }
            return IRCText.plain(String(written[start.upperBound...])) == text
        }
        guard let found, let label = flight[found].label else {
            if outcomes[target]?.count ?? 0 >= Self.mostOutcomes { return .foreign }
            note(.shown(message), in: target)
            return .held
        }
        let line = flight[found]
        let before = Array(flight.prefix(found))
        var done = settleBefore(before, in: target)
        flight.removeAll { $0.label == label }
        done += answered(line, label, failure: nil, .none)
        return .own(label, done)
    }

    /// The echo of a later line has come: settles those before it.
    private mutating func settleBefore(_ lines: [Line], in target: String) -> [Entry] {
        let unechoed = lines.filter { Self.awaitsEcho($0, target) }
        let verdicts = verdicts(on: unechoed, in: target)
        let labels = Set(unechoed.compactMap(\.label))
        flight.removeAll { $0.label.map { labels.contains($0) } == true }
        var done: [Entry] = []
        for (line, verdict) in zip(unechoed, verdicts) {
            guard let label = line.label else { continue }
            if verdict.isUnsure { markUnsure(line) }
            done += answered(line, label, failure: verdict.failure, verdict.remedy)
        }
        return done
    }

    /// The server has handled all lines up to a fence: notes what became of those to a channel whose echo has not come.
    mutating func settleUnechoed(_ lines: [Line], in target: String) {
        let unechoed = lines.filter { Self.awaitsEcho($0, target) }
        for (line, verdict) in zip(unechoed, verdicts(on: unechoed, in: target)) {
            if verdict.isUnsure { markUnsure(line) }
            if let failure = verdict.failure { fail(line, failure, verdict.remedy) }
        }
    }

    private struct Verdict {
        var failure: String?
        var remedy = Remedy.none
        var isUnsure = false
    }

    /// What became of lines that did not come back as they were written.
    private mutating func verdicts(on lines: [Line], in target: String) -> [Verdict] {
        let outcomes = outcomes.removeValue(forKey: target) ?? []
        let shown = outcomes.compactMap { if case .shown(let message) = $0 { message } else { nil } }
        if outcomes.count == lines.count {
            return outcomes.map { outcome in
                guard case .refusal(let reason, let remedy) = outcome else { return Verdict() }
                return Verdict(failure: reason, remedy: remedy)
            }
        }
        guard shown.isEmpty else {
            // Where they are fewer they are of some of the lines, only not known of which.
            if shown.count > lines.count { foreign += shown }
            return lines.map { _ in Verdict(failure: Self.unsure, remedy: .later, isUnsure: true) }
        }
        // None of them was shown, and which of them the server refused does not matter.
        guard case .refusal(let reason, let remedy)? = outcomes.last else {
            return lines.map { _ in Verdict(failure: ConnectionState.showedNobody) }
        }
        return lines.map { _ in Verdict(failure: reason, remedy: remedy) }
    }

    private mutating func markUnsure(_ line: Line) {
        if let i = sent.firstIndex(where: { $0.order == line.order }) { sent[i].isUnsure = true }
        if lanes[line.lane]?.first?.order == line.order { lanes[line.lane]?[0].isUnsure = true }
    }

    /// Takes what turned out to be no echo.
    mutating func takeForeign() -> [IRCMessage] {
        defer { foreign = [] }
        return foreign
    }
}
