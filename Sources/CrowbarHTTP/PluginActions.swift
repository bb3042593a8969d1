import CrowbarCore

/// What admins do to plugins; each answers with JSON and throws a `CommandError` where it is refused.
public struct PluginActions: Sendable {
    /// The verbs behind `/api/admin/plugins/NAME/`.
    public static let verbs = ["start", "stop", "restart", "pause", "resume"]
    /// Lines of a plugin's log where the caller does not say how many.
    public static let lines = 100
    /// Lines of a plugin's log at most.
    public static let maxLines = 1_000

    // A name is a plugin's, or NAME/QUEUE: then it is about that queue alone.

    /// All that is known of a plugin.
    public var show: @Sendable (_ plugin: String) async throws -> [UInt8]
    /// Does one of ``verbs`` to a plugin.
    public var act: @Sendable (_ verb: String, _ plugin: String) async throws -> [UInt8]
    /// Drops what is stored of a plugin.
    public var forget: @Sendable (_ plugin: String, _ isConfirmed: Bool) async throws -> [UInt8]
    /// Reads the folder of manifests again.
    public var reload: @Sendable () async throws -> [UInt8]
    /// Asks something of a plugin that runs, about one of its queues or all.
    public var ask: @Sendable (_ what: String, _ plugin: String, _ queue: String?) async throws -> [UInt8]
    /// The last deliveries of a plugin that runs, with what a reader may read of them.
    public var deliveries: @Sendable (_ plugin: String, _ queue: String?, Access) async throws -> [UInt8]
    /// The last lines of a plugin behind a number.
    public var logs: @Sendable (_ plugin: String, _ after: Int64, _ limit: Int) async throws -> [UInt8]
    /// Puts the cursor of a plugin, or of `NAME/QUEUE`, to a place; backwards only where that is confirmed.
    public var setCursor: @Sendable (_ name: String, _ place: String, _ isConfirmed: Bool) async throws -> [UInt8]

    /// Shows dead letters with their events, delivers them once more, or drops them; `eventIds` nil: all.
    public var deadLetters:
        @Sendable (_ deed: Deed, _ name: String, _ eventIds: [String]?, Access) async throws -> [UInt8]

    /// What is done to dead letters.
    public enum Deed: String, Sendable { case show, retry, drop }

    /// Makes the actions.
    public init(
        show: @escaping @Sendable (_ plugin: String) async throws -> [UInt8],
        act: @escaping @Sendable (_ verb: String, _ plugin: String) async throws -> [UInt8],
        forget: @escaping @Sendable (_ plugin: String, _ isConfirmed: Bool) async throws -> [UInt8],
        reload: @escaping @Sendable () async throws -> [UInt8],
        ask: @escaping @Sendable (_ what: String, _ plugin: String, _ queue: String?) async throws -> [UInt8],
        deliveries: @escaping @Sendable (_ plugin: String, _ queue: String?, Access) async throws -> [UInt8],
        logs: @escaping @Sendable (_ plugin: String, _ after: Int64, _ limit: Int) async throws -> [UInt8],
        setCursor: @escaping @Sendable (_ name: String, _ place: String, _ isConfirmed: Bool) async throws -> [UInt8],
        deadLetters:
            @escaping @Sendable (_ deed: Deed, _ name: String, _ eventIds: [String]?, Access) async throws -> [UInt8]
    ) {
        self.show = show
        self.act = act
        self.forget = forget
        self.reload = reload
        self.ask = ask
        self.deliveries = deliveries
        self.logs = logs
        self.setCursor = setCursor
        self.deadLetters = deadLetters
    }
}
