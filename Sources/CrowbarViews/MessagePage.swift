import CrowbarSQLite
import GRDB
import JSONBytes

/// A page of a channel's messages, oldest first.
struct MessagePage {
    private(set) var messages: [MessageRow] = []
    private(set) var isOlderLeft = false
    private(set) var isNewerLeft = false

    /// The bytes of messages after which a page takes no other one: one message can be as long as a command.
    private static let maxBytes = 4 << 20

    /// Reads a page.
    /// - Parameter channel: The key of the channel's life.
    init(_ db: Database, _ suffix: String, channel: Int64, _ place: MessagePlace, limit: Int) throws {
        switch place {
        case .newest: try readOlder(db, suffix, channel, than: .max, limit)
        case .before(let position):
            try readOlder(db, suffix, channel, than: position, limit)
            isNewerLeft = try Self.exists(db, suffix, channel, "position >= ?", position)
        case .after(let position):
            try readNewer(db, suffix, channel, than: position, limit)
            isOlderLeft = try Self.exists(db, suffix, channel, "position <= ?", position)
        case .around(let position):
            try readOlder(db, suffix, channel, than: position, limit / 2)
            try readNewer(db, suffix, channel, than: position - 1, limit - messages.count)
        }
    }

    private mutating func readOlder(
        _ db: Database, _ suffix: String, _ channel: Int64, than position: Int64, _ limit: Int
    ) throws {
        let rows = try Self.rows(db, suffix, "position < ?", "DESC", channel, position, limit)
        defer { rows.reset() }
        var bytes = 0
        while try rows.step() {
            if messages.count == limit || bytes >= Self.maxBytes {
                isOlderLeft = true
                break
            }
            let message = MessageRow(rows, channel)
            bytes += message.size
            messages.append(message)
        }
        messages.reverse()
    }

    private mutating func readNewer(
        _ db: Database, _ suffix: String, _ channel: Int64, than position: Int64, _ limit: Int
    ) throws {
        let rows = try Self.rows(db, suffix, "position > ?", "ASC", channel, position, limit)
        defer { rows.reset() }
        let end = messages.count + limit
        var bytes = 0
        while try rows.step() {
            if messages.count == end || bytes >= Self.maxBytes {
                isNewerLeft = true
                break
            }
            let message = MessageRow(rows, channel)
            bytes += message.size
            messages.append(message)
        }
    }

    /// One row more than the limit, which says whether more is left.
    private static func rows(
        _ db: Database, _ suffix: String, _ condition: String, _ order: String, _ channel: Int64, _ position: Int64,
        _ limit: Int
    ) throws -> RawStatement {
        let rows = try RawStatement(
            cached: """
                SELECT \(MessageRow.columns) FROM messages\(suffix)
                WHERE channel = ? AND isDeleted = 0 AND \(condition) ORDER BY position \(order) LIMIT ?
                """, db)
        rows.bind(1, channel)
        rows.bind(2, position)
        rows.bind(3, Int64(limit) + 1)
        return rows
    }

    private static func exists(
        _ db: Database, _ suffix: String, _ channel: Int64, _ condition: String, _ position: Int64
    ) throws -> Bool {
        let row = try RawStatement(
            cached: "SELECT 1 FROM messages\(suffix) WHERE channel = ? AND isDeleted = 0 AND \(condition) LIMIT 1", db)
        defer { row.reset() }
        row.bind(1, channel)
        row.bind(2, position)
        return try row.step()
    }
}

/// A message as it is read.
struct MessageRow {
    static let columns = """
        position, messageId, eventId, userId, userName, timestamp, kind, editEventId, editTimestamp, replyTo, origin, \
        meta, mentions, text
        """

    /// Where some of ``columns`` stand.
    static let (positionColumn, userColumn, textColumn): (Int32, Int32, Int32) = (0, 3, 13)
    /// The number of ``columns``.
    static let columnCount = 14

    let eventId, userId, text: String
    private var position: Int64
    private var channel: Int64
    private var messageId, userName, kind: String
    private var timestamp: Int64
    private var edit: (eventId: String, timestamp: Int64)?
    private var replyTo: String?
    private var origin, meta, mentions: [UInt8]?

    /// Takes the row that a statement of ``columns`` is at.
    init(_ row: RawStatement, _ channel: Int64) {
        self.channel = channel
        position = row.int(0)
        messageId = row.text(1)
        eventId = row.text(2)
        userId = row.text(3)
        userName = row.text(4)
        timestamp = row.int(5)
        kind = row.text(6)
        edit = row.isNull(7) ? nil : (row.text(7), row.int(8))
        replyTo = row.isNull(9) ? nil : row.text(9)
        origin = row.bytesIfPresent(10).map(Array.init)
        meta = row.bytesIfPresent(11).map(Array.init)
        mentions = row.bytesIfPresent(12).map(Array.init)
        text = row.text(13)
    }

    /// About the bytes that it takes.
    var size: Int { text.utf8.count + (meta?.count ?? 0) + (origin?.count ?? 0) + 256 }

    /// Writes the message as an object; what is absent is left out.
    /// - Parameter user: Whose reactions are marked as their own.
    func write(to json: inout JSONWriter, for user: String?, _ db: Database, _ suffix: String) throws {
        json.beginObject()
        try writeMembers(to: &json, for: user, db, suffix)
        json.endObject()
    }

    /// Writes the members of the object that the message is.
    func writeMembers(to json: inout JSONWriter, for user: String?, _ db: Database, _ suffix: String) throws {
        json.member("messageId", messageId)
        json.member("eventId", eventId)
        json.member("position", position)
        json.member("timestamp", timestamp)
        json.member("userId", userId)
        json.member("userName", userName)
        json.member("text", text)
        json.member("kind", kind)
        if let edit {
            json.key("edited")
            json.beginObject()
            json.member("eventId", edit.eventId)
            json.member("timestamp", edit.timestamp)
            json.endObject()
        }
        if let replyTo { try Self.writeQuote(of: replyTo, channel, to: &json, db, suffix) }
        try ReactionRows.write(of: position, for: user, to: &json, db, suffix)
        for (key, raw) in [("mentions", mentions), ("origin", origin), ("meta", meta)] {
            guard let raw else { continue }
            json.key(key)
            json.raw(raw)
        }
    }

    /// The characters of a quoted message.
    private static let quoted = 200

    /// `replyTo`, looked up now: an edited original is quoted as it is now.
    private static func writeQuote(
        of id: String, _ channel: Int64, to json: inout JSONWriter, _ db: Database, _ suffix: String
    ) throws {
        let row = try RawStatement(
            cached: """
                SELECT eventId, userId, userName, text FROM messages\(suffix)
                WHERE channel = ? AND messageId = ? AND isDeleted = 0
                """, db)
        defer { row.reset() }
        row.bind(1, channel)
        row.bind(2, id)
        json.key("replyTo")
        json.beginObject()
        json.member("messageId", id)
        if try row.step() {
            json.member("eventId", row.text(0))
            json.member("userId", row.text(1))
            json.member("userName", row.text(2))
            json.member("text", String(row.text(3).prefix(quoted)))
        } else {
            json.member("deleted", true)
        }
        json.endObject()
    }
}
