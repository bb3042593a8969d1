import CrowbarCore
import GRDB
import JSONBytes

@testable import CrowbarSQLite

/// The decision tables as plain values: folded again from the events, or read from the database.
struct FoldedState: Equatable {
    var users: [String: String] = [:]
    var channels: [String: String] = [:]
    var members: Set<String> = []
    var messages: [String: String] = [:]
    var invitations: Set<String> = []
    /// `CHANNEL MESSAGE REACTION USER`.
    var reactions: Set<String> = []
    /// How many have each reaction, by `CHANNEL MESSAGE REACTION`.
    var reactionCounts: [String: Int] = [:]

    init() {}

    /// Messages of channels that are there; those of destroyed ones are of no account.
    init(tablesOf log: SQLiteLog) async throws {
        self = try await log.pool.read { db in
            var state = FoldedState()
            for row in try Row.fetchAll(db, sql: "SELECT userId, name FROM users") { state.users[row[0]] = row[1] }
            for row in try Row.fetchAll(db, sql: "SELECT channelId, creator, private FROM channels") {
                let (creator, isPrivate): (String, Bool) = (row[1], row[2])
                state.channels[row[0]] = "\(creator) \(isPrivate)"
            }
            for row in try Row.fetchAll(
                db,
                sql: "SELECT c.channelId, m.userId, m.private FROM members m JOIN channels c ON c.key = m.channelKey")
            {
                let (channel, user, isPrivate): (String, String, Bool) = (row[0], row[1], row[2])
                let isRight = state.channels[channel]?.hasSuffix(" \(isPrivate)") == true
                state.members.insert("\(channel) \(user)\(isRight ? "" : ", and private is wrong")")
            }
            for row in try Row.fetchAll(
                db,
                sql: """
                    SELECT c.channelId, m.messageId, m.userId, m.textPosition, m.deleted
                    FROM messages m JOIN channels c ON c.key = m.channelKey
                    """)
            {
                let (channel, id, user): (String, String, String) = (row[0], row[1], row[2])
                let (position, deleted): (Int64, Bool) = (row[3], row[4])
                state.messages["\(channel) \(id)"] = "\(user) \(position) \(deleted)"
            }
            let join = "JOIN channels c ON c.key = x.channelKey"
            for row in try Row.fetchAll(db, sql: "SELECT c.channelId || ' ' || x.userId FROM invitations x \(join)") {
                state.invitations.insert(row[0])
            }
            let kind = "c.channelId || ' ' || x.messageId || ' ' || x.reaction"
            for row in try Row.fetchAll(db, sql: "SELECT \(kind) || ' ' || x.userId FROM reactions x \(join)") {
                state.reactions.insert(row[0])
            }
            for row in try Row.fetchAll(db, sql: "SELECT \(kind), x.count FROM reactionCounts x \(join)") {
                state.reactionCounts[row[0]] = row[1]
            }
            return state
        }
    }

    mutating func apply(_ event: JSONObject, _ entry: LogPage.Entry) {
        let user = event.string("userId") ?? ""
        let channel = event.string("channelId") ?? ""
        let message = "\(channel) \(event.string("messageId") ?? "")"
        switch entry.type {
        case .userRegistered, .userRenamed: users[user] = event.string("name")
        case .channelCreated:
            channels[channel] = "\(user) \(event.bool("private") ?? false)"
            members.insert("\(channel) \(user)")
        case .channelDestroyed:
            channels[channel] = nil
            members = members.filter { !$0.hasPrefix("\(channel) ") }
            messages = messages.filter { !$0.key.hasPrefix("\(channel) ") }
            invitations = invitations.filter { !$0.hasPrefix("\(channel) ") }
            reactions = reactions.filter { !$0.hasPrefix("\(channel) ") }
            reactionCounts = reactionCounts.filter { !$0.key.hasPrefix("\(channel) ") }
        case .channelTopicSet: break
        case .userJoinedChannel:
            members.insert("\(channel) \(user)")
            invitations.remove("\(channel) \(user)")
        case .userInvited: invitations.insert("\(channel) \(event.string("invitee") ?? "")")
        case .userRemoved:
            members.remove("\(channel) \(event.string("member") ?? "")")
            invitations.remove("\(channel) \(event.string("member") ?? "")")
        case .reactionAdded:
            let kind = "\(message) \(event.string("reaction") ?? "")"
            reactions.insert("\(kind) \(user)")
            reactionCounts[kind, default: 0] += 1
        case .reactionRemoved:
            let kind = "\(message) \(event.string("reaction") ?? "")"
            reactions.remove("\(kind) \(user)")
            let left = (reactionCounts[kind] ?? 0) - 1
            reactionCounts[kind] = left > 0 ? left : nil
        case .userLeftChannel: members.remove("\(channel) \(user)")
        case .messageSent, .messageEdited: messages[message] = "\(user) \(entry.position) false"
        case .messageDeleted:
            messages[message] = messages[message].map { $0.replacing(" false", with: " true") }
        }
    }
}
