/// Entries of one kind in a part of the log, counted without their JSON.
public struct LogTally: Sendable, Hashable {
    /// What happened.
    public var type: EventType
    /// The channel; nil for events without one.
    public var channel: String?
    /// The plugin that they came from; nil for those of people.
    public var origin: String?
    /// Whether they are of a private channel.
    public var isPrivate: Bool
    /// How many there are.
    public var count: Int64

    /// Makes one.
    public init(type: EventType, channel: String?, origin: String?, isPrivate: Bool = false, count: Int64) {
        self.type = type
        self.channel = channel
        self.origin = origin
        self.isPrivate = isPrivate
        self.count = count
    }
}

extension EventLog {
    /// Page by page; a log that can count without reading does better.
    public func tally(after position: Int64, through end: Int64) async throws -> [LogTally] {
        var counts: [LogTally: Int64] = [:]
        var at = position
        while at < end {
            let page = try await read(after: at, limit: 4_096, maxBytes: 512 << 10)
            guard let last = page.entries.last else { break }
            for entry in page.entries where entry.position <= end {
                let kind = LogTally(
                    type: entry.type, channel: page.name(entry.channel), origin: page.name(entry.origin),
                    isPrivate: entry.audience != 0, count: 0)
                counts[kind, default: 0] += 1
            }
            at = last.position
        }
        return counts.map {
            LogTally(type: $0.type, channel: $0.channel, origin: $0.origin, isPrivate: $0.isPrivate, count: $1)
        }
    }
}
