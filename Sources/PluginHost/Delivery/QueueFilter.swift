import CrowbarCore

/// Which events a queue wants.
struct QueueFilter: Equatable {
    /// Types by ``EventType/rawValue``; nil: all.
    private var types: UInt64?
    /// Channels, or patterns that end in `*`; nil: all. Never excludes events without a channel.
    private(set) var channels: [String]?
    /// The private channels that it may want, by their ids.
    private let privateChannels: Set<String>

    /// - Parameter privateChannels: The private channels that the manifest allows (``Manifest/privateChannels``).
    init(types: [EventType]?, channels: [String]?, privateChannels: Set<String> = []) {
        // A pattern never matches a private channel.
        self.privateChannels = channels.map(privateChannels.intersection) ?? privateChannels
        self.types = types?.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
        self.channels = channels
    }

    func wants(_ type: EventType) -> Bool { types.map { $0 & 1 << UInt64(type.rawValue) != 0 } ?? true }

    /// - Parameter isPrivate: Whether the event has an audience (``LogPage/Entry/audience``).
    func wants(channel: String?, isPrivate: Bool) -> Bool {
        if isPrivate { return channel.map(privateChannels.contains) ?? false }
        guard let channels, let channel else { return true }
        return channels.contains { Self.matches(channel, $0) }
    }

    static func matches(_ channel: String, _ pattern: String) -> Bool {
        pattern.hasSuffix("*") ? channel.hasPrefix(pattern.dropLast()) : channel == pattern
    }

    /// The first of `narrower` that reaches beyond `wider`, or nil where none does.
    static func firstBeyond(_ narrower: [String]?, _ wider: [String]?) -> String? {
        guard let wider else { return nil }
        guard let narrower else { return "*" }
        return narrower.first { wanted in
            !wider.contains { allowed in
                wanted == allowed || (allowed.hasSuffix("*") && wanted.hasPrefix(allowed.dropLast()))
            }
        }
    }
}
