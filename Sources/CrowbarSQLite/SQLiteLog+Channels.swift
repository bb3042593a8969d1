import GRDB

extension SQLiteLog {
    /// A channel, as listings have it.
    public struct ListedChannel: Sendable, Equatable {
        /// Its id.
        public var id: String
        /// Who created it.
        public var creator: String
        /// Whether it is private.
        public var isPrivate: Bool
        /// How many are in it.
        public var members: Int64
        /// How many are invited to it and have not joined.
        public var invited: Int64
        /// The time of its last event, Unix milliseconds.
        public var lastEvent: Int64?
    }

    /// Channels that a page has at most.
    public static let maxChannels = 1_000

    /// Whether the log has an event of a channel, or of one whose id begins so where the text ends in `*`.
    /// - Throws: `LogError`.
    public func hasEvents(ofChannel text: String) async throws -> Bool {
        let isPattern = text.hasSuffix("*")
        let first = isPattern ? String(text.dropLast()) : text
        return try await read { db in
            // Ids are ASCII, and no character of them comes behind '~'.
            let found = try RawStatement(
                cached: "SELECT 1 FROM events WHERE channelId >= ?1 AND channelId <= ?2 LIMIT 1", db)
            defer { found.reset() }
            found.bind(1, first)
            found.bind(2, isPattern ? first + "~" : first)
            return try found.step()
        }
    }

    /// A page of the channels, by id.
    /// - Parameters:
    ///   - id: The last channel of the page before, or nil.
    ///   - limit: Channels at most.
    /// - Throws: `LogError`.
    public func channels(after id: String?, limit: Int = maxChannels) async throws -> [ListedChannel] {
        try await read { db in
            let rows = try RawStatement(
                cached: """
                    SELECT c.channelId, c.creator, c.private,
                        (SELECT count(*) FROM members m WHERE m.channelKey = c.key),
                        (SELECT count(*) FROM invitations i WHERE i.channelKey = c.key),
                        (SELECT e.timestamp FROM events e WHERE e.channelId = c.channelId
                            ORDER BY e.position DESC LIMIT 1)
                    FROM channels c WHERE ?1 IS NULL OR c.channelId > ?1 ORDER BY c.channelId LIMIT ?2
                    """, db)
            defer { rows.reset() }
            rows.bind(1, id)
            rows.bind(2, Int64(min(limit, Self.maxChannels)))
            var channels: [ListedChannel] = []
            while try rows.step() {
                channels.append(
                    ListedChannel(
                        id: rows.text(0), creator: rows.text(1), isPrivate: rows.int(2) != 0, members: rows.int(3),
                        invited: rows.int(4), lastEvent: rows.isNull(5) ? nil : rows.int(5)))
            }
            return channels
        }
    }
}
