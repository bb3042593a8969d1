import CrowbarCore
import GRDB

/// A channel's events from the log, of all its lives, and the names of those who were in it. The rows of one channel
/// are computed from these.
struct ChannelHistory: Sendable {
    /// What it may hold, as it is kept in memory.
    enum Limit {
        /// The events, those that name users among them.
        static let events = 100_000
        /// The bytes of their JSON.
        static let bytes = 256 << 20
        /// The events and the bytes of a page of the log.
        static let (pageEvents, pageBytes) = (1000, 1 << 20)
    }

    /// A name that a user got.
    private struct Naming {
        var position: Int64
        var user: String
        var name: String
    }

    /// The channel's id.
    let channel: String
    /// The last position of the log that was looked at.
    private(set) var through: Int64 = 0
    /// The events that it has.
    var count: Int { events + namings.count }

    /// Whether the channel never was.
    var isEmpty: Bool { events == 0 }

    private let hasNames: Bool
    private let maxEvents: Int
    private var events = 0
    private var bytes = 0
    private var pages: [LogPage] = []
    private var namings: [Naming] = []
    /// Who ever was in the channel.
    private var users: Set<String> = []

    /// Makes an empty one.
    /// - Parameter hasNames: Whether it has the names of users too.
    init(of channel: String, hasNames: Bool, maxEvents: Int = Limit.events) {
        self.channel = channel
        self.hasNames = hasNames
        self.maxEvents = maxEvents
    }

    /// Reads on up to a position.
    /// - Throws: ``RebuildRefusal/channelTooLarge(events:)``, or the log's error.
    mutating func extend(from log: any EventLog, through end: Int64) async throws {
        guard end > through else { return }
        let known = users
        var position = through
        while true {
            let page = try await log.read(
                lane: .channel(channel), after: position, through: end, limit: Limit.pageEvents,
                maxBytes: Limit.pageBytes)
            guard let last = page.entries.last else { break }
            position = last.position
            for entry in page.entries where entry.type == .channelCreated || entry.type == .userJoinedChannel {
                if let user = page.name(entry.user) { users.insert(user) }
            }
            pages.append(page)
            events += page.entries.count
            bytes += page.bytes.count
            try requireRoom()
        }
        if hasNames {
            try await readNames(of: users, from: log, after: through, through: end)
            // Who is new in the channel has had a name before.
            let new = users.subtracting(known)
            if through > 0, !new.isEmpty { try await readNames(of: new, from: log, after: 0, through: through) }
            namings.sort { $0.position < $1.position }
        }
        through = end
    }

    private mutating func readNames(
        of users: Set<String>, from log: any EventLog, after start: Int64, through end: Int64
    ) async throws {
        var position = start
        while true {
            let page = try await log.readUserEvents(
                after: position, through: end, limit: Limit.pageEvents, maxBytes: Limit.pageBytes)
            guard let last = page.entries.last else { return }
            position = last.position
            for entry in page.entries {
                guard let user = page.name(entry.user), users.contains(user) else { continue }
                for case .named(let user, let name) in try UsersView.changes(for: try ViewEvent(entry, of: page)) {
                    namings.append(Naming(position: entry.position, user: user, name: name))
                }
            }
            try requireRoom()
        }
    }

    private func requireRoom() throws(RebuildRefusal) {
        if count > maxEvents || bytes > Limit.bytes { throw .channelTooLarge(events: maxEvents) }
    }

    /// The channel's events up to a position, in order.
    func forEach(through end: Int64, _ body: (LogPage, LogPage.Entry) throws -> Void) rethrows {
        for page in pages {
            for entry in page.entries where entry.position <= end { try body(page, entry) }
        }
    }

    /// The channel's events from one position to another, in order, and before each of them the names that users got
    /// since the one before; at last the names after the last event.
    func replay(
        from start: Int64, through end: Int64, named: (_ user: String, _ name: String) throws -> Void,
        event: (ViewEvent) throws -> Void
    ) throws {
        var rest = namings[...]
        func name(before position: Int64) throws {
            while let first = rest.first, first.position < position {
                try named(first.user, first.name)
                rest.removeFirst()
            }
        }
        try forEach(through: end) { page, entry in
            guard entry.position >= start else { return }
            try name(before: entry.position)
            try event(try ViewEvent(entry, of: page))
        }
        try name(before: end + 1)
    }

    /// The lives that the channel's id has had up to a position.
    func lives(through end: Int64) -> (past: [Int64], present: Int64?) {
        var (past, present) = ([Int64](), Int64?.none)
        forEach(through: end) { _, entry in
            switch entry.type {
            case .channelCreated: present = entry.position
            case .channelDestroyed:
                if let key = present { past.append(key) }
                present = nil
            default: break
            }
        }
        return (past, present)
    }
}

/// Rows of which those of one channel can be recomputed.
protocol ChannelRefolding: ViewRows {
    /// Replaces the rows of a channel by what its events say, within a transaction of the caller.
    /// - Parameter end: The last position that the rows have applied.
    /// - Returns: Whether texts changed that a search index has.
    /// - Throws: ``ViewError`` where an event does not fit.
    func refold(_ history: ChannelHistory, through end: Int64, _ db: Database) throws -> Bool
}

extension Sequence<Int64> {
    /// As a JSON array, for `json_each`: a statement can have only so many parameters.
    var json: String { "[\(map(String.init).joined(separator: ","))]" }
}
