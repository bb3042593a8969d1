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
        /// Who may read it: 0 for everybody, else the key of the private channel's life (``ChannelState/key``).
        public var audience: Int64
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
    /// The index of the name last seen for each hash of its bytes; -1 where there was none.
    private var recent: [Int32] = []

    /// Makes an empty page.
    public init(entries: Int = 0, bytes: Int = 0) {
        self.entries.reserveCapacity(entries)
        self.bytes.reserveCapacity(bytes)
    }

    /// Adds an entry.
    public mutating func append(
        position: Int64, timestamp: Int64, type: EventType, channel: String?, user: String, origin: String?,
        depth: UInt8, audience: Int64, json: UnsafeRawBufferPointer
    ) {
        append(
            position: position, timestamp: timestamp, type: type, channel: channel.map { intern($0) } ?? -1,
            user: intern(user), origin: origin.map { intern($0) } ?? -1, depth: depth, audience: audience,
            json: json)
    }

    /// Adds an entry whose names stand as UTF-8 where a database put them; a name seen before makes no `String`.
    public mutating func append(
        position: Int64, timestamp: Int64, type: EventType, channel: UnsafeRawBufferPointer?,
        user: UnsafeRawBufferPointer, origin: UnsafeRawBufferPointer?, depth: UInt8, audience: Int64,
        json: UnsafeRawBufferPointer
    ) {
        append(
            position: position, timestamp: timestamp, type: type, channel: channel.map { intern(utf8: $0) } ?? -1,
            user: intern(utf8: user), origin: origin.map { intern(utf8: $0) } ?? -1, depth: depth,
            audience: audience, json: json)
    }

    private mutating func append(
        position: Int64, timestamp: Int64, type: EventType, channel: Int32, user: Int32, origin: Int32,
        depth: UInt8, audience: Int64, json: UnsafeRawBufferPointer
    ) {
        entries.append(
            Entry(
                position: position, timestamp: timestamp, offset: Int32(bytes.count), length: Int32(json.count),
                channel: channel, user: user, origin: origin, audience: audience, type: type, depth: depth))
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

    /// The index of a name that stands as UTF-8; see ``intern(_:)``.
    public mutating func intern(utf8 name: UnsafeRawBufferPointer) -> Int32 {
        if recent.isEmpty { recent = Array(repeating: -1, count: Self.recentSlots) }
        // FNV-1a; a clash costs a look into the dictionary and nothing else.
        var hash: UInt32 = 2_166_136_261
        for byte in name { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let slot = Int(hash ^ hash >> 16) & (Self.recentSlots - 1)
        let known = recent[slot]
        if known >= 0, Self.holds(names[Int(known)], name) { return known }
        let found = intern(String(decoding: name, as: UTF8.self))
        recent[slot] = found
        return found
    }

    /// A power of two; more names than this in one page meet the dictionary now and then.
    private static let recentSlots = 256

    private static func holds(_ text: String, _ bytes: UnsafeRawBufferPointer) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { $0.elementsEqual(bytes) } ?? text.utf8.elementsEqual(bytes)
    }

    /// An entry's JSON.
    public func json(_ entry: Entry) -> ArraySlice<UInt8> {
        bytes[Int(entry.offset)..<Int(entry.offset + entry.length)]
    }

    /// The name at an index, or nil for -1.
    public func name(_ index: Int32) -> String? { index < 0 ? nil : names[Int(index)] }
}
