import DequeModule

/// What is to be said on one network, from its delivery until the server is known to have it.
///
/// A delivery is cut into parts, one for each of its targets. These wait in a lane for each channel of the chat and
/// target, and leave lane by lane in turn, so that none starves another and a target that is not there holds up nobody
/// else. What was written stays here until the server has confirmed it: by its echo (``Receipts``), or by the PONG to a
/// PING written behind it (the fence): a server handles a client's lines in order, so the PONG says that it has them.
/// Until then a lost connection brings them back, in order.
struct OutboundLedger: Sendable {
    /// A delivery of which parts are left.
    private struct Open {
        var left: Int
        var isHeard = false
        /// The targets that have taken theirs.
        var heard: [String] = []
        var missed: Miss?
    }

    /// How often a message is written. A server that ends the connection over a message would end each one that it is
    /// written on, and nothing else would ever be said.
    static let mostTries = 2
    /// Messages that a target has to take one by one after a refusal, before it is trusted again.
    static let doubt = 16

    var lanes: [String: Deque<Entry>] = [:]
    var rotation: Deque<String> = []
    var sent: Deque<Entry> = []
    /// By lane what was given to an author's own connection, by its serial, and is not confirmed by it.
    var abroad: [String: Deque<(serial: Int, entry: Entry)>] = [:]
    private var open: [Int64: Open] = [:]
    var lastOrder = 0
    /// Whether an author's own connection may speak once the server has what the bridge said before.
    var isAwaited = false
    var receipts = Receipts.fences
    /// What the server did in each channel, by its folded name, with lines that have no label and were not echoed as
    /// they were written, in order.
    var outcomes: [String: [Outcome]] = [:]
    /// Messages under the client's own nick that are no echoes.
    var foreign: [IRCMessage] = []
    private(set) var lastLabel = 0
    private var lastFence = 0
    var fenceInFlight: Int?
    /// The lines that are not answered, as they were written.
    var flight: Deque<Line> = []
    /// What the server has refused since the last PONG, how often and in which words.
    var refusals: [Refusal: (count: Int, reason: String)] = [:]
    /// Targets that have refused something for now: their messages are written one by one until one is taken.
    var probed: Set<String> = []
    /// Targets of which what was written up to a place is answered before more is written.
    var held: [String: Int] = [:]
    /// Targets that refused something, and how many messages they have to take until they are trusted again.
    var doubtful: [String: Int] = [:]

    /// Deliveries that are held.
    var count: Int { open.count }
    /// Whether something is left to authors' own connections.
    var isAbroad: Bool { !abroad.isEmpty }
    /// Messages whose lines were all written, and no PONG has come.
    var sentCount: Int { sent.count }
    /// Lines of these.
    var sentLines = 0
    /// Lines that the server has not confirmed.
    var unansweredLines: Int { flight.reduce(0) { $0 + $1.count } }
    /// Whether something was written that the server has not confirmed.
    var hasUnconfirmed: Bool { !flight.isEmpty || !sent.isEmpty }
    /// Whether something that was written again is not confirmed.
    var hasAgainInFlight: Bool { flight.contains { $0.isAgain } }
    /// Whether messages may wait that were written in vain.
    var hasRetries = false
    /// Why messages were written in vain last.
    var lastLoss = ""
    /// Bytes that the server has not confirmed.
    var unansweredBytes: Int { flight.reduce(0) { $0 + $1.bytes } }
    /// Whether something waits to be written.
    var hasWaiting: Bool { !rotation.isEmpty }
    /// Whether a message has some of its lines written and some not.
    var hasBegun: Bool { rotation.contains { lanes[$0]?.first?.isBegun == true } }
    /// Whether a fence can be written: there is something behind the last one, whose PONG has come.
    var needsFence: Bool { fenceInFlight == nil && !(sent.isEmpty && flight.isEmpty) }

