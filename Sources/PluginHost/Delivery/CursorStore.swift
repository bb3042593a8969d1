import CrowbarCore
import Synchronization

/// Stores cursors and dead letters of a session's queues, one save at a time, off the task that owns the session.
final class CursorStore: Sendable {
    /// Milliseconds between two saves of a queue.
    static let interval: Int64 = 100
    /// Milliseconds between tries while the store cannot be written.
    static let failedInterval: Int64 = 1_000

    /// Where a queue stands; positions become entries here, off the delivery path.
    struct Change: Sendable {
        var id: QueueID
        var settledThrough: Int64
        var settled: [ClosedRange<Int64>]
        var retries: [QueueRecord.Retry]
        var parked: [QueueRecord.Parked] = []
        var state: [UInt8]?
        var bornAt: Int64
        /// When the plugin ceased to name it, Unix milliseconds.
        var droppedAt: Int64?
        /// Positions of dead letters that were redriven with success.
        var redriven: [Int64] = []
        /// The time of this, Unix milliseconds.
        var savedAt: Int64?
    }

    /// A dead letter whose event is known by its place.
    struct PendingDeadLetter: Sendable {
        var id: QueueID
        var position: Int64
        var code: String
        var message: String
        var attempts: Int64
        var first: Int64
        var last: Int64
    }

    /// How a save ended.
    enum Outcome: Sendable {
        /// The cursors as stored.
        case saved([QueueID: LogEntryID?])
        /// Nothing was stored.
        case failed(String)
    }

    /// One save.
    struct Job: Sendable {
        var changes: [Change]
        var letters: [PendingDeadLetter]
    }

    private let environment: HostEnvironment
    private let jobs: AsyncStream<Job>
    private let submit: AsyncStream<Job>.Continuation

    init(environment: HostEnvironment) {
        self.environment = environment
        // One save is under way at a time: the session waits for its outcome.
        (jobs, submit) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ job: Job) { submit.yield(job) }

    func close() { submit.finish() }

    func run(_ report: @Sendable (Outcome) -> Void) async {
        for await job in jobs { report(await save(job.changes, job.letters)) }
    }

    /// Saves at once.
    func save(_ changes: [Change], _ letters: [PendingDeadLetter]) async -> Outcome {
        do {
            var records: [QueueID: QueueRecord] = [:]
            var cursors: [QueueID: LogEntryID?] = [:]
            var known: [Int64: LogEntryID?] = [:]
            var redriven: [QueueID: [Int64]] = [:]
            for change in changes {
                // Many queues stand at the same place, at the head above all.
                if known[change.settledThrough] == nil {
                    known[change.settledThrough] = try await environment.log.entry(atOrBefore: change.settledThrough)
                }
                let cursor = known[change.settledThrough] ?? nil
                cursors[change.id] = cursor
                records[change.id] = QueueRecord(
                    cursor: cursor, bornAt: change.bornAt, settled: change.settled, retries: change.retries,
                    parked: change.parked, state: change.state, droppedAt: change.droppedAt,
                    savedAt: change.savedAt)
                if !change.redriven.isEmpty { redriven[change.id] = change.redriven }
            }
            var deadLetters: [DeadLetter] = []
            for letter in letters {
                guard let entry = try await environment.log.entry(atOrBefore: letter.position) else { continue }
                deadLetters.append(
                    DeadLetter(
                        id: letter.id, entry: entry, code: letter.code, message: letter.message,
                        attempts: letter.attempts, first: letter.first, last: letter.last))
            }
            try await environment.store.save(records, deadLetters: deadLetters, redriven: redriven)
            return .saved(cursors)
        } catch {
            return .failed("\(error)")
        }
    }
}
