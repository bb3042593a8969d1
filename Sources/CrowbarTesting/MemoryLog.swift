import CrowbarCore
import Synchronization

/// A log in memory, by the same rules as the durable ones.
public final class MemoryLog: EventLog {
    private struct Stored {
        var eventId: String
        var type: EventType
        var channel: String?
        var user: String
        var origin: String?
        var depth: UInt8
        var commandHash: [UInt8]
        var timestamp: Int64
        var audience: Int64
    }

    private struct State {
        var tables = MemoryTables()
        var stored: [Stored] = []
        var positions: [String: Int64] = [:]
        var outage: String?
    }

    public let growth = GrowthSignal()
    public let secret: [UInt8]
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// Makes an empty log.
    /// - Parameters:
    ///   - now: The Unix time in milliseconds.
    ///   - secret: The log's 32 secret bytes.
    public init(now: @escaping @Sendable () -> Int64, secret: [UInt8] = Array(0..<32)) {
        self.now = now
        self.secret = secret
    }

    /// From now on appends throw ``LogError/unavailable(_:)`` with these words; nil: they work again.
    public func setOutage(_ why: String?) { state.withLock { $0.outage = why } }

    public func requireWritable() async throws {
        if let why = state.withLock({ $0.outage }) { throw LogError.unavailable(why) }
    }

    public func append(_ batch: [Submission], then done: @escaping @Sendable (AppendOutcome) -> Void) {
        let now = now()
        let outcome = AppendOutcome {
            try state.withLock { state in
                if let why = state.outage { throw LogError.unavailable(why) }
                var outcomes: [Result<Receipt, CommandError>] = []
                for submission in batch {
                    do {
                        outcomes.append(.success(try Self.store(submission, now: now, &state)))
                    } catch let refusal as CommandError {
                        outcomes.append(.failure(refusal))
                    }
                }
                return outcomes
            }
        }
        if case .success(let outcomes) = outcome,
            outcomes.contains(where: { if case .success(let receipt) = $0 { !receipt.isDuplicate } else { false } })
        {
            growth.notify()
        }
        done(outcome)
    }

    private static func store(_ submission: Submission, now: Int64, _ state: inout State) throws -> Receipt {
        if let position = state.positions[submission.eventId] {
            let known = state.stored[Int(position) - 1]
            if submission.idSource != .derived, known.commandHash != submission.commandHash {
                throw CommandError.eventIdConflict(submission.eventId)
            }
            return Receipt(
                eventId: known.eventId, position: position, timestamp: known.timestamp, isDuplicate: true)
        }
        let position = Int64(state.stored.count) + 1
        let timestamp = max(now, state.stored.last?.timestamp ?? 0)
        let decision = try Decision.decide(submission, against: state.tables, position: position)
        if let change = decision.change { try state.tables.apply(change) }
        let audience = try decision.audience(in: state.tables)
        state.tables.events.append(EventEncoder.bytes(submission, decision, timestamp: timestamp))
        state.stored.append(
            Stored(
                eventId: submission.eventId, type: submission.command.type.event,
                channel: submission.command.type.hasChannel ? submission.command.channelId : nil,
                user: EventEncoder.userId(submission), origin: submission.origin?.plugin, depth: submission.depth,
                commandHash: submission.commandHash, timestamp: timestamp, audience: audience))
        state.positions[submission.eventId] = position
        return Receipt(eventId: submission.eventId, position: position, timestamp: timestamp)
    }

    private static func add(_ position: Int64, of state: State, to page: inout LogPage) {
        let stored = state.stored[Int(position) - 1]
        state.tables.events[Int(position) - 1].withUnsafeBytes {
            page.append(
                position: position, timestamp: stored.timestamp, type: stored.type, channel: stored.channel,
                user: stored.user, origin: stored.origin, depth: stored.depth,
                audience: stored.audience, json: $0)
        }
    }

    public func head() async throws -> LogEntryID? { try await entry(atOrBefore: .max) }

    public func read(after position: Int64, limit: Int, maxBytes: Int) async throws -> LogPage {
        state.withLock { state in
            var page = LogPage()
            var next = max(0, position) + 1
            while next <= state.stored.count, page.entries.count < limit {
                let length = state.tables.events[Int(next) - 1].count
                if !page.entries.isEmpty, page.bytes.count + length > maxBytes { break }
                Self.add(next, of: state, to: &page)
                next += 1
            }
            return page
        }
    }

    public func recent(after position: Int64) -> LogPage? {
        state.withLock { position == $0.stored.count ? LogPage() : nil }
    }

    public func read(positions: [Int64]) async throws -> LogPage {
        state.withLock { state in
            var page = LogPage()
            for position in positions where position >= 1 && position <= state.stored.count {
                Self.add(position, of: state, to: &page)
            }
            return page
        }
    }

    public func read(
        lane: LogLane, after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        page(after: position, through: end, limit: limit, maxBytes: maxBytes) { channel, user in
            switch lane {
            case .channel(let name): channel == name
            case .user(let name): channel == nil && user == name
            }
        }
    }

    public func readUserEvents(
        after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        page(after: position, through: end, limit: limit, maxBytes: maxBytes) { channel, _ in channel == nil }
    }

    private func page(
        after position: Int64, through end: Int64, limit: Int, maxBytes: Int,
        where isWanted: (_ channel: String?, _ user: String) -> Bool
    ) -> LogPage {
        state.withLock { state in
            var page = LogPage()
            var next = max(0, position) + 1
            while next <= min(end, Int64(state.stored.count)), page.entries.count < limit {
                let stored = state.stored[Int(next) - 1]
                if isWanted(stored.channel, stored.user) {
                    let length = state.tables.events[Int(next) - 1].count
                    if !page.entries.isEmpty, page.bytes.count + length > maxBytes { break }
                    Self.add(next, of: state, to: &page)
                }
                next += 1
            }
            return page
        }
    }

    public func readRights(of user: String, withPublic: Bool) async throws -> ReadRights {
        state.withLock { $0.tables.rights(of: user, head: Int64($0.stored.count), withPublic: withPublic) }
    }

    public func channel(_ id: String, for user: String) async throws -> ChannelMembership? {
        state.withLock { state in
            state.tables.channel(id).map {
                ChannelMembership(
                    $0, isMember: state.tables.isMember(user, of: $0), isInvited: state.tables.isInvited(user, to: $0))
            }
        }
    }

    public func position(of eventId: String) async throws -> Int64? { state.withLock { $0.positions[eventId] } }

    public func entry(atOrBefore position: Int64) async throws -> LogEntryID? {
        state.withLock { state in
            let found = min(position, Int64(state.stored.count))
            return found < 1 ? nil : LogEntryID(position: found, eventId: state.stored[Int(found) - 1].eventId)
        }
    }

    public func lastEntry(before milliseconds: Int64) async throws -> LogEntryID? {
        state.withLock { state in
            guard let found = state.stored.lastIndex(where: { $0.timestamp < milliseconds }) else { return nil }
            return LogEntryID(position: Int64(found) + 1, eventId: state.stored[found].eventId)
        }
    }

    public func count(after position: Int64, through end: Int64) async throws -> Int64 {
        state.withLock { max(0, min(end, Int64($0.stored.count)) - max(0, position)) }
    }
}
