import JSONBytes

extension HostMessage {
    /// Reads a line that the host wrote.
    /// - Parameter line: The line without its LF.
    /// - Throws: ``WireError``.
    public init(line: [UInt8]) throws(WireError) {
        let object: JSONObject
        do { object = try JSONObject(parsing: line) } catch { throw .malformed(error) }
        guard let type = object.string("type") else {
            throw FieldReader(object: object, type: "?").fail("type", "a string")
        }
        let read = FieldReader(object: object, type: type)
        switch type {
        case "event": self = .event(try Self.event(read))
        case "result": self = .result(try Self.result(read))
        case "hello": self = .hello(try Self.hello(read))
        case "start":
            var queues: [QueueStart] = []
            for queue in try read.objects("queues") {
                queues.append(
                    QueueStart(
                        name: try queue.string("name"), cursor: try queue.optionalString("cursor"),
                        state: try queue.json("state") ?? .null))
            }
            self = .start(queues)
        case "caughtUp": self = .caughtUp(queue: try read.string("queue"))
        case "voided": self = .voided(delivery: try read.int("delivery"), through: try read.int("through"))
        case "config": self = .config(id: try read.id(), config: try read.json("config") ?? .object([]))
        case "check":
            self = .check(
                id: try read.id(), deadlineMs: try read.int("deadlineMs"), command: try read.raw("command", .object))
        case "ask":
            self = .ask(id: try read.id(), what: try read.string("what"), queue: try read.optionalString("queue"))
        case "ping": self = .ping(n: try read.int("n"))
        case "error":
            self = .error(
                Refused(
                    message: try read.string("message"), delivery: try read.optionalInt("delivery"),
                    id: MessageID(object, "id"), reason: try read.string("reason")))
        case "drain":
            self = .drain(deadlineMs: try read.int("deadlineMs"), why: try read.optionalString("why") ?? "")
        default: self = .unknown(type: type)
        }
    }

    private static func event(_ read: FieldReader) throws(WireError) -> EventDelivery {
        EventDelivery(
            queue: try read.string("queue"), delivery: try read.int("delivery"), position: try read.int("position"),
            attempt: try read.int("attempt"), uncounted: try read.optionalInt("uncounted") ?? 0,
            mode: Mode(rawValue: try read.string("mode")) ?? .live, event: try read.raw("event", .object))
    }

    private static func result(_ read: FieldReader) throws(WireError) -> CommandResult {
        let outcome: CommandResult.Outcome
        if try read.bool("ok") {
            outcome = .stored(
                eventId: try read.string("eventId"), position: try read.int("position"),
                duplicate: try read.bool("duplicate", default: false))
        } else {
            guard let error = read.object.object("error") else { throw read.fail("error", "an object") }
            let inner = FieldReader(object: error, type: read.type)
            outcome = .refused(code: try inner.string("code"), message: try inner.optionalString("message") ?? "")
        }
        return CommandResult(id: try read.id(), outcome: outcome)
    }

    private static func hello(_ read: FieldReader) throws(WireError) -> Hello {
        guard let purpose = Hello.Purpose(rawValue: try read.string("purpose")) else {
            throw read.fail("purpose", "'live', 'replay' or 'check'")
        }
        var hello = Hello(
            plugin: try read.string("plugin"), phase: try read.string("phase"), purpose: purpose,
            session: try read.string("session"), config: try read.json("config") ?? .object([]),
            dataDir: try read.string("dataDir"))
        hello.version = try read.int("protocol")
        if let limits = read.object.object("limits") {
            hello.maxLine = limits.int("line") ?? hello.maxLine
            hello.commandsInFlight = limits.int("commandsInFlight") ?? hello.commandsInFlight
        }
        return hello
    }
}
