import CrowbarCore
import GRDB
import JSONBytes

extension SQLiteLog: Eraser {
    /// Limits of erasing. Each part is a short transaction, so that appends do not wait long.
    enum ErasureLimit {
        /// The events that a transaction rewrites.
        static let rows = 1_000
        /// The positions that one call looks at for deletions.
        static let positions: Int64 = 50_000
    }

    /// The position through which deletions were looked at, in the table `meta`.
    private static let progressKey = "textsErasedThrough"
    /// The number of transactions that erased something, and the one up to which copies were removed.
    private static let (erasuresKey, purgedKey) = ("erasures", "erasuresPurged")

    public func eraseDeleted(before milliseconds: Int64, limit: Int) async throws -> DeletedErasure {
        let (deletions, through, end) = try await read { db in
            let end = try LogReader.lastEntry(db, before: milliseconds)?.position ?? 0
            let start = try Self.number(db, Self.progressKey)
            let last = min(end, start + ErasureLimit.positions)
            let found = try MessageTexts.deletions(db, after: start, through: last, limit: limit)
            // A full page ends at its last deletion; what is behind it comes with the next call.
            return (found, found.count < limit ? last : found.last?.position ?? last, end)
        }
        var positions: [Int64] = []
        for deletion in deletions {
            positions += try await texts(
                of: deletion.messageId, in: deletion.channel, before: deletion.position, endsAtSent: true)
        }
        let events = try await erase(.text, at: positions)
        // Only now: after a crash the same deletions are looked at again, which changes nothing.
        try await writing { try Self.raise($0, Self.progressKey, to: through) }
        return DeletedErasure(events: events, hasMore: through < end)
    }

    public func eraseMessage(_ messageId: String, in channel: String) async throws -> ErasedEvents {
        let positions = try await texts(of: messageId, in: channel, before: .max, endsAtSent: false)
        return ErasedEvents(changed: try await erase(.text, at: positions), found: positions.count)
    }

    public func messages(of user: String, limit: Int) async throws -> [StoredMessage] {
        try await read { db in
            let rows = try RawStatement(
                cached: """
                    SELECT c.channelId, m.messageId, m.userId FROM messages AS m
                    JOIN channels AS c ON c.key = m.channelKey WHERE m.userId = ? AND m.deleted = 0 LIMIT ?
                    """, db)
            defer { rows.reset() }
            rows.bind(1, user)
            rows.bind(2, Int64(limit))
            return try Self.messages(rows)
        }
    }

    public func message(_ messageId: String, in channel: String) async throws -> StoredMessage? {
        try await read { db in
            let rows = try RawStatement(
                cached: """
                    SELECT c.channelId, m.messageId, m.userId FROM channels AS c
                    JOIN messages AS m ON m.channelKey = c.key
                    WHERE c.channelId = ? AND m.messageId = ? AND m.deleted = 0
                    """, db)
            defer { rows.reset() }
            rows.bind(1, channel)
            rows.bind(2, messageId)
            return try Self.messages(rows).first
        }
    }

    private static func messages(_ rows: RawStatement) throws -> [StoredMessage] {
        var found: [StoredMessage] = []
        while try rows.step() {
            found.append(StoredMessage(channel: rows.text(0), messageId: rows.text(1), author: rows.text(2)))
        }
        return found
    }

    public func markErased(_ user: String) async throws {
        try await writing { try Self.raise($0, LogSchema.erasedKey(user), to: 1) }
    }

    public func isErased(_ user: String) async throws -> Bool {
        try await read { try Self.number($0, LogSchema.erasedKey(user)) > 0 }
    }

    public func memberships(of user: String, limit: Int) async throws -> [StoredMembership] {
        try await read { db in
            // One look into the members of each channel, as there is no index of members by user.
            let rows = try RawStatement(
                cached: """
                    SELECT channelId, 1 FROM channels
                    WHERE EXISTS (SELECT 1 FROM members WHERE channelKey = channels.key AND userId = ?1)
                    UNION ALL
                    SELECT c.channelId, 0 FROM invitations AS i JOIN channels AS c ON c.key = i.channelKey
                    WHERE i.userId = ?1
                    LIMIT ?2
                    """, db)
            defer { rows.reset() }
            rows.bind(1, user)
            rows.bind(2, Int64(limit))
            var found: [StoredMembership] = []
            while try rows.step() { found.append(StoredMembership(channel: rows.text(0), isMember: rows.int(1) != 0)) }
            return found
        }
    }

