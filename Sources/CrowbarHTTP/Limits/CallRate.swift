/// How many calls a caller may make: a token bucket.
public struct CallRate: Sendable, Equatable {
    /// Calls in a second, 1 or more.
    public var perSecond: Int
    /// Calls at once after a pause, 1 or more.
    public var burst: Int

    /// Makes a rate. Numbers under 1 count as 1.
    public init(perSecond: Int, burst: Int) {
        self.perSecond = max(1, perSecond)
        self.burst = max(1, burst)
    }

    /// Nanoseconds until one more call is free.
    var interval: Int64 { 1_000_000_000 / Int64(perSecond) }

    /// Nanoseconds until an empty bucket is full again.
    var refill: Int64 { Int64(burst) * interval }
}

/// The rates of machine tokens, each token on its own: `[limits]` of crowbar.toml. Without a rate there is no limit.
public struct MachineTokenRates: Sendable, Equatable {
    /// Commands.
    public var commands: CallRate?
    /// Calls of `/views/…`.
    public var views: CallRate?
    /// Calls of `/api/events`, and starts of event streams.
    public var events: CallRate?

    /// Makes rates.
    public init(commands: CallRate? = nil, views: CallRate? = nil, events: CallRate? = nil) {
        self.commands = commands
        self.views = views
        self.events = events
    }
}