    /// Takes a delivery; those of one channel of the chat come in order.
    mutating func accept(_ entry: Entry) {
        let channel = entry.message.channel
        open[entry.delivery] = Open(left: max(entry.targets.count, 1))
        for target in entry.targets.isEmpty ? [nil] : entry.targets.map({ $0 }) {
            var part = entry
            lastOrder += 1
            part.order = lastOrder
            part.targets = target.map { [$0] } ?? []
            part.lane = channel + "\0" + (target ?? "")
            if lanes[part.lane] == nil { rotation.append(part.lane) }
            lanes[part.lane, default: []].append(part)
        }
    }

    /// Notes that a part is done.
    /// - Returns: Its delivery, where it was the last of it, with the targets that took it: failed where none did, with
    ///   the one that the reason is of.
    mutating func finish(_ part: Entry) -> Entry? {
        guard var delivery = open[part.delivery] else { return nil }
        delivery.left -= 1
        if let failure = part.failure {
            delivery.missed = delivery.missed ?? Miss(target: part.targets.first ?? "", reason: failure)
        } else {
            delivery.isHeard = true
            delivery.heard += part.targets
            probed.subtract(part.targets)
        }
        open[part.delivery] = delivery.left > 0 ? delivery : nil
        guard delivery.left <= 0 else { return nil }
        var whole = part
        whole.failure = delivery.isHeard ? nil : delivery.missed?.reason
        whole.missed = delivery.isHeard ? delivery.missed : nil
        whole.targets = delivery.isHeard ? delivery.heard : delivery.missed.map { [$0.target] } ?? []
        return whole
    }

    /// The next thing to do, lane by lane; nil where all that waits has to wait.
    /// - Parameters:
    ///   - onlyBegun: Begin no message, only finish.
    ///   - voice: Who is to say an entry.
    ///   - state: How a target stands.
    ///   - render: The lines of a message for one target.
    mutating func turn(
        onlyBegun: Bool = false, voice: (Entry) -> PuppetPool.Voice = { _ in .relay },
        state: (String) -> TargetState, render: (ChatMessage, String) -> [String]
    ) -> Turn? {
        var skipped = 0
        let onlyRetries = isRetryNext(state)
        while skipped < rotation.count {
            guard let lane = rotation.first, var entry = lanes[lane]?.first else { return nil }
            if entry.lines == nil, abroad[lane] == nil, !onlyBegun, !onlyRetries || entry.tries > 0, !isInDoubt(entry),
                entry.again != nil || voice(entry) == .relay
            {
                prepare(&entry, state, render)
            }
            guard let lines = entry.lines, !waitsForBatch(entry), !isPaused(entry, state) else {
                rotation.append(rotation.removeFirst())
                skipped += 1
                continue
            }
            guard entry.nextLine < lines.count else {
                removeHead(lane)
                skipped = 0
                if let whole = finish(entry) { return .settled(whole) }
                continue
            }
            return .line(write(&entry, lines))
        }
        return nil
    }

    /// Whether a message has to wait until the server has answered for the one before, so that it is known which of
    /// them it refuses.
    ///
    /// What was written before and not confirmed is written alone, so that only one message is at risk with it.
    private func isInDoubt(_ entry: Entry) -> Bool {
        if entry.tries > 0 ? !flight.isEmpty : flight.first?.isRetry == true { return true }
        guard let target = entry.targets.first else { return false }
        if let place = held[target] {
            if flight.contains(where: { $0.refusable.target == target && $0.order <= place }) { return true }
        }
        if probed.contains(target), flight.contains(where: { $0.refusable.target == target }) { return true }
        if receipts == .labels, let concerned = entry.message.concernedID {
            // The echo of what it answers or deletes tells the id to do so by.
            return sent.contains { $0.lane == entry.lane && $0.message.id == concerned }
        }
        guard receipts == .fences, doubtful[target] != nil else { return false }
        return sent.contains { $0.targets.first == target }
    }

    /// Whether a message of several lines waits for another one: the server does not say which it refuses
    /// (`FAIL BATCH`), so one is unconfirmed at a time.
    private func waitsForBatch(_ entry: Entry) -> Bool {
        guard entry.nextLine == 0, let first = entry.lines?.first, WireLine.isBatch(first) else { return false }
        return flight.contains { WireLine.isBatch($0.text) }
    }

