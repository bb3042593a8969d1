import JSONBytes

extension Command {
    /// Reads a command's JSON.
    /// - Parameter bytes: One JSON object in UTF-8.
    /// - Throws: ``CommandError`` with `malformed` (no JSON, bad UTF-8, no object), `invalid_command` (naming the
    ///   field), `empty_message` or `message_too_long`.
    public init(parsing bytes: [UInt8]) throws(CommandError) {
        let object: JSONObject
        do {
            object = try JSONObject(parsing: bytes, maxDepth: Limit.depth)
        } catch {
            throw CommandError(.malformed, "the command is not one JSON object: \(error)")
        }
        try self.init(object)
    }

    /// Reads a command from its scanned JSON.
    /// - Throws: As ``init(parsing:)``.
    public init(_ object: JSONObject) throws(CommandError) {
        let read = CommandReader(object: object)
        guard object.span("type") != nil else { throw CommandReader.missing("type") }
        let typeName = try read.text("type", limit: 64)
        guard let type = CommandType(rawValue: typeName) else {
            throw CommandError(
                .invalidCommand,
                "unknown type '\(typeName)'; there are \(CommandType.allCases.map(\.rawValue).joined(separator: ", "))",
                field: "type")
        }
        try read.refuseUnknown(allowing: type)
        self.type = type
        eventId = try read.optional("eventId", shape: "1 to 128 of A-Z a-z 0-9 . _ : ~ -", Identifier.isEvent)
        userId = try read.optional("userId", shape: "1 to 128 of A-Z a-z 0-9 . _ : ~ - /", Identifier.isUser)
        meta = try read.meta()
        channelId = try type.hasChannel ? read.channel() : ""
        switch type {
        case .registerUser:
            if userId == nil { throw CommandReader.missing("userId") }
            body = .registerUser(name: try read.name("name"))
        case .renameUser: body = .renameUser(name: try read.name("name"))
        case .createChannel:
            let name = object.span("channelName") == nil ? nil : try read.name("channelName")
            let description = try read.optionalText("channelDescription", limit: Limit.topic)
            body = .createChannel(name: name, description: description, isPrivate: try read.bool("private") ?? false)
        case .destroyChannel: body = .destroyChannel
        case .setTopic: body = .setTopic(try read.text("topic", limit: Limit.topic))
        case .joinChannel: body = .joinChannel
        case .leaveChannel: body = .leaveChannel
        case .sendMessage:
            body = .sendMessage(
                try read.message(),
                messageId: try read.optional(
                    "messageId", shape: "1 to 128 of A-Z a-z 0-9 . _ : ~ -", Identifier.isEvent),
                kind: try read.kind(), replyTo: try read.optionalText("replyTo", limit: Identifier.maxLength))
        case .editMessage:
            body = .editMessage(messageId: try read.text("messageId", limit: Identifier.maxLength), try read.message())
        case .deleteMessage:
            body = .deleteMessage(messageId: try read.text("messageId", limit: Identifier.maxLength))
        case .inviteUser: body = .inviteUser(invitee: try read.user("invitee"))
        case .removeUser: body = .removeUser(member: try read.user("member"))
        case .addReaction:
            body = .addReaction(
                messageId: try read.text("messageId", limit: Identifier.maxLength), try read.reaction())
        case .removeReaction:
            body = .removeReaction(
                messageId: try read.text("messageId", limit: Identifier.maxLength), try read.reaction())
        }
    }
}

extension CommandType {
    /// Whether it is about a channel.
    public var hasChannel: Bool { self != .registerUser && self != .renameUser }

    /// The fields of its own.
    var ownFields: [StaticString] {
        switch self {
        case .registerUser, .renameUser: ["name"]
        case .createChannel: ["channelName", "channelDescription", "private"]
        case .setTopic: ["topic"]
        case .sendMessage: ["message", "messageId", "kind", "replyTo"]
        case .editMessage: ["messageId", "message"]
        case .deleteMessage: ["messageId"]
        case .inviteUser: ["invitee"]
        case .removeUser: ["member"]
        case .addReaction, .removeReaction: ["messageId", "reaction"]
        case .destroyChannel, .joinChannel, .leaveChannel: []
        }
    }
}

/// Reads one command's fields, with errors that name them.
struct CommandReader {
    let object: JSONObject

    static func missing(_ field: String) -> CommandError {
        CommandError(.invalidCommand, "'\(field)' is missing", field: field)
    }

    private static let common: [StaticString] = ["type", "eventId", "userId", "meta", "timestamp"]

    func refuseUnknown(allowing type: CommandType) throws(CommandError) {
        let own = type.ownFields
        members: for member in object.members {
            for field in Self.common where object.isKey(field, of: member) { continue members }
            if type.hasChannel, object.isKey("channelId", of: member) { continue }
            for field in own where object.isKey(field, of: member) { continue members }
            let key = object.key(member)
            let isServers = key == "origin" || key == "checks"
            let why = isServers ? "is set by the server alone" : Self.fields(of: type)
            throw CommandError(.invalidCommand, "'\(key.prefix(64))' \(why)", field: String(key.prefix(64)))
        }
    }

    /// Which fields a command has, where one is not known.
    private static func fields(of type: CommandType) -> String {
        let fields = type.ownFields + (type.hasChannel ? ["channelId"] : []) + common
        return "is not a field of \(type.rawValue); it has \(fields.map(\.description).joined(separator: ", "))"
    }

