import GRDB

/// The reactions of messages on the log's writing connection. How many users have each reaction is kept beside them:
/// to count them for each command would take as long as a message has reactions.
struct SQLiteReactions {
    private let find, findKind, countKinds, put, drop, countUp, countDown, dropKind: RawStatement

    /// Prepares the statements; they belong to this connection.
    init(_ db: Database) throws {
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        let one = "channelKey = ? AND messageId = ? AND reaction = ?"
        find = try prepare("SELECT 1 FROM reactions WHERE \(one) AND userId = ?")
        findKind = try prepare("SELECT 1 FROM reactionCounts WHERE \(one)")
        countKinds = try prepare("SELECT count(*) FROM reactionCounts WHERE channelKey = ? AND messageId = ?")
        put = try prepare("INSERT INTO reactions (channelKey, messageId, reaction, userId) VALUES (?, ?, ?, ?)")
        drop = try prepare("DELETE FROM reactions WHERE \(one) AND userId = ?")
        countUp = try prepare(
            """
            INSERT INTO reactionCounts (channelKey, messageId, reaction, count) VALUES (?, ?, ?, 1)
            ON CONFLICT (channelKey, messageId, reaction) DO UPDATE SET count = count + 1
            """)
        countDown = try prepare("UPDATE reactionCounts SET count = count - 1 WHERE \(one)")
        dropKind = try prepare("DELETE FROM reactionCounts WHERE \(one) AND count = 0")
    }

    func has(_ reaction: String, of user: String, on message: String, _ channel: Int64) throws -> Bool {
        bind(find, channel, message, reaction, user)
        defer { find.reset() }
        return try find.step()
    }

    func has(_ reaction: String, on message: String, _ channel: Int64) throws -> Bool {
        bind(findKind, channel, message, reaction)
        defer { findKind.reset() }
        return try findKind.step()
    }

    func count(on message: String, _ channel: Int64) throws -> Int {
        bind(countKinds, channel, message)
        defer { countKinds.reset() }
        return try countKinds.step() ? Int(countKinds.int(0)) : 0
    }

    func add(_ reaction: String, of user: String, on message: String, _ channel: Int64) throws {
        bind(put, channel, message, reaction, user)
        try put.run()
        bind(countUp, channel, message, reaction)
        try countUp.run()
    }

    func remove(_ reaction: String, of user: String, on message: String, _ channel: Int64) throws {
        bind(drop, channel, message, reaction, user)
        try drop.run()
        bind(countDown, channel, message, reaction)
        try countDown.run()
        bind(dropKind, channel, message, reaction)
        try dropKind.run()
    }

    private func bind(_ statement: RawStatement, _ channel: Int64, _ texts: String...) {
        statement.bind(1, channel)
        for (index, text) in texts.enumerated() { statement.bind(Int32(index) + 2, text) }
    }
}
