import JSONBytes

/// A line from a plugin to the host (docs/protocol.md, "Plugin → host").
public enum PluginMessage: Sendable, Equatable {
    /// The answer to `hello`.
    case ready(Ready)
    /// Deliveries are settled; `state` is their queue's new state.
    case ack(Settled, state: JSON?)
    /// A queue's new state, without a delivery.
    case state(queue: String, state: JSON)
    /// Try this delivery again.
    case retry(Retry)
    /// This delivery will never succeed.
    case reject(delivery: Int64, code: String, message: String, deadLetter: Bool)
    /// Needs longer, for one delivery or as a whole.
    case working(delivery: Int64?, ms: Int64)
    /// The number of unsettled events wanted; 0 holds the queue.
    case window(queue: String, events: Int64)
    /// The queues changed.
    case queues([Queue])
    /// A command for ingest.
    case command(Command)
    /// The answer to `check`.
    case verdict(Verdict)
    /// The answer to `config`; the path and message of what is wrong with it, or nil.
    case configured(id: MessageID, problem: Problem?)
    /// The answer to `ask`.
    case answer(id: MessageID, Answer)
    /// How the plugin is.
    case status(level: Level, message: String, details: JSON?)
    /// A line for the host's log; `fields` is an object.
    case log(level: String, message: String, fields: JSON?)
    /// The answer to `ping`.
    case pong(n: Int64)
    /// The answer to `drain`.
    case drained
    /// The plugin stops itself.
    case fatal(code: String, problem: Problem, retry: Bool)
    /// A type this version does not know; to be ignored and counted.
    case unknown(type: String)

    /// A `path` into the configuration and what is wrong there.
    public struct Problem: Sendable, Equatable, Error {
        /// Where, as `networks[0].port`; empty where it is not one key's fault.
        public var path: String
        /// What, for the operator to read.
        public var message: String

        /// Makes one.
        public init(path: String = "", message: String) {
            self.path = path
            self.message = message
        }
    }

    /// What a plugin says to a question.
    public enum Answer: Sendable, Equatable {
        /// This.
        case told(JSON)
        /// No; why, for the operator.
        case refused(String)
    }

    /// How a plugin is.
    public enum Level: String, Sendable { case ok, degraded, down }

    /// Which deliveries an `ack` settles.
    public enum Settled: Sendable, Equatable {
        /// One.
        case one(Int64)
        /// These.
        case many([Int64])
        /// All unsettled ones of the same queue up to this one, except those under retry.
        case upTo(Int64)
    }

    /// The fields of `retry`.
    public struct Retry: Sendable, Equatable {
        /// The delivery.
        public var delivery: Int64
        /// The wait in milliseconds; nil: the host's own back-off.
        public var afterMs: Int64?
        /// Whether it uses up an attempt.
        public var counted: Bool
        /// Why, for programs.
        public var code: String
        /// Why, for people.
        public var message: String

        /// Makes one.
        public init(
            delivery: Int64, afterMs: Int64? = nil, counted: Bool = true, code: String, message: String = ""
        ) {
            self.delivery = delivery
            self.afterMs = afterMs
            self.counted = counted
            self.code = code
            self.message = message
        }
    }

    /// A queue that a plugin declares; what is nil is as the manifest says.
    public struct Queue: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Event types, within the manifest's.
        public var types: [String]?
        /// Channels or patterns ending in `*`, within the manifest's.
        public var channels: [String]?
        /// Unsettled events at most; 0 holds the queue.
        public var window: Int64?
        /// `channel`, `total` or `none`.
        public var order: String?
        /// Where a new queue begins: `now`, `beginning`, `id:EVENTID`, `@TIME`.
        public var start: String?
        /// Counted attempts before the dead letter.
        public var maxAttempts: Int64?
        /// Channels that commands on behalf of this queue go to, for the operator.
        public var writes: [String]

        /// Makes one.
        public init(
            name: String, types: [String]? = nil, channels: [String]? = nil, window: Int64? = nil,
            order: String? = nil, start: String? = nil, maxAttempts: Int64? = nil, writes: [String] = []
        ) {
            self.name = name
            self.types = types
            self.channels = channels
            self.window = window
            self.order = order
            self.start = start
            self.maxAttempts = maxAttempts
            self.writes = writes
        }
    }

    /// The fields of `ready`.
    public struct Ready: Sendable, Equatable {
        /// The protocol's version.
        public var version: Int64
        /// What the program calls itself.
        public var name: String
        /// Its own version.
        public var programVersion: String
        /// Takes `config` while running.
        public var reload: Bool
        /// Takes several events of one channel at once, and the duty of go-back-N that comes with it.
        public var pipelined: Bool
        /// Its queues; nil: one, `main`.
        public var queues: [Queue]?
        /// The questions of the operator's that it answers.
        public var asks: [String] = []
        /// Channels that its commands go to, so that the operator is told of those that do not exist.
        public var writes: [String] = []

        /// Makes one of this protocol version.
        public init(
            name: String, programVersion: String, reload: Bool = false, pipelined: Bool = false,
            queues: [Queue]? = nil
        ) {
            self.version = Wire.version
            self.name = name
            self.programVersion = programVersion
            self.reload = reload
            self.pipelined = pipelined
            self.queues = queues
        }
    }

    /// The fields of `command`.
    public struct Command: Sendable, Equatable {
        /// For the `result`.
        public var id: MessageID
        /// The command's JSON, one object.
        public var command: [UInt8]
        /// The delivery that caused it.
        public var cause: Int64?
        /// What its eventId is derived from; wins over the cause.
        public var key: String?
        /// Becomes `origin.ref`.
        public var ref: String?

        /// Makes one.
        public init(id: MessageID, command: [UInt8], cause: Int64? = nil, key: String? = nil, ref: String? = nil) {
            self.id = id
            self.command = command
            self.cause = cause
            self.key = key
            self.ref = ref
        }
    }

    /// The fields of `verdict`.
    public enum Verdict: Sendable, Equatable {
        /// Let it pass, changed where a command is given.
        case allow(id: MessageID, command: [UInt8]?)
        /// Refuse it.
        case deny(id: MessageID, code: String, message: String)
    }
}
