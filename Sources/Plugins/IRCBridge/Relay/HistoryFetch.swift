/// Fetches what was said while the client was away, where the server keeps it (IRCv3 chathistory), and holds back what
/// is said meanwhile, so that all comes in order and once.
///
/// A history that does not come to its end leaves a gap: until it is closed, messages that are said now do not become
/// the place from which the next connection asks.
struct HistoryFetch: Sendable {
    /// Lines asked for at once, where the server gives no smaller limit.
    static let page = 100
    /// The most pages of a channel, and the most lines; what comes after them waits for the next connection.
    static let mostPages = 500, mostLines = 5000
    /// The most new lines held back for one channel; beyond them the rest of the history is not waited for.
    static let mostHeld = 1000
    /// The most bytes of them, tags included; beyond them as well.
    static let mostHeldBytes = 1 << 20
    /// The longest id of a message, and time, that is believed, in bytes; longer ones are as good as none.
    static let longestID = 200
    /// How long a page is waited for, in seconds.
    static let patience = 30.0
    /// The most ids of messages remembered.
    static let mostSeen = 4096
    /// The most new lines after which a gap is still asked for: the next history could not reach beyond them.
    static let mostBehindGap = 5000
    /// The kinds of batches that answer a request for a history.
    static let histories: Set<String> = ["chathistory", "draft/chathistory"]
    /// The kinds of batches that repeat what was said before.
    static let playbacks = histories.union(["znc.in/playback", "playback"])
    /// What the labels of requests begin with; those of messages are numbers.
    private static let labelMark = "h"

    /// What follows on a page.
    enum Next: Equatable, Sendable {
        /// Write this line.
        case ask(String)
        /// Write this line; of a moment with more lines than one page gives some may be missing.
        case askPast(String)
        /// All has come.
        case complete
        /// There may be more, which cannot be fetched now.
        case cut
    }

    /// How a page is asked for.
    private enum Request: Equatable {
        /// Behind a message that the server knows by its id.
        case id
        /// Behind the moment before a message: this and what else was said in the same moment comes again.
        case before
        /// Behind the moment of a message.
        case time

        var kind: MessageReference.Kind { self == .id ? .id : .time }
    }

    /// What is known of how the server takes ids.
    private enum IDs {
        case unknown
        /// It gave something after an id, or says where it does not know one.
        case proven
        /// It gave nothing after the first one, which it may have forgotten.
        case silent
        /// It does not find what it gave itself.
        case useless
    }

    private struct Channel {
        var name: String
        /// The label of the request that is not answered, where labels are used.
        var label: String?
        var isLabelled: Bool
        /// How messages can be referred to.
        var kinds: [MessageReference.Kind]
        var ids = IDs.unknown
        /// What the page was asked by, and what identifies that message.
        var from: MessageReference
        var fromMark: String?
        var request = Request.id
        /// The lines that were asked for at once, and those that a moment needs, where that is more than usual.
        var size = 0, needed = 0
        var pages = 0
        /// Lines of all pages, and of this one.
        var total = 0, lines = 0
        /// The last message of this page that can be referred to, and the one before it.
        var last: MessageReference?, previous: MessageReference?
        var lastMark: String?, previousMark: String?
        /// Whether the page has the message that it was asked by.
        var hasFrom = false
        /// Whether messages have several lines.
        var hasParts = false
        var lineIDs = LineIDs()
        var asked: Instant
        var held: [IRCMessage] = []
        var heldBytes = 0
    }

    private var channels: [String: Channel] = [:]
    /// The channels with a gap, and how many lines came after it.
    private var gaps: [String: Int] = [:]
    private var lastLabel = 0
    private var seen: Set<String> = []
    private var seenBefore: Set<String> = []
    /// What identifies the new lines of each channel.
    private var lineIDs: [String: LineIDs] = [:]

    /// Whether a message's id is new; it is not from then on. `id` has the channel before it.
    mutating func isNew(_ id: String) -> Bool {
        guard id.utf8.count <= 2 * Self.longestID + 1 else { return true }
        guard !seenBefore.contains(id) else { return false }
        // The older half goes at once, so that each is remembered for at least half as many.
        if seen.count >= Self.mostSeen / 2 { (seenBefore, seen) = (seen, []) }
        return seen.insert(id).inserted
    }

    /// Whether a channel's history is on its way. `channel` is folded.
    func isAsked(_ channel: String) -> Bool { channels[channel] != nil }

    /// Whether a label is that of a request for a history.
    static func isLabel(_ label: String) -> Bool { label.hasPrefix(labelMark) }

    /// The channel whose request has a label.
    func channel(labelled label: String) -> String? { channels.first { $0.value.label == label }?.key }