    public func userName(_ user: String) async throws -> String? {
        try await read { try String.fetchOne($0, sql: "SELECT name FROM users WHERE userId = ?", arguments: [user]) }
    }

    public func eraseUser(_ user: String, after position: Int64, limit: Int) async throws -> UserErasure {
        let (positions, through, end) = try await read { db in
            let end = try LogReader.entry(db, atOrBefore: .max)?.id.position ?? 0
            let through = min(end, position + Int64(limit))
            let rows = try RawStatement(
                cached: "SELECT position FROM events WHERE position > ? AND position <= ? AND userId = ?", db)
            defer { rows.reset() }
            rows.bind(1, position)
            rows.bind(2, through)
            rows.bind(3, user)
            var positions: [Int64] = []
            while try rows.step() { positions.append(rows.int(0)) }
            return (positions, through, end)
        }
        return UserErasure(events: try await erase([.text, .name], at: positions), position: through, end: end)
    }

    public func purgeErased() async throws -> Bool { try await checkpointer.truncate() }

    public func unpurgedErasure() async throws -> Int64? {
        try await read { db in
            let last = try Self.number(db, Self.erasuresKey)
            return try Self.number(db, Self.purgedKey) < last ? last : nil
        }
    }

    public func notePurged(_ erasure: Int64) async throws {
        try await writing { try Self.raise($0, Self.purgedKey, to: erasure) }
    }

    /// A number of the table `meta`; 0 if it was never stored.
    private static func number(_ db: Database, _ key: String) throws -> Int64 {
        try Int64.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]) ?? 0
    }

    /// Stores a number in the table `meta` that only grows.
    private static func raise(_ db: Database, _ key: String, to value: Int64) throws {
        try db.execute(
            sql: """
                INSERT INTO meta (key, value) VALUES (?1, ?2)
                ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
                """, arguments: [key, value])
    }

    // MARK: Parts

    /// The events that hold a message's text, found backwards from a position.
    private func texts(
        of messageId: String, in channel: String, before position: Int64, endsAtSent: Bool
    ) async throws -> [Int64] {
        var (positions, end): ([Int64], Int64?) = ([], position)
        while let before = end {
            let part = try await read { try MessageTexts.part($0, of: messageId, in: channel, before: before) }
            for event in part.events {
                positions.append(event.position)
                if event.isSent, endsAtSent { return positions }
            }
            end = part.next
        }
        return positions
    }

    /// Rewrites events in transactions of at most ``ErasureLimit/rows``.
    /// - Returns: The events that changed.
    private func erase(_ erasure: EventErasure, at positions: [Int64]) async throws -> Int {
        var changed = 0
        for start in stride(from: 0, to: positions.count, by: ErasureLimit.rows) {
            let part = Array(positions[start..<min(positions.count, start + ErasureLimit.rows)])
            changed += try await writing { db in
                let changed = try MessageTexts.rewrite(db, erasure, at: part)
                if changed > 0 {
                    try db.execute(
                        sql: """
                            INSERT INTO meta (key, value) VALUES (?, 1)
                            ON CONFLICT (key) DO UPDATE SET value = value + 1
                            """, arguments: [Self.erasuresKey])
                }
                return changed
            }
        }
        return changed
    }

    /// One transaction of the writing connection in which freed space is overwritten. The last append is no longer
    /// given from memory, since it may be what changes.
    private func writing<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withErasingWriter { db in
            try db.execute(sql: "PRAGMA secure_delete = ON")
            defer { try? db.execute(sql: "PRAGMA secure_delete = OFF") }
            var result: T?
            try db.inTransaction(.immediate) {
                result = try body(db)
                return .commit
            }
            guard let result else { throw LogError.unavailable("a transaction gave no result") }
            return result
        }
    }
}

/// Finds and rewrites the events that hold messages' texts.
enum MessageTexts {
    /// The events of a channel that one read looks at.
    private static let part: Int64 = 10_000

    struct Deletion {
        var position: Int64
        var channel: String
        var messageId: String
    }

