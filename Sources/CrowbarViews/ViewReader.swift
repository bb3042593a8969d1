import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

/// What a view answers: the JSON, and what a client needs to ask again or to go on from there.
public struct ViewAnswer: Sendable, Equatable {
    /// The JSON.
    public var body: [UInt8]
    /// The last event that the view had applied: a stream that continues behind it misses nothing.
    public var checkpoint: ViewCheckpoint
    /// The position of the last event that changed this answer.
    public var changed: Int64
    /// The version of the view's rows.
    public var version: Int
}

/// Why a view does not answer.
public enum ViewRefusal: Error, Sendable, Equatable {
    /// The view is not complete yet.
    case notBuilt(ViewName)
    /// There is no such channel, or the caller may not know of it.
    case channelNotFound
}

/// Answers questions from the rows of the views; each in one short read transaction.
public struct ViewReader: Sendable {
    private let pool: DatabasePool

    /// Reads what an engine keeps.
    public init(_ engine: ViewEngine) { pool = engine.pool }

    /// One generation that is served, within a transaction.
    private struct Served {
        var suffix: String
        var checkpoint: ViewCheckpoint
        var version: Int
    }

    private static func served(_ db: Database, _ view: ViewName) throws -> Served {
        let row = try RawStatement(
            cached: "SELECT generation, position, eventId, version FROM views WHERE name = ? AND isLive = 1", db)
        defer { row.reset() }
        row.bind(1, view.rawValue)
        guard try row.step() else { throw ViewRefusal.notBuilt(view) }
        return Served(
            suffix: "_\(row.int(0))", checkpoint: ViewCheckpoint(position: row.int(1), eventId: row.text(2)),
            version: Int(row.int(3)))
    }

    func read(
        _ view: ViewName, _ body: @Sendable @escaping (Database, String) throws -> (json: [UInt8], changed: Int64)
    ) async throws -> ViewAnswer {
        try await pool.read { db in
            let served = try Self.served(db, view)
            let (json, changed) = try body(db, served.suffix)
            return ViewAnswer(body: json, checkpoint: served.checkpoint, changed: changed, version: served.version)
        }
    }

    // MARK: Users

    /// `allusers`: `{USERID: {"name"}}` by id.
    /// - Parameters:
    ///   - id: Users behind this id; nil from the first.
    ///   - isBridged: Whether the users of plugins and hooks are listed too (their ids have a `/`).
    public func users(after id: String?, limit: Int, isBridged: Bool) async throws -> ViewAnswer {
        try await read(.users) { db, suffix in
            let rows = try RawStatement(
                cached: """
                    SELECT id, name, changed FROM users\(suffix) WHERE id > ? AND (? OR instr(id, '/') = 0)
                    ORDER BY id LIMIT ?
                    """, db)
            defer { rows.reset() }
            rows.bind(1, id ?? "")
            rows.bind(2, isBridged ? 1 : 0)
            rows.bind(3, Int64(limit))
            var json = JSONWriter(capacity: 4096)
            var changed: Int64 = 0
            json.beginObject()
            while try rows.step() {
                json.key(rows.text(0))
                json.beginObject()
                json.member("name", rows.text(1))
                json.endObject()
                changed = max(changed, rows.int(2))
            }
            json.endObject()
            return (json.bytes, changed)
        }
    }

    // MARK: Channels

    /// `allchannels`: the channels that the caller may know of, in order of creation.
    public func channels(for access: Access) async throws -> ViewAnswer {
        try await read(.channels) { db, suffix in
            let rows = try RawStatement(
                cached: """
                    SELECT c.id, c.name, c.description, c.topic, c.users, c.audience, c.changed, m.userId
                    FROM channels\(suffix) AS c
                    LEFT JOIN channelMembers\(suffix) AS m ON m.channel = c.key AND m.userId = ? ORDER BY c.key
                    """, db)
            defer { rows.reset() }
            rows.bind(1, access.userId)
            var json = JSONWriter(capacity: 64 << 10)
            var changed = try Int64.fetchOne(db, sql: "SELECT changed FROM channelMark\(suffix)") ?? 0
            json.beginArray()
            while try rows.step() {
                let audience = rows.int(5)
                guard access.mayRead(audience: audience) else { continue }
                if audience != 0 { changed = max(changed, rows.int(6)) }
                json.beginObject()
                json.member("id", rows.text(0))
                json.member("name", rows.text(1))
                json.member("description", ifPresent: rows.isNull(2) ? nil : rows.text(2))
                json.member("topic", ifPresent: rows.isNull(3) ? nil : rows.text(3))
                json.member("users", rows.int(4))
                if audience != 0 { json.member("private", true) }
                if !rows.isNull(7) { json.member("member", true) }
                json.endObject()
            }
            json.endArray()
            return (json.bytes, changed)
        }
    }

