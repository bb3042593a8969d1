/// A command with all that ingest knows about it, ready to be decided against the head of the log.
public struct Submission: Sendable {
    /// Where the command came from; stands in the event as `origin`.
    public struct Origin: Sendable, Equatable {
        /// The name of the plugin that emitted it; nil: no plugin did.
        public var plugin: String?
        /// The plugin's own mark of where it came from.
        public var ref: String?
        /// The trace that the HTTP request belongs to.
        public var traceParent: TraceParent?

        /// Makes the origin of a plugin's command.
        public init(plugin: String, ref: String? = nil) {
            self.plugin = plugin
            self.ref = ref
        }

        /// Makes the origin of a command that is part of a trace.
        public init(traceParent: TraceParent) { self.traceParent = traceParent }
    }

    /// Where the event's id comes from, which decides what an id that is there already means.
    public enum IDSource: Sendable {
        /// Made here a moment ago: it cannot be in the log.
        case fresh
        /// Given by the client: the same command again is a duplicate, another one a conflict.
        case client
        /// Derived from a cause under the log's secret: whatever stands there is the first result.
        case derived
        /// Derived from a plugin's key under the log's secret: the same command again is a duplicate, another one a
        /// conflict.
        case keyed
    }

    /// The command.
    public var command: Command
    /// The id the event will have.
    public var eventId: String
    /// Where that id comes from.
    public var idSource: IDSource
    /// The id that the event would have if it was stored before keys had a queue
    /// (docs/decisions/0059-keys-have-a-queue.md).
    public var formerId: String?
    /// Who acts.
    public var actor: String
    /// Whether that user may do what only a creator or author may.
    public var isAdmin: Bool
    /// Whether the actor may join private channels uninvited, by the operator's right.
    public var mayJoinPrivate: Bool
    /// Where it came from: a plugin, or a request that is part of a trace.
    public var origin: Origin?
    /// How many-th link of a chain of causes it is; 0 for a person's.
    public var depth: UInt8
    /// What command-phase plugins decided, as JSON.
    public var checks: [UInt8]?
    /// The life of the channel (``ChannelState/key``) for which plugins were asked about the command, 0 if the actor
    /// knew of no channel; nil if none were asked. In any other life of the channel the command is not decided.
    public var checkedChannel: Int64?
    /// Whether the channel that plugins are asked about, or that the command creates, is private.
    public var isPrivate = false
    /// The hash of the command as first sent, 32 bytes.
    public var commandHash: [UInt8]

    /// Makes a submission.
    public init(
        command: Command, eventId: String, idSource: IDSource, formerId: String? = nil, actor: String,
        isAdmin: Bool = false, mayJoinPrivate: Bool = false, origin: Origin? = nil, depth: UInt8 = 0,
        checks: [UInt8]? = nil, commandHash: [UInt8]
    ) {
        self.command = command
        self.eventId = eventId
        self.idSource = idSource
        self.formerId = formerId
        self.actor = actor
        self.isAdmin = isAdmin
        self.mayJoinPrivate = mayJoinPrivate
        self.origin = origin
        self.depth = depth
        self.checks = checks
        self.commandHash = commandHash
    }
}

extension Submission {
    /// Whether the actor may know that a channel exists: a private one only its members, those who are invited, admins,
    /// and who may join by the operator's right.
    func knows(
        _ channel: ChannelState, isMember: @autoclosure () throws -> Bool, isInvited: @autoclosure () throws -> Bool
    ) rethrows -> Bool {
        if !channel.isPrivate || isAdmin || mayJoinPrivate { return true }
        return try isMember() || isInvited()
    }
}

/// What is known of a stored event when its command returns.
public struct Receipt: Sendable, Equatable {
    /// The event's id.
    public var eventId: String
    /// Its place in the log.
    public var position: Int64
    /// Its time, Unix milliseconds.
    public var timestamp: Int64
    /// Whether it was there before.
    public var isDuplicate: Bool

    /// Makes a receipt.
    public init(eventId: String, position: Int64, timestamp: Int64, isDuplicate: Bool = false) {
        self.eventId = eventId
        self.position = position
        self.timestamp = timestamp
        self.isDuplicate = isDuplicate
    }
}
