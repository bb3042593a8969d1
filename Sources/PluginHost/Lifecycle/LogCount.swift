import CrowbarCore

/// Counts the events that queues want of parts of the log.
struct LogCount {
    /// A part of the log, for one queue.
    struct Part {
        /// What the queue wants; nil where that is not known: all.
        var filter: QueueFilter?
        var after: Int64
        var through: Int64
    }

    let plugin: String
    /// Whether the plugin gets the events of its own commands.
    let ownEvents: Bool
    /// Channels, or patterns that end in `*`, that all are narrowed to; nil: all.
    let channels: [String]?

    private struct Kind: Hashable {
        var type: EventType
        var channel: String?
        var origin: String?
        var isPrivate: Bool
    }

    /// How many events each part has; each place of the log is looked at once.
    func count(_ parts: [Part], in log: any EventLog) async throws -> [Int64] {
        var counts = Array(repeating: Int64(0), count: parts.count)
        let borders = Set(parts.flatMap { [$0.after, $0.through] }).sorted()
        for (start, end) in zip(borders, borders.dropFirst()) {
            let inside = parts.indices.filter { parts[$0].after <= start && end <= parts[$0].through }
            if inside.isEmpty { continue }
            for tally in try await tallies(after: start, through: end, in: log) {
                for i in inside where wants(tally, parts[i].filter) { counts[i] += tally.count }
            }
        }
        return counts
    }

    /// The events of a part by what decides who gets them, a bounded piece of the log at a time.
    private func tallies(after start: Int64, through end: Int64, in log: any EventLog) async throws -> [LogTally] {
        var found: [Kind: LogTally] = [:]
        var after = start
        while after < end {
            let through = min(end, after + ReplayMeasure.piece)
            for tally in try await log.tally(after: after, through: through) {
                var sum = tally
                let kind = Kind(
                    type: tally.type, channel: tally.channel, origin: tally.origin, isPrivate: tally.isPrivate)
                sum.count += found[kind]?.count ?? 0
                found[kind] = sum
            }
            after = through
        }
        return Array(found.values)
    }

    /// Whether events of a kind are a queue's.
    func wants(_ kind: LogTally, _ filter: QueueFilter?) -> Bool {
        guard ownEvents || kind.origin != plugin else { return false }
        if let filter {
            guard filter.wants(kind.type),
                kind.channel == nil || filter.wants(channel: kind.channel, isPrivate: kind.isPrivate)
            else { return false }
        }
        guard let channels, let channel = kind.channel else { return true }
        return channels.contains { QueueFilter.matches(channel, $0) }
    }

    // MARK: For people

    /// Queues that are named one by one.
    private static let named = 10

    /// `12 events to 'audit', 1 event to 'ops'`.
    static func text(_ parts: [(queue: String, events: Int64)], isExact: Bool) -> String {
        func events(_ count: Int64) -> String { count == 1 ? "1 event" : "\(count) events" }
        var texts = parts.prefix(named).map { "\(events($0.events)) to '\($0.queue)'" }
        if parts.count > named {
            let rest = parts.dropFirst(named)
            texts.append("\(events(rest.reduce(0) { $0 + $1.events })) to \(rest.count) more queues")
        }
        return (isExact ? "" : "at most ") + texts.joined(separator: ", ")
    }
}
