import CrowbarCore
import CrowbarSQLite
import GRDB
import Glibc

/// How a view is, for the operator.
public struct ViewSummary: Sendable {
    /// Which versions of it there are and how far they have come.
    public var state: ViewState
    /// Events of the log that the served rows lack; that the build lacks, where none are served.
    public var lag: Int64
    /// Milliseconds since the view last came further, where it is behind.
    public var stalled: Int64?
    /// The bytes of its rows and indexes; nil where they were not counted.
    public var bytes: Int64?

    /// What is going on with it, in one word.
    public var word: String {
        if state.stopped != nil { return "stopped" }
        if state.build != nil { return state.live == nil ? "building" : "rebuilding" }
        return lag > 0 ? "behind" : "current"
    }
}

/// Why a rebuild does not begin.
public enum RebuildRefusal: Error, Sendable, Equatable {
    /// The disk has too little room for the new rows beside the old ones.
    case noSpace(needed: Int64, free: Int64)
    /// The view has no rows of single channels.
    case notByChannel
    /// The log has no event of a channel of this id.
    case noChannel
    /// The channel has more events, with those that name its users, than are applied in one transaction.
    case channelTooLarge(events: Int)
    /// An event of the channel does not fit, for this reason.
    case doesNotFit(String)
}

/// The result of recomputing the rows of one channel.
public struct ChannelRebuild: Sendable, Equatable {
    /// The bytes of a channel's events at most, in MiB.
    public static let maxMegabytes = ChannelHistory.Limit.bytes >> 20

    /// The events of the channel, with those that name its users.
    public var events: Int
    /// Whether texts changed, so that the search index is rebuilt beside the one that is served.
    public var isSearchRebuilt: Bool
}

extension Views {
    /// How all views are.
    /// - Parameter withSizes: Whether their bytes are counted, for which their pages are read.
    /// - Throws: ``ViewRefusal/notOpen``, the database's or the log's error.
    public func summaries(withSizes: Bool) async throws -> [ViewSummary] {
        let engine = try current().engine
        let sizes = withSizes ? try await Self.sizes(engine.pool) : [:]
        let states = try await engine.states()
        let head = try await log.head()?.position ?? 0
        return states.map { state in
            let position = state.live?.position ?? state.build?.position ?? 0
            let lag = max(0, head - position)
            return ViewSummary(
                state: state, lag: lag, stalled: lag > 0 ? engine.stalled(state.name) : nil, bytes: sizes[state.name])
        }
    }

    /// Starts to rebuild views beside the ones that are served, which they replace once they have caught up. One
    /// that is being built goes on, also one that a restart interrupted.
    /// - Throws: ``RebuildRefusal``, ``ViewRefusal/notOpen``, the database's error.
    public func rebuild(_ names: Set<ViewName>) async throws {
        let engine = try current().engine
        let building = Set(try await engine.states().filter { $0.build != nil && $0.stopped == nil }.map(\.name))
        let wanted = names.subtracting(building)
        if wanted.isEmpty { return }
        let sizes = try await Self.sizes(engine.pool)
        var info = statvfs()
        if statvfs(engine.pool.path, &info) == 0 {
            let free = Int64(clamping: UInt64(info.f_bavail).multipliedReportingOverflow(by: UInt64(info.f_frsize)).0)
            try Self.requireSpace(for: wanted, sizes, free: free)
        }
        try await engine.rebuild(wanted)
    }

    /// - Throws: ``RebuildRefusal/noSpace(needed:free:)`` where less is free than twice what the views take.
    static func requireSpace(
        for views: Set<ViewName>, _ sizes: [ViewName: Int64], free: Int64
    ) throws(RebuildRefusal) {
        // The index of the messages is built with them.
        let affected = views.contains(.messages) ? views.union([.search]) : views
        let needed = 2 * affected.reduce(0) { $0 + (sizes[$1] ?? 0) }
        if free < needed { throw .noSpace(needed: needed, free: free) }
    }

    /// Recomputes the rows of one channel, of all its lives, while the view goes on to follow the log.
    /// - Parameters:
    ///   - view: Of the messages and their search index the messages are recomputed; the index follows.
    ///   - channel: The channel's id.
    /// - Throws: ``RebuildRefusal``, ``ViewRefusal/notOpen``, the database's or the log's error.
    public func rebuild(_ view: ViewName, channel: String) async throws -> ChannelRebuild {
        switch view {
        case .users: throw RebuildRefusal.notByChannel
        case .channels: return try await current().engine.refold(.channels, channel: channel)
        case .messages, .search: return try await current().engine.refold(.messages, channel: channel)
        }
    }

    /// The bytes of each view's tables and indexes. Where SQLite cannot tell, each counts as the whole file.
    private static func sizes(_ pool: DatabasePool) async throws -> [ViewName: Int64] {
        try await pool.read { db in
            let generations = try Row.fetchAll(db, sql: "SELECT generation, name FROM views WHERE isLive = 1")
            var sizes: [ViewName: Int64] = [:]
            let bytes: [(String, Int64)]
            do {
                bytes = try Row.fetchAll(
                    db,
                    sql: """
                        SELECT s.name, s.tbl_name, d.pgsize FROM sqlite_schema AS s
                        JOIN dbstat AS d ON d.name = s.name AND d.aggregate = TRUE
                        """
                ).map { ($0["tbl_name"], $0["pgsize"]) }
            } catch is DatabaseError {
                let file = try Int64.fetchOne(
                    db, sql: "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
                return Dictionary(uniqueKeysWithValues: ViewName.allCases.map { ($0, file ?? 0) })
            }
            for row in generations {
                let (generation, text): (Int64, String) = (row["generation"], row["name"])
                guard let name = ViewName(rawValue: text) else { continue }
                // The tables of a full-text index are its name with endings: `search_5`, `search_5_data`.
                for (table, size) in bytes
                where table.split(separator: "_").dropFirst().first.map(String.init) == "\(generation)" {
                    sizes[name, default: 0] += size
                }
            }
            return sizes
        }
    }
}
