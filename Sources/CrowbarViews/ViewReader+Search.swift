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
    /// is where the next call goes on: behind the last hit, or behind another message that the caller may read. A
    /// message that the caller may not read is never such a place, and whether it has the terms changes no answer but
    /// by the time that it takes.
    /// - Parameters:
    ///   - clock: Milliseconds of a clock that is never set.
    ///   - budget: In milliseconds.
    ///   - window: Positions of the log whose messages are looked at without the index, at most.
    /// - Throws: ``ViewRefusal/searchesFull``.
    public func search(
        _ query: SearchQuery, _ filter: SearchFilter, limit: Int, for access: Access, budget: Int64 = 40,
        window: Int64 = 100_000, clock: @Sendable @escaping () -> Int64
    ) async throws -> ViewAnswer {
        try await searchTurns.run {
            try await read(.messages, for: access) { db, suffix in
                let channel = try filter.channel.map { try Self.life($0, db, suffix, access).key }
                var walk = SearchWalk(query, filter, channel: channel, limit: limit, access, clock: clock)
                var isFurther = false
                if let index = try SearchHits(query, db, suffix, before: filter.before) {
                    try walk.go(index, db, suffix, until: clock() + budget, atMost: .max)
                    // All the time went by among messages that match in part only, or that are not the caller's. The
                    // caller's messages are then looked at one by one, so that the next call begins further on.
                    isFurther = walk.last != nil || !walk.isCut
                }
                if !isFurther, let newest = try Self.newest(db, suffix, channel, access) {
                    let end = min(filter.before, newest + 1)
                    let scan = try SearchHits(
                        scanning: db, suffix, from: max(0, end - window), before: end, channel: channel)
                    try walk.go(scan, db, suffix, until: clock() + budget, atMost: Self.scanned)
                    // Where an index is there, older messages can still be found.
                    if walk.isPastMost, query.match != nil { walk.isCut = true }
                }
                // Which messages are found depends on all channels that the caller may read, and on the budget.
                return (walk.json(), nil)
            }
        }
    }

    /// The position of the last message that a reader may read, of a channel where one is given; nil without any.
    private static func newest(
        _ db: Database, _ suffix: String, _ channel: Int64?, _ access: Access
    ) throws -> Int64? {
        let lives = try RawStatement(
            cached: """
                SELECT audience, last FROM lives\(suffix) WHERE isAlive = 1 AND (?1 IS NULL OR key = ?1)
                ORDER BY last DESC
                """, db)
        defer { lives.reset() }
        lives.bind(1, channel)
        while try lives.step() {
            if access.mayRead(audience: lives.int(0)) { return lives.int(1) }
        }
        return nil
    }
}

/// A walk through the messages that a search may be about, and the answer that comes of it.
private struct SearchWalk {
    private let query: SearchQuery
    private let from: String?
    private let channel: Int64?
    private let limit: Int
    private let access: Access
    private let clock: @Sendable () -> Int64
    private var hits = JSONWriter(capacity: 16 << 10)
    private var found = 0
    /// The last hit, or the last message that the caller may read.
    private(set) var last: SearchPlace?
    /// Whether more may be found behind ``last``, or behind the positions that were looked at.
    var isCut = false
    /// Whether so many messages were looked at that no further one is.
    private(set) var isPastMost = false

    init(
        _ query: SearchQuery, _ filter: SearchFilter, channel: Int64?, limit: Int, _ access: Access,
        clock: @Sendable @escaping () -> Int64
    ) {
        (self.query, from, self.channel, self.limit) = (query, filter.from, channel, limit)
        (self.access, self.clock) = (access, clock)
        hits.beginObject()
        hits.key("hits")
        hits.beginArray()
    }

    /// Walks until there is no further message, one hit more than the limit, or no time.
    /// - Parameter most: The messages of the caller that are looked at.
    mutating func go(
        _ rows: SearchHits, _ db: Database, _ suffix: String, until end: Int64, atMost most: Int
    ) throws {
        defer { rows.rows.reset() }
        let clock = clock
        var looked = 0
        isCut = false
        while true {
            guard let isRow = try rows.next(unless: { clock() >= end }) else {
                isCut = true
                return
            }
            // Whatever is no message of the caller's must leave no trace here.
            guard isRow else {
                // Where it ends follows from what the caller may read.
                if rows.first > 0 {
                    isCut = true
                    if found < limit { last = .position(rows.first) }
                }
                return
            }
            guard access.mayRead(audience: rows.audience) else { continue }
            if looked == most {
                isPastMost = true
                return
            }
            // The first message is looked at in any case, so that each call comes further.
            if last != nil, clock() >= end {
                isCut = true
                return
            }
            looked += 1
            let isHit = channel.map { $0 == rows.life } ?? true && rows.isBy(from)
            guard isHit, rows.hasTerms(of: query) else {
                if found < limit { last = .position(rows.position) }
                continue
            }
            if found == limit {
                isCut = true
                return
            }
            found += 1
            let message = rows.message
            last = .event(message.eventId)
            write(message, rows.channelId)
            try message.writeMembers(to: &hits, for: access.userId, db, suffix)
            hits.endObject()
        }
    }

