import CrowbarCore
import CrowbarViews
import Identity
import Logging
import OpenID

/// What the API needs of the rest of the server.
public struct APIConfiguration: Sendable {
    /// The limits of the API.
    public enum Limit {
        /// Connections at once; more wait to be accepted.
        public static let connections = 4_096
        /// The headers of a request, in bytes.
        public static let headers = 32 << 10
        /// One header, in bytes.
        public static let header = 16 << 10
        /// The number of headers of a request.
        public static let headerCount = 100
        /// A body of one command, in bytes.
        public static let command = 1 << 20
        /// A body of many commands, in bytes.
        public static let commands = 16 << 20
        /// The lines of such a body: each is answered, also one that is refused.
        public static let commandLines = 100_000
        /// What is read and dropped of a body that is too long before the connection is ended, in bytes.
        public static let dropped = 32 << 20
        /// All bodies together that are held at a time, in bytes; what is over it is refused with `unavailable`.
        public static let bodies = 128 << 20
        /// The bodies of one user, or one hook, that are held at a time, in bytes.
        public static let bodiesOfCaller = 16 << 20
        /// Bytes of a body that is read before an admin's call is looked at; the routes have smaller limits.
        public static let adminBody = 256 << 10
        /// Commands of a body of many that are submitted together.
        public static let batch = 512
        /// Events of a page where the caller does not say.
        public static let page = 1_000
        /// Events of a page at most.
        public static let maxPage = 100_000
        /// Events that one call looks at, at most: a filter can leave out nearly all of them.
        public static let scan = 200_000
        /// Bytes of JSON that are read from the log at a time, so that memory stays flat over a long page.
        public static let chunk = 256 << 10
        /// Entries that are read from the log at a time.
        public static let chunkEntries = 1_000
        /// Bytes of a stream that are written together.
        public static let write = 64 << 10
        /// Bytes of a long answer that the kernel is asked to keep for a reader; it doubles the number.
        public static let kernelBuffer = 256 << 10
        /// Event streams at once; half of them may be without a token.
        public static let streams = 2_000
        /// Event streams of one user at once.
        public static let streamsOfUser = 16
        /// Event streams from one address at once.
        public static let streamsOfAddress = 64
        /// Event streams behind the head of the log that read a page at once.
        public static let catchUps = 8
        /// How long a frame about a read marker waits until the views are at the head of the log, in milliseconds.
        public static let markWait: Int64 = 2_000
        /// When a stream that was refused is worth another try, in seconds.
        public static let streamRetrySeconds = 10
        /// Seconds of silence after which a follower is sent a comment, so that proxies keep the connection.
        public static let heartbeatSeconds: Int64 = 15
        /// Names in a `type` or `channel` parameter.
        public static let filterNames = 100
        /// Tokens whose principal is remembered.
        public static let cachedTokens = 4_096
        /// How long a token's principal is remembered, in milliseconds. With the second that the accounts remember it,
        /// and ``ListenerRules/Times/recheck`` of calls that go on, a change holds within 6 seconds.
        public static let cachedMilliseconds: Int64 = 2_000
        /// A body of an incoming hook, in bytes.
        public static let hook = 64 << 10
        /// Searches of one user in a second.
        public static let searchesPerSecond = 5
        /// Searches of one user at once.
        public static let searchesAtOnce = 2
        /// All answers of views together that are held until they are read, in bytes.
        public static let answers = 256 << 20
        /// The answers of views of one user, or of one address without a token, that are held, in bytes.
        public static let answersOfCaller = 32 << 20
        /// Answers of at most so many bytes are not counted as held.
        public static let uncountedAnswer = 64 << 10
        /// Commands of a signed-in user.
        public static let sessionCommands = CallRate(perSecond: 20, burst: 200)
        /// Calls of views of a signed-in user.
        public static let sessionViews = CallRate(perSecond: 50, burst: 200)
        /// Calls for events, and starts of event streams, of a signed-in user.
        public static let sessionEvents = CallRate(perSecond: 50, burst: 200)
        /// Calls of a user, or of a machine token, about the own account: `/api/me`, tokens, password, sign-out.
        public static let accountCalls = CallRate(perSecond: 20, burst: 100)
        /// Reads of events and views from an address without a token. The burst lets ``streamsOfAddress`` streams come
        /// back at once.
        public static let addressReads = CallRate(perSecond: 20, burst: 100)
        /// Marks of one user in a second, `POST /api/read`.
        public static let marksPerSecond = 20
        /// Marks of one user at once, before that counts.
        public static let marksAtOnce = 200
        /// Characters (Unicode scalars) of a search's words.
        public static let searchQuery = 256
        /// How long a call waits at most until a view has applied an event, in milliseconds.
        public static let viewWait: Int64 = 10_000
        /// How long it waits where the caller does not say, in milliseconds.
        public static let usualViewWait: Int64 = 2_000
        /// A token's length in bytes; a longer one is not even looked up.
        public static let token = 512
    }

