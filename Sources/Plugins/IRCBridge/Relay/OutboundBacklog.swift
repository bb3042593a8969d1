/// Which messages of the time without a connection are still said, and how many are not: these become one line a
/// channel.
struct OutboundBacklog: Sendable {
    /// What is still worth saying (`catch_up`).
    struct Limits: Equatable, Sendable {
        /// The oldest message, in seconds; 0: any.
        var maxAge = 0.0
        /// The most lines of a channel; 0: all.
        var maxLines = 0

        var isNone: Bool { maxAge == 0 && maxLines == 0 }
    }

    /// What becomes of a message.
    enum Verdict: Equatable, Sendable {
        case say
        /// It is left out and settled with the channel's summary.
        case leave
    }

    /// How long the summary waits for more that is left out, in seconds.
    static let patience = 2.0

    private struct Channel {
        var lines = 0
        var left = 0
        /// The last one left out, which becomes the summary.
        var last: OutboundQueue.Entry?
        var lastAt: Instant = 0
    }

    private var channels: [String: Channel] = [:]

    /// A connection begins: counting starts over. What was left out and not summed up yet stays so.
    mutating func begin() { for key in channels.keys { channels[key]?.lines = 0 } }

    /// Forgets all, as the deliveries come again.
    mutating func clear() { channels = [:] }

    /// A channel on IRC is linked no more.
    mutating func forget(_ target: String) {
        for key in channels.keys { channels[key]?.last?.targets.removeAll { $0 == target } }
    }

    /// Whether a message from before the connection is said.
    /// - Parameter age: In seconds.
    mutating func judge(_ message: ChatMessage, age: Double, _ limits: Limits) -> Verdict {
        if message.isTopic { return .say }
        if case .summary = message.what { return .say }
        var channel = channels[message.channel] ?? Channel()
        defer { channels[message.channel] = channel }
        if limits.maxAge > 0, age > limits.maxAge { return .leave }
        if limits.maxLines > 0, channel.lines >= limits.maxLines { return .leave }
        channel.lines += message.lineCount
        return .say
    }

    /// Notes that a message is left out.
    /// - Returns: The delivery that is settled by that, the last one being kept for the summary.
    mutating func leave(_ entry: OutboundQueue.Entry, now: Instant) -> Int64? {
        let name = entry.message.channel
        let before = channels[name]?.last?.delivery
        channels[name, default: Channel()].left += 1
        channels[name]?.last = entry
        channels[name]?.lastAt = now
        return before
    }

    /// Takes a channel's summary, where something was left out.
    mutating func summary(_ name: String) -> OutboundQueue.Entry? {
        guard var entry = channels[name]?.last, let left = channels[name]?.left else { return nil }
        channels[name]?.last = nil
        channels[name]?.left = 0
        // It is another message than the one that it settles.
        (entry.tries, entry.again) = (0, nil)
        entry.message.what = .summary(left)
        return entry
    }

    /// Takes the summaries for which no more is waited.
    mutating func summaries(now: Instant) -> [OutboundQueue.Entry] {
        channels.filter { $0.value.last != nil && $0.value.lastAt + Self.patience <= now }.keys.sorted()
            .compactMap { summary($0) }
    }

    /// When the next summary is due.
    var nextSummary: Instant? {
        channels.values.filter { $0.last != nil }.map { $0.lastAt + Self.patience }.min()
    }
}
