/// The plugin host's bookkeeping, apart from the log so that it never queues with ingest.
public protocol HostStore: Sendable {
    /// The queues of a plugin by name.
    func queues(of plugin: String) async throws -> [String: QueueRecord]

    /// Stores the present state of queues, new dead letters, and the end of those that were redriven with success, in
    /// one transaction. A dead letter that is stored again no longer waits for its redrive.
    func save(
        _ records: [QueueID: QueueRecord], deadLetters: [DeadLetter], redriven: [QueueID: [Int64]]
    ) async throws

    /// Dead letters of a plugin, or of one of its queues, oldest first.
    func deadLetters(of plugin: String, queue: String?, limit: Int) async throws -> [DeadLetter]

    /// How many dead letters each queue has that has any.
    func deadLetterCounts() async throws -> [QueueID: Int]

    /// Lets dead letters be delivered once more.
    /// - Parameter eventIds: Those meant; nil: all.
    /// - Returns: How many wait now that did not wait before.
    func redrive(_ plugin: String, queue: String?, eventIds: [String]?) async throws -> Int

    /// The positions of dead letters that wait to be delivered once more, by queue, ascending.
    func redrives(of plugin: String) async throws -> [String: [Int64]]

    /// Removes dead letters.
    /// - Parameter eventIds: Those meant; nil: all.
    /// - Returns: How many were removed.
    func dropDeadLetters(of plugin: String, queue: String?, eventIds: [String]?) async throws -> Int

    /// The plugins that have queues, whether their manifests are there or not.
    func plugins() async throws -> [String]

    /// Removes queues that their plugins dropped before a time, in Unix milliseconds, with their dead letters.
    func purge(droppedBefore milliseconds: Int64) async throws

    /// Has queues that were dropped after the present, by a clock that was set back since, count as dropped now: else
    /// they would be kept for longer by the difference.
    func capDropTimes(at now: Int64) async throws

    /// Drops all that is kept of a plugin, in one transaction. One that is not known is fine.
    func forget(plugin: String) async throws

    /// Drops all that is kept of one queue, in one transaction. One that is not known is fine.
    func forget(queue: QueueID) async throws
}

extension HostStore {
    /// Stores the present state of queues and new dead letters in one transaction.
    public func save(_ records: [QueueID: QueueRecord], deadLetters: [DeadLetter]) async throws {
        try await save(records, deadLetters: deadLetters, redriven: [:])
    }
}

/// A queue of a plugin.
public struct QueueID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The plugin's name.
    public var plugin: String
    /// The queue's name.
    public var queue: String

    /// Makes one.
    public init(plugin: String, queue: String) {
        self.plugin = plugin
        self.queue = queue
    }

    public var description: String { "\(plugin)/\(queue)" }

    public static func < (a: QueueID, b: QueueID) -> Bool { (a.plugin, a.queue) < (b.plugin, b.queue) }
}

/// What is kept of a queue: where it stands, and what is not as simple as "all up to here is done".
public struct QueueRecord: Sendable, Equatable {
    /// A delivery that waits for its next try.
    public struct Retry: Sendable, Equatable {
        /// The event's position.
        public var position: Int64
        /// Deliveries so far.
        public var deliveries: Int64
        /// Those of them that count against the queue's `maxAttempts`.
        public var counted: Int64
        /// When it is due, Unix milliseconds.
        public var due: Int64
        /// The reason of the last failure, for programs.
        public var code: String
        /// The reason of the last failure, for people.
        public var message: String
        /// When it failed first, Unix milliseconds.
        public var first: Int64

        /// Makes one.
        public init(
            position: Int64, deliveries: Int64, counted: Int64, due: Int64, code: String, message: String, first: Int64
        ) {
            self.position = position
            self.deliveries = deliveries
            self.counted = counted
            self.due = due
            self.code = code
            self.message = message
            self.first = first
        }
    }

    /// A lane that is read apart from the log's order, since its next try is far off.
    public struct Parked: Sendable, Equatable {
        /// `#CHANNEL`, `@USER`, or `=POSITION` for a single event where no order is kept.
        public var lane: String
        /// Its first open event, with how often it was tried and when it is due.
        public var first: Retry
        /// Settled positions behind it.
        public var settled: [ClosedRange<Int64>]

        /// Makes one.
        public init(lane: String, first: Retry, settled: [ClosedRange<Int64>] = []) {
            self.lane = lane
            self.first = first
            self.settled = settled
        }
    }

    /// The cursor: the last entry such that it and all before it are settled, parked or filtered out; nil at the
    /// beginning.
    public var cursor: LogEntryID?
    /// The log's head when the queue came to be: what is not behind it is history.
    public var bornAt: Int64
    /// Settled positions above the cursor.
    public var settled: [ClosedRange<Int64>]
    /// Open retries, by position.
    public var retries: [Retry]
    /// Parked lanes.
    public var parked: [Parked]
    /// The plugin's own state of the queue, as JSON.
    public var state: [UInt8]?
    /// When the plugin ceased to name the queue, Unix milliseconds; nil while it is in use.
    public var droppedAt: Int64?
    /// When this was stored, Unix milliseconds: by the same clock as the times in it, which may have been set since.
    public var savedAt: Int64?

    /// Makes a record.
    public init(
        cursor: LogEntryID?, bornAt: Int64, settled: [ClosedRange<Int64>] = [], retries: [Retry] = [],
        parked: [Parked] = [], state: [UInt8]? = nil, droppedAt: Int64? = nil, savedAt: Int64? = nil
    ) {
        self.cursor = cursor
        self.bornAt = bornAt
        self.settled = settled
        self.retries = retries
        self.parked = parked
        self.state = state
        self.droppedAt = droppedAt
        self.savedAt = savedAt
    }

    /// How long a retry of this record has to wait, in milliseconds: never longer than it had to when it was stored, so
    /// that a clock that was set back makes nothing wait for the difference.
    /// - Parameters:
    ///   - retry: One of the record's.
    ///   - unixNow: Unix milliseconds.
    ///   - longest: The longest wait that there is, for records that do not say when they were stored.
    public func wait(_ retry: Retry, unixNow: Int64, longest: Int64) -> Int64 {
        func distance(from time: Int64) -> Int64 {
            let (wait, isFar) = retry.due.subtractingReportingOverflow(time)
            return isFar ? longest : min(max(0, wait), longest)
        }
        return min(distance(from: unixNow), savedAt.map { distance(from: $0) } ?? longest)
    }

    /// The same, no longer in use since a time, or in use again.
    public func dropped(at milliseconds: Int64?) -> QueueRecord {
        var record = self
        record.droppedAt = milliseconds
        return record
    }
}

/// An event that a queue gave up on.
public struct DeadLetter: Sendable, Equatable {
    /// The queue.
    public var id: QueueID
    /// The event.
    public var entry: LogEntryID
    /// Why, for programs.
    public var code: String
    /// Why, for people.
    public var message: String
    /// Deliveries that the plugin judged, or during which its process ended.
    public var attempts: Int64
    /// When it first failed, Unix milliseconds.
    public var first: Int64
    /// When it last failed, Unix milliseconds.
    public var last: Int64

    /// Makes one.
    public init(
        id: QueueID, entry: LogEntryID, code: String, message: String, attempts: Int64, first: Int64, last: Int64
    ) {
        self.id = id
        self.entry = entry
        self.code = code
        self.message = message
        self.attempts = attempts
        self.first = first
        self.last = last
    }
}
