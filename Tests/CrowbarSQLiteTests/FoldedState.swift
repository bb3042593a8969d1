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

    init() {}

    /// Messages of channels that are there; those of destroyed ones are of no account.
    init(tablesOf log: SQLiteLog) async throws {
        self = try await log.pool.read { db in
            var state = FoldedState()
            for row in try Row.fetchAll(db, sql: "SELECT userId, name FROM users") { state.users[row[0]] = row[1] }
            for row in try Row.fetchAll(db, sql: "SELECT channelId, creator FROM channels") {
                state.channels[row[0]] = row[1]
            }
            for row in try Row.fetchAll(
                db, sql: "SELECT c.channelId, m.userId FROM members m JOIN channels c ON c.key = m.channelKey")
            {
                let (channel, user): (String, String) = (row[0], row[1])
                state.members.insert("\(channel) \(user)")
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
            channels[channel] = user
            members.insert("\(channel) \(user)")
        case .channelDestroyed:
            channels[channel] = nil
            members = members.filter { !$0.hasPrefix("\(channel) ") }
            messages = messages.filter { !$0.key.hasPrefix("\(channel) ") }
        case .channelTopicSet: break
        case .userJoinedChannel: members.insert("\(channel) \(user)")
        case .userLeftChannel: members.remove("\(channel) \(user)")
        case .messageSent, .messageEdited: messages[message] = "\(user) \(entry.position) false"
        case .messageDeleted:
            messages[message] = messages[message].map { $0.replacing(" false", with: " true") }
        }
    }
}
