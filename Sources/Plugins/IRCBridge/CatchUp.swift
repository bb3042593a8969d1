/// Fetches what was said while the client was away, where the server keeps it (IRCv3 chathistory), and holds back what
/// is said meanwhile, so that all comes in order and once.
struct CatchUp: Sendable {
    /// Lines asked for at once, where the server gives no smaller limit.
    static let page = 100
    /// The most pages of a channel; what is older than that is left.
    static let mostPages = 50
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
    /// The kinds of batches that repeat what was said before.
    static let playbacks: Set<String> = ["chathistory", "draft/chathistory", "znc.in/playback", "playback"]

    private struct Channel {
        var name: String
        var pages = 1
        var lines = 0
        var last: String?
        var asked: Instant
        var held: [IRCMessage] = []
        var heldBytes = 0
    }

    private var channels: [String: Channel] = [:]
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

    /// The line that asks for what came after a message.
    /// - Parameters:
    ///   - channel: Its folded name.
    ///   - reference: The last message known, as `msgid=…` or `timestamp=…`.
    ///   - most: The server's limit; 0: none.
    mutating func ask(
        _ channel: String, name: String, after reference: String, most: Int, now: Instant
    ) -> String {
        channels[channel] = Channel(name: name, asked: now)
        return Self.line(name, reference, most)
    }

    private static func line(_ name: String, _ reference: String, _ most: Int) -> String {
        "CHATHISTORY AFTER \(name) \(reference) \(size(most))"
    }

    private static func size(_ most: Int) -> Int { most > 0 ? min(page, most) : page }

    /// The page that was asked for is waited for from a time on; the line may have to wait for its turn.
    mutating func waits(_ channel: String, from now: Instant) { channels[channel]?.asked = now }

    /// A line of the history came.
    mutating func took(_ channel: String, _ message: IRCMessage) {
        guard var state = channels[channel] else { return }
        state.lines += 1
        state.last = Self.reference(message) ?? state.last
        channels[channel] = state
    }

    /// Holds back a new line. False where there are too many: the history is to be ended then.
    mutating func hold(_ channel: String, _ message: IRCMessage) -> Bool {
        channels[channel]?.held.append(message)
        channels[channel]?.heldBytes += message.size
        guard let state = channels[channel] else { return false }
        return state.held.count < Self.mostHeld && state.heldBytes < Self.mostHeldBytes
    }

    /// A page has ended: the line that asks for the next one, or nil where there is none.
    mutating func nextPage(_ channel: String, most: Int, now: Instant) -> String? {
        guard var state = channels[channel], let last = state.last, state.lines >= Self.size(most),
            state.pages < Self.mostPages
        else { return nil }
        state.pages += 1
        (state.lines, state.last, state.asked) = (0, nil, now)
        channels[channel] = state
        return Self.line(state.name, last, most)
    }

    /// Ends a channel's history.
    /// - Returns: What was held back, in order.
    mutating func end(_ channel: String) -> [IRCMessage] { channels.removeValue(forKey: channel)?.held ?? [] }

    /// The channels that wait for their history, or have waited too long for it.
    func waiting(overdue now: Instant? = nil) -> [String] {
        channels.filter { now == nil || $0.value.asked + Self.patience <= now ?? 0 }.keys.sorted()
    }

    /// When the first of them has waited too long.
    var nextEnd: Instant? { channels.values.map { $0.asked + Self.patience }.min() }

    /// The connection is lost. What was held back comes with the next history.
    mutating func connectionLost() { channels = [:] }

    /// How a message can be referred to later: by its id, else by its time; nil where it has neither.
    static func reference(_ message: IRCMessage) -> String? {
        if let id = message.tags["msgid"], isWord(id) { return "msgid=" + id }
        if let time = message.tags["time"], isWord(time) { return "timestamp=" + time }
        return nil
    }

    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longestID && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }
}