    func text(_ field: StaticString, limit: Int) throws(CommandError) -> String {
        guard let span = object.span(field) else { throw Self.missing(field.description) }
        guard span.kind == .string else {
            throw CommandError(.invalidCommand, "'\(field)' must be a string", field: field.description)
        }
        let text = object.string(span)
        if text.utf8.count > limit {
            throw CommandError(.invalidCommand, "'\(field)' is over \(limit) bytes", field: field.description)
        }
        try Self.refuseNUL(text.utf8.contains(0), in: field)
        return text
    }

    func optionalText(_ field: StaticString, limit: Int) throws(CommandError) -> String? {
        object.span(field) == nil ? nil : try text(field, limit: limit)
    }

    func optional(
        _ field: StaticString, shape: String, _ isValid: (String) -> Bool
    ) throws(CommandError) -> String? {
        guard let text = try optionalText(field, limit: 4 * Identifier.maxLength) else { return nil }
        guard isValid(text) else {
            throw CommandError(.invalidCommand, "'\(field)' must be \(shape)", field: field.description)
        }
        return text
    }

    /// The id of a user that the command is about.
    func user(_ field: StaticString) throws(CommandError) -> String {
        guard let id = try optional(field, shape: "1 to 128 of A-Z a-z 0-9 . _ : ~ - /", Identifier.isUser) else {
            throw Self.missing(field.description)
        }
        return id
    }

    func bool(_ field: StaticString) throws(CommandError) -> Bool? {
        guard let span = object.span(field) else { return nil }
        guard span.kind == .bool else {
            throw CommandError(.invalidCommand, "'\(field)' must be true or false", field: field.description)
        }
        return object.bool(field)
    }

    func reaction() throws(CommandError) -> String {
        let text = try text("reaction", limit: Reaction.maxLength)
        if let problem = Reaction.problem(text) {
            throw CommandError(.invalidCommand, "'reaction' \(problem)", field: "reaction")
        }
        return text
    }

    func channel() throws(CommandError) -> String {
        let id = try text("channelId", limit: 4 * Identifier.maxLength)
        guard Identifier.isChannel(id) else {
            throw CommandError(
                .invalidCommand, "'channelId' must be 1 to 64 of a-z 0-9 _ . - and start with a letter or digit",
                field: "channelId")
        }
        return id
    }

    func name(_ field: StaticString) throws(CommandError) -> String {
        let name = try text(field, limit: Command.Limit.name)
        if Self.isBlank(name) {
            throw CommandError(.invalidCommand, "'\(field)' must not be empty", field: field.description)
        }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) {
            throw CommandError(.invalidCommand, "'\(field)' has a control character", field: field.description)
        }
        return name
    }

    func message() throws(CommandError) -> String {
        guard let span = object.span("message") else { throw Self.missing("message") }
        guard span.kind == .string else {
            throw CommandError(.invalidCommand, "'message' must be a string", field: "message")
        }
        let text = object.string(span)
        if text.utf8.count > Command.Limit.message {
            throw CommandError(
                .messageTooLong,
                "the message is \(text.utf8.count) bytes long; at most \(Command.Limit.message) are taken",
                field: "message")
        }
        // The first byte decides for nearly every message; only what starts with white space is looked through.
        if (text.utf8.first ?? 0x20) <= 0x20 || (text.utf8.first ?? 0) >= 0x80, Self.isBlank(text) {
            throw CommandError(.emptyMessage, "the message is empty", field: "message")
        }
        try Self.refuseNUL(text.utf8.contains(0), in: "message")
        return text
    }

    /// What many receivers and databases cannot hold never gets into the log (docs/decisions/0064).
    private static func refuseNUL(_ hasNUL: Bool, in field: StaticString) throws(CommandError) {
        guard hasNUL else { return }
        throw CommandError(
            .invalidCommand, "'\(field)' has a NUL character (U+0000), which many receivers cannot hold; take it out",
            field: field.description)
    }

    /// Whether a text has nothing but white space. By scalars, not by characters: a combining mark on a space is
    /// visible, and a regular expression can state this rule (openapi.json).
    private static func isBlank(_ text: String) -> Bool { text.unicodeScalars.allSatisfy(\.properties.isWhitespace) }

    func kind() throws(CommandError) -> Command.Kind? {
        guard let text = try optionalText("kind", limit: 64) else { return nil }
        guard let kind = Command.Kind(rawValue: text) else {
            throw CommandError(.invalidCommand, "'kind' must be 'text', 'action' or 'notice'", field: "kind")
        }
        return kind
    }

    /// The bytes of `meta`, made fit to stand in one line of text for any reader (docs/decisions/0002).
    func meta() throws(CommandError) -> [UInt8]? {
        guard let span = object.span("meta") else { return nil }
        guard span.kind == .object else {
            throw CommandError(.invalidCommand, "'meta' must be an object", field: "meta")
        }
        if span.end - span.start > Command.Limit.meta {
            throw CommandError(.invalidCommand, "'meta' is over \(Command.Limit.meta) bytes", field: "meta")
        }
        // Readers differ in which of two they take, so that one could be shown what another was not asked about.
        if object.repeatsKey(in: span) {
            throw CommandError(.invalidCommand, "'meta' has an object with the same key twice", field: "meta")
        }
        try Self.refuseNUL(JSONString.hasNUL(object.bytes[span.range]), in: "meta")
        return JSONString.singleLine(object.bytes[span.range])
    }
}
