/// The lines that were written and that the server has not answered, and what its answers mean for each of them.
///
/// A server handles a client's lines in order. So it confirms a line by the line's echo (``Mode``), or by the PONG to a
/// PING that was written after it (the fence).
struct ReceiptTracker: Sendable {
    /// What confirms that the server has passed a line on.
    enum Mode: Equatable, Sendable {
        /// The answer to a PING after it.
        case fences
        /// Its echo, which has its label.
        case labels
        /// Its echo, which has no label.
        case echoes
    }

    /// What a refusal without a label can be about.
    struct Refusable: Hashable, Sendable {
        var target: String
        var isTopic: Bool
    }

    /// A line that was written and that the server has not answered.
    struct Line: Sendable {
        /// The order and the lane of the message.
        var order: Int
        var lane: String
        var refusable: Refusable
        var text: String
        /// Its place among the lines of its message.
        var place: Int
        /// Whether the message was written before and not confirmed.
        var isRetry = false
        /// Whether the message was written before, or lines of it were refused.
        var isAgain = false
        /// How many lines the server got for it: those of a batch, else one.
        fileprivate(set) var count = 1
        fileprivate(set) var bytes = 0
        fileprivate(set) var fence = 0
        /// Identifies the line where each line is confirmed by itself.
        fileprivate(set) var label: Int?
        /// Whether the label was written with it.
        fileprivate(set) var isTagged = false
        /// Whether the server shows it to its sender too: neither a topic nor a deletion.
        var isShown: Bool { !refusable.isTopic && !WireLine.isRedaction(text) }

        init(order: Int, lane: String, refusable: Refusable, text: String, place: Int) {
            (self.order, self.lane, self.refusable) = (order, lane, refusable)
            (self.text, self.place, count) = (text, place, WireLine.count(text))
        }
    }

    /// What the server did with a line.
    struct Verdict: Sendable {
        var line: Line
        /// Why it was not passed on; nil: it was.
        var failure: String?
        /// What can be done about the failure.
        var remedy = Remedy.none
        /// Whether the server's answers do not say what it did.
        var isUnsure = false
    }

    /// What a message under the client's own nick is.
    enum Echo: Sendable {
        /// The echo of the line with this label. The verdicts are on the lines up to it.
        case own(Int, [Verdict])
        /// It may be that of a line that the server has altered: known once the server has answered more.
        case held
        /// Another session of the same account said it.
        case foreign
    }

    /// What the server did with a line that did not come back as it was written.
    private enum Outcome: Sendable {
        /// It showed this instead, or this is of another session of the same account.
        case shown(IRCMessage)
        case refusal(String, Remedy)
    }

    /// A refusal without a label, and what can be done about it.
    private struct Refusal: Hashable {
        var what: Refusable
        var remedy: Remedy
    }

    /// Messages that a target must accept one by one after a refusal, before it is trusted again.
    static let doubt = 16
    /// Maximum number of outcomes that are held for a channel; later ones count as no echo.
    static let mostOutcomes = 256
    /// Why lines are written again of which it is not known whether the server has passed them on.
    static let unsure = "the server showed other messages than were written, and not as many"

    var mode = Mode.fences
    private(set) var lastLabel = 0
    private var lastFence = 0
    private var fenceInFlight: Int?
    private var lines: [Line] = []
    /// What the server has refused since the last PONG, how often and in which words.
    private var refusals: [Refusal: (count: Int, reason: String)] = [:]
    /// What the server did in each channel, by its folded name, with lines that have no label and were not echoed as
    /// they were written, in order.
    private var outcomes: [String: [Outcome]] = [:]
    /// Messages under the client's own nick that are no echoes.
    private var foreign: [IRCMessage] = []
    /// Targets that have refused something for now: their messages are written one by one until one is accepted.
    private var probed: Set<String> = []
    /// Targets for which lines up to this order are answered before more is written.
    private var held: [String: Int] = [:]
    /// Targets that refused something, and how many messages they must accept until they are trusted again.
    private var doubtful: [String: Int] = [:]

