import JSONBytes

extension PluginMessage {
    /// The message as one line of JSON, without LF.
    public var line: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        switch self {
        case .ack(let settled, let state): Self.write(settled, state, &json)
        case .command(let command): Self.write(command, &json)
        case .ready(let ready): Self.write(ready, &json)
        case .retry(let retry): Self.write(retry, &json)
        case .reject(let delivery, let code, let message, let deadLetter):
            json.member("type", "reject")
            json.member("delivery", delivery)
            json.member("code", code)
            json.member("message", message)
            json.member("deadLetter", deadLetter)
        case .state(let queue, let state):
            json.member("type", "state")
            json.member("queue", queue)
            json.member("state", state)
        case .working(let delivery, let ms):
            json.member("type", "working")
            if let delivery { json.member("delivery", delivery) }
            json.member("ms", ms)
        case .window(let queue, let events):
            json.member("type", "window")
            json.member("queue", queue)
            json.member("events", events)
        case .queues(let queues):
            json.member("type", "queues")
            Self.write(queues, &json)
        case .verdict(let verdict): Self.write(verdict, &json)
        case .configured(let id, let problem):
            json.member("type", "configured")
            json.member("id", id)
            json.member("ok", problem == nil)
            if let problem { Self.write(problem, &json) }
        case .answer(let id, let answer):
            json.member("type", "answer")
            json.member("id", id)
            switch answer {
            case .told(let answer):
                json.member("ok", true)
                json.member("answer", answer)
            case .refused(let message):
                json.member("ok", false)
                json.member("message", message)
            }
        case .status(let level, let message, let details):
            json.member("type", "status")
            json.member("level", level.rawValue)
            json.member("message", message)
            if let details { json.member("details", details) }
        case .log(let level, let message, let fields):
            json.member("type", "log")
            json.member("level", level)
            json.member("message", message)
            if let fields { json.member("fields", fields) }
        case .pong(let n):
            json.member("type", "pong")
            json.member("n", n)
        case .drained: json.member("type", "drained")
        case .fatal(let code, let problem, let retry):
            json.member("type", "fatal")
            json.member("code", code)
            Self.write(problem, &json)
            json.member("retry", retry)
        case .unknown(let type): json.member("type", type)
        }
        json.endObject()
        return json.bytes
    }

    private static func write(_ settled: Settled, _ state: JSON?, _ json: inout JSONWriter) {
        json.member("type", "ack")
        switch settled {
        case .one(let delivery): json.member("delivery", delivery)
        case .upTo(let delivery): json.member("upTo", delivery)
        case .many(let deliveries):
            json.key("deliveries")
            json.beginArray()
            for delivery in deliveries { json.int(delivery) }
            json.endArray()
        }
        if let state { json.member("state", state) }
    }

    private static func write(_ command: Command, _ json: inout JSONWriter) {
        json.member("type", "command")
        json.member("id", command.id)
        if let cause = command.cause { json.member("cause", cause) }
        json.member("key", ifPresent: command.key)
        json.member("ref", ifPresent: command.ref)
        json.key("command")
        json.raw(command.command)
    }

    private static func write(_ ready: Ready, _ json: inout JSONWriter) {
        json.member("type", "ready")
        json.member("protocol", ready.version)
        json.member("name", ready.name)
        json.member("version", ready.programVersion)
        if ready.reload { json.member("reload", true) }
        if ready.pipelined { json.member("pipelined", true) }
        if let queues = ready.queues { write(queues, &json) }
        if !ready.asks.isEmpty { json.member("asks", ifPresent: ready.asks) }
        if !ready.writes.isEmpty { json.member("writes", ifPresent: ready.writes) }
    }

    private static func write(_ retry: Retry, _ json: inout JSONWriter) {
        json.member("type", "retry")
        json.member("delivery", retry.delivery)
        if let afterMs = retry.afterMs { json.member("afterMs", afterMs) }
        if !retry.counted { json.member("counted", false) }
        json.member("code", retry.code)
        json.member("message", retry.message)
    }

    private static func write(_ queues: [Queue], _ json: inout JSONWriter) {
        json.key("queues")
        json.beginArray()
        for queue in queues {
            json.beginObject()
            json.member("name", queue.name)
            json.member("types", ifPresent: queue.types)
            json.member("channels", ifPresent: queue.channels)
            if let window = queue.window { json.member("window", window) }
            json.member("order", ifPresent: queue.order)
            json.member("start", ifPresent: queue.start)
            if let maxAttempts = queue.maxAttempts { json.member("maxAttempts", maxAttempts) }
            if !queue.writes.isEmpty { json.member("writes", ifPresent: queue.writes) }
            json.endObject()
        }
        json.endArray()
    }

    private static func write(_ verdict: Verdict, _ json: inout JSONWriter) {
        json.member("type", "verdict")
        switch verdict {
        case .allow(let id, let command):
            json.member("id", id)
            json.member("allow", true)
            if let command {
                json.key("command")
                json.raw(command)
            }
        case .deny(let id, let code, let message):
            json.member("id", id)
            json.member("allow", false)
            json.member("code", code)
            json.member("message", message)
        }
    }

    private static func write(_ problem: Problem, _ json: inout JSONWriter) {
        json.member("path", problem.path)
        json.member("message", problem.message)
    }
}

extension JSONWriter {
    /// Writes a key and an id as it came.
    mutating func member(_ key: StaticString, _ id: MessageID) {
        self.key(key)
        raw(id.token.utf8)
    }

    /// Writes a key and a tree.
    mutating func member(_ key: StaticString, _ value: JSON) {
        self.key(key)
        raw(value.bytes)
    }

    /// Writes a key and an array of strings, or nothing where there is none.
    mutating func member(_ key: StaticString, ifPresent texts: [String]?) {
        guard let texts else { return }
        self.key(key)
        beginArray()
        for text in texts { string(text) }
        endArray()
    }
}