    /// Whether a batch is the answer to a channel's request: where this had a label, only one with it.
    func isAnswered(_ channel: String, by batch: Batches.Batch) -> Bool {
        guard let state = channels[channel], Self.histories.contains(batch.type) else { return false }
        return state.label == nil || state.label == batch.label
    }

    /// The line that asks for what came after a message; nil where the server cannot be asked by what is known of it.
    /// - Parameters:
    ///   - channel: Its folded name.
    ///   - reference: The last message known.
    ///   - kinds: How messages can be referred to, the best first.
    ///   - most: The server's limit; 0: none.
    ///   - isLabelled: Whether the answer comes with the request's label.
    mutating func ask(
        _ channel: String, name: String, after reference: MessageReference, kinds: [MessageReference.Kind],
        most: Int, isLabelled: Bool, now: Instant
    ) -> String? {
        let held = channels[channel]?.held ?? []
        channels[channel] = Channel(
            name: name, isLabelled: isLabelled, kinds: kinds, from: reference, fromMark: reference.id, asked: now,
            held: held, heldBytes: held.reduce(0) { $0 + $1.size })
        guard let line = goOn(channel, after: reference, reference.id, most, now) else {
            channels[channel] = nil
            return nil
        }
        return line
    }

    /// Asks for a page in the best way that the server and the message allow.
    private mutating func goOn(
        _ channel: String, after reference: MessageReference, _ mark: String?, _ most: Int, _ now: Instant
    ) -> String? {
        guard let state = channels[channel] else { return nil }
        if reference.id != nil, state.kinds.contains(.id), state.ids != .useless {
            return write(channel, .id, after: reference, mark, Self.size(most), now)
        }
        return askByTime(channel, after: reference, mark, most, now)
    }

    private mutating func askByTime(
        _ channel: String, after reference: MessageReference, _ mark: String?, _ most: Int, _ now: Instant
    ) -> String? {
        guard let state = channels[channel], state.kinds.contains(.time), reference.time != nil else { return nil }
        let request = reference.momentBefore == nil ? Request.time : .before
        return write(channel, request, after: reference, mark, max(Self.size(most), state.needed), now)
    }

    private mutating func write(
        _ channel: String, _ request: Request, after reference: MessageReference, _ mark: String?, _ size: Int,
        _ now: Instant
    ) -> String? {
        let place = request == .before ? reference.momentBefore : reference
        guard var state = channels[channel], let selector = place?.selector(request.kind) else { return nil }
        (state.from, state.fromMark, state.request, state.size) = (reference, mark, request, size)
        (state.asked, state.lines, state.last, state.previous) = (now, 0, nil, nil)
        (state.lastMark, state.previousMark, state.hasFrom) = (nil, nil, false)
        // What comes again from its beginning is counted from 0; otherwise the last message may have more lines.
        if request == .before { state.lineIDs = LineIDs() }
        if request == .id, state.pages == 0 { state.lineIDs = LineIDs(after: reference) }
        state.pages += 1
        var line = "CHATHISTORY AFTER \(state.name) \(selector) \(size)"
        if state.isLabelled {
            lastLabel += 1
            let label = "\(Self.labelMark)\(lastLabel)"
            state.label = label
            line = "@label=\(label) " + line
        }
        channels[channel] = state
        return line
    }

    private static func size(_ most: Int) -> Int { most > 0 ? min(page, most) : page }

    /// The page that was asked for is waited for from a time on; the line may have to wait for its turn.
    mutating func waits(_ channel: String, from now: Instant) { channels[channel]?.asked = now }

    /// A line of the history came, whatever it says.
    /// - Returns: What identifies it.
    mutating func took(_ channel: String, _ message: IRCMessage) -> LineIDs.LineID? {
        // What explains another line is no place to go on from.
        guard var state = channels[channel], message.tags["draft/chathistory-context"] == nil else { return nil }
        state.lines += 1
        state.total += 1
        let line = state.lineIDs.next(message, byContent: true)
        let reference = line?.reference ?? MessageReference(message)
        let mark = reference?.id ?? line?.text ?? reference?.time
        if let mark, mark == state.fromMark { state.hasFrom = true }
        if let reference, mark != state.lastMark {
            (state.previous, state.previousMark) = (state.last, state.lastMark)
            (state.last, state.lastMark) = (reference, mark)
        }
        if let line, line.part > 1 { state.hasParts = true }
        channels[channel] = state
        return line
    }

    /// Holds back a new line. False where there are too many: the caller ends the history then.
    mutating func hold(_ channel: String, _ message: IRCMessage) -> Bool {
        channels[channel]?.held.append(message)
        channels[channel]?.heldBytes += message.size
        guard let state = channels[channel] else { return false }
        return state.held.count < Self.mostHeld && state.heldBytes < Self.mostHeldBytes
    }

