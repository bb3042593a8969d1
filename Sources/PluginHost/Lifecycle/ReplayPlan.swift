import CrowbarCore
import JSONBytes

/// What of the log a replay delivers.
public struct ReplayPlan: Sendable, Equatable {
    /// The entry that reading starts behind; nil: at the beginning.
    public var start: LogEntryID?
    /// The last position that is looked at.
    public var through: Int64
    /// Channels, or patterns that end in `*`; nil: all. Never excludes events without a channel.
    public var channels: [String]?
    /// Events a second at most; nil: as fast as the plugin takes them.
    public var rate: Double?
    /// The one queue that gets events; nil: all of the plugin's.
    public var queue: String?

    /// Makes a plan.
    public init(
        start: LogEntryID?, through: Int64, channels: [String]? = nil, rate: Double? = nil, queue: String? = nil
    ) {
        self.queue = queue
        self.start = start
        self.through = through
        self.channels = channels
        self.rate = rate
    }

    /// Reads a plan that was kept; nil where the bytes are none.
    public init?(kept bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes), let through = json["through"]?.int else { return nil }
        self.init(start: nil, through: through)
        if let position = json["position"]?.int, let id = json["eventId"]?.string {
            start = LogEntryID(position: position, eventId: id)
        }
        channels = json["channels"]?.array?.compactMap(\.string)
        rate = json["rate"]?.double
        queue = json["queue"]?.string
    }

    /// Whether a queue gets events.
    func wants(queue name: String) -> Bool { queue.map { $0 == name } ?? true }

    /// The plan as it is kept, for ``init(kept:)``.
    public var bytes: [UInt8] {
        var members: [JSON.Member] = [.init("through", .int(through))]
        if let start {
            members.append(.init("position", .int(start.position)))
            members.append(.init("eventId", .string(start.eventId)))
        }
        if let channels { members.append(.init("channels", .array(channels.map { .string($0) }))) }
        if let rate { members.append(.init("rate", .double(rate))) }
        if let queue { members.append(.init("queue", .string(queue))) }
        return JSON.object(members).bytes
    }
}
