import CrowbarCore
import Logging

/// What the plugin host is given by the composition root: the stores, access to ingest, and everything that a test
/// wants to decide itself (time, randomness, keyed hashes).
public struct HostEnvironment: Sendable {
    /// The log that is read.
    public var log: any EventLog
    /// Where cursors, retries and dead letters are kept.
    public var store: any HostStore
    /// Where commands of plugins go.
    public var ingest: Ingest
    /// Where plugins of the command phase are asked; ingest must know it too.
    public var checks: CheckCoordinator
    /// The folder that holds a folder for each plugin.
    public var dataFolder: String
    /// What keeps plugins from the host's own files and processes.
    public var isolation = PluginIsolation()
    /// The program that starts plugins (`crowbar-launch`).
    public var launcher: String
    /// Folders in which a manifest's bare command is looked for, in order: beside the binary, then PATH.
    public var searchPath: [String]
    /// Milliseconds on a monotonic clock.
    public var now: @Sendable () -> Int64
    /// Unix time in milliseconds.
    public var unixNow: @Sendable () -> Int64
    /// Which of these channels the chat does not have; nil where that cannot be known. Nil: nobody can tell.
    public var missingChannels: (@Sendable (_ names: [String]) async -> [String]?)?
    /// Which of these channels are private; as ``missingChannels``.
    public var privateChannels: (@Sendable (_ names: [String]) async -> [String]?)?
    /// Those who follow the lines of a plugin.
    public var traces = LineTraces()
    /// The waits of plugins' sessions.
    public var sessionLimits = SessionLimits()
    /// A random number from 0 up to 1.
    public var random: @Sendable () -> Double
    /// HMAC-SHA256 of a message under a key.
    public var hmac: @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    /// A new id for a session.
    public var newID: @Sendable () -> String
    /// The host's own environment variables, for `pass` and `{ env = … }`.
    public var environment: [String: String]
    /// The operator's log.
    public var logger: Logger

    /// Makes an environment.
    public init(
        log: any EventLog, store: any HostStore, ingest: Ingest, checks: CheckCoordinator, dataFolder: String,
        launcher: String, searchPath: [String], now: @escaping @Sendable () -> Int64,
        unixNow: @escaping @Sendable () -> Int64,
        random: @escaping @Sendable () -> Double,
        hmac: @escaping @Sendable (_ key: [UInt8], _ message: [UInt8]) -> [UInt8],
        newID: @escaping @Sendable () -> String, environment: [String: String], logger: Logger
    ) {
        self.log = log
        self.store = store
        self.ingest = ingest
        self.checks = checks
        self.dataFolder = dataFolder
        self.launcher = launcher
        self.searchPath = searchPath
        self.now = now
        self.unixNow = unixNow
        self.random = random
        self.hmac = hmac
        self.newID = newID
        self.environment = environment
        self.logger = logger
    }
}
