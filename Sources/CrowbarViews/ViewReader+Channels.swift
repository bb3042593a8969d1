import CrowbarCore
import CrowbarSQLite
import GRDB
import JSONBytes
import Synchronization

extension ViewReader {
    /// `allchannels`: the channels that the caller may know of, in order of creation.
    public func channels(for access: Access) async throws -> ViewAnswer {
        let epoch = publicChannels.epoch
        return try await read(
            .channels, for: access, changed: { db, suffix in try Self.changedChannels(db, suffix, access) }
        ) { db, suffix in
            let mark = try Self.changedPublicChannels(db, suffix)
            let known = try publicChannels.list(of: suffix, changed: mark, in: epoch) { try PublicChannels(db, suffix) }
            let own = try ListedChannel.privateOnes(for: access, db, suffix)
            let member = try Self.memberships(of: access.userId, db, suffix)
            let changed = own.map(\.changed).reduce(mark, max)
            if own.isEmpty, member.isEmpty { return (known.whole, changed) }
            return (known.merged(with: own, member: member), changed)
        }
    }

    private static func changedPublicChannels(_ db: Database, _ suffix: String) throws -> Int64 {
        let mark = try RawStatement(cached: "SELECT changed FROM channelMark\(suffix)", db)
        defer { mark.reset() }
        return try mark.step() ? mark.int(0) : 0
    }

    /// The position of the last event that changed `allchannels` for a reader.
    private static func changedChannels(_ db: Database, _ suffix: String, _ access: Access) throws -> Int64 {
        var changed = try changedPublicChannels(db, suffix)
        let own = try RawStatement(
            cached: "SELECT changed FROM channels\(suffix) WHERE audience = ? AND audience <> 0", db)
        defer { own.reset() }
        for audience in access.audiences {
            own.reset()
            own.bind(1, audience)
            if try own.step() { changed = max(changed, own.int(0)) }
        }
        return changed
    }

    /// The keys of the channels that a user is a member of.
    private static func memberships(of user: String?, _ db: Database, _ suffix: String) throws -> Set<Int64> {
        guard let user else { return [] }
        let rows = try RawStatement(cached: "SELECT channel FROM channelMembers\(suffix) WHERE userId = ?", db)
        defer { rows.reset() }
        rows.bind(1, user)
        var found: Set<Int64> = []
        while try rows.step() { found.insert(rows.int(0)) }
        return found
    }

    /// `channel/ID`: a channel and a page of its members, by id.
    public func channel(
        _ id: String, after user: String?, limit: Int, for access: Access
    ) async throws -> ViewAnswer {
        try await read(.channels, for: access) { db, suffix in
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
}

/// A channel of `allchannels`: its object without the closing brace, which may still get a member.
struct ListedChannel {
    var key: Int64
    var changed: Int64
    var json: [UInt8]

    private static let columns = "key, id, name, description, topic, users, changed, audience"

    /// Takes the row that a statement of ``columns`` is at.
    private init(_ row: RawStatement) {
        key = row.int(0)
        changed = row.int(6)
        var json = JSONWriter(capacity: 256)
        json.beginObject()
        json.member("id", row.text(1))
        json.member("name", row.text(2))
        json.member("description", ifPresent: row.isNull(3) ? nil : row.text(3))
        json.member("topic", ifPresent: row.isNull(4) ? nil : row.text(4))
        json.member("users", row.int(5))
        if row.int(7) != 0 { json.member("private", true) }
        self.json = json.bytes
    }

    static func publicOnes(_ db: Database, _ suffix: String, _ body: (ListedChannel) -> Void) throws {
        let rows = try RawStatement(
            cached: "SELECT \(columns) FROM channels\(suffix) WHERE audience = 0 ORDER BY key", db)
        defer { rows.reset() }
        while try rows.step() { body(ListedChannel(rows)) }
    }

    /// The private channels that a reader may know of, in order of creation.
    static func privateOnes(for access: Access, _ db: Database, _ suffix: String) throws -> [ListedChannel] {
        var found: [ListedChannel] = []
        guard access.reader == .all else {
            let row = try RawStatement(
                cached: "SELECT \(columns) FROM channels\(suffix) WHERE audience = ? AND audience <> 0", db)
            defer { row.reset() }
            for audience in access.audiences {
                row.reset()
                row.bind(1, audience)
                if try row.step() { found.append(ListedChannel(row)) }
            }
            return found.sorted { $0.key < $1.key }
        }
        let rows = try RawStatement(
            cached: "SELECT \(columns) FROM channels\(suffix) WHERE audience <> 0 ORDER BY key", db)
        defer { rows.reset() }
        while try rows.step() { found.append(ListedChannel(rows)) }
        return found
    }
}

/// The public channels as JSON, which is the same for all readers but for the member `member`.
struct PublicChannels: Sendable {
    /// The whole answer for a reader without channels of their own.
    private(set) var whole: [UInt8] = [0x5B]
    /// Each channel's key, and where its object stands in ``whole``, without the closing brace.
    private var places: [(key: Int64, json: Range<Int>)] = []

    init(_ db: Database, _ suffix: String) throws {
        try ListedChannel.publicOnes(db, suffix) { channel in
            if !places.isEmpty { whole.append(0x2C) }
            places.append((channel.key, whole.count..<whole.count + channel.json.count))
            whole += channel.json
            whole.append(0x7D)
        }
        whole.append(0x5D)
    }

    private static let member = Array(#","member":true"#.utf8)

    /// The answer for a reader with channels of their own.
    func merged(with own: [ListedChannel], member: Set<Int64>) -> [UInt8] {
        var list: [UInt8] = []
        list.reserveCapacity(whole.count + own.reduce(0) { $0 + $1.json.count + 32 } + member.count * 16)
        func add(_ key: Int64, _ json: some Collection<UInt8>) {
            list.append(list.isEmpty ? 0x5B : 0x2C)
            list += json
            if member.contains(key) { list += Self.member }
            list.append(0x7D)
        }
        var rest = own[...]
        for place in places {
            while let first = rest.first, first.key < place.key {
                add(first.key, first.json)
                rest.removeFirst()
            }
            add(place.key, whole[place.json])
        }
        for channel in rest { add(channel.key, channel.json) }
        if list.isEmpty { list.append(0x5B) }
        list.append(0x5D)
        return list
    }
}

/// The last list of public channels that was read.
final class PublicChannelsCache: Sendable {
    private struct Known {
        var suffix: String
        var changed: Int64
        var list: PublicChannels
    }

    private struct State {
        var epoch = 0
        var known: Known?
    }

    private let state = Mutex(State())

    /// Counts how often the rows were replaced without an event. A reader asks for it before it begins to read.
    var epoch: Int { state.withLock(\.epoch) }

    /// Forgets the list, also for readers that have begun to read.
    func forget() {
        state.withLock { state in
            state.epoch += 1
            state.known = nil
        }
    }

    /// The list of a generation as of its last change, from memory or by `load`.
    func list(
        of suffix: String, changed: Int64, in epoch: Int, load: () throws -> PublicChannels
    ) rethrows -> PublicChannels {
        let fresh = state.withLock { state in
            state.epoch == epoch
                ? state.known.flatMap { $0.suffix == suffix && $0.changed == changed ? $0.list : nil } : nil
        }
        if let fresh { return fresh }
        let list = try load()
        state.withLock { state in
            if state.epoch == epoch { state.known = Known(suffix: suffix, changed: changed, list: list) }
        }
        return list
    }
}
