import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

extension ViewReader {
    /// The messages and mentions of a channel that are counted at most.
    private static let counted = 100
    /// The messages behind a marker that are looked at, at most: one's own are not counted.
    private static let looked = 2000

    /// `unread`: what a user has not read, in each channel of which they are a member.
    ///
    /// A marker starts at one's own join, so one from before it counts for nothing. A channel whose last message is not
    /// behind the marker costs no further query; the others cost a range of an index each, and nothing is kept.
    /// - Parameters:
    ///   - markers: By the channels' ids. One past the log's head is of another log and counts for nothing.
    ///   - access: Of a user.
    public func unread(markers: [String: ReadMarker], for access: Access) async throws -> ViewAnswer {
        try await read(.messages, for: access) { db, suffix in
            var json = JSONWriter(capacity: 4096)
            json.beginObject()
            if let user = access.userId {
                let rows = try RawStatement(
                    cached: """
                        SELECT l.key, l.id, l.audience, l.last, m.joined, m.joinedEventId, x.eventId
                        FROM messageMembers\(suffix) AS m JOIN lives\(suffix) AS l ON l.key = m.channel
                        LEFT JOIN messages\(suffix) AS x ON x.position = l.last
                        WHERE m.userId = ? AND l.isAlive = 1 ORDER BY l.key
                        """, db)
                defer { rows.reset() }
                rows.bind(1, user)
                while try rows.step() {
                    guard access.mayRead(audience: rows.int(2)) else { continue }
                    let channel = UnreadChannel(
                        key: rows.int(0), joined: ReadMarker(position: rows.int(4), eventId: rows.text(5)),
                        marker: markers[rows.text(1)].flatMap { $0.position > access.head ? nil : $0 })
                    json.key(rows.text(1))
                    json.beginObject()
                    json.member("read", try channel.readEventId(db, suffix))
                    let isBehind = rows.int(3) > channel.start
                    json.member("unread", isBehind ? try channel.count(user, db, suffix) : 0)
                    json.member("mentions", isBehind ? try channel.mentions(user, db, suffix) : 0)
                    json.member("last", ifPresent: rows.isNull(6) ? nil : rows.text(6))
                    json.endObject()
                }
            }
            json.endObject()
            // A join and a leave change it too, and no row tells of the latter.
            return (json.bytes, nil)
        }
    }

    /// A read marker that moved: `{"channelId","eventId","unread","mentions"}`, counted as in `unread`.
    /// - Parameters:
    ///   - marker: Of the user and the channel.
    ///   - access: Of a user.
    /// - Returns: nil where the user is no member of the channel, as far as the view knows.
    public func readMark(_ marker: ReadMarker, of channelId: String, for access: Access) async throws -> [UInt8]? {
        guard let user = access.userId else { return nil }
        let answer = try await read(.messages, for: access) { db, suffix in
            let row = try RawStatement(
                cached: """
                    SELECT l.key, l.audience, l.last, m.joined, m.joinedEventId
                    FROM lives\(suffix) AS l JOIN messageMembers\(suffix) AS m ON m.channel = l.key AND m.userId = ?
                    WHERE l.id = ? AND l.isAlive = 1
                    """, db)
            defer { row.reset() }
            row.bind(1, user)
            row.bind(2, channelId)
            guard try row.step(), access.mayRead(audience: row.int(1)) else { return ([], nil) }
            let channel = UnreadChannel(
                key: row.int(0), joined: ReadMarker(position: row.int(3), eventId: row.text(4)),
                marker: marker.position > access.head ? nil : marker)
            let isBehind = row.int(2) > channel.start
            var json = JSONWriter(capacity: 128)
            json.beginObject()
            json.member("channelId", channelId)
            json.member("eventId", try channel.readEventId(db, suffix))
            json.member("unread", isBehind ? try channel.count(user, db, suffix) : 0)
            json.member("mentions", isBehind ? try channel.mentions(user, db, suffix) : 0)
            json.endObject()
            return (json.bytes, nil)
        }
        return answer.body.isEmpty ? nil : answer.body
    }

    /// A channel and up to where it was read.
    private struct UnreadChannel {
        var key: Int64
        var joined: ReadMarker
        var marker: ReadMarker?

        /// The last position that counts as read.
        var start: Int64 { max(joined.position, marker?.position ?? 0) }

        /// The event up to which it was read. A marker that was set before an event stands behind the last message
        /// before that: the event at its position can be one of another channel.
        func readEventId(_ db: Database, _ suffix: String) throws -> String {
            guard let marker, marker.position > joined.position else { return joined.eventId ?? "" }
            if let eventId = marker.eventId { return eventId }
            let row = try RawStatement(
                cached: """
                    SELECT eventId FROM messages\(suffix) WHERE channel = ? AND isDeleted = 0
                    AND position <= ? AND position > ? ORDER BY position DESC LIMIT 1
                    """, db)
            defer { row.reset() }
            row.bind(1, key)
            row.bind(2, marker.position)
            row.bind(3, joined.position)
            return try row.step() ? row.text(0) : joined.eventId ?? ""
        }

        func count(_ user: String, _ db: Database, _ suffix: String) throws -> Int64 {
            let row = try RawStatement(
                cached: """
                    SELECT count(*) FROM (SELECT 1 FROM (
                        SELECT userId, kind FROM messages\(suffix) WHERE channel = ? AND isDeleted = 0 AND position > ?
                        ORDER BY position LIMIT \(looked))
                    WHERE userId <> ? AND kind IN ('text', 'action') LIMIT \(counted))
                    """, db)
            return try number(row, start, user)
        }

        func mentions(_ user: String, _ db: Database, _ suffix: String) throws -> Int64 {
            let row = try RawStatement(
                cached: """
                    SELECT count(*) FROM (SELECT 1 FROM mentions\(suffix) AS n
                    JOIN messages\(suffix) AS m ON m.position = n.message
                    WHERE n.channel = ? AND n.message > ? AND n.userId = ? AND m.kind IN ('text', 'action')
                    LIMIT \(counted))
                    """, db)
            return try number(row, start, user)
        }

        private func number(_ row: RawStatement, _ start: Int64, _ user: String) throws -> Int64 {
            defer { row.reset() }
            row.bind(1, key)
            row.bind(2, start)
            row.bind(3, user)
            return try row.step() ? row.int(0) : 0
        }
    }
}