    /// A page has ended. Only an empty one is the last: a server may give fewer lines than it was asked for.
    mutating func pageEnded(_ channel: String, most: Int, now: Instant) -> Next {
        guard let state = channels[channel] else { return .complete }
        guard state.lines > 0 else { return nothingCame(channel, state, most, now) }
        guard let last = state.last else { return state.lines < state.size ? .complete : .cut }
        let hasMoved = state.lastMark != state.fromMark
        if state.request == .id {
            channels[channel]?.ids = .proven
        } else if state.hasFrom, state.ids != .useless, state.pages > 1 {
            // The server knows the message by whose id it gave nothing: there was nothing, or it cannot use ids, not
            // even those that it gave itself in this history.
            if !hasMoved, state.ids == .silent { return .complete }
            if hasMoved, state.pages > 2 { channels[channel]?.ids = .useless }
        }
        guard hasMoved else { return stuck(channel, state, most, now) }
        guard state.pages < Self.mostPages, state.total < Self.mostLines else { return .cut }
        // The last message may be cut by the end of the page: it comes again, as the server skips the rest of it.
        if state.hasParts, state.lines == state.size, let previous = state.previous,
            state.previousMark != state.fromMark
        {
            return goOn(channel, after: previous, state.previousMark, most, now).map { .ask($0) } ?? .cut
        }
        return goOn(channel, after: last, state.lastMark, most, now).map { .ask($0) } ?? .cut
    }

    private mutating func nothingCame(
        _ channel: String, _ state: Channel, _ most: Int, _ now: Instant
    ) -> Next {
        // A server may have nothing after a message because it does not know that one any more.
        guard state.request == .id, state.ids != .proven else { return .complete }
        channels[channel]?.ids = .silent
        return askByTime(channel, after: state.from, state.fromMark, most, now).map { .ask($0) } ?? .complete
    }

    /// A page ends where the one before did.
    private mutating func stuck(_ channel: String, _ state: Channel, _ most: Int, _ now: Instant) -> Next {
        guard state.request == .before else { return .complete }
        let isFull = state.lines >= state.size
        let larger = most > 0 ? most : Self.mostHeld
        if isFull, larger > state.size {
            channels[channel]?.needed = larger
            let line = write(channel, .before, after: state.from, state.fromMark, larger, now)
            return line.map { .ask($0) } ?? .cut
        }
        let line = write(channel, .time, after: state.from, state.fromMark, Self.size(most), now)
        return line.map { isFull ? .askPast($0) : .ask($0) } ?? .complete
    }

    /// The server cannot give a page: asked again by the time where it was asked by the id.
    mutating func failed(_ channel: String, most: Int, now: Instant) -> Next {
        guard let state = channels[channel], state.request == .id else { return .cut }
        // It does not know the first one any more; one that it gave itself it can only not use.
        channels[channel]?.ids = state.pages == 1 ? .proven : .useless
        return askByTime(channel, after: state.from, state.fromMark, most, now).map { .ask($0) } ?? .cut
    }

    /// A channel has another name.
    mutating func renamed(_ channel: String, to name: String) { channels[channel]?.name = name }

    /// Ends a channel's history.
    /// - Parameter isCut: Whether some of it may be missing.
    /// - Returns: What was held back, in order.
    mutating func end(_ channel: String, isCut: Bool) -> [IRCMessage] {
        guard let state = channels.removeValue(forKey: channel) else { return [] }
        gaps[channel] = isCut ? 0 : nil
        return state.held
    }

    /// What identifies a new line of a linked channel.
    /// - Parameter byContent: Whether that is its content where it has no id.
    mutating func identify(_ message: IRCMessage, in channel: String, byContent: Bool) -> LineIDs.LineID? {
        lineIDs[channel, default: LineIDs()].next(message, byContent: byContent)
    }

    /// What the next connection is to ask by once the chat has a message; nil where that stays as it is, because
    /// something is missing before it.
    /// - Parameters:
    ///   - reference: That of the message.
    ///   - hasID: Whether something identifies the line.
    mutating func reference(
        _ reference: MessageReference?, in channel: String, hasID: Bool, isPlayback: Bool
    ) -> String? {
        guard !isPlayback, let behind = gaps[channel] else { return reference?.text }
        // What has no id would come twice.
        guard hasID, behind < Self.mostBehindGap else {
            gaps[channel] = nil
            return reference?.text
        }
        gaps[channel] = behind + 1
        return nil
    }

    /// The channels that wait for their history, or have waited too long for it.
    func waiting(overdue now: Instant? = nil) -> [String] {
        channels.filter { now == nil || $0.value.asked + Self.patience <= now ?? 0 }.keys.sorted()
    }

    /// When the first of them has waited too long.
    var nextEnd: Instant? { channels.values.map { $0.asked + Self.patience }.min() }

    /// The connection is lost. What was held back comes with the next history.
    mutating func connectionLost() { (channels, gaps, lineIDs) = ([:], [:], [:]) }
}