    /// The deletions in a range of the log, oldest first.
    static func deletions(
        _ db: Database, after position: Int64, through end: Int64, limit: Int
    ) throws -> [Deletion] {
        let rows = try RawStatement(
            cached: """
                SELECT position, channelId, json FROM events
                WHERE position > ? AND position <= ? AND type = \(EventType.messageDeleted.rawValue)
                ORDER BY position LIMIT ?
                """, db)
        defer { rows.reset() }
        rows.bind(1, position)
        rows.bind(2, end)
        rows.bind(3, Int64(limit))
        var found: [Deletion] = []
        while try rows.step() {
            found.append(
                Deletion(
                    position: rows.int(0), channel: rows.text(1),
                    messageId: try messageId(Array(rows.bytes(2)), at: rows.int(0))))
        }
        return found
    }

    /// The events with a text of a message in the last part of a channel before a position, newest first, and where
    /// the part before it ends; nil if there is none.
    static func part(
        _ db: Database, of messageId: String, in channel: String, before end: Int64
    ) throws -> (events: [(position: Int64, isSent: Bool)], next: Int64?) {
        let first = try RawStatement(
            cached: """
                SELECT min(position), count(*) FROM (
                    SELECT position FROM events WHERE channelId = ? AND position < ? ORDER BY position DESC LIMIT ?)
                """, db)
        defer { first.reset() }
        first.bind(1, channel)
        first.bind(2, end)
        first.bind(3, part)
        guard try first.step(), !first.isNull(0) else { return ([], nil) }
        let (start, isLast) = (first.int(0), first.int(1) < part)
        // SQLite looks for the member in the bytes, so that few events are decoded. A client's `meta` may have the same
        // bytes, so what is found is decoded.
        var member = JSONWriter(capacity: 64)
        member.beginObject()
        member.member("messageId", messageId)
        let rows = try RawStatement(
            cached: """
                SELECT position, type, json FROM events WHERE channelId = ?1 AND position >= ?2 AND position < ?3
                    AND type IN (\(EventType.messageSent.rawValue), \(EventType.messageEdited.rawValue))
                    AND instr(json, ?4) > 0
                ORDER BY position DESC
                """, db)
        defer { rows.reset() }
        rows.bind(1, channel)
        rows.bind(2, start)
        rows.bind(3, end)
        rows.bind(4, blob: Array(member.bytes.dropFirst()))
        var events: [(position: Int64, isSent: Bool)] = []
        while try rows.step() {
            guard try Self.messageId(Array(rows.bytes(2)), at: rows.int(0)) == messageId else { continue }
            events.append((rows.int(0), rows.int(1) == Int64(EventType.messageSent.rawValue)))
        }
        return (events, isLast ? nil : start)
    }

    /// Rewrites events within a transaction.
    ///
    /// An event can become longer, and SQLite then moves its neighbours to other pages and leaves what it has moved in
    /// the free space of the old ones, also with `secure_delete`. So all of them are first overwritten by as many zeros
    /// as they have bytes, which moves nothing.
    /// - Returns: The events that changed.
    static func rewrite(_ db: Database, _ erasure: EventErasure, at positions: [Int64]) throws -> Int {
        let find = try RawStatement(cached: "SELECT type, json FROM events WHERE position = ?", db)
        let update = try RawStatement(cached: "UPDATE events SET json = ?2 WHERE position = ?1", db)
        var rewritten: [(position: Int64, json: [UInt8])] = []
        for position in positions {
            find.bind(1, position)
            defer { find.reset() }
            guard try find.step() else { continue }
            guard let type = UInt8(exactly: find.int(0)).flatMap(EventType.init(rawValue:)) else {
                throw LogError.damaged("the event at position \(position) has an unknown type")
            }
            let json = Array(find.bytes(1))
            guard
                let erased = try damaged(
                    at: position,
                    { () throws(JSONError) in
                        try erasure.apply(to: json, type: type)
                    })
            else { continue }
            update.bind(1, position)
            update.bind(2, blob: [UInt8](repeating: 0, count: json.count))
            try update.run()
            rewritten.append((position, erased))
        }
        for (position, json) in rewritten {
            update.bind(1, position)
            update.bind(2, blob: json)
            try update.run()
        }
        return rewritten.count
    }

    private static func messageId(_ json: [UInt8], at position: Int64) throws -> String {
        let object = try damaged(at: position) { () throws(JSONError) in try JSONObject(parsing: json) }
        guard let id = object.string("messageId") else {
            throw LogError.damaged("the event at position \(position) has no messageId")
        }
        return id
    }

    private static func damaged<T>(at position: Int64, _ body: () throws(JSONError) -> T) throws -> T {
        do throws(JSONError) { return try body() } catch {
            throw LogError.damaged("the event at position \(position) is not a JSON object: \(error)")
        }
    }
}