    var isEmpty: Bool { lines.isEmpty }
    /// Lines that the server has not confirmed.
    var unansweredLines: Int { lines.reduce(0) { $0 + $1.count } }
    /// Bytes that the server has not confirmed.
    var unansweredBytes: Int { lines.reduce(0) { $0 + $1.bytes } }
    /// Whether something that was written again is not confirmed.
    var hasAgain: Bool { lines.contains { $0.isAgain } }
    /// Whether a message of several lines is not confirmed.
    var hasBatch: Bool { lines.contains { WireLine.isBatch($0.text) } }
    /// The target of the message, without a label, that was written last.
    var lastTarget: String? { lines.last { !$0.isTagged && !$0.refusable.isTopic }?.refusable.target }
    /// The target of what was written last, if that was written again.
    var targetOfAgain: String? { lines.last.flatMap { $0.isAgain ? $0.refusable.target : nil } }
    /// Whether a fence is not answered.
    var awaitsFence: Bool { fenceInFlight != nil }
    /// What the PONG to the unanswered fence carries.
    var fenceToken: String? { fenceInFlight.map { Self.token($0) } }
    /// Whether the server must be asked soon: what it did with some lines is not clear, or no echo will tell.
    var needsAnswer: Bool { mode == .echoes && (!outcomes.isEmpty || lines.contains { $0.label == nil }) }

    private static func token(_ fence: Int) -> String { "crowbar-\(fence)" }

    /// The key by which an echo is timed.
    static func echoKey(_ label: Int) -> String { "echo-\(label)" }

    /// Whether a message has to wait until the server has answered for the one before, so that it is known which of
    /// them it refuses. What was written before and not confirmed is written alone: only one message is at risk.
    func blocks(_ target: String?, isRetry: Bool) -> Bool {
        if isRetry ? !lines.isEmpty : lines.first?.isRetry == true { return true }
        guard let target else { return false }
        if let order = held[target], lines.contains(where: { $0.refusable.target == target && $0.order <= order }) {
            return true
        }
        return probed.contains(target) && lines.contains { $0.refusable.target == target }
    }

    /// Whether a target has refused something lately.
    func isDoubtful(_ target: String) -> Bool { doubtful[target] != nil }

    /// Whether something is unconfirmed that was said to a target, or a topic of it.
    func hasUnconfirmed(_ target: String) -> Bool { lines.contains { $0.refusable.target == target } }

    /// Whether something without a label is unconfirmed that a target may refuse.
    func canRefuse(_ target: String, isTopic: Bool) -> Bool {
        let what = Refusable(target: target, isTopic: isTopic)
        return lines.contains { !$0.isTagged && $0.refusable == what }
    }

    /// The unanswered line with a label.
    func line(labelled label: String) -> Line? { Int(label).flatMap { label in lines.first { $0.label == label } } }

    /// The first unanswered line of a kind.
    func line(where isIt: (Line) -> Bool) -> Line? { lines.first(where: isIt) }

    // MARK: - Writing

    /// Records a line that is being written.
    /// - Returns: The text to write, and the line's label where it has one.
    mutating func write(_ line: Line) -> (text: String, label: Int?) {
        var (written, text) = (line, line.text)
        if mode == .labels || mode == .echoes && line.isShown {
            lastLabel += 1
            written.label = lastLabel
            written.isTagged = mode == .labels
            if written.isTagged { text = WireLine.tagged(text, "label=\(lastLabel)") }
        }
        written.bytes = text.utf8.count + 2
        lines.append(written)
        return (text, written.label)
    }

    /// Sets a fence after all lines.
    /// - Returns: Its number, and the token of its PING.
    mutating func fence() -> (number: Int, token: String) {
        lastFence += 1
        fenceInFlight = lastFence
        for i in lines.indices where lines[i].fence == 0 { lines[i].fence = lastFence }
        return (lastFence, Self.token(lastFence))
    }

    /// Writes nothing more to a target until the lines written so far are answered.
    /// - Parameter order: The order of the last message.
    mutating func hold(_ target: String, through order: Int) {
        if hasUnconfirmed(target) { held[target] = order }
    }

