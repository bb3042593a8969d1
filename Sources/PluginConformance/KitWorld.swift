import CrowbarCore
import JSONBytes
import PluginHost

/// The chat of a kit's run: a log of its own, two people, and the channels that the plugin may see.
struct KitWorld: Sendable {
    /// A message that the plugin stored.
    struct Said: Sendable, Hashable {
        var channel: String
        var user: String
        var text: String
    }

    let plugin: String
    let environment: HostEnvironment
    var channels: [String]

    static let people = ["ann", "bob"]

    init(_ manifest: Manifest, _ environment: HostEnvironment) {
        plugin = manifest.name
        self.environment = environment
        channels = Self.names(manifest.channels ?? [])
        if channels.isEmpty { channels = ["general", "random"] }
    }

    /// Channels that match the names and patterns of a manifest.
    private static func names(_ patterns: [String]) -> [String] {
        var names: [String] = []
        for pattern in patterns {
            let name = pattern.hasSuffix("*") ? pattern.dropLast() + "kit" : pattern
            if Identifier.isChannel(name), !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// Adds the channels of the plugin's own queues.
    mutating func add(_ patterns: [String]) {
        for name in Self.names(patterns) where !channels.contains(name) && channels.count < 64 {
            channels.append(name)
        }
    }

    /// Makes the people and the channels; what is there already is refused.
    func populate() async {
        for person in Self.people {
            var commands = [Command(.registerUser, .registerUser(name: person), userId: person)]
            commands += channels.map {
                Command(.createChannel, .createChannel(name: nil, description: nil), channelId: $0)
            }
            commands += channels.map { Command(.joinChannel, .joinChannel, channelId: $0) }
            _ = await submit(commands, as: person)
        }
    }

    func submit(_ commands: [Command], as person: String) async -> [Result<Receipt, CommandError>] {
        await environment.ingest.submit(commands.map { Ingest.Request($0, actor: person) })
    }

    /// Sends messages to a channel.
    /// - Returns: The ids of the stored ones.
    @discardableResult func say(_ texts: [String], in channel: String, as person: String = "ann") async -> [String] {
        let commands = texts.map {
            Command(.sendMessage, .sendMessage($0, messageId: nil, kind: nil, replyTo: nil), channelId: channel)
        }
        return await submit(commands, as: person).compactMap { try? $0.get().eventId }
    }

    /// The head of the log.
    func head() async -> Int64 { (try? await environment.log.head()?.position) ?? 0 }

    /// The messages of the plugin's that were stored after a position, in order.
    func said(after position: Int64) async -> [Said] {
        var said: [Said] = []
        var position = position
        while let page = try? await environment.log.read(after: position, limit: 1_000, maxBytes: 4 << 20),
            let last = page.entries.last
        {
            for entry in page.entries where entry.type == .messageSent && entry.origin >= 0 {
                let bytes = page.bytes[Int(entry.offset)..<Int(entry.offset + entry.length)]
                guard let event = try? JSONObject(parsing: bytes) else { continue }
                said.append(
                    Said(
                        channel: event.string("channelId") ?? "", user: event.string("userId") ?? "",
                        text: event.string("message") ?? ""))
            }
            position = last.position
        }
        return said
    }
}
