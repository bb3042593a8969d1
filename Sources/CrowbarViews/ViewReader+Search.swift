import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

/// Which messages a search is about.
public struct SearchFilter: Sendable, Equatable {
    /// Only those of this channel.
    public var channel: String?
    /// Only those of this user.
    public var from: String?
    /// Only those before this position.
    public var before: Int64

    /// Makes one.
    public init(channel: String? = nil, from: String? = nil, before: Int64 = .max) {
        self.channel = channel
        self.from = from
        self.before = before
    }
}

extension ViewReader {
    /// The messages that are looked at, newest first, where the index knows none of the terms.
    private static let scanned = 5000

    /// `search`: messages in which all terms occur, newest first.
    ///
    /// Rights and filters are asked while the hits are walked. After `budget` the answer is what was found, and `more`
    /// is where the next call goes on.
    /// - Parameters:
    ///   - clock: Milliseconds of a clock that is never set.
    ///   - budget: In milliseconds.
    public func search(
        _ query: SearchQuery, _ filter: SearchFilter, limit: Int, for access: Access, budget: Int64 = 40,
        clock: @Sendable @escaping () -> Int64
    ) async throws -> ViewAnswer {
        try await read(.messages) { db, suffix in
            let channel = try filter.channel.map { try Self.life($0, db, suffix, access).key }
            let hits = try SearchHits(query, db, suffix, before: filter.before, scanned: Self.scanned)
            defer { hits.rows.reset() }
            let end = clock() + budget
            var (json, found, more) = (JSONWriter(capacity: 16 << 10), 0, String?.none)
            json.beginObject()
            json.key("hits")
            json.beginArray()
            var last: String?
            while try hits.rows.step() {
                if found == limit || clock() >= end {
                    more = last
                    break
                }
                let (message, life, audience, id) = hits.current
                last = message.eventId
                guard access.mayRead(audience: audience), channel.map({ $0 == life }) ?? true,
                    filter.from.map({ $0 == message.userId }) ?? true, query.shortTermsOccur(in: message.text)
                else { continue }
                found += 1
                Self.write(message, id, query, to: &json)
                try message.writeMembers(to: &json, for: access.userId, db, suffix)
                json.endObject()
            }
            json.endArray()
            json.member("more", ifPresent: more)
            json.endObject()
            return (json.bytes, 0)
        }
    }

    private static func write(_ message: MessageRow, _ channel: String, _ query: SearchQuery, to json: inout JSONWriter)
    {
        json.beginObject()
        json.member("channelId", channel)
        json.key("snippet")
        json.beginArray()
        for piece in SearchSnippet(of: message.text, terms: query.indexed + query.short).pieces {
            json.beginArray()
            json.string(piece.text)
            json.bool(piece.isTerm)
            json.endArray()
        }
        json.endArray()
    }
}

/// The messages that a query may be about, newest first: from the index, or from the newest messages where it knows
/// none of the terms. Channels that were destroyed are left out.
struct SearchHits {
    let rows: RawStatement

    init(_ query: SearchQuery, _ db: Database, _ suffix: String, before: Int64, scanned: Int) throws {
        let columns = MessageRow.columns.split(separator: ", ").map { "m.\($0)" }.joined(separator: ", ")
        let of = "JOIN lives\(suffix) AS l ON l.key = m.channel"
        let wanted = "\(columns), m.channel, l.audience, l.id"
        guard let match = query.match else {
            rows = try RawStatement(
                cached: """
                    SELECT \(wanted) FROM (
                        SELECT * FROM messages\(suffix) WHERE isDeleted = 0 AND position < ?
                        ORDER BY position DESC LIMIT ?) AS m
                    \(of) WHERE l.isAlive = 1 ORDER BY m.position DESC
                    """, db)
            rows.bind(1, before)
            rows.bind(2, Int64(scanned))
            return
        }
        let index = try Int64.fetchOne(
            db,
            sql: "SELECT max(generation) FROM views WHERE name = 'search' AND isLive = 1 AND source = ?",
            arguments: [Int64(suffix.dropFirst())])
        guard let index else { throw ViewRefusal.notBuilt(.search) }
        rows = try RawStatement(
            cached: """
                SELECT \(wanted) FROM search_\(index) AS s CROSS JOIN messages\(suffix) AS m ON m.position = s.rowid
                \(of) WHERE s.text MATCH ? AND s.rowid < ? AND l.isAlive = 1 ORDER BY s.rowid DESC
                """, db)
        rows.bind(1, match)
        rows.bind(2, before)
    }

    /// The message, the key, audience and id of its channel.
    var current: (MessageRow, life: Int64, audience: Int64, id: String) {
        let after = Int32(MessageRow.columnCount)
        return (MessageRow(rows, rows.int(after)), rows.int(after), rows.int(after + 1), rows.text(after + 2))
    }
}