    /// Writes messages to a target one by one until it accepts one.
    mutating func probe(_ target: String) { probed.insert(target) }

    /// Targets have accepted a message.
    mutating func accepted(by targets: [String]) { probed.subtract(targets) }

    // MARK: - Losing

    /// Nothing is written any more: the connection is lost.
    mutating func reset() {
        (lines, fenceInFlight) = ([], nil)
        (refusals, doubtful, probed, held) = ([:], [:], [], [:])
        (outcomes, foreign) = ([:], [])
    }

    /// The PING of the fence was lost.
    mutating func forgetFence() { fenceInFlight = nil }

    /// Lines to a target are written again.
    mutating func takeBack(_ target: String) {
        lines.removeAll { $0.refusable.target == target }
        for refusal in refusals.keys where refusal.what.target == target { refusals[refusal] = nil }
        outcomes[target] = nil
    }

    /// A target is linked no more.
    mutating func forget(_ target: String) { doubtful[target] = nil }

    /// A target has another name.
    mutating func retarget(_ old: String, to new: String, lane: (String) -> String) {
        for i in lines.indices where lines[i].refusable.target == old {
            lines[i].refusable.target = new
            lines[i].lane = lane(lines[i].lane)
        }
        doubtful[old] = nil
    }

    // MARK: - Answers

    /// The server has answered the line with a label.
    mutating func answered(_ label: String) -> Line? {
        guard let label = Int(label), let at = lines.firstIndex(where: { $0.label == label }) else { return nil }
        return lines.remove(at: at)
    }

    /// The server did not accept a line to a target, and does not say which (404 and 482 without a label). Where no
    /// such line is unconfirmed, the refusal is about something else.
    /// - Parameters:
    ///   - isTopic: Whether it was a topic that it did not accept.
    ///   - remedy: What can be done about it.
    mutating func refuse(_ target: String, _ reason: String, isTopic: Bool, _ remedy: Remedy = .none) {
        guard canRefuse(target, isTopic: isTopic) else { return }
        let what = Refusable(target: target, isTopic: isTopic)
        if awaitsEcho(target), !isTopic { return note(.refusal(reason, remedy), in: target) }
        let isOfUse = lines.contains { !$0.isTagged && $0.refusable == what && remedy.helps($0.text) }
        let refusal = Refusal(what: what, remedy: isOfUse ? remedy : .none)
        refusals[refusal] = ((refusals[refusal]?.count ?? 0) + 1, reason)
    }

    /// Handles a PONG.
    /// - Returns: The fence that it answers, and the lines before it that were refused or are unsure.
    mutating func pong(_ token: String) -> (fence: Int, verdicts: [Verdict])? {
        guard let fence = fenceInFlight, token == Self.token(fence) else { return nil }
        fenceInFlight = nil
        return (fence, judge(through: fence))
    }

    /// Finds the lines that were refused, now that all up to a fence are answered.
    ///
    /// It is known how many of a target's lines they are. Where they are not all, the last ones are taken to be it, as
    /// a channel that begins to refuse goes on; and from then on its messages are written one by one, so that there is
    /// no doubt.
    private mutating func judge(through fence: Int) -> [Verdict] {
        let answered = Array(lines.prefix { $0.fence != 0 && $0.fence <= fence })
        let targets = Set(answered.map(\.refusable.target))
        var verdicts: [Verdict] = []
        for target in targets {
            let unechoed = answered.filter { Self.awaitsEcho($0, target) }
            verdicts += self.verdicts(on: unechoed, in: target)
        }
        lines.removeFirst(answered.count)
        // With labels the answer to each line says whether it arrived: a server that answers what was written after it
        // has dropped it.
        if mode == .labels {
            verdicts += answered.filter { $0.isTagged && $0.isShown }
                .map { Verdict(line: $0, failure: ConnectionState.showedNobody) }
        }
        for target in targets {
            if let left = doubtful[target] { doubtful[target] = left > 1 ? left - 1 : nil }
        }
        var left = answered.filter { $0.label == nil || $0.isTagged }
        for (refusal, said) in refusals.sorted(by: { $0.key.remedy.rawValue < $1.key.remedy.rawValue }) {
            let found = left.indices.filter {
                left[$0].refusable == refusal.what && (refusal.remedy == .none || refusal.remedy.helps(left[$0].text))
            }
            // A channel that refuses for now accepts the later ones.
            let refused = refusal.remedy == .later ? found.prefix(said.count) : found.suffix(said.count)
            for i in refused {
                verdicts.append(Verdict(line: left[i], failure: said.reason, remedy: refusal.remedy))
            }
            if !found.isEmpty { doubtful[refusal.what.target] = Self.doubt }
            for i in refused.reversed() { left.remove(at: i) }
        }
        refusals = [:]
        return verdicts
    }

