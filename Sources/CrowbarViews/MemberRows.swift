import CrowbarCore
import CrowbarSQLite
import GRDB

/// Who is in which channel since when, and under which names a message can mention them: a part of ``MessageRows``.
final class MemberRows: MemberNames {
    private let findChannel, join, leave, channelsOf, dropMembers, dropNames, addName,
        removeName: RawStatement
    private let findName, setName, greatest, users: RawStatement
    /// The live channels' keys by id, as far as they were looked up.
    private var keys: [String: Int64] = [:]
    private static let maxKeys = 4096
    /// The one channel that is recomputed, and the names that users had at that point; nil while all channels follow
    /// the log.
    private var past: (channel: Int64, names: [String: String])?

    init(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        findChannel = try prepare("SELECT key FROM lives\(suffix) WHERE id = ? AND isAlive = 1")
        join = try prepare(
            "INSERT INTO messageMembers\(suffix) (channel, userId, joined, joinedEventId) VALUES (?, ?, ?, ?)")
        leave = try prepare("DELETE FROM messageMembers\(suffix) WHERE channel = ? AND userId = ?")
        channelsOf = try prepare("SELECT channel FROM messageMembers\(suffix) WHERE userId = ?")
        dropMembers = try prepare("DELETE FROM messageMembers\(suffix) WHERE channel = ?")
        dropNames = try prepare("DELETE FROM memberNames\(suffix) WHERE channel = ?")
        addName = try prepare("INSERT OR IGNORE INTO memberNames\(suffix) (channel, folded, userId) VALUES (?, ?, ?)")
        removeName = try prepare(
            "DELETE FROM memberNames\(suffix) WHERE channel = ? AND folded = ? AND userId = ?")
        findName = try prepare("SELECT name FROM messageNames\(suffix) WHERE userId = ?")
        setName = try prepare(
            """
            INSERT INTO messageNames\(suffix) (userId, name) VALUES (?, ?)
            ON CONFLICT (userId) DO UPDATE SET name = excluded.name
            """)
        greatest = try prepare(
            """
            SELECT folded FROM memberNames\(suffix) WHERE channel = ? AND folded <= ?
            ORDER BY channel DESC, folded DESC LIMIT 1
            """)
        users = try prepare(
            "SELECT userId FROM memberNames\(suffix) WHERE channel = ? AND folded = ? ORDER BY userId")
    }

    /// Drops what is remembered, as the transaction was undone.
    func forget() { keys = [:] }

    /// Recomputes one channel: ``rename(_:to:)`` changes nothing but this channel.
    func refold<Result>(_ channel: Int64, _ body: () throws -> Result) rethrows -> Result {
        forget()
        past = (channel, [:])
        defer {
            past = nil
            forget()
        }
        return try body()
    }

    func create(channel: String, key: Int64) throws { keys[channel] = key }

    func destroy(channel: String, key: Int64) throws {
        for statement in [dropMembers, dropNames] {
            statement.bind(1, key)
            try statement.run()
        }
        keys[channel] = nil
    }

    func join(_ user: String, channel: String, _ event: ViewEvent) throws {
        let key = try key(channel, at: event.position)
        join.bind(1, key)
        join.bind(2, user)
        join.bind(3, event.position)
        join.bind(4, event.eventId)
        try join.run()
        for folded in try names(of: user) { try change(addName, key, folded, user) }
    }

    /// Takes a member out of a channel; nothing where the user is none.
    func leave(_ user: String, channel: String) throws {
        guard let key = try key(channel) else { return }
        leave.bind(1, key)
        leave.bind(2, user)
        try leave.run()
        for folded in try names(of: user) { try change(removeName, key, folded, user) }
    }

    /// Gives a user another name, in all their channels.
    func rename(_ user: String, to name: String) throws {
        let old = try names(of: user)
        if past == nil {
            setName.bind(1, user)
            setName.bind(2, name)
            try setName.run()
        } else {
            past?.names[user] = name
        }
        let new = try names(of: user)
        guard old != new else { return }
        var channels: [Int64] = []
        channelsOf.bind(1, user)
        while try channelsOf.step() { channels.append(channelsOf.int(0)) }
        channelsOf.reset()
        for channel in channels where past.map({ $0.channel == channel }) ?? true {
            for folded in old.subtracting(new) { try change(removeName, channel, folded, user) }
            for folded in new.subtracting(old) { try change(addName, channel, folded, user) }
        }
    }

    private func change(_ statement: RawStatement, _ channel: Int64, _ folded: [UInt8], _ user: String) throws {
        statement.bind(1, channel)
        statement.bind(2, blob: folded)
        statement.bind(3, user)
        try statement.run()
    }

    /// What a user can be called: the folded id and, where there is one, the folded name.
    private func names(of user: String) throws -> Set<[UInt8]> {
        var names: Set<[UInt8]> = [Array(MentionFolding.fold(user).utf8)]
        if let past {
            if let name = past.names[user] { names.insert(Array(MentionFolding.fold(name).utf8)) }
            return names
        }
        findName.bind(1, user)
        defer { findName.reset() }
        if try findName.step() { names.insert(Array(MentionFolding.fold(findName.text(0)).utf8)) }
        return names
    }

    private func key(_ channel: String) throws -> Int64? {
        if let key = keys[channel] { return key }
        findChannel.bind(1, channel)
        defer { findChannel.reset() }
        guard try findChannel.step() else { return nil }
        if keys.count >= Self.maxKeys { keys.removeAll(keepingCapacity: true) }
        keys[channel] = findChannel.int(0)
        return findChannel.int(0)
    }

    private func key(_ channel: String, at position: Int64) throws -> Int64 {
        guard let key = try key(channel) else {
            throw ViewError.inconsistent(position: position, reason: "there is no channel '\(channel)' then")
        }
        return key
    }

    // MARK: MemberNames

    func greatest(atMost bound: [UInt8], in channel: String) throws -> [UInt8]? {
        guard let key = try key(channel) else { return nil }
        greatest.bind(1, key)
        greatest.bind(2, blob: bound)
        defer { greatest.reset() }
        return try greatest.step() ? Array(greatest.bytes(0)) : nil
    }

    func users(named folded: [UInt8], in channel: String) throws -> [String] {
        guard let key = try key(channel) else { return [] }
        users.bind(1, key)
        users.bind(2, blob: folded)
        defer { users.reset() }
        var found: [String] = []
        while try users.step() { found.append(users.text(0)) }
        return found
    }
}
