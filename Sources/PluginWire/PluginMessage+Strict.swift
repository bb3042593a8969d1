import JSONBytes

// What a plugin's author wants to be told of, and a plugin at work not: what this version does not know.
extension PluginMessage {
    /// The fields of each message, its type aside.
    static let fields: [String: [String]] = [
        "ready": ["protocol", "name", "version", "reload", "pipelined", "queues", "asks", "writes"],
        "ack": ["delivery", "deliveries", "upTo", "state"],
        "state": ["queue", "state"],
        "retry": ["delivery", "afterMs", "counted", "code", "message"],
        "reject": ["delivery", "code", "message", "deadLetter"],
        "working": ["delivery", "ms"],
        "queues": ["queues"],
        "window": ["queue", "events"],
        "command": ["id", "command", "cause", "key", "ref"],
        "configured": ["id", "ok", "path", "message"],
        "answer": ["id", "ok", "answer", "message"],
        "status": ["level", "message", "details"],
        "log": ["level", "message", "fields"],
        "verdict": ["id", "allow", "command", "code", "message"],
        "pong": ["n"],
        "drained": [],
        "fatal": ["code", "message", "path", "retry"],
    ]
    /// The fields of a queue in `ready` and `queues`.
    static let queueFields = ["name", "types", "channels", "window", "order", "start", "maxAttempts", "writes"]

    /// - Throws: ``WireError/unknownType(_:known:)`` and ``WireError/unknownField(type:field:known:)``.
    static func refuseUnknown(_ read: FieldReader) throws(WireError) {
        guard let known = fields[read.type] else {
            let type = String(read.type.prefix(64))
            throw .unknownType(type, known: NearestName.to(type, among: fields.keys.sorted()))
        }
        try refuseUnknown(read, knowing: known + ["type"])
        guard known.contains("queues"), read.object.span("queues") != nil else { return }
        for queue in try read.objects("queues") { try refuseUnknown(queue, knowing: queueFields) }
    }

    private static func refuseUnknown(_ read: FieldReader, knowing known: [String]) throws(WireError) {
        for member in read.object.members {
            let key = read.object.key(member)
            if known.contains(key) { continue }
            let field = String(key.prefix(64))
            throw .unknownField(type: read.type, field: field, known: NearestName.to(field, among: known))
        }
    }
}
