import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

/// The rows of ``MessagesView``.
final class MessageRows: ChannelRefolding {
    static let name = ViewName.messages

    /// The search indexes that are kept in step with the messages: the one that is served, and one that is built.
    var indexes: [SearchRows] = []
    /// Whether messages of destroyed channels are still there; see ``purge(limit:)``.
    private(set) var hasDeadMessages: Bool

    private let suffix: String
    private let members: MemberRows
    private let reactions: ReactionRows
    private let findLife, createLife, endLife, touchLife, isPublic, mark: RawStatement
    private let insert, find, edit, delete, lastOf, putMention, dropMentions, findDead, remove, dropLife: RawStatement
    /// What is not yet written of the lives that got messages in this transaction.
    private var touched: [Int64: Life] = [:]
    /// The lives of channel ids, as far as they were looked up.
    private var known: [String: Life] = [:]
    private static let maxKnown = 4096

    private struct Life {
        var key: Int64
        var last: Int64
        var changed: Int64
    }

    static func tables(_ generation: Int64) -> [String] { MessageSchema.tables(generation) }

    static func create(_ db: Database, _ generation: Int64) throws { try MessageSchema.create(db, generation) }

    init(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        self.suffix = suffix
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        members = try MemberRows(db, generation)
        reactions = try ReactionRows(db, generation)
        findLife = try prepare("SELECT key, last, changed FROM lives\(suffix) WHERE id = ? AND isAlive = 1")
        createLife = try prepare(
            """
            INSERT INTO lives\(suffix) (key, id, audience, isAlive, last, changed) VALUES (?1, ?2, ?3, 1, 0, ?1)
            """)
        endLife = try prepare("UPDATE lives\(suffix) SET isAlive = 0 WHERE key = ?")
        isPublic = try prepare("SELECT 1 FROM lives\(suffix) WHERE key = ? AND audience = 0")
        mark = try prepare("UPDATE messageMark\(suffix) SET changed = max(changed, ?)")
        touchLife = try prepare("UPDATE lives\(suffix) SET last = ?2, changed = ?3 WHERE key = ?1")
        insert = try prepare(
            """
            INSERT INTO messages\(suffix) (
                position, channel, messageId, eventId, userId, userName, timestamp, kind, replyTo, origin, meta,
                mentions, text)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        find = try prepare(
            """
            SELECT position, text, mentions FROM messages\(suffix)
            WHERE channel = ? AND messageId = ? AND isDeleted = 0
            """
        )
        edit = try prepare(
            """
            UPDATE messages\(suffix) SET text = ?2, mentions = ?3, editEventId = ?4, editTimestamp = ?5
            WHERE position = ?1
            """)
        delete = try prepare(
            """
            UPDATE messages\(suffix) SET isDeleted = 1, text = '', userName = '', meta = NULL, origin = NULL,
                mentions = NULL, replyTo = NULL
            WHERE position = ?
            """)
        lastOf = try prepare(
            "SELECT position FROM messages\(suffix) WHERE channel = ? AND isDeleted = 0 ORDER BY position DESC LIMIT 1")
        putMention = try prepare("INSERT INTO mentions\(suffix) (userId, channel, message) VALUES (?, ?, ?)")
        dropMentions = try prepare("DELETE FROM mentions\(suffix) WHERE userId = ? AND channel = ? AND message = ?")
        findDead = try prepare(
            """
            SELECT m.position, m.channel, m.isDeleted, m.text, m.mentions FROM lives\(suffix) AS l
            JOIN messages\(suffix) AS m ON m.channel = l.key WHERE l.isAlive = 0 LIMIT ?
            """)
        remove = try prepare("DELETE FROM messages\(suffix) WHERE position = ?")
        dropLife = try prepare("DELETE FROM lives\(suffix) WHERE isAlive = 0")
        hasDeadMessages =
            try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM lives\(suffix) WHERE isAlive = 0)") ?? false
    }

    func apply(_ event: ViewEvent) throws {
        let changes = try MessagesView.changes(for: event, reading: members, folding: MentionFolding.fold)
        for change in changes {
            switch change {
            case .channelCreated(let id, let key, let audience, let creator):
                createLife.bind(1, key)
                createLife.bind(2, id)
                createLife.bind(3, audience)
                try createLife.run()
                try members.create(channel: id, key: key)
                try members.join(creator, channel: id, event)
            case .channelDestroyed(let id): try destroy(id, event)
            case .joined(let channel, let user): try members.join(user, channel: channel, event)
            case .left(let channel, let user): try members.leave(user, channel: channel)
            case .named(let user, let name): try members.rename(user, to: name)
            case .sent(let message): try store(message, event)
            case .edited(let edit): try apply(edit, event)
            case .deleted(let channel, let id): try delete(id, channel, event)
            case .reacted(let reaction): try react(reaction, event) { try reactions.add(reaction, to: $0, event) }
            case .unreacted(let reaction): try react(reaction, event) { try reactions.remove(reaction, from: $0) }
            }
        }
    }

    func refold(_ history: ChannelHistory, through end: Int64, _ db: Database) throws -> Bool {
        forget()
        let refold = try MessageRefold(history, through: end, db, suffix)
        try refold.removeRows()
        if let present = history.lives(through: end).present {
            // They may have the texts already; see MessageRefold.
            let kept = indexes
            indexes = []
            defer { indexes = kept }
            try members.refold(present) {
                try history.replay(from: present, through: end, named: { try members.rename($0, to: $1) }, event: apply)
            }
            try flush()
        }
        return try refold.haveTextsChanged()
    }

    func flush() throws {
        for life in touched.values {
            touchLife.bind(1, life.key)
            touchLife.bind(2, life.last)
            touchLife.bind(3, life.changed)
            try touchLife.run()
        }
        touched.removeAll(keepingCapacity: true)
    }

    func forget() {
        touched = [:]
        known = [:]
        hasDeadMessages = true
        members.forget()
    }

    // MARK: Messages

    private func store(_ message: MessagesView.NewMessage, _ event: ViewEvent) throws {
        var life = try life(message.channel, event)
        insert.bind(1, event.position)
        insert.bind(2, life.key)
        insert.bind(3, message.messageId)
        insert.bind(4, event.eventId)
        insert.bind(5, message.userId)
        insert.bind(6, message.userName)
        insert.bind(7, event.timestamp)
        insert.bind(8, message.kind.rawValue)
        insert.bind(9, message.replyTo)
        insert.bind(10, blobIfPresent: message.origin)
        insert.bind(11, blobIfPresent: message.meta)
        insert.bind(12, blobIfPresent: MentionList.encode(message.mentions))
        insert.bind(13, message.text)
        try insert.run()
        for user in message.mentions { try mention(putMention, user, life.key, event.position) }
        for index in indexes { try index.add(event.position, message.text) }
        life.last = event.position
        note(life, message.channel, event)
    }

    private func apply(_ change: MessagesView.Edit, _ event: ViewEvent) throws {
        let life = try life(change.channel, event)
        let old = try existing(change.messageId, life, event)
        edit.bind(1, old.position)
        edit.bind(2, change.text)
        edit.bind(3, blobIfPresent: MentionList.encode(change.mentions))
        edit.bind(4, event.eventId)
        edit.bind(5, event.timestamp)
        try edit.run()
        for user in old.mentions where !change.mentions.contains(user) {
            try mention(dropMentions, user, life.key, old.position)
        }
        for user in change.mentions where !old.mentions.contains(user) {
            try mention(putMention, user, life.key, old.position)
        }
        for index in indexes {
            try index.remove(old.position, old.text)
            try index.add(old.position, change.text)
        }
        note(life, change.channel, event)
    }

    private func delete(_ id: String, _ channel: String, _ event: ViewEvent) throws {
        var life = try life(channel, event)
        let old = try existing(id, life, event)
        delete.bind(1, old.position)
        try delete.run()
        for user in old.mentions { try mention(dropMentions, user, life.key, old.position) }
        try reactions.drop(of: old.position)
        for index in indexes { try index.remove(old.position, old.text) }
        if life.last == old.position {
            lastOf.bind(1, life.key)
            defer { lastOf.reset() }
            life.last = try lastOf.step() ? lastOf.int(0) : 0
        }
        note(life, channel, event)
    }

    private func react(
        _ reaction: MessagesView.UserReaction, _ event: ViewEvent, _ change: (Int64) throws -> Void
    ) throws {
        let life = try life(reaction.channel, event)
        try change(try existing(reaction.messageId, life, event).position)
        note(life, reaction.channel, event)
    }

    private func mention(_ statement: RawStatement, _ user: String, _ channel: Int64, _ message: Int64) throws {
        statement.bind(1, user)
        statement.bind(2, channel)
        statement.bind(3, message)
        try statement.run()
    }

    private func existing(
        _ id: String, _ life: Life, _ event: ViewEvent
    ) throws -> (position: Int64, text: String, mentions: [String]) {
        find.bind(1, life.key)
        find.bind(2, id)
        defer { find.reset() }
        guard try find.step() else {
            throw ViewError.inconsistent(position: event.position, reason: "there is no message '\(id)' then")
        }
        return (find.int(0), find.text(1), MentionList.decode(find.bytesIfPresent(2)))
    }

    // MARK: Lives of channels

    private func life(_ id: String, _ event: ViewEvent) throws -> Life {
        if let life = known[id] { return life }
        findLife.bind(1, id)
        defer { findLife.reset() }
        guard try findLife.step() else {
            throw ViewError.inconsistent(position: event.position, reason: "there is no channel '\(id)' then")
        }
        return Life(key: findLife.int(0), last: findLife.int(1), changed: findLife.int(2))
    }

    /// Remembers that an event changed a channel's messages; ``flush()`` writes it.
    private func note(_ life: Life, _ id: String, _ event: ViewEvent) {
        var life = life
        life.changed = event.position
        if known.count >= Self.maxKnown { known.removeAll(keepingCapacity: true) }
        known[id] = life
        touched[life.key] = life
    }

    private func destroy(_ id: String, _ event: ViewEvent) throws {
        let life = try life(id, event)
        endLife.bind(1, life.key)
        try endLife.run()
        isPublic.bind(1, life.key)
        defer { isPublic.reset() }
        if try isPublic.step() {
            mark.bind(1, event.position)
            try mark.run()
        }
        touched[life.key] = nil
        known[id] = nil
        try members.destroy(channel: id, key: life.key)
        hasDeadMessages = true
    }

    /// Removes messages of destroyed channels, a part of them in each call, so that no transaction grows with a
    /// channel.
    /// - Parameter limit: The messages at most.
    func purge(limit: Int64) throws {
        guard hasDeadMessages else { return }
        var dead: [(position: Int64, channel: Int64, text: String?, mentions: [String])] = []
        findDead.bind(1, limit)
        while try findDead.step() {
            let text = findDead.int(2) == 0 ? findDead.text(3) : nil
            dead.append((findDead.int(0), findDead.int(1), text, MentionList.decode(findDead.bytesIfPresent(4))))
        }
        findDead.reset()
        for message in dead {
            for user in message.mentions { try mention(dropMentions, user, message.channel, message.position) }
            if let text = message.text { for index in indexes { try index.remove(message.position, text) } }
            try reactions.drop(of: message.position)
            remove.bind(1, message.position)
            try remove.run()
        }
        if dead.count < limit {
            try dropLife.run()
            hasDeadMessages = false
        }
    }
}

/// The users that a message mentions, as they stand in its row: a JSON array.
enum MentionList {
    /// nil for none.
    static func encode(_ users: [String]) -> [UInt8]? {
        if users.isEmpty { return nil }
        var json = JSONWriter(capacity: 64)
        json.beginArray()
        for user in users { json.string(user) }
        json.endArray()
        return json.bytes
    }

    static func decode(_ bytes: UnsafeRawBufferPointer?) -> [String] {
        guard let bytes, case .array(let elements)? = try? JSON(parsing: Array(bytes)) else { return [] }
        return elements.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }
}
