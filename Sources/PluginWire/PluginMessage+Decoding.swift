import JSONBytes

extension PluginMessage {
    /// Reads a line that a plugin wrote.
    /// - Parameters:
    ///   - line: The line without its LF; it starts with `{`.
    ///   - isStrict: Whether types and fields that this version does not know are errors.
    /// - Throws: ``WireError``; the host counts a strike.
    public init(line: some Collection<UInt8>, isStrict: Bool = false) throws(WireError) {
        let object: JSONObject
        do { object = try JSONObject(parsing: Array(line)) } catch { throw .malformed(error) }
        guard let type = object.string("type") else {
            throw FieldReader(object: object, type: "?").fail("type", "a string")
        }
        let read = FieldReader(object: object, type: type)
        if isStrict { try Self.refuseUnknown(read) }
        switch type {
        case "ack": self = .ack(try Self.settled(read), state: try read.json("state"))
        case "command": self = .command(try Self.command(read))
        case "ready": self = .ready(try Self.ready(read))
        case "retry":
            self = .retry(
                Retry(
                    delivery: try read.int("delivery"), afterMs: try read.optionalInt("afterMs"),
                    counted: try read.bool("counted", default: true), code: try read.string("code"),
                    message: try read.optionalString("message") ?? ""))
        case "reject":
            self = .reject(
                delivery: try read.int("delivery"), code: try read.string("code"),
                message: try read.optionalString("message") ?? "", deadLetter: try read.bool("deadLetter"))
        case "state":
            guard let state = try read.json("state") else { throw read.fail("state", "JSON") }
            self = .state(queue: try read.string("queue"), state: state)
        case "working": self = .working(delivery: try read.optionalInt("delivery"), ms: try read.int("ms"))
        case "window": self = .window(queue: try read.string("queue"), events: try read.int("events"))
        case "queues": self = .queues(try Self.queues(read))
        case "verdict": self = .verdict(try Self.verdict(read))
        case "configured":
            let ok = try read.bool("ok")
            self = .configured(id: try read.id(), problem: ok ? nil : try Self.problem(read))
        case "answer":
            if try read.bool("ok") {
                self = .answer(id: try read.id(), .told(try read.json("answer") ?? .null))
            } else {
                self = .answer(id: try read.id(), .refused(try read.optionalString("message") ?? ""))
            }
        case "status":
            guard let level = Level(rawValue: try read.string("level")) else {
                throw read.fail("level", "'ok', 'degraded' or 'down'")
            }
            self = .status(
                level: level, message: try read.optionalString("message") ?? "", details: try read.json("details"))
        case "log":
            self = .log(
                level: try read.optionalString("level") ?? "info", message: try read.string("message"),
                fields: try read.json("fields"))
        case "pong": self = .pong(n: try read.int("n"))
        case "drained": self = .drained
        case "fatal":
            self = .fatal(
                code: try read.string("code"), problem: try Self.problem(read),
                retry: try read.bool("retry", default: false))
        default: self = .unknown(type: type)
        }
    }

    private static func settled(_ read: FieldReader) throws(WireError) -> Settled {
        if let upTo = try read.optionalInt("upTo") { return .upTo(upTo) }
        if let one = try read.optionalInt("delivery") { return .one(one) }
        guard let elements = read.object.elements("deliveries") else {
            throw read.fail("delivery", "there, or 'deliveries' or 'upTo'")
        }
        var many: [Int64] = []
        for element in elements {
            guard let number = read.object.int(element), number >= 0 else {
                throw read.fail("deliveries", "an array of whole numbers, none negative")
            }
            many.append(number)
        }
        return .many(many)
    }

    private static func command(_ read: FieldReader) throws(WireError) -> Command {
        Command(
            id: try read.id(), command: try read.raw("command", .object), cause: try read.optionalInt("cause"),
            key: try read.optionalString("key"), ref: try read.optionalString("ref"))
    }

    private static func ready(_ read: FieldReader) throws(WireError) -> Ready {
        var ready = Ready(
            name: try read.optionalString("name") ?? "", programVersion: try read.optionalString("version") ?? "",
            reload: try read.bool("reload", default: false), pipelined: try read.bool("pipelined", default: false),
            queues: read.object.span("queues") == nil ? nil : try queues(read))
        ready.version = try read.int("protocol")
        ready.asks = try read.optionalStrings("asks") ?? []
        ready.writes = try read.optionalStrings("writes") ?? []
        return ready
    }

    private static func queues(_ read: FieldReader) throws(WireError) -> [Queue] {
        var queues: [Queue] = []
        for queue in try read.objects("queues") {
            queues.append(
                Queue(
                    name: try queue.string("name"), types: try queue.optionalStrings("types"),
                    channels: try queue.optionalStrings("channels"), window: try queue.optionalInt("window"),
                    order: try queue.optionalString("order"), start: try queue.optionalString("start"),
                    maxAttempts: try queue.optionalInt("maxAttempts"),
                    writes: try queue.optionalStrings("writes") ?? []))
        }
        return queues
    }

    private static func verdict(_ read: FieldReader) throws(WireError) -> Verdict {
        if try read.bool("allow") {
            let changed = read.object.span("command") == nil ? nil : try read.raw("command", .object)
            return .allow(id: try read.id(), command: changed)
        }
        return .deny(
            id: try read.id(), code: try read.optionalString("code") ?? "refused",
            message: try read.optionalString("message") ?? "")
    }

    private static func problem(_ read: FieldReader) throws(WireError) -> Problem {
        Problem(path: try read.optionalString("path") ?? "", message: try read.optionalString("message") ?? "")
    }
}