    /// The answer.
    consuming func json() -> [UInt8] {
        hits.endArray()
        if isCut { hits.member("more", ifPresent: last?.description) }
        hits.endObject()
        return hits.bytes
    }

    private mutating func write(_ message: MessageRow, _ channel: String) {
        hits.beginObject()
        hits.member("channelId", channel)
        hits.key("snippet")
        hits.beginArray()
        for piece in SearchSnippet(of: message.text, terms: query.indexed + query.short).pieces {
            hits.beginArray()
            hits.string(piece.text)
            hits.bool(piece.isTerm)
            hits.endArray()
        }
        hits.endArray()
    }
}

/// Where a search goes on: `EVENTID`, or `@POSITION` where it ended at a message that is no hit.
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
        let digits = text.dropFirst()
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let position = Int64(digits), position > 0
        else { return nil }
        self = .position(position)
    }
}

/// The messages that a query may be about, newest first. Channels that were destroyed are left out. Those that the
/// caller may not read are among them.
private struct SearchHits {
    let rows: RawStatement
    /// Whether they are from the index, so that they have the term that it was asked for.
    private let isIndexed: Bool
    /// The position that none of them is before; 0 where they are all.
    let first: Int64

    private static let wanted =
        MessageRow.columns.split(separator: ", ").map { "m.\($0)" }.joined(separator: ", ")
        + ", m.channel, l.audience, l.id"

    /// Those that the index finds; nil where it knows none of the terms.
    init?(_ query: SearchQuery, _ db: Database, _ suffix: String, before: Int64) throws {
        guard let match = query.match else { return nil }
        let index = try Int64.fetchOne(
            db,
            sql: "SELECT max(generation) FROM views WHERE name = 'search' AND isLive = 1 AND source = ?",
            arguments: [Int64(suffix.dropFirst())])
        guard let index else { throw ViewRefusal.notBuilt(.search) }
        (isIndexed, first) = (true, 0)
        rows = try RawStatement(
            cached: """
                SELECT \(Self.wanted) FROM search_\(index) AS s
                CROSS JOIN messages\(suffix) AS m ON m.position = s.rowid
                JOIN lives\(suffix) AS l ON l.key = m.channel
                WHERE s.text MATCH ? AND s.rowid < ? AND l.isAlive = 1 ORDER BY s.rowid DESC
                """, db)
        rows.bind(1, match)
        rows.bind(2, before)
    }

    /// All of them between two positions, or all of a channel.
    init(scanning db: Database, _ suffix: String, from first: Int64, before: Int64, channel: Int64?) throws {
        isIndexed = false
        self.first = first
        rows = try RawStatement(
            cached: """
                SELECT \(Self.wanted) FROM messages\(suffix) AS m CROSS JOIN lives\(suffix) AS l ON l.key = m.channel
                WHERE m.isDeleted = 0 AND m.position < ?1 AND m.position >= ?2
                    \(channel == nil ? "" : "AND m.channel = ?3") AND l.isAlive = 1
                ORDER BY m.position DESC
                """, db)
        rows.bind(1, before)
        rows.bind(2, first)
        if let channel { rows.bind(3, channel) }
    }

    /// Goes to the next row.
    /// - Parameter isOver: Whether there is no time left. The index can take any time before it finds a row; positions
    ///   are so few that their end is soon reached.
    /// - Returns: Whether there is one; nil where the time ended before.
    func next(unless isOver: @escaping () -> Bool) throws -> Bool? {
        isIndexed ? try rows.step(unless: isOver) : try rows.step()
    }

    /// Whether the present row has the terms of a query.
    func hasTerms(of query: SearchQuery) -> Bool {
        isIndexed ? query.otherTermsOccur(in: text) : query.termsOccur(in: text)
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
