import CrowbarCore

/// What the web page's console asks beside the command line's listings. Each answers with JSON and throws a
/// `CommandError` if it is refused.
public struct ConsoleActions: Sendable {
    /// Dead letters of a page at most, and if the caller does not say.
    public static let letters = 100

    /// A replay that an admin asks for.
    public struct ReplayRequest: Sendable, Equatable {
        /// The rates that are allowed, in events a second.
        public static let rates: ClosedRange<Double> = 0.001...1_000_000
        /// Channels at most.
        public static let channels = 100

        /// The plugin.
        public var plugin: String
        /// One of its queues; nil: all.
        public var queue: String?
        /// Where it begins: `beginning`, `id:EVENTID` or `@TIME`.
        public var from: String
        /// Where it ends: as `from`, or nil for the head of the log.
        public var until: String?
        /// Events a second at most; nil: no limit.
        public var rate: Double?
        /// Channels, or patterns that end in `*`; empty: all.
        public var channels: [String]
        /// Drops an interrupted replay of the plugin.
        public var restart: Bool

        /// Makes one.
        public init(
            plugin: String, queue: String? = nil, from: String, until: String? = nil, rate: Double? = nil,
            channels: [String] = [], restart: Bool = false
        ) {
            self.plugin = plugin
            self.queue = queue
            self.from = from
            self.until = until
            self.rate = rate
            self.channels = channels
            self.restart = restart
        }
    }

    /// The nodes of the server.
    public var nodes: @Sendable () async throws -> [UInt8]
    /// The last hour of a plugin's queues.
    public var history: @Sendable (_ plugin: String) async throws -> [UInt8]
    /// A page of the dead letters of a plugin, or of `NAME/QUEUE`.
    public var deadLetters: @Sendable (_ name: String, _ after: String?, _ limit: Int) async throws -> [UInt8]
    /// The replays that run, and the last ones that ended.
    public var listReplays: @Sendable () async throws -> [UInt8]
    /// Starts a replay.
    public var startReplay: @Sendable (ReplayRequest) async throws -> [UInt8]
    /// Cancels a replay.
    public var cancelReplay: @Sendable (_ id: String) async throws -> [UInt8]

    /// Makes the actions.
    public init(
        nodes: @escaping @Sendable () async throws -> [UInt8],
        history: @escaping @Sendable (_ plugin: String) async throws -> [UInt8],
        deadLetters: @escaping @Sendable (_ name: String, _ after: String?, _ limit: Int) async throws -> [UInt8],
        listReplays: @escaping @Sendable () async throws -> [UInt8],
        startReplay: @escaping @Sendable (ReplayRequest) async throws -> [UInt8],
        cancelReplay: @escaping @Sendable (_ id: String) async throws -> [UInt8]
    ) {
        self.nodes = nodes
        self.history = history
        self.deadLetters = deadLetters
        self.listReplays = listReplays
        self.startReplay = startReplay
        self.cancelReplay = cancelReplay
    }
}
