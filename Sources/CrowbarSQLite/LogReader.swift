import CrowbarCore
import GRDB

/// The log's reading side: each function runs within one short read transaction.
enum LogReader {
    private static let columns = "position, timestamp, type, channelId, userId, originPlugin, depth, json, audience"

    static func page(_ db: Database, after position: Int64, limit: Int, maxBytes: Int) throws -> LogPage {
        let rows = try RawStatement(
            cached: "SELECT \(columns) FROM events WHERE position > ? ORDER BY position LIMIT ?", db)
        defer { rows.reset() }
        rows.bind(1, position)
        rows.bind(2, Int64(limit))
        return try page(rows, limit, maxBytes)
    }

    /// By the index of channels, in which events without a channel stand together.
    static func page(
        _ db: Database, lane: LogLane, after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) throws -> LogPage {
        switch lane {
        case .channel(let name): return try self.page(db, "channelId = ?", name, position, end, limit, maxBytes)
        case .user(let name):
            return try self.page(db, "channelId IS NULL AND userId = ?", name, position, end, limit, maxBytes)
        }
    }

    /// The entries without a channel, by the same index.
    static func userEvents(
        _ db: Database, after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) throws -> LogPage {
        try page(db, "channelId IS ?", nil, position, end, limit, maxBytes)
    }

    private static func page(
        _ db: Database, _ condition: String, _ name: String?, _ position: Int64, _ end: Int64, _ limit: Int,
        _ maxBytes: Int
    ) throws -> LogPage {
        let rows = try RawStatement(
            cached: """
                SELECT \(columns) FROM events WHERE \(condition) AND position > ? AND position <= ?
                ORDER BY position LIMIT ?
                """, db)
        defer { rows.reset() }
        rows.bind(1, name)
        rows.bind(2, position)
        rows.bind(3, end)
        rows.bind(4, Int64(limit))
        return try page(rows, limit, maxBytes)
    }

    private static func page(_ rows: RawStatement, _ limit: Int, _ maxBytes: Int) throws -> LogPage {
        var page = LogPage(entries: min(limit, 64))
        while try rows.step() {
            if !page.entries.isEmpty, page.bytes.count + rows.bytes(7).count > maxBytes { break }
            try append(rows, to: &page)
        }
        return page
    }

    static func page(_ db: Database, positions: [Int64]) throws -> LogPage {
        let rows = try RawStatement(cached: "SELECT \(columns) FROM events WHERE position = ?", db)
        var page = LogPage(entries: positions.count)
        for position in positions {
            defer { rows.reset() }
            rows.bind(1, position)
            if try rows.step() { try append(rows, to: &page) }
        }
        return page
    }

    private static func append(_ rows: RawStatement, to page: inout LogPage) throws {
        let (code, depth) = (rows.int(2), rows.int(6))
        guard let type = UInt8(exactly: code).flatMap(EventType.init(rawValue:)), let depth = UInt8(exactly: depth)
        else {
            throw LogError.damaged("the event at position \(rows.int(0)) has the unknown type \(code), depth \(depth)")
        }
        page.append(
            position: rows.int(0), timestamp: rows.int(1), type: type, channel: rows.bytesIfPresent(3),
            user: rows.bytes(4), origin: rows.bytesIfPresent(5), depth: depth,
            audience: rows.int(8), json: rows.bytes(7))
    }

    /// The head and the tables of one moment, as they are read within one transaction.
    static func rights(_ db: Database, of user: String, withPublic: Bool) throws -> ReadRights {
        func keys(_ sql: String) throws -> Set<Int64> {
            let rows = try RawStatement(cached: sql, db)
            defer { rows.reset() }
            rows.bind(1, user)
            var keys: Set<Int64> = []
            while try rows.step() { keys.insert(rows.int(0)) }
            return keys
        }
        return ReadRights(
            head: try entry(db, atOrBefore: .max)?.id.position ?? 0,
            member: try keys("SELECT channelKey FROM members WHERE userId = ? AND private = 1"),
            invited: try keys("SELECT channelKey FROM invitations WHERE userId = ?"),
            publicChannels: withPublic ? try publicChannels(db, of: user) : [])
    }

