import CrowbarCore
import CrowbarTesting
import Synchronization

/// A log whose appends are under way until they are released.
final class HeldLog: EventLog {
    private struct Held {
        var batches: [Int] = []
        var open: [@Sendable () -> Void] = []
    }

    private let log: MemoryLog
    private let held = Mutex(Held())

    init(_ log: MemoryLog) { self.log = log }

    /// How many submissions each append had.
    var sizes: [Int] { held.withLock { $0.batches } }

    /// Waits until so many appends have begun.
    func holds(_ count: Int) async { await settled { sizes.count >= count } }

    /// Waits for a condition, giving the other tasks their turn.
    func settled(_ isMet: () -> Bool) async { while !isMet() { await Task.yield() } }

    /// Ends the append that is under way.
    func release() {
        let open = held.withLock { held in
            let open = held.open
            held.open = []
            return open
        }
        for end in open { end() }
    }

    func append(_ batch: [Submission], then done: @escaping @Sendable (AppendOutcome) -> Void) {
        held.withLock {
            $0.batches.append(batch.count)
            $0.open.append { self.log.append(batch, then: done) }
        }
    }

    var growth: GrowthSignal { log.growth }
    var secret: [UInt8] { log.secret }
    func head() async throws -> LogEntryID? { try await log.head() }
    func recent(after position: Int64) -> LogPage? { log.recent(after: position) }
    func read(after position: Int64, limit: Int, maxBytes: Int) async throws -> LogPage {
        try await log.read(after: position, limit: limit, maxBytes: maxBytes)
    }
    func read(positions: [Int64]) async throws -> LogPage { try await log.read(positions: positions) }
    func read(
        lane: LogLane, after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        try await log.read(lane: lane, after: position, through: end, limit: limit, maxBytes: maxBytes)
    }
    func readUserEvents(
        after position: Int64, through end: Int64, limit: Int, maxBytes: Int
    ) async throws -> LogPage {
        try await log.readUserEvents(after: position, through: end, limit: limit, maxBytes: maxBytes)
    }
    func readRights(of user: String, withPublic: Bool) async throws -> ReadRights {
        try await log.readRights(of: user, withPublic: withPublic)
    }
    func channel(_ id: String, for user: String) async throws -> ChannelMembership? {
        try await log.channel(id, for: user)
    }
    func position(of eventId: String) async throws -> Int64? { try await log.position(of: eventId) }
    func entry(atOrBefore position: Int64) async throws -> LogEntryID? { try await log.entry(atOrBefore: position) }
    func lastEntry(before milliseconds: Int64) async throws -> LogEntryID? {
        try await log.lastEntry(before: milliseconds)
    }
    func count(after position: Int64, through end: Int64) async throws -> Int64 {
        try await log.count(after: position, through: end)
    }
}
