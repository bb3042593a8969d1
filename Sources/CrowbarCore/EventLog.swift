/// The log as the rest of Crowbar sees it: append-only, totally ordered, durable. SQLite and memory are behind it today;
/// nothing in it would keep a distributed log from being behind it.
public protocol EventLog: Sendable {
    /// Decides submissions one after the other against the head and stores what is not refused, all in one go; returns
    /// once that is durable.
    /// - Parameter batch: In the order in which they are decided.
    /// - Returns: A receipt or a refusal for each, in the same order.
    /// - Throws: ``LogError/unavailable(_:)`` where nothing of the batch is stored: no decision of it holds.
    func append(_ batch: [Submission]) async throws -> [Result<Receipt, CommandError>]

    /// The newest entry, or nil where the log is empty.
    func head() async throws -> LogEntryID?

    /// A page of the entries behind a position, oldest first.
    /// - Parameters:
    ///   - position: The last-read position; 0 to read from the beginning.
    ///   - limit: The entries at most.
    ///   - maxBytes: The bytes of JSON at which the page ends; at least one entry is given where there is one.
    func read(after position: Int64, limit: Int, maxBytes: Int) async throws -> LogPage

    /// The entries at these positions, in the order asked for; what is not there is left out.
    func read(positions: [Int64]) async throws -> LogPage

    /// The position of the event of that id, or nil.
    func position(of eventId: String) async throws -> Int64?

    /// The last entry at or before a position, or nil where there is none.
    func entry(atOrBefore position: Int64) async throws -> LogEntryID?

    /// The last entry whose timestamp is before a time, or nil where there is none.
    /// - Parameter milliseconds: Unix time in milliseconds.
    func lastEntry(before milliseconds: Int64) async throws -> LogEntryID?

    /// The entries between two positions, `after` not counted.
    func count(after position: Int64, through end: Int64) async throws -> Int64

    /// Wakes readers after each append. Carries no data: a reader reads after its own position.
    var growth: GrowthSignal { get }

    /// 32 random bytes that belong to this log: the key under which the ids of plugins' events are derived.
    var secret: [UInt8] { get }
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
    /// It holds something that it should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .unavailable(let why): "the log is unavailable: \(why)"
        case .damaged(let why): "the log is damaged: \(why)"
        }
    }
}

/// A page of the log: the events' bytes one behind the other, and what is known of each without a look into them.
public struct LogPage: Sendable {
    /// One entry.
    public struct Entry: Sendable {
        /// Its place in the log.
        public var position: Int64
        /// Unix time in milliseconds.
        public var timestamp: Int64
        /// Where its JSON begins in ``LogPage/bytes``.
        public var offset: Int32
        /// The length of its JSON in bytes.
        public var length: Int32
        /// Its channel, as an index into ``LogPage/names``; -1 without one.
        public var channel: Int32
        /// Its user, as an index into ``LogPage/names``.
        public var user: Int32
        /// The plugin it came from, as an index into ``LogPage/names``; -1 without one.
        public var origin: Int32
        /// What happened.
        public var type: EventType
        /// How many-th link of a chain of causes it is.
        public var depth: UInt8
    }

    /// The entries, in the order asked for.
    public private(set) var entries: [Entry] = []
    /// Their JSON.
    public private(set) var bytes: [UInt8] = []
    /// Channels, users and plugins that occur, each once.
    public private(set) var names: [String] = []
    private var index: [String: Int32] = [:]

    /// Makes an empty page.
    public init(entries: Int = 0, bytes: Int = 0) {
        self.entries.reserveCapacity(entries)
        self.bytes.reserveCapacity(bytes)
    }

    /// Adds an entry.
    public mutating func append(
        position: Int64, timestamp: Int64, type: EventType, channel: String?, user: String, origin: String?,
        depth: UInt8, json: UnsafeRawBufferPointer
    ) {
        entries.append(
            Entry(
                position: position, timestamp: timestamp, offset: Int32(bytes.count), length: Int32(json.count),
                channel: channel.map { intern($0) } ?? -1, user: intern(user), origin: origin.map { intern($0) } ?? -1,
                type: type, depth: depth))
        bytes.append(contentsOf: json)
    }

    /// The index of a name among ``names``, which it joins where it is new.
    public mutating func intern(_ name: String) -> Int32 {
        if let known = index[name] { return known }
        let new = Int32(names.count)
        names.append(name)
        index[name] = new
        return new
    }

    /// An entry's JSON.
    public func json(_ entry: Entry) -> ArraySlice<UInt8> {
        bytes[Int(entry.offset)..<Int(entry.offset + entry.length)]
    }

    /// The name at an index, or nil for -1.
    public func name(_ index: Int32) -> String? { index < 0 ? nil : names[Int(index)] }
}