    /// Whether the rest of a message that is said again waits, as the channel takes only so much at once.
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
        var line = lines[entry.nextLine]
        let refusable = Refusable(target: entry.targets.first ?? "", isTopic: entry.message.isTopic)
        var written = Line(
            order: entry.order, lane: entry.lane, refusable: refusable, bytes: 0, text: line,
            count: WireLine.count(line), place: entry.nextLine)
        entry.lineCount += written.count
        if entry.nextLine == 0 { entry.tries += 1 }
        written.isRetry = entry.tries > 1
        written.isAgain = entry.again != nil || entry.tries > 1
        if receipts == .labels || receipts == .echoes && written.isShown {
            lastLabel += 1
            entry.labels.insert(lastLabel)
            written.label = lastLabel
            written.isTagged = receipts == .labels
            if written.isTagged { line = WireLine.tagged(line, "label=\(lastLabel)") }
        }
        written.bytes = line.utf8.count + 2
        flight.append(written)
        entry.nextLine += 1
        if entry.nextLine == lines.count {
            removeHead(entry.lane)
            sent.append(entry)
            sentLines += entry.lineCount
        } else {
            lanes[entry.lane]?[0] = entry
        }
        return line
    }

    private mutating func removeHead(_ lane: String) {
        lanes[lane]?.removeFirst()
        rotation.removeFirst()
        if lanes[lane]?.isEmpty == false { rotation.append(lane) } else { lanes[lane] = nil }
    }

    /// Sets a fence behind all that was written.
    /// - Returns: What the PING has to carry.
    mutating func fence() -> String {
        lastFence += 1
        fenceInFlight = lastFence
        for i in sent.indices where sent[i].fence == 0 { sent[i].fence = lastFence }
        for i in flight.indices where flight[i].fence == 0 { flight[i].fence = lastFence }
        return Self.token(lastFence)
    }

    private static func token(_ fence: Int) -> String { "crowbar-\(fence)" }

    /// What confirms the fence that is not answered.
    var fenceToken: String? { fenceInFlight.map { Self.token($0) } }

    /// Takes a PONG.
    /// - Returns: What is now known to have arrived, or to be refused.
    mutating func pong(_ token: String) -> [Entry] {
        guard let fence = fenceInFlight, token == Self.token(fence) else { return [] }
        fenceInFlight = nil
        judge(through: fence)
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
    ///   - failure: Why it does not take it, where it does not.
    ///   - remedy: What can be done about that.
    /// - Returns: What is now known to have arrived, or to be refused.
    mutating func answered(_ label: String, failure: String?, _ remedy: Remedy = .none) -> [Entry] {
        guard let label = Int(label), let at = flight.firstIndex(where: { $0.label == label }) else { return [] }
        return answered(flight.remove(at: at), label, failure: failure, remedy)
    }

    mutating func answered(_ line: Line, _ label: Int, failure: String?, _ remedy: Remedy) -> [Entry] {
        if lanes[line.lane]?.first?.order == line.order {
            lanes[line.lane]?[0].labels.remove(label)
            if let failure { fail(line, failure, remedy) }
            return []
        }
        guard let i = sent.firstIndex(where: { $0.order == line.order }) else { return [] }
        sent[i].labels.remove(label)
        if let failure { fail(line, failure, remedy) }
        guard sent[i].labels.isEmpty else { return [] }
        let part = sent.remove(at: i)
        countSent()
        return sayAgain(part) ? [] : finish(part).map { [$0] } ?? []
    }

    /// Whether a label is that of a line of somebody's message, which the server shows to its sender too.
    func isSpeech(_ label: String) -> Bool {
        Int(label).map { label in flight.contains { $0.label == label && $0.isShown } } == true
    }

    /// Forgets all deliveries, as they come again.
    mutating func clear() {
        lanes = [:]
        rotation = []
        abroad = [:]
        open = [:]
        nothingIsWritten()
    }

    /// Takes parts out that are not said after all.
    /// - Returns: Their deliveries, with the targets of these parts, as far as nothing else of them is left.
    mutating func withdraw(_ parts: [Entry]) -> [Entry] {
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
}