    /// Where commands go.
    public var ingest: Ingest
    /// Where events are read.
    public var log: any EventLog
    /// Who a token belongs to, by the token's SHA-256; nil where nobody, or no longer. The address is where the call
    /// comes from, if it is a new one.
    public var authenticate: @Sendable (_ tokenHash: [UInt8], _ address: String?) async throws -> Principal?
    /// The incoming hook of a token, by the token's SHA-256; nil where there is none, or no longer.
    public var hook: @Sendable (_ tokenHash: [UInt8]) async throws -> IncomingHook?
    /// Local accounts: registration, sign-in, tokens; nil where there are none.
    public var accounts: LocalAccounts?
    /// What admins do to accounts over TCP; nil where there is nothing.
    public var administration: AdminActions?
    /// Where admins' calls are noted; nil where that is not kept.
    public var audit: (any AuditLog)?
    /// Sign-in by an OpenID provider; nil where none is configured.
    public var openID: OpenIDService?
    /// SHA-256.
    public var hash: @Sendable ([UInt8]) -> [UInt8]
    /// The plugin host's listings.
    public var listings: Listings
    /// What admins do to plugins; nil where there is no plugin host.
    public var plugins: PluginActions?
    /// What the web page's console asks beside that; nil where there is none.
    public var console: ConsoleActions?
    /// What `/views/…` is answered from; nil where there are no views.
    public var views: Views?
    /// Up to where users have read; nil where that is not kept.
    public var markers: ReadMarkers?
    /// Whether events and views of public channels may be read without a token.
    public var anonymousRead: Bool
    /// How often callers may call.
    public var rates: CallerRates
    /// The Unix time in milliseconds.
    public var now: @Sendable () -> Int64
    /// What the listener counts.
    public var counters = HTTPMetrics()
    /// The metrics as text; nil where there are none.
    public var metrics: (@Sendable () async throws -> [UInt8])?
    /// Where what happens is told; never a token or a body.
    public var logger: Logger

    /// What the plugin host tells about itself, each as JSON; nil where the named plugin is not there.
    public struct Listings: Sendable {
        /// All plugins with their queues.
        public var plugins: @Sendable () async throws -> [UInt8]
        /// The cursors of a plugin, or of `NAME/QUEUE`.
        public var cursors: @Sendable (_ name: String) async throws -> [UInt8]?
        /// The dead letters of a plugin, of `NAME/QUEUE`, or of all plugins, with the texts that every admin may read.
        public var deadLetters: @Sendable (_ name: String?) async throws -> [UInt8]?

        /// Makes the listings.
        public init(
            plugins: @escaping @Sendable () async throws -> [UInt8],
            cursors: @escaping @Sendable (_ name: String) async throws -> [UInt8]?,
            deadLetters: @escaping @Sendable (_ name: String?) async throws -> [UInt8]?
        ) {
            self.plugins = plugins
            self.cursors = cursors
            self.deadLetters = deadLetters
        }
    }

    /// Makes a configuration.
    public init(
        ingest: Ingest, log: any EventLog,
        authenticate: @escaping @Sendable (_ tokenHash: [UInt8], _ address: String?) async throws -> Principal?,
        hash: @escaping @Sendable ([UInt8]) -> [UInt8], listings: Listings, plugins: PluginActions? = nil,
        views: Views? = nil, markers: ReadMarkers? = nil,
        hook: @escaping @Sendable (_ tokenHash: [UInt8]) async throws -> IncomingHook? = { _ in nil },
        anonymousRead: Bool = false, rates: CallerRates = CallerRates(),
        now: @escaping @Sendable () -> Int64, logger: Logger
    ) {
        self.ingest = ingest
        self.log = log
        self.authenticate = authenticate
        self.hash = hash
        self.listings = listings
        self.plugins = plugins
        self.views = views
        self.markers = markers
        self.hook = hook
        self.anonymousRead = anonymousRead
        self.rates = rates
        self.now = now
        self.logger = logger
    }
}
