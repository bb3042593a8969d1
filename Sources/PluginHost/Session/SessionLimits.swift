/// The waits of a plugin's session, in milliseconds. Those of the protocol are the defaults; tests take shorter ones.
public struct SessionLimits: Sendable, Equatable {
    /// From `hello` to `ready`, and from `config` to `configured`.
    public var ready: Int64 = 10_000
    /// Between two pings, at most: they go out at whole seconds, so that those of many plugins wake the host together.
    public var ping: Int64 = 10_000
    /// Without a byte from a plugin that is sent pings.
    public var silence: Int64 = 30_000
    /// Between two looks at something overdue: what the plugin wrote in time is read meanwhile.
    public var look: Int64 = 250
    /// Between two looks at what plugins' own folders take of the disk.
    public var folder: Int64 = 5_000

    /// The protocol's waits.
    public init() {}
}
