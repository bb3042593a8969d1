import CrowbarCore
import JSONBytes
import PluginWire

/// What a plugin may emit, and under which id: the manifest is the authority (docs/protocol.md, "Who a plugin may be").
struct CommandPolicy: Sendable {
    let plugin: String
    let commands: Set<CommandType>
    let actAs: [String]
    let allowsHistory: Bool
    /// The private channels that its own users may join.
    let privateChannels: Set<String>

    init(_ manifest: Manifest) {
        plugin = manifest.name
        commands = Set(manifest.commands)
        actAs = manifest.actAs
        allowsHistory = manifest.commandsInHistory
        privateChannels = manifest.privateChannels
    }

    /// What is known of the delivery that a command names as its cause.
    struct Cause: Sendable {
        var queue: String
        var eventId: String
        /// Unix milliseconds.
        var timestamp: Int64
        var depth: UInt8
        /// Whether it is older than its queue.
        var isHistory: Bool
        /// How many-th command for this cause in this delivery it is, from 0.
        var ordinal: Int
    }

    /// Reads a command and checks it against the manifest.
    /// - Throws: ``CommandError`` with the code that goes into the `result`.
    func request(
        _ bytes: [UInt8], cause: Cause?, key: String?, ref: String?, secret: [UInt8],
        hmac: (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    ) throws(CommandError) -> Ingest.Request {
        let command = try Command(parsing: bytes)
        guard commands.contains(command.type) else {
            throw CommandError(
                .forbidden,
                "the manifest of '\(plugin)' does not list \(command.type.rawValue) under 'commands'", field: "type")
        }
        guard let actor = command.userId else {
            throw CommandError(.invalidCommand, "'userId' is missing: a plugin says who acts", field: "userId")
        }
        guard mayBe(actor) else {
            throw CommandError(
                .forbidden, "'\(actor)' is not under '\(plugin)/', and the manifest's 'act_as' does not allow it",
                field: "userId")
        }
        if let cause, cause.isHistory, !allowsHistory {
            throw CommandError(.replay, "the cause is older than the queue; 'commands_in_history' would allow it")
        }
        let depth = cause.map { Int($0.depth) + 1 } ?? 0
        if depth > Int(Ingest.Limit.depth) {
            throw CommandError(.loop, "a chain of over \(Ingest.Limit.depth) causes: plugins are answering each other")
        }
        let id = eventId(cause: cause, key: key, secret: secret, hmac: hmac)
        var request = Ingest.Request(
            command, actor: actor, origin: .init(plugin: plugin, ref: ref), derivedId: id, depth: UInt8(depth))
        request.isKeyed = key != nil
        request.mayJoinPrivate = privateChannels.contains(command.channelId) && isOwn(actor)
        if let key, Self.queue(of: cause) != Wire.mainQueue {
            request.formerId = Self.eventId(["key", plugin, key], nil, secret, hmac)
        }
        return request
    }

    /// The queue that a command's key belongs to.
    private static func queue(of cause: Cause?) -> String { cause?.queue ?? Wire.mainQueue }

    private func isOwn(_ user: String) -> Bool { user.hasPrefix(plugin + "/") }

    /// Whether the plugin may act for a user.
    func mayBe(_ user: String) -> Bool {
        isOwn(user) || actAs.contains { QueueFilter.matches(user, $0) }
    }

    /// The id of the event, derived so that the same emit after a crash is the same event and nobody without the log's
    /// secret can claim it first; nil for a command with neither cause nor key.
    func eventId(
        cause: Cause?, key: String?, secret: [UInt8], hmac: (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    ) -> String? {
        if let key {
            // Those of `main` keep the form of before keys had a queue, so that they are the same after an upgrade.
            let queue = Self.queue(of: cause)
            let scope = queue == Wire.mainQueue ? [plugin] : [plugin, queue]
            return Self.eventId(["key"] + scope + [key], nil, secret, hmac)
        }
        guard let cause else { return nil }
        let parts = ["cause", plugin, cause.queue, cause.eventId, String(cause.ordinal)]
        return Self.eventId(parts, cause.timestamp, secret, hmac)
    }

    /// - Parameter milliseconds: The time that the id begins with; nil for none.
    private static func eventId(
        _ parts: [String], _ milliseconds: Int64?, _ secret: [UInt8],
        _ hmac: (_ key: [UInt8], _ message: [UInt8]) -> [UInt8]
    ) -> String {
        var message: [UInt8] = []
        for part in parts {
            message.appendDecimal(Int64(part.utf8.count))
            message.append(0x3A)
            message.append(contentsOf: part.utf8)
        }
        return EventIDSource.derived(milliseconds: milliseconds, digest: hmac(secret, message))
    }
}
