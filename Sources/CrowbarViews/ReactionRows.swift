import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes

/// Who reacted how to which message: a part of ``MessageRows``. Messages are named by their positions.
final class ReactionRows {
    private let add, remove, count, uncount, dropUncounted, dropAll, dropCounts: RawStatement

    init(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        add = try prepare("INSERT INTO reactions\(suffix) (message, userId, reaction, position) VALUES (?, ?, ?, ?)")
        remove = try prepare("DELETE FROM reactions\(suffix) WHERE message = ? AND userId = ? AND reaction = ?")
        count = try prepare(
            """
            INSERT INTO reactionCounts\(suffix) (message, reaction, count, first) VALUES (?, ?, 1, ?)
            ON CONFLICT (message, reaction) DO UPDATE SET count = count + 1
            """)
        uncount = try prepare(
            "UPDATE reactionCounts\(suffix) SET count = count - 1 WHERE message = ? AND reaction = ?")
        dropUncounted = try prepare("DELETE FROM reactionCounts\(suffix) WHERE message = ? AND count = 0")
        dropAll = try prepare("DELETE FROM reactions\(suffix) WHERE message = ?")
        dropCounts = try prepare("DELETE FROM reactionCounts\(suffix) WHERE message = ?")
    }

    func add(_ reaction: MessagesView.UserReaction, to message: Int64, _ event: ViewEvent) throws {
        add.bind(1, message)
        add.bind(2, reaction.userId)
        add.bind(3, reaction.reaction)
        add.bind(4, event.position)
        try add.run()
        count.bind(1, message)
        count.bind(2, reaction.reaction)
        count.bind(3, event.position)
        try count.run()
    }

    func remove(_ reaction: MessagesView.UserReaction, from message: Int64) throws {
        remove.bind(1, message)
        remove.bind(2, reaction.userId)
        remove.bind(3, reaction.reaction)
        try remove.run()
        uncount.bind(1, message)
        uncount.bind(2, reaction.reaction)
        try uncount.run()
        dropUncounted.bind(1, message)
        try dropUncounted.run()
    }

    /// Removes all reactions to a message.
    func drop(of message: Int64) throws {
        for statement in [dropAll, dropCounts] {
            statement.bind(1, message)
            try statement.run()
        }
    }

    /// The users of a reaction that are listed at most.
    private static let listed = 20

    /// Writes the member `reactions` of a message; nothing where it has none.
    static func write(
        of message: Int64, for user: String?, to json: inout JSONWriter, _ db: Database, _ suffix: String
    ) throws {
        let counts = try RawStatement(
            cached: "SELECT reaction, count FROM reactionCounts\(suffix) WHERE message = ? ORDER BY first", db)
        defer { counts.reset() }
        counts.bind(1, message)
        var isFirst = true
        while try counts.step() {
            if isFirst {
                json.key("reactions")
                json.beginArray()
            }
            isFirst = false
            let reaction = counts.text(0)
            json.beginObject()
            json.member("reaction", reaction)
            json.member("count", counts.int(1))
            json.key("users")
            json.beginArray()
            let users = try RawStatement(
                cached: """
                    SELECT userId FROM reactions\(suffix) WHERE message = ? AND reaction = ?
                    ORDER BY position LIMIT \(listed)
                    """, db)
            users.bind(1, message)
            users.bind(2, reaction)
            while try users.step() { json.string(users.text(0)) }
            users.reset()
            json.endArray()
            if let user, try isOf(user, reaction, message, db, suffix) { json.member("mine", true) }
            json.endObject()
        }
        if !isFirst { json.endArray() }
    }

    private static func isOf(
        _ user: String, _ reaction: String, _ message: Int64, _ db: Database, _ suffix: String
    ) throws -> Bool {
        let row = try RawStatement(
            cached: "SELECT 1 FROM reactions\(suffix) WHERE message = ? AND userId = ? AND reaction = ?", db)
        defer { row.reset() }
        row.bind(1, message)
        row.bind(2, user)
        row.bind(3, reaction)
        return try row.step()
    }
}
