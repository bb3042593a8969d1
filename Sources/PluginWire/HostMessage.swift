import JSONBytes

/// A line from the host to a plugin (docs/protocol.md, "Host → plugin").
public enum HostMessage: Sendable, Equatable {
    /// The first line of a session.
    case hello(Hello)
    /// Work begins for these queues.
    case start([QueueStart])
    /// An event to settle.
    case event(EventDelivery)
    /// The backlog of this queue found at `start` is delivered.
    case caughtUp(queue: String)
    /// Deliveries of one lane above `delivery` up to `through` are void unless settled.
    case voided(delivery: Int64, through: Int64)
    /// New configuration, to be answered with `configured`.
    case config(id: MessageID, config: JSON)
    /// A command to judge, in phase `command`; the command's JSON as it stands.
    case check(id: MessageID, deadlineMs: Int64, command: [UInt8])
    /// The answer to a `command`.
    case result(CommandResult)
    /// A question of the operator's, to be answered with `answer`; only such as `ready` names in `asks`.
    case ask(id: MessageID, what: String, queue: String?)
    /// To be answered with `pong`.
    case ping(n: Int64)
    /// No more events come; finish, answer `drained`, exit.
    case drain(deadlineMs: Int64, why: String)
    /// A message of the plugin's was not taken.
    case error(Refused)
    /// A type this version does not know; to be ignored.
    case unknown(type: String)

    /// The fields of `hello`.
    public struct Hello: Sendable, Equatable {
        /// Why the process was started.
        public enum Purpose: String, Sendable { case live, replay, check }
        /// The protocol's version.
        public var version: Int64
        /// The plugin's name: its manifest's.
        public var plugin: String
        /// `event` or `command`.
        public var phase: String
        /// Why the process was started.
        public var purpose: Purpose
        /// An id of this process' life.
        public var session: String
        /// The manifest's `[config]`, secrets resolved.
        public var config: JSON
        /// The longest line, in bytes.
        public var maxLine: Int64
        /// Commands that may wait for their result.
        public var commandsInFlight: Int64
        /// A folder of the plugin's own.
        public var dataDir: String

        /// Makes a `hello` of this version with this version's limits.
        public init(
            plugin: String, phase: String, purpose: Purpose, session: String, config: JSON, dataDir: String
        ) {
            self.version = Wire.version
            self.plugin = plugin
            self.phase = phase
            self.purpose = purpose
            self.session = session
            self.config = config
            self.maxLine = Int64(Wire.maxLine)
            self.commandsInFlight = Int64(Wire.commandsInFlight)
            self.dataDir = dataDir
        }
    }

    /// A queue's place at `start`.
    public struct QueueStart: Sendable, Equatable {
        /// The queue's name.
        public var name: String
        /// The last settled event's id; nil at the beginning of the log.
        public var cursor: String?
        /// The state that was last stored, or null.
        public var state: JSON

        /// Makes one.
        public init(name: String, cursor: String?, state: JSON = .null) {
            self.name = name
            self.cursor = cursor
            self.state = state
        }
    }

    /// Why an event is delivered.
    public enum Mode: String, Sendable { case live, history, replay, redrive }

    /// The fields of `event`.
    public struct EventDelivery: Sendable, Equatable {
        /// The queue it is for.
        public var queue: String
        /// The number to settle it by; grows by one with every event line of the session.
        public var delivery: Int64
        /// The event's position in the log.
        public var position: Int64
        /// How many-th delivery of this event to this queue, from 1.
        public var attempt: Int64
        /// How many of the earlier ones used up no attempt.
        public var uncounted: Int64
        /// Why it is delivered.
        public var mode: Mode
        /// The event's JSON, as the log holds it.
        public var event: [UInt8]

        /// Makes one.
        public init(
            queue: String, delivery: Int64, position: Int64, attempt: Int64 = 1, uncounted: Int64 = 0,
            mode: Mode = .live, event: [UInt8]
        ) {
            self.queue = queue
            self.delivery = delivery
            self.position = position
            self.attempt = attempt
            self.uncounted = uncounted
            self.mode = mode
            self.event = event
        }
    }

    /// The fields of `error`.
    public struct Refused: Sendable, Equatable {
        /// The type of the message that was not taken; `line` where the line had none.
        public var message: String
        /// The delivery it named, where it named one.
        public var delivery: Int64?
        /// Its `id`, where it had one.
        public var id: MessageID?
        /// What is wrong with it.
        public var reason: String

        /// Makes one.
        public init(message: String, delivery: Int64? = nil, id: MessageID? = nil, reason: String) {
            self.message = message
            self.delivery = delivery
            self.id = id
            self.reason = reason
        }

        /// What is said of a line, as far as the line can be read.
        public init(line: some Collection<UInt8>, reason: String) {
            let object = try? JSONObject(parsing: Array(line))
            let type = object?.string("type")
            message = type.map { Wire.isWord($0) ? $0 : Self.line } ?? Self.line
            delivery = object?.int("delivery") ?? object?.int("upTo")
            id = object.flatMap { MessageID($0, "id") }
            self.reason = reason
        }

        /// What stands for the type of a line that has none.
        public static let line = "line"
    }

    /// The fields of `result`.
    public struct CommandResult: Sendable, Equatable {
        /// What became of a command.
        public enum Outcome: Sendable, Equatable {
            /// It is stored, now or before.
            case stored(eventId: String, position: Int64, duplicate: Bool)
            /// It was refused for good.
            case refused(code: String, message: String)
        }
        /// The `id` of the command.
        public var id: MessageID
        /// What became of it.
        public var outcome: Outcome

        /// Makes one.
        public init(id: MessageID, outcome: Outcome) {
            self.id = id
            self.outcome = outcome
        }
    }
}