    // MARK: - Echoes without labels (IRCv3 echo-message alone)

    // The server shows the client what it passes on, in the order in which it was written. A line whose text comes back
    // is confirmed, and with it that the server has handled all lines before it. Of those that did not come back as
    // they were written it is known only what the server did meanwhile in that channel: messages that it has altered
    // (colours stripped, words replaced), and refusals. Where these are as many as the lines, they belong to them in
    // order.

    /// Whether there is a line to a channel whose echo has not arrived.
    func awaitsEcho(_ target: String) -> Bool { lines.contains { Self.awaitsEcho($0, target) } }

    private static func awaitsEcho(_ line: Line, _ target: String) -> Bool {
        line.label != nil && !line.isTagged && line.refusable.target == target
    }

    private mutating func note(_ outcome: Outcome, in target: String) {
        guard outcomes[target]?.count ?? 0 < Self.mostOutcomes else { return }
        outcomes[target, default: []].append(outcome)
    }

    /// Handles a message under the client's own nick.
    mutating func echoed(_ message: IRCMessage, in target: String) -> Echo {
        guard awaitsEcho(target) else { return .foreign }
        let text = IRCText.plain(message.params.last ?? "")
        let found = lines.firstIndex { line in
            let written = WireLine.untagged(line.text)
            guard Self.awaitsEcho(line, target), written.hasPrefix(message.verb + " "),
                let start = written.firstRange(of: " :")
            else { return false }
            return IRCText.plain(String(written[start.upperBound...])) == text
        }
        guard let found, let label = lines[found].label else {
            if outcomes[target]?.count ?? 0 >= Self.mostOutcomes { return .foreign }
            note(.shown(message), in: target)
            return .held
        }
        let line = lines[found]
        let unechoed = lines.prefix(found).filter { Self.awaitsEcho($0, target) }
        let verdicts = verdicts(on: unechoed, in: target)
        let labels = Set(unechoed.compactMap(\.label) + [label])
        lines.removeAll { $0.label.map { labels.contains($0) } == true }
        return .own(label, verdicts + [Verdict(line: line)])
    }

    /// What became of lines that did not come back as they were written.
    private mutating func verdicts(on lines: [Line], in target: String) -> [Verdict] {
        let outcomes = outcomes.removeValue(forKey: target) ?? []
        let shown = outcomes.compactMap { if case .shown(let message) = $0 { message } else { nil } }
        if outcomes.count == lines.count {
            return zip(lines, outcomes).map { line, outcome in
                guard case .refusal(let reason, let remedy) = outcome else { return Verdict(line: line) }
                return Verdict(line: line, failure: reason, remedy: remedy)
            }
        }
        guard shown.isEmpty else {
            // Where they are fewer they are of some of the lines, only not known of which.
            if shown.count > lines.count { foreign += shown }
            return lines.map { Verdict(line: $0, failure: Self.unsure, remedy: .later, isUnsure: true) }
        }
        // None of them was shown, and which of them the server refused does not matter.
        guard case .refusal(let reason, let remedy)? = outcomes.last else {
            return lines.map { Verdict(line: $0, failure: ConnectionState.showedNobody) }
        }
        return lines.map { Verdict(line: $0, failure: reason, remedy: remedy) }
    }

    /// Takes out the messages that turned out to be no echoes.
    mutating func takeForeign() -> [IRCMessage] {
        defer { foreign = [] }
        return foreign
    }
}
