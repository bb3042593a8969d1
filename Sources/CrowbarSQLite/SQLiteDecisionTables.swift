import CrowbarCore
import GRDB

/// The decision tables on the log's writing connection, within the append's transaction.
///
/// It is a class, because a struct would be copied for each call, and each copy would retain every statement.
///
/// Users, channels and memberships that were found are kept in memory, as nearly every message needs them. After a
/// rollback, and after any other use of the connection, ``forget()`` must be called.
final class SQLiteDecisionTables: DecisionTables {
    private struct Membership: Hashable {
        var channel: Int64
        var user: String
    }

    /// The most users, the most channels and the most memberships in memory. When one of these is full it is emptied.
    static let maxRemembered = 4_096

    private var names: [String: String] = [:]
    private var channels: [String: ChannelState] = [:]
    private var memberships: Set<Membership> = []

    private let findUser, findChannel, findMember, findMessage, findEvent: RawStatement
    private let putUser, putChannel, dropChannel, putMember, dropMember, dropMembers: RawStatement
    private let putMessage, editMessage, deleteMessage: RawStatement
    private let findInvitation, putInvitation, dropInvitation, dropInvitations: RawStatement
    private let findErased: RawStatement
    private let reactions: SQLiteReactions
    private let lastKey: () -> Int64

    /// Prepares the statements; they belong to this connection.
    init(_ db: Database) throws {
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        findUser = try prepare("SELECT name FROM users WHERE userId = ?")
        findChannel = try prepare("SELECT key, creator, private FROM channels WHERE channelId = ?")
        findMember = try prepare("SELECT 1 FROM members WHERE channelKey = ? AND userId = ?")
        findMessage = try prepare(
            "SELECT userId, textPosition, deleted FROM messages WHERE channelKey = ? AND messageId = ?")
        findEvent = try prepare("SELECT json FROM events WHERE position = ?")
        putUser = try prepare(
            "INSERT INTO users (userId, name) VALUES (?, ?) ON CONFLICT (userId) DO UPDATE SET name = excluded.name")
        putChannel = try prepare("INSERT INTO channels (channelId, creator, private) VALUES (?, ?, ?)")
        dropChannel = try prepare("DELETE FROM channels WHERE key = ?")
        putMember = try prepare("INSERT INTO members (channelKey, userId, private) VALUES (?, ?, ?)")
        dropMember = try prepare("DELETE FROM members WHERE channelKey = ? AND userId = ?")
        dropMembers = try prepare("DELETE FROM members WHERE channelKey = ?")
        putMessage = try prepare(
            "INSERT INTO messages (channelKey, messageId, userId, textPosition) VALUES (?, ?, ?, ?)")
        editMessage = try prepare("UPDATE messages SET textPosition = ? WHERE channelKey = ? AND messageId = ?")
        deleteMessage = try prepare("UPDATE messages SET deleted = 1 WHERE channelKey = ? AND messageId = ?")
        findInvitation = try prepare("SELECT 1 FROM invitations WHERE channelKey = ? AND userId = ?")
        putInvitation = try prepare("INSERT INTO invitations (channelKey, userId) VALUES (?, ?)")
        dropInvitation = try prepare("DELETE FROM invitations WHERE channelKey = ? AND userId = ?")
        dropInvitations = try prepare("DELETE FROM invitations WHERE channelKey = ?")
        findErased = try prepare("SELECT 1 FROM meta WHERE key = ?")
        reactions = try SQLiteReactions(db)
        lastKey = { db.lastInsertedRowID }
    }

    /// Reads everything from the database again.
    func forget() {
        names = [:]
        channels = [:]
        memberships = []
    }

    func userName(_ id: String) throws -> String? {
        if let known = names[id] { return known }
        defer { findUser.reset() }
        findUser.bind(1, id)
        guard try findUser.step() else { return nil }
        let name = findUser.text(0)
        if names.count >= Self.maxRemembered { names = [:] }
        names[id] = name
        return name
    }

    func isErased(_ user: String) throws -> Bool {
        defer { findErased.reset() }
        findErased.bind(1, LogSchema.erasedKey(user))
        return try findErased.step()
    }

    func channel(_ id: String) throws -> ChannelState? {
        if let known = channels[id] { return known }
        defer { findChannel.reset() }
        findChannel.bind(1, id)
        guard try findChannel.step() else { return nil }
        let channel = ChannelState(
            key: findChannel.int(0), creator: findChannel.text(1), isPrivate: findChannel.int(2) != 0)
        if channels.count >= Self.maxRemembered { channels = [:] }
        channels[id] = channel
        return channel
    }

