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
    /// is where the next call goes on: behind the last hit, or behind a position where the budget ended among messages
    /// that are not the caller's. It is there only if a further hit may follow that the caller may read, so that it
    /// tells nothing of other messages.
    /// - Parameters:
    ///   - clock: Milliseconds of a clock that is never set.
    ///   - budget: In milliseconds.
    public func search(
        _ query: SearchQuery, _ filter: SearchFilter, limit: Int, for access: Access, budget: Int64 = 40,
        clock: @Sendable @escaping () -> Int64
    ) async throws -> ViewAnswer {
        try await read(.messages, for: access) { db, suffix in
            let channel = try filter.channel.map { try Self.life($0, db, suffix, access).key }
            let hits = try SearchHits(
                query, db, suffix, before: filter.before, channel: channel, scanned: Self.scanned)
            defer { hits.rows.reset() }
            let end = clock() + budget
            var (json, found, more) = (JSONWriter(capacity: 16 << 10), 0, SearchPlace?.none)
            var last: SearchPlace?
            json.beginObject()
            json.key("hits")
            json.beginArray()
            while try hits.rows.step() {
                // The first row is looked at in any case, so that each call comes further.
                if let last, clock() >= end {
                    more = last
                    break
                }
                let isHit =
                    access.mayRead(audience: hits.audience) && channel.map { $0 == hits.life } ?? true
                    && hits.isBy(filter.from)
                guard isHit, query.shortTermsOccur(in: hits.text) else {
                    if found < limit { last = .position(hits.position) }
                    continue
                }
                if found == limit {
                    more = last
                    break
                }
                found += 1
                let message = hits.message
                last = .event(message.eventId)
                Self.write(message, hits.channelId, query, to: &json)
                try message.writeMembers(to: &json, for: access.userId, db, suffix)
                json.endObject()
            }
            json.endArray()
            json.member("more", ifPresent: more?.description)
            json.endObject()
            // Which messages are found depends on all channels that the caller may read, and on the budget.
            return (json.bytes, nil)
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

/// Where a search goes on: `EVENTID`, or `@POSITION` where it ended at a message that the caller must not know of.
public enum SearchPlace: Sendable, Equatable, CustomStringConvertible {
    /// Before that event.
    case event(String)
    /// Before that position.
    case position(Int64)

    public var description: String {
        switch self {
        case .event(let id): id
        case .position(let position): "@\(position)"
        }
    }

    /// Reads what ``description`` gives. Ids of events have no `@`.
    public init?(_ text: String) {
        guard text.hasPrefix("@") else {
            self = .event(text)
            return
        }
        guard let position = Int64(text.dropFirst()), position > 0 else { return nil }
        self = .position(position)
    }
}

/// The messages that a query may be about, newest first: from the index, or from the newest messages where it knows
/// none of the terms. Channels that were destroyed are left out.
struct SearchHits {
    let rows: RawStatement

    init(
        _ query: SearchQuery, _ db: Database, _ suffix: String, before: Int64, channel: Int64?, scanned: Int
    ) throws {
        let columns = MessageRow.columns.split(separator: ", ").map { "m.\($0)" }.joined(separator: ", ")
        let of = "JOIN lives\(suffix) AS l ON l.key = m.channel"
        let wanted = "\(columns), m.channel, l.audience, l.id"
        guard let match = query.match else {
            rows = try RawStatement(
                cached: """
                    SELECT \(wanted) FROM (
                        SELECT * FROM messages\(suffix)
                        WHERE isDeleted = 0 AND position < ?1\(channel == nil ? "" : " AND channel = ?3")
                        ORDER BY position DESC LIMIT ?2) AS m
                    \(of) WHERE l.isAlive = 1 ORDER BY m.position DESC
                    """, db)
            rows.bind(1, before)
            rows.bind(2, Int64(scanned))
            if let channel { rows.bind(3, channel) }
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

    private static let after = Int32(MessageRow.columnCount)

    // Of most rows little is read, so each part by itself.

    /// The message at the present row.
    var message: MessageRow { MessageRow(rows, life) }
    /// Its position.
    var position: Int64 { rows.int(MessageRow.positionColumn) }
    /// Its text.
    var text: String { rows.text(MessageRow.textColumn) }
    /// The key of its channel's life.
    var life: Int64 { rows.int(Self.after) }
    /// The audience of its channel.
    var audience: Int64 { rows.int(Self.after + 1) }
    /// The id of its channel.
    var channelId: String { rows.text(Self.after + 2) }

    /// Whether it is by a user; nil: anybody.
    func isBy(_ user: String?) -> Bool { user.map { $0 == rows.text(MessageRow.userColumn) } ?? true }
}