extension HostMessage {
    /// The `start` lines of queues, as many as it takes so that none is too long for the plugin to read.
    public static func starts(_ queues: [QueueStart]) -> [HostMessage] {
        var lines: [[QueueStart]] = [[]]
        var room = Wire.maxLine
        for queue in queues {
            // With what stands around the queues, so that it is never too little.
            let bytes = HostMessage.start([queue]).line.count
            if bytes > room, !lines[lines.count - 1].isEmpty {
                lines.append([])
                room = Wire.maxLine
            }
            lines[lines.count - 1].append(queue)
            room -= bytes
        }
        return lines.map { .start($0) }
    }

    /// The message as one line of JSON, without LF.
    public var line: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        switch self {
        case .hello(let hello): Self.write(hello, &json)
        case .start(let queues):
            json.member("type", "start")
            json.key("queues")
            json.beginArray()
            for queue in queues {
                json.beginObject()
                json.member("name", queue.name)
                json.key("cursor")
                if let cursor = queue.cursor { json.string(cursor) } else { json.null() }
                json.key("state")
                json.raw(queue.state.bytes)
                json.endObject()
            }
            json.endArray()
        case .event(let event):
            var out: [UInt8] = []
            EventLine(queue: event.queue).append(
                delivery: event.delivery, position: event.position, attempt: event.attempt, uncounted: event.uncounted,
                mode: event.mode, event: event.event[...], to: &out)
            return out.dropLast()
        case .caughtUp(let queue):
            json.member("type", "caughtUp")
            json.member("queue", queue)
        case .voided(let delivery, let through):
            json.member("type", "voided")
            json.member("delivery", delivery)
            json.member("through", through)
        case .config(let id, let config):
            json.member("type", "config")
            json.key("id")
            json.raw(id.token.utf8)
            json.key("config")
            json.raw(config.bytes)
        case .check(let id, let deadline, let command):
            json.member("type", "check")
            json.key("id")
            json.raw(id.token.utf8)
            json.member("deadlineMs", deadline)
            json.key("command")
            json.raw(command)
        case .result(let result): Self.write(result, &json)
        case .ping(let n):
            json.member("type", "ping")
            json.member("n", n)
        case .ask(let id, let what, let queue):
            json.member("type", "ask")
            json.member("id", id)
            json.member("what", what)
            json.member("queue", ifPresent: queue)
        case .drain(let deadline, let why):
            json.member("type", "drain")
            json.member("deadlineMs", deadline)
            json.member("why", why)
        case .error(let refused): Self.write(refused, &json)
        case .unknown(let type): json.member("type", type)
        }
        json.endObject()
        return json.bytes
    }

    private static func write(_ refused: Refused, _ json: inout JSONWriter) {
        json.member("type", "error")
        json.member("message", refused.message)
        if let delivery = refused.delivery { json.member("delivery", delivery) }
        if let id = refused.id { json.member("id", id) }
        json.member("reason", refused.reason)
    }

    private static func write(_ hello: Hello, _ json: inout JSONWriter) {
        json.member("type", "hello")
        json.member("protocol", hello.version)
        json.member("plugin", hello.plugin)
        json.member("phase", hello.phase)
        json.member("purpose", hello.purpose.rawValue)
        json.member("session", hello.session)
        json.key("config")
        json.raw(hello.config.bytes)
        json.key("limits")
        json.beginObject()
        json.member("line", hello.maxLine)
        json.member("commandsInFlight", hello.commandsInFlight)
        json.endObject()
        json.member("dataDir", hello.dataDir)
    }

    private static func write(_ result: CommandResult, _ json: inout JSONWriter) {
        json.member("type", "result")
        json.key("id")
        json.raw(result.id.token.utf8)
        switch result.outcome {
        case .stored(let eventId, let position, let duplicate):
            json.member("ok", true)
            json.member("eventId", eventId)
            json.member("position", position)
            json.member("duplicate", duplicate)
        case .refused(let code, let message):
            json.member("ok", false)
            json.key("error")
            json.beginObject()
            json.member("code", code)
            json.member("message", message)
            json.endObject()
        }
    }
}

/// Writes the `event` lines of one queue: everything but the numbers is made once, and the event's bytes are copied as
/// the log holds them.
public struct EventLine: Sendable {
    private let head: [UInt8]

    /// Prepares the lines of a queue.
    public init(queue: String) {
        var head = Array("{\"type\":\"event\",\"queue\":".utf8)
        JSONString.append(queue, to: &head)
        head.append(contentsOf: ",\"delivery\":".utf8)
        self.head = head
    }

    /// Appends one line with its LF.
    public func append(
        delivery: Int64, position: Int64, attempt: Int64, uncounted: Int64 = 0, mode: HostMessage.Mode,
        event: ArraySlice<UInt8>, to out: inout [UInt8]
    ) {
        out.append(contentsOf: head)
        out.appendDecimal(delivery)
        out.append(contentsOf: ",\"position\":".utf8)
        out.appendDecimal(position)
        out.append(contentsOf: ",\"attempt\":".utf8)
        out.appendDecimal(attempt)
        if uncounted > 0 {
            out.append(contentsOf: ",\"uncounted\":".utf8)
            out.appendDecimal(uncounted)
        }
        switch mode {
        case .live: out.append(contentsOf: ",\"mode\":\"live\",\"event\":".utf8)
        case .history: out.append(contentsOf: ",\"mode\":\"history\",\"event\":".utf8)
        case .replay: out.append(contentsOf: ",\"mode\":\"replay\",\"event\":".utf8)
        case .redrive: out.append(contentsOf: ",\"mode\":\"redrive\",\"event\":".utf8)
        }
        out.append(contentsOf: event)
        out.append(contentsOf: "}\n".utf8)
    }
}