    /// One look into the members of each public channel: no index of members by user has to be kept up to date for it.
    private static func publicChannels(_ db: Database, of user: String) throws -> Set<String> {
        let rows = try RawStatement(
            cached: """
                SELECT channelId FROM channels WHERE private = 0
                AND EXISTS (SELECT 1 FROM members WHERE channelKey = channels.key AND userId = ?)
                """, db)
        defer { rows.reset() }
        rows.bind(1, user)
        var channels: Set<String> = []
        while try rows.step() { channels.insert(rows.text(0)) }
        return channels
    }

    static func channel(_ db: Database, _ id: String, for user: String) throws -> ChannelMembership? {
        let rows = try RawStatement(
            cached: """
                SELECT key, creator, private,
                    EXISTS (SELECT 1 FROM members WHERE channelKey = key AND userId = ?2),
                    EXISTS (SELECT 1 FROM invitations WHERE channelKey = key AND userId = ?2)
                FROM channels WHERE channelId = ?1
                """, db)
        defer { rows.reset() }
        rows.bind(1, id)
        rows.bind(2, user)
        guard try rows.step() else { return nil }
        return ChannelMembership(
            ChannelState(key: rows.int(0), creator: rows.text(1), isPrivate: rows.int(2) != 0),
            isMember: rows.int(3) != 0, isInvited: rows.int(4) != 0)
    }

    static func position(_ db: Database, of eventId: String) throws -> Int64? {
        let rows = try RawStatement(cached: "SELECT position FROM events WHERE eventId = ?", db)
        defer { rows.reset() }
        rows.bind(1, eventId)
        return try rows.step() ? rows.int(0) : nil
    }

    static func entry(_ db: Database, atOrBefore position: Int64) throws -> (id: LogEntryID, timestamp: Int64)? {
        let rows = try RawStatement(
            cached: """
                SELECT position, eventId, timestamp FROM events WHERE position <= ? ORDER BY position DESC LIMIT 1
                """, db)
        defer { rows.reset() }
        rows.bind(1, position)
        guard try rows.step() else { return nil }
        return (LogEntryID(position: rows.int(0), eventId: rows.text(1)), rows.int(2))
    }

    /// Halves the range of positions, since timestamps never decrease along it: no index of times is needed.
    static func lastEntry(_ db: Database, before milliseconds: Int64) throws -> LogEntryID? {
        guard let head = try entry(db, atOrBefore: .max) else { return nil }
        if head.timestamp < milliseconds { return head.id }
        var best: LogEntryID?
        // All at or below `low` is before the time, or is nothing; `high` is not before it.
        var (low, high): (Int64, Int64) = (0, head.id.position)
        while low + 1 < high {
            let middle = low + (high - low) / 2
            guard let found = try entry(db, atOrBefore: middle), found.id.position > low else {
                low = middle
                continue
            }
            if found.timestamp < milliseconds {
                best = found.id
                low = middle
            } else {
                high = found.id.position
            }
        }
        return best
    }

    /// The number of entries in a range, without a look at them: the writer counts positions up by one within the
    /// transaction that stores them, and nothing is ever deleted.
    static func count(_ db: Database, after position: Int64, through end: Int64) throws -> Int64 {
        let head = try entry(db, atOrBefore: .max)?.id.position ?? 0
        return max(0, min(end, head) - max(0, position))
    }

    /// The columns stand before the JSON, so that no more of a long event is read than its beginning; an audience of 0,
    /// which stands behind it, takes no bytes.
    static func tally(_ db: Database, after position: Int64, through end: Int64) throws -> [LogTally] {
        let rows = try RawStatement(
            cached: """
                SELECT type, channelId, originPlugin, audience <> 0 AS isPrivate, count(*) FROM events
                WHERE position > ? AND position <= ? GROUP BY type, channelId, originPlugin, isPrivate
                """, db)
        defer { rows.reset() }
        rows.bind(1, position)
        rows.bind(2, end)
        var tallies: [LogTally] = []
        while try rows.step() {
            guard let type = UInt8(exactly: rows.int(0)).flatMap(EventType.init(rawValue:)) else {
                throw LogError.damaged("an event after position \(position) has the unknown type \(rows.int(0))")
            }
            tallies.append(
                LogTally(
                    type: type, channel: rows.isNull(1) ? nil : rows.text(1),
                    origin: rows.isNull(2) ? nil : rows.text(2), isPrivate: rows.int(3) != 0, count: rows.int(4)))
        }
        return tallies
    }
}
