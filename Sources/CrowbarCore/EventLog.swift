/// The log as the rest of Crowbar sees it: append-only, totally ordered, durable. SQLite and memory are behind it
/// today; nothing in it would keep a distributed log from being behind it.
public protocol EventLog: Sendable {
    /// Decides submissions one after the other against the head and stores what is not refused, all in one go.
    /// - Parameters:
    ///   - batch: In the order in which they are decided.
    ///   - done: Called once what was stored is durable, on any thread and before this returns or later, with a receipt
    ///     or a refusal for each, in the same order; or with ``LogError`` where nothing of the batch is
    ///     stored: no decision of it holds. It must return soon: the next append may wait for it.
    func append(_ batch: [Submission], then done: @escaping @Sendable (AppendOutcome) -> Void)

    /// Says that an append is likely to come at once, since its bytes have arrived and are being read, so that the log
    /// can prepare for it meanwhile. Nothing is lost where none comes, and each append may come without.
    func expectAppend()

    /// The newest entry, or nil where the log is empty.
    func head() async throws -> LogEntryID?

    /// A page of the entries behind a position, oldest first.
    /// - Parameters:
    ///   - position: The last-read position; 0 to read from the beginning.
    ///   - limit: The entries at most.
    ///   - maxBytes: The bytes of JSON at which the page ends; at least one entry is given where there is one.
    func read(after position: Int64, limit: Int, maxBytes: Int) async throws -> LogPage

    /// The entries behind a position as far as they are in memory: at once, for readers that follow the head.
    /// - Parameter position: The last-read position.
    /// - Returns: The entries; an empty page where the position is the head; nil where the log has to be read to know.
    func recent(after position: Int64) -> LogPage?

    /// The entries at these positions, in the order asked for; what is not there is left out.
    func read(positions: [Int64]) async throws -> LogPage

    /// A page of one lane's entries behind a position, oldest first.
    /// - Parameters:
    ///   - lane: What order is kept in.
    ///   - position: Reading starts behind it.
    ///   - end: The last position looked at.
    ///   - limit: The entries at most.
    ///   - maxBytes: As for ``read(after:limit:maxBytes:)``.
    func read(lane: LogLane, after position: Int64, through end: Int64, limit: Int, maxBytes: Int) async throws
        -> LogPage

    /// A page of the entries without a channel, which register and rename users, oldest first. The parameters are those
    /// of ``read(lane:after:through:limit:maxBytes:)``.
    func readUserEvents(after position: Int64, through end: Int64, limit: Int, maxBytes: Int) async throws -> LogPage

    /// Which private channels a user is a member of, and which the user is invited to, at the head of the log.
    ///
    /// For ``ReadAccess``, which decides by it who may read what.
    /// - Parameter withPublic: Whether the public channels are wanted too.
    func readRights(of user: String, withPublic: Bool) async throws -> ReadRights

    /// The channel of that id and what a user is in it, at the head of the log; nil if there is none.
    func channel(_ id: String, for user: String) async throws -> ChannelMembership?

    /// The position of the event of that id, or nil.
    func position(of eventId: String) async throws -> Int64?

    /// The last entry at or before a position, or nil where there is none.
    func entry(atOrBefore position: Int64) async throws -> LogEntryID?

    /// The last entry whose timestamp is before a time, or nil where there is none.
    /// - Parameter milliseconds: Unix time in milliseconds.
    func lastEntry(before milliseconds: Int64) async throws -> LogEntryID?

    /// The entries between two positions, `after` not counted.
    func count(after position: Int64, through end: Int64) async throws -> Int64

    /// Whether an append can be stored now, as far as can be seen without one. Where the last one failed it is tried
    /// again with something that changes nothing, so that the answer turns by itself once the reason is gone.
    /// - Throws: ``LogError``: why not.
    func requireWritable() async throws

    /// The entries between two positions by type, channel and plugin, `after` not counted; each kind once, in no order.
    func tally(after position: Int64, through end: Int64) async throws -> [LogTally]

    /// Wakes readers after each append. Carries no data: a reader reads after its own position.
    var growth: GrowthSignal { get }

    /// 32 random bytes that belong to this log: the key under which the ids of plugins' events are derived.
    var secret: [UInt8] { get }
}

/// What became of an append: a receipt or a refusal for each submission, or why nothing of it was stored.
public typealias AppendOutcome = Result<[Result<Receipt, CommandError>], any Error>

extension EventLog {
    public func expectAppend() {}

    public func requireWritable() async throws {}

    /// As ``readRights(of:withPublic:)``, without the public channels.
    public func readRights(of user: String) async throws -> ReadRights {
        try await readRights(of: user, withPublic: false)
    }

    /// As ``append(_:then:)``, and returns once it is durable.
    public func append(_ batch: [Submission]) async throws -> [Result<Receipt, CommandError>] {
        try await withCheckedThrowingContinuation { continuation in append(batch) { continuation.resume(with: $0) } }
    }
}

/// What order is kept in: a channel, or a user for events without a channel.
public enum LogLane: Sendable, Hashable {
    /// The events of a channel.
    case channel(String)
    /// The events of a user that are in no channel.
    case user(String)
}

/// An entry by both its names.
public struct LogEntryID: Sendable, Equatable, Hashable {
    /// Its place.
    public var position: Int64
    /// Its event's id.
    public var eventId: String

    /// Makes one.
    public init(position: Int64, eventId: String) {
        self.position = position
        self.eventId = eventId
    }
}

/// Why the log cannot do what it should.
public enum LogError: Error, Sendable, CustomStringConvertible {
    /// It cannot be written now, for a reason outside (a full disk, a lost connection); it may be tried again.
    case unavailable(String)
    /// It cannot be written now; it may be tried again. The reason is for callers and says what to do; the detail names
    /// the file, for the operator.
    case unwritable(reason: String, detail: String)
    /// It holds something that it should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .unavailable(let why): "the log is unavailable: \(why)"
        case .unwritable(_, let detail): "the log cannot be written: \(detail)"
        case .damaged(let why): "the log is damaged: \(why)"
        }
    }

    /// The reason without what only the operator should know.
    public var callersReason: String {
        switch self {
        case .unwritable(let reason, _): reason
        case .unavailable: "the log cannot be read now; the server's log says why"
        case .damaged: "the log is damaged; the server's log says how"
        }
    }
}
