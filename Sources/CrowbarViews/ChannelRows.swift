import CrowbarCore
import CrowbarSQLite
import GRDB

/// The rows of ``ChannelsView``.
///
/// `changed` is the position of the last event that changed what readers of the row see. `mark` keeps it for the list
/// of public channels, which a destroyed channel changes too. Private channels do not touch it, so that nobody else can
/// see from it that they are used.
final class ChannelRows: ChannelRefolding {
    static let name = ViewName.channels

    private let suffix: String
    private let find, create, destroy, dropMembers, setTopic, isMember, join, leave, count, rename, mark: RawStatement

    static func tables(_ generation: Int64) -> [String] {
        [
            "channels_\(generation)", "channelMembers_\(generation)", "channelNames_\(generation)",
            "channelMark_\(generation)",
        ]
    }

    static func create(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        try db.execute(
            sql: """
                CREATE TABLE channels\(suffix) (
                    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT, topic TEXT,
                    creator TEXT NOT NULL, audience INTEGER NOT NULL, users INTEGER NOT NULL,
                    changed INTEGER NOT NULL);
                CREATE INDEX privateChannels\(suffix) ON channels\(suffix) (audience) WHERE audience <> 0;
                CREATE TABLE channelMembers\(suffix) (
                    channel INTEGER NOT NULL, userId TEXT NOT NULL, PRIMARY KEY (channel, userId)) WITHOUT ROWID;
                CREATE INDEX channelsOfMember\(suffix) ON channelMembers\(suffix) (userId);
                CREATE TABLE channelNames\(suffix) (
                    userId TEXT PRIMARY KEY, name TEXT NOT NULL, changed INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE channelMark\(suffix) (changed INTEGER NOT NULL);
                INSERT INTO channelMark\(suffix) (changed) VALUES (0);
                """)
    }

    init(_ db: Database, _ generation: Int64) throws {
        let suffix = "_\(generation)"
        self.suffix = suffix
        func prepare(_ sql: String) throws -> RawStatement { RawStatement(try db.makeStatement(sql: sql)) }
        find = try prepare("SELECT key, audience FROM channels\(suffix) WHERE id = ?")
        create = try prepare(
            """
            INSERT INTO channels\(suffix) (key, id, name, description, creator, audience, users, changed)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?1)
            """)
        destroy = try prepare("DELETE FROM channels\(suffix) WHERE key = ?")
        dropMembers = try prepare("DELETE FROM channelMembers\(suffix) WHERE channel = ?")
        setTopic = try prepare("UPDATE channels\(suffix) SET topic = ?2, changed = ?3 WHERE key = ?1")
        join = try prepare("INSERT INTO channelMembers\(suffix) (channel, userId) VALUES (?, ?)")
        isMember = try prepare("SELECT 1 FROM channelMembers\(suffix) WHERE channel = ? AND userId = ?")
        leave = try prepare("DELETE FROM channelMembers\(suffix) WHERE channel = ? AND userId = ?")
        count = try prepare("UPDATE channels\(suffix) SET users = users + ?2, changed = ?3 WHERE key = ?1")
        rename = try prepare(
            """
            INSERT INTO channelNames\(suffix) (userId, name, changed) VALUES (?, ?, ?)
            ON CONFLICT (userId) DO UPDATE SET name = excluded.name, changed = excluded.changed
            """)
        mark = try prepare("UPDATE channelMark\(suffix) SET changed = max(changed, ?)")
    }

    func apply(_ event: ViewEvent) throws {
        for change in try ChannelsView.changes(for: event) {
            switch change {
            case .created(let channel):
                create.bind(1, channel.key)
                create.bind(2, channel.id)
                create.bind(3, channel.name)
                create.bind(4, channel.description)
                create.bind(5, channel.creator)
                create.bind(6, channel.audience)
                try create.run()
                try addMember(channel.creator, (channel.key, channel.audience), event)
            case .destroyed(let id):
                let channel = try existing(id, event)
                for statement in [destroy, dropMembers] {
                    statement.bind(1, channel.key)
                    try statement.run()
                }
                try touch(channel, event)
            case .topic(let id, let topic):
                let channel = try existing(id, event)
                setTopic.bind(1, channel.key)
                setTopic.bind(2, topic)
                setTopic.bind(3, event.position)
                try setTopic.run()
                try touch(channel, event)
            case .joined(let id, let user): try addMember(user, try existing(id, event), event)
            case .left(let id, let user):
                let channel = try existing(id, event)
                guard try isMember(user, of: channel) else { continue }
                leave.bind(1, channel.key)
                leave.bind(2, user)
                try leave.run()
                try addToCount(-1, channel, event)
            case .named(let user, let name):
                rename.bind(1, user)
                rename.bind(2, name)
                rename.bind(3, event.position)
                try rename.run()
            }
        }
    }

    func refold(_ history: ChannelHistory, through end: Int64, _ db: Database) throws -> Bool {
        let lives = history.lives(through: end)
        let arguments: StatementArguments = [(lives.past + [lives.present ?? 0]).json, history.channel]
        let keys = "SELECT value FROM json_each(?1) UNION SELECT key FROM channels\(suffix) WHERE id = ?2"
        try db.execute(
            sql: "DELETE FROM channelMembers\(suffix) WHERE channel IN (\(keys))", arguments: arguments)
        try db.execute(sql: "DELETE FROM channels\(suffix) WHERE key IN (\(keys))", arguments: arguments)
        guard let present = lives.present else { return false }
        try history.replay(from: present, through: end, named: { _, _ in }, event: apply)
        return false
    }

    private typealias Channel = (key: Int64, audience: Int64)

    private func existing(_ id: String, _ event: ViewEvent) throws -> Channel {
        find.bind(1, id)
        defer { find.reset() }
        guard try find.step() else {
            throw ViewError.inconsistent(position: event.position, reason: "there is no channel '\(id)' then")
        }
        return (find.int(0), find.int(1))
    }

    private func isMember(_ user: String, of channel: Channel) throws -> Bool {
        isMember.bind(1, channel.key)
        isMember.bind(2, user)
        defer { isMember.reset() }
        return try isMember.step()
    }

    private func addMember(_ user: String, _ channel: Channel, _ event: ViewEvent) throws {
        join.bind(1, channel.key)
        join.bind(2, user)
        try join.run()
        try addToCount(1, channel, event)
    }

    private func addToCount(_ difference: Int64, _ channel: Channel, _ event: ViewEvent) throws {
        count.bind(1, channel.key)
        count.bind(2, difference)
        count.bind(3, event.position)
        try count.run()
        try touch(channel, event)
    }

    private func touch(_ channel: Channel, _ event: ViewEvent) throws {
        guard channel.audience == 0 else { return }
        mark.bind(1, event.position)
        try mark.run()
    }
}
