/// Fetches what was said while the client was away, where the server keeps it (IRCv3 chathistory), and holds back what
/// is said meanwhile, so that all comes in order and once.
///
/// A history that does not come to its end leaves a gap: until it is closed, messages that are said now do not become
/// the place from which the next connection asks.
struct CatchUp: Sendable {
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
        /// All has come.
        case complete
        /// There may be more, which is not to be had now.
        case cut
    }

    private struct Channel {
        var name: String
        /// The label of the request that is not answered, where labels are used.
        var label: String?
        var isLabelled: Bool
        /// How messages can be referred to.
        var kinds: [MessageReference.Kind]
        /// What the page was asked by.
        var from: MessageReference
        var kind: MessageReference.Kind
        var pages = 0
        /// Lines of all pages, and of this one.
        var total = 0, lines = 0
        /// The last line of this page that can be referred to.
        var last: MessageReference?
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
            name: name, isLabelled: isLabelled, kinds: kinds, from: reference, kind: .id, asked: now, held: held,
            heldBytes: held.reduce(0) { $0 + $1.size })
        guard let line = request(channel, after: reference, most, now) else {
            channels[channel] = nil
            return nil
        }
        return line
    }

    /// Asks for a page, by the first kind that the message can be referred to by.
    private mutating func request(
        _ channel: String, after reference: MessageReference, _ most: Int, _ now: Instant
    ) -> String? {
        guard var state = channels[channel], let kind = state.kinds.first(where: { reference.selector($0) != nil }),
            let selector = reference.selector(kind)
        else { return nil }
        (state.from, state.kind, state.asked, state.lines, state.last) = (reference, kind, now, 0, nil)
        state.pages += 1
        var line = "CHATHISTORY AFTER \(state.name) \(selector) \(Self.size(most))"
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
    mutating func took(_ channel: String, _ message: IRCMessage) {
        // What explains another line is no place to go on from.
        guard var state = channels[channel], message.tags["draft/chathistory-context"] == nil else { return }
        state.lines += 1
        state.total += 1
        state.last = MessageReference(message) ?? state.last
        channels[channel] = state
    }

    /// Holds back a new line. False where there are too many: the history is to be ended then.
    mutating func hold(_ channel: String, _ message: IRCMessage) -> Bool {
        channels[channel]?.held.append(message)
        channels[channel]?.heldBytes += message.size
        guard let state = channels[channel] else { return false }
        return state.held.count < Self.mostHeld && state.heldBytes < Self.mostHeldBytes
    }

    /// A page has ended. Only an empty one is the last: a server may give fewer lines than it was asked for.
    mutating func pageEnded(_ channel: String, most: Int, now: Instant) -> Next {
        guard let state = channels[channel] else { return .complete }
        guard state.lines > 0 else {
            // A server may have nothing after a message because it does not know that one any more.
            guard state.pages == 1 else { return .complete }
            return askByTime(channel, most: most, now: now).map { .ask($0) } ?? .complete
        }
        guard let last = state.last else { return state.lines < Self.size(most) ? .complete : .cut }
        if last == state.from { return .complete }
        guard state.pages < Self.mostPages, state.total < Self.mostLines else { return .cut }
        return request(channel, after: last, most, now).map { .ask($0) } ?? .cut
    }

    /// The server cannot give a page: asked again by the time where it was asked by the id.
    mutating func failed(_ channel: String, most: Int, now: Instant) -> Next {
        askByTime(channel, most: most, now: now).map { .ask($0) } ?? .cut
    }

    private mutating func askByTime(_ channel: String, most: Int, now: Instant) -> String? {
        guard let state = channels[channel], state.kind == .id, state.kinds.contains(.time), state.from.time != nil
        else { return nil }
        channels[channel]?.kinds = [.time]
        return request(channel, after: state.from, most, now)
    }

    /// Ends a channel's history.
    /// - Parameter isCut: Whether some of it may be missing.
    /// - Returns: What was held back, in order.
    mutating func end(_ channel: String, isCut: Bool) -> [IRCMessage] {
        guard let state = channels.removeValue(forKey: channel) else { return [] }
        gaps[channel] = isCut ? 0 : nil
        return state.held
    }

    /// What the next connection is to ask by once the chat has a message; nil where that stays as it is, because
    /// something is missing before it.
    mutating func reference(of message: IRCMessage, in channel: String, isPlayback: Bool) -> String? {
        let reference = MessageReference(message)
        guard !isPlayback, let behind = gaps[channel] else { return reference?.text }
        // What has no id would come twice.
        guard reference?.id != nil, behind < Self.mostBehindGap else {
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
    mutating func connectionLost() { (channels, gaps) = ([:], [:]) }
}
