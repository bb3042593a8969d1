/// What a listener asks of those who connect to it.
public struct ListenerRules: Sendable {
    /// The times that a connection has for its parts, in milliseconds.
    public struct Times: Sendable, Equatable {
        /// For the headers of a connection's first request.
        public var head: Int64 = 10_000
        /// For the headers of a later request: how long a connection may be kept idle.
        public var idle: Int64 = 60_000
        /// For a whole body.
        public var body: Int64 = 30_000
        /// After this a body must have come at ``bodyRate``.
        public var bodyGrace: Int64 = 5_000
        /// Bytes a second.
        public var bodyRate = 1_024
        /// For a write that does not proceed by ``readRate``.
        public var write: Int64 = 10_000
        /// Bytes a second.
        public var readRate = 1_024
        /// For the rest of a body once the server shuts down.
        public var shutdownBody: Int64 = 10_000
        /// For everything else that is under way then: less than the whole shutdown may take, so that plugins, which
        /// end after the listeners, have time left.
        public var shutdown: Int64 = 20_000
        /// After which a caller's token is looked up again while its request is still being answered.
        public var recheck: Int64 = 2_000
        /// Between two looks at a connection that makes somebody wait.
        public var tick: Int64 = 1_000

        /// The times of a server; tests have shorter ones.
        public init() {}
    }

    /// Which proxies' word about the caller's address is believed.
    public var proxies: TrustedProxies
    /// Which names it answers to; nil where `Host` does not matter.
    public var hosts: HostRule?
    /// Which other origins' pages may call it.
    public var cors: CORSRule
    /// Connections at once.
    public var connections: Int
    /// The times.
    public var times: Times
    /// Events that one call of `/api/events` looks at, at most.
    var scan = APIConfiguration.Limit.scan

    /// Makes rules.
    public init(
        proxies: TrustedProxies = .none, hosts: HostRule? = nil, cors: CORSRule = .none,
        connections: Int = APIConfiguration.Limit.connections, times: Times = Times()
    ) {
        self.proxies = proxies
        self.hosts = hosts
        self.cors = cors
        self.connections = connections
        self.times = times
    }
}