    func isMember(_ user: String, of channel: ChannelState) throws -> Bool {
        let membership = Membership(channel: channel.key, user: user)
        if memberships.contains(membership) { return true }
        defer { findMember.reset() }
        findMember.bind(1, channel.key)
        findMember.bind(2, user)
        guard try findMember.step() else { return false }
        if memberships.count >= Self.maxRemembered { memberships = [] }
        memberships.insert(membership)
        return true
    }

    func isInvited(_ user: String, to channel: ChannelState) throws -> Bool {
        defer { findInvitation.reset() }
        findInvitation.bind(1, channel.key)
        findInvitation.bind(2, user)
        return try findInvitation.step()
    }

    func hasReacted(_ user: String, with reaction: String, on message: String, in channel: ChannelState) throws -> Bool
    {
        try reactions.has(reaction, of: user, on: message, channel.key)
    }

    func hasReaction(_ reaction: String, on message: String, in channel: ChannelState) throws -> Bool {
        try reactions.has(reaction, on: message, channel.key)
    }

    func reactionCount(on message: String, in channel: ChannelState) throws -> Int {
        try reactions.count(on: message, channel.key)
    }

    func message(_ id: String, in channel: ChannelState) throws -> MessageState? {
        defer { findMessage.reset() }
        findMessage.bind(1, channel.key)
        findMessage.bind(2, id)
        guard try findMessage.step() else { return nil }
        return MessageState(
            author: findMessage.text(0), textPosition: findMessage.int(1), isDeleted: findMessage.int(2) != 0)
    }

    func text(of message: MessageState) throws -> String {
        defer { findEvent.reset() }
        findEvent.bind(1, message.textPosition)
        guard try findEvent.step(), let text = EventEncoder.messageText(in: Array(findEvent.bytes(0))) else {
            throw LogError.damaged("a message's text is missing at position \(message.textPosition)")
        }
        return text
    }

    func apply(_ change: StateChange) throws {
        switch change {
        case .userNamed(let id, let name):
            names[id] = nil
            putUser.bind(1, id)
            putUser.bind(2, name)
            try putUser.run()
        case .channelCreated(let id, let creator, let isPrivate):
            putChannel.bind(1, id)
            putChannel.bind(2, creator)
            putChannel.bind(3, isPrivate ? 1 : 0)
            try putChannel.run()
            try add(creator, ChannelState(key: lastKey(), creator: creator, isPrivate: isPrivate))
        case .channelDestroyed(let id, let channel):
            channels[id] = nil
            memberships = []
            dropChannel.bind(1, channel.key)
            try dropChannel.run()
            dropMembers.bind(1, channel.key)
            try dropMembers.run()
            if channel.isPrivate { try run(dropInvitations, channel) }
        case .joined(let user, let channel):
            try add(user, channel)
            if channel.isPrivate { try run(dropInvitation, channel, user) }
        case .left(let user, let channel): try end(user, channel)
        case .invited(let user, let channel): try run(putInvitation, channel, user)
        case .removed(let user, let channel):
            try end(user, channel)
            if channel.isPrivate { try run(dropInvitation, channel, user) }
        case .messageSent(let id, let author, let channel, let position):
            try send(id, author, channel, position)
        case .messageEdited(let id, let channel, let position):
            editMessage.bind(1, position)
            editMessage.bind(2, channel.key)
            editMessage.bind(3, id)
            try editMessage.run()
        case .messageDeleted(let id, let channel):
            deleteMessage.bind(1, channel.key)
            deleteMessage.bind(2, id)
            try deleteMessage.run()
        case .reactionAdded(let reaction, let message, let user, let channel):
            try reactions.add(reaction, of: user, on: message, channel.key)
        case .reactionRemoved(let reaction, let message, let user, let channel):
            try reactions.remove(reaction, of: user, on: message, channel.key)
        }
    }

    private func run(_ statement: RawStatement, _ channel: ChannelState, _ user: String? = nil) throws {
        statement.bind(1, channel.key)
        if let user { statement.bind(2, user) }
        try statement.run()
    }

    private func end(_ user: String, _ channel: ChannelState) throws {
        memberships.remove(Membership(channel: channel.key, user: user))
        try run(dropMember, channel, user)
    }

    private func add(_ user: String, _ channel: ChannelState) throws {
        putMember.bind(1, channel.key)
        putMember.bind(2, user)
        putMember.bind(3, channel.isPrivate ? 1 : 0)
        try putMember.run()
    }

    private func send(_ id: String, _ author: String, _ channel: ChannelState, _ position: Int64) throws {
        putMessage.bind(1, channel.key)
        putMessage.bind(2, id)
        putMessage.bind(3, author)
        putMessage.bind(4, position)
        do {
            try putMessage.run()
        } catch let failure as RawStatement.Failure where failure.isDuplicate {
            // The statement undid itself. Only here is it seen that a message's default id, its event's, is taken: to
            // look for it before each message would cost a lookup on the hot path.
            throw CommandError.messageExists(id)
        }
    }
}
