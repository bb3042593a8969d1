import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

/// What a view answers: the JSON, and what a client needs to ask again or to go on from there.
public struct ViewAnswer: Sendable, Equatable {
    /// The JSON.
    public var body: [UInt8]
    /// The last event that the view had applied.
    public var checkpoint: ViewCheckpoint
    /// The event behind which a stream of this caller misses nothing: the checkpoint's, where the caller may read that
    /// event, else the last one before it that everybody may read. Empty where there is none.
    public var resume: String
    /// The position of the last event that changed this answer, or of a later one: two different answers to one
    /// question never have the same.
    public var changed: Int64
    /// The version of the view's rows.
    public var version: Int
    /// Whether the caller has this answer already, so that `body` was not made.
    public var isKnown = false
}

/// Why a view does not answer.
public enum ViewRefusal: Error, Sendable, Equatable {
    /// The database is not open: the server has just started, or cannot open it.
    case notOpen
    /// So many searches wait for their turn that a further one is refused.
    case searchesFull
    /// The view is not complete yet.
    case notBuilt(ViewName)
    /// There is no such channel, or the caller may not know of it.
    case channelNotFound
}

/// Answers questions from the rows of the views; each in one short read transaction.
public struct ViewReader: Sendable {
    private let pool: DatabasePool
    let publicChannels: PublicChannelsCache
    let searchTurns = SearchTurns()
    /// Whether the caller has the answer of a version and a `changed` already. It is asked before the JSON is made,
    /// where that is cheap.
    public var isKnown: @Sendable (_ version: Int, _ changed: Int64) -> Bool = { _, _ in false }

    /// Reads what an engine keeps.
    init(_ engine: ViewEngine) {
        pool = engine.pool
        publicChannels = engine.publicChannels
    }

    /// One generation that is served, within a transaction.
    private struct Served {
        var suffix: String
        var checkpoint: ViewCheckpoint
        var version: Int
        var resume: String
    }

    private static func served(_ db: Database, _ view: ViewName, _ access: Access) throws -> Served {
        let row = try RawStatement(
            cached: """
                SELECT generation, position, eventId, version, audience, publicEventId FROM views
                WHERE name = ? AND isLive = 1
                """, db)
        defer { row.reset() }
        row.bind(1, view.rawValue)
        guard try row.step() else { throw ViewRefusal.notBuilt(view) }
        return Served(
            suffix: "_\(row.int(0))", checkpoint: ViewCheckpoint(position: row.int(1), eventId: row.text(2)),
            version: Int(row.int(3)), resume: row.text(access.mayRead(audience: row.int(4)) ? 2 : 5))
    }

    /// Reads a view in one transaction.
    /// - Parameters:
    ///   - changed: Finds the position of the last event that changed the answer, where that costs less than the JSON.
    ///   - body: Makes the JSON, and finds that position; nil where it is not kept, so that each event counts.
    func read(
        _ view: ViewName, for access: Access, changed: (@Sendable (Database, String) throws -> Int64)? = nil,
        _ body: @Sendable @escaping (Database, String) throws -> (json: [UInt8], changed: Int64?)
    ) async throws -> ViewAnswer {
        try await pool.read { db in
            let served = try Self.served(db, view, access)
            // For a reader of everything no view keeps when private channels went away.
            if let changed, access.reader != .all {
                let position = try changed(db, served.suffix)
                if isKnown(served.version, position) {
                    return ViewAnswer(
                        body: [], checkpoint: served.checkpoint, resume: served.resume, changed: position,
                        version: served.version, isKnown: true)
                }
            }
            let (json, changed) = try body(db, served.suffix)
            let known = access.reader == .all ? nil : changed
            return ViewAnswer(
                body: json, checkpoint: served.checkpoint, resume: served.resume,
                changed: known ?? served.checkpoint.position, version: served.version)
        }
    }

    // MARK: Users

    /// `allusers`: `{USERID: {"name"}}` by id.
    /// - Parameters:
    ///   - id: Users behind this id; nil from the first.
    ///   - isBridged: Whether the users of plugins and hooks are listed too (their ids have a `/`).
    public func users(
        after id: String?, limit: Int, isBridged: Bool, for access: Access
    ) async throws -> ViewAnswer {
        try await read(.users, for: access) { db, suffix in
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

    // MARK: Messages

    /// `messages/ID`: a page of a channel's messages, oldest first.
    public func messages(
        _ channel: String, _ place: MessagePlace, limit: Int, for access: Access
    ) async throws -> ViewAnswer {
        try await read(
            .messages, for: access, changed: { db, suffix in try Self.life(channel, db, suffix, access).changed }
        ) { db, suffix in
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
        try await read(
            .messages, for: access, changed: { db, suffix in try Self.changedMessages(db, suffix, access) }
        ) { db, suffix in
            let changed = try Self.changedMessages(db, suffix, access)
            let lives = try RawStatement(
                cached: """
                    SELECT key, id, audience FROM lives\(suffix) WHERE isAlive = 1 ORDER BY last DESC
                    """, db)
            defer { lives.reset() }
            var (json, channels) = (JSONWriter(capacity: 64 << 10), 0)
            json.beginObject()
            while channels < Self.maxChannels, json.bytes.count < Self.maxBytes, try lives.step() {
                guard access.mayRead(audience: lives.int(2)) else { continue }
                channels += 1
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

    /// The position of the last event that changed `allmessages` for a reader. Channels that are not listed count too:
    /// what changed one can be why it no longer is.
    private static func changedMessages(_ db: Database, _ suffix: String, _ access: Access) throws -> Int64 {
        var changed = try Int64.fetchOne(db, sql: "SELECT changed FROM messageMark\(suffix)") ?? 0
        let lives = try RawStatement(
            cached: "SELECT audience, max(changed) FROM lives\(suffix) WHERE isAlive = 1 GROUP BY audience", db)
        defer { lives.reset() }
        while try lives.step() {
            if access.mayRead(audience: lives.int(0)) { changed = max(changed, lives.int(1)) }
        }
        return changed
    }

    /// The channels of `allmessages` at most, and the bytes after which it adds no other channel: with the page of one
    /// more it has about 16 MiB.
    static let (maxChannels, maxBytes) = (1000, 12 << 20)
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
