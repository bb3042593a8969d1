import CrowbarSQLite
import GRDB

/// What changed in the public channels of one projection since a position.
struct PublishScan: Sendable {
    /// The rows that were looked at, and the last event that they had applied.
    var mark: PublishedTable.Mark
    /// The version of the rows.
    var version: Int
    /// The position of the last event that changed the list of all channels, or the messages of all channels.
    var all: Int64
    /// Whether every channel was looked at.
    var isWhole: Bool
    /// Channels that changed, with the position of the last event that did.
    var changed: [(id: String, position: Int64)] = []
    /// Channels in which a member has another name.
    var renamed: [String] = []
    /// The number of public channels.
    var count: Int

    /// Looks at the served rows of a projection, each table in a short transaction of its own.
    /// - Parameters:
    ///   - mark: Up to where channels were looked at. Rows of another generation, or of an earlier position, are looked
    ///     at from the beginning, as are all with nil.
    ///   - names: Up to where names were looked at.
    /// - Returns: nil while none are served.
    static func read(
        _ view: ViewName, since mark: PublishedTable.Mark?, names: PublishedTable.Mark?, _ pool: DatabasePool
    ) async throws -> Self? {
        guard var scan = try await pool.read({ db in try channels(view, since: mark, db) }) else { return nil }
        if view != .channels { return scan }
        let (new, first) = (scan.mark, position(names, scan.mark))
        if first < 0 {
            scan.renamed = scan.changed.map(\.id)
        } else {
            // Many users can have got a name since, so this is read in parts.
            var (ids, last): (Set<String>, String?) = ([], "")
            while let user = last {
                let part = try await pool.read { db in try renamed(in: new.generation, since: first, after: user, db) }
                ids.formUnion(part.ids)
                last = part.last
            }
            scan.renamed = Array(ids)
        }
        return scan
    }

    private static func channels(_ view: ViewName, since mark: PublishedTable.Mark?, _ db: Database) throws -> Self? {
        let served = try Row.fetchOne(
            db, sql: "SELECT generation, position, version FROM views WHERE name = ? AND isLive = 1",
            arguments: [view.rawValue])
        guard let served else { return nil }
        let new = PublishedTable.Mark(generation: served["generation"], position: served["position"])
        let (table, condition, marks) =
            view == .channels
            ? ("channels_\(new.generation)", "audience = 0", "channelMark_\(new.generation)")
            : ("lives_\(new.generation)", "isAlive = 1 AND audience = 0", "messageMark_\(new.generation)")
        var all = try Int64.fetchOne(db, sql: "SELECT changed FROM \(marks)") ?? 0
        let sums = try Row.fetchOne(db, sql: "SELECT count(*), max(changed) FROM \(table) WHERE \(condition)")
        if view == .messages { all = max(all, sums?[1] ?? 0) }
        let first = position(mark, new)
        var scan = Self(mark: new, version: served["version"], all: all, isWhole: first < 0, count: sums?[0] ?? 0)
        let rows = try RawStatement(
            cached: "SELECT id, changed FROM \(table) WHERE \(condition) AND changed > ?", db)
        defer { rows.reset() }
        rows.bind(1, first)
        while try rows.step() { scan.changed.append((rows.text(0), rows.int(1))) }
        return scan
    }

    /// Users that are looked at in one transaction.
    private static let usersAtOnce = 500

    /// The public channels of some of the users who have another name, and the last of these users; nil where there are
    /// no more.
    private static func renamed(
        in generation: Int64, since first: Int64, after user: String, _ db: Database
    ) throws -> (ids: [String], last: String?) {
        // The rows can have been replaced since.
        guard try db.tableExists("channelNames_\(generation)") else { return ([], nil) }
        let users = """
            SELECT userId FROM channelNames_\(generation) WHERE userId > ? AND changed > ? ORDER BY userId
            LIMIT \(usersAtOnce)
            """
        let last = try String.fetchOne(db, sql: "SELECT max(userId) FROM (\(users))", arguments: [user, first])
        guard let last else { return ([], nil) }
        let ids = try String.fetchAll(
            db,
            sql: """
                SELECT DISTINCT c.id FROM (\(users)) AS n
                CROSS JOIN channelMembers_\(generation) AS m ON m.userId = n.userId
                CROSS JOIN channels_\(generation) AS c ON c.key = m.channel
                WHERE c.audience = 0
                """, arguments: [user, first])
        return (ids, last)
    }

    /// The position behind which changes count; below 0 for all.
    private static func position(_ old: PublishedTable.Mark?, _ new: PublishedTable.Mark) -> Int64 {
        guard let old, old.generation == new.generation, old.position <= new.position else { return -1 }
        return old.position
    }
}