    /// `channel/ID`: a channel and a page of its members, by id.
    public func channel(
        _ id: String, after user: String?, limit: Int, for access: Access
    ) async throws -> ViewAnswer {
        try await read(.channels) { db, suffix in
            let channel = try RawStatement(
                cached: """
                    SELECT key, name, description, topic, creator, users, audience, changed FROM channels\(suffix)
                    WHERE id = ?
                    """, db)
            defer { channel.reset() }
            channel.bind(1, id)
            guard try channel.step(), access.mayRead(audience: channel.int(6)) else {
                throw ViewRefusal.channelNotFound
            }
            var changed = channel.int(7)
            var json = JSONWriter(capacity: 16 << 10)
            json.beginObject()
            json.member("id", id)
            json.member("name", channel.text(1))
            json.member("description", ifPresent: channel.isNull(2) ? nil : channel.text(2))
            json.member("topic", ifPresent: channel.isNull(3) ? nil : channel.text(3))
            json.member("private", channel.int(6) != 0)
            json.member("creator", channel.text(4))
            json.member("count", channel.int(5))
            json.key("users")
            json.beginArray()
            let members = try RawStatement(
                cached: """
                    SELECT m.userId, n.name, n.changed FROM channelMembers\(suffix) AS m
                    LEFT JOIN channelNames\(suffix) AS n ON n.userId = m.userId
                    WHERE m.channel = ? AND m.userId > ? ORDER BY m.userId LIMIT ?
                    """, db)
            defer { members.reset() }
            members.bind(1, channel.int(0))
            members.bind(2, user ?? "")
            members.bind(3, Int64(limit))
            while try members.step() {
                json.beginObject()
                json.member("id", members.text(0))
                json.member("name", members.isNull(1) ? members.text(0) : members.text(1))
                json.endObject()
                changed = max(changed, members.int(2))
            }
            json.endArray()
            json.endObject()
            return (json.bytes, changed)
        }
    }

    // MARK: Messages

    /// `messages/ID`: a page of a channel's messages, oldest first.
    public func messages(
        _ channel: String, _ place: MessagePlace, limit: Int, for access: Access
    ) async throws -> ViewAnswer {
        try await read(.messages) { db, suffix in
            let life = try Self.life(channel, db, suffix, access)
            let page = try MessagePage(db, suffix, channel: life.key, place, limit: limit)
            var json = JSONWriter(capacity: 32 << 10)
            json.beginObject()
            json.key("messages")
            json.beginArray()
            for message in page.messages { try message.write(to: &json, for: access.userId, db, suffix) }
            json.endArray()
            json.member("older", page.isOlderLeft)
            json.member("newer", page.isNewerLeft)
            json.endObject()
            return (json.bytes, life.changed)
        }
    }

    /// The present life of a channel: its key, and the position of the last event that changed its messages.
    /// - Throws: ``ViewRefusal/channelNotFound``.
    static func life(
        _ id: String, _ db: Database, _ suffix: String, _ access: Access
    ) throws -> (key: Int64, changed: Int64) {
        let life = try RawStatement(
            cached: "SELECT key, audience, changed FROM lives\(suffix) WHERE id = ? AND isAlive = 1", db)
        defer { life.reset() }
        life.bind(1, id)
        guard try life.step(), access.mayRead(audience: life.int(1)) else { throw ViewRefusal.channelNotFound }
        return (life.int(0), life.int(2))
    }

    /// `allmessages`: the newest messages of the channels that spoke last.
    /// - Parameter limit: The messages of each channel.
    public func allMessages(limit: Int, for access: Access) async throws -> ViewAnswer {
        try await read(.messages) { db, suffix in
            let lives = try RawStatement(
                cached: """
                    SELECT key, id, audience, changed FROM lives\(suffix) WHERE isAlive = 1 ORDER BY last DESC
                    """, db)
            defer { lives.reset() }
            var (json, changed, channels) = (JSONWriter(capacity: 64 << 10), Int64(0), 0)
            json.beginObject()
            while channels < Self.maxChannels, json.bytes.count < Self.maxBytes, try lives.step() {
                guard access.mayRead(audience: lives.int(2)) else { continue }
                channels += 1
                changed = max(changed, lives.int(3))
                json.key(lives.text(1))
                json.beginArray()
                let page = try MessagePage(db, suffix, channel: lives.int(0), .newest, limit: limit)
                for message in page.messages { try message.write(to: &json, for: access.userId, db, suffix) }
                json.endArray()
            }
            json.endObject()
            return (json.bytes, changed)
        }
    }

    /// The channels of `allmessages` at most, and the bytes after which it adds no other channel.
    private static let (maxChannels, maxBytes) = (1000, 15 << 20)
}

/// Where a page of messages lies in its channel.
public enum MessagePlace: Sendable, Equatable {
    /// At the end.
    case newest
    /// Before a position, not counted.
    case before(Int64)
    /// Behind a position, not counted.
    case after(Int64)
    /// On both sides of a position, which is included.
    case around(Int64)
}
