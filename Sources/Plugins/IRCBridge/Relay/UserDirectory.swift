import JSONBytes

/// Who on a network is known to the chat in this session: makes the commands that bring a message into it, with those
/// that register its author and let them join before their first one.
struct UserDirectory: Sendable {
    /// The most people remembered; past it all are forgotten, which costs only commands that are refused as done.
    static let mostRemembered = 100_000

    /// Somebody on IRC.
    struct Speaker: Equatable, Sendable {
        var id: String
        var name: String
    }

    var presence: NetworkConfig.Presence
    private var names: [String: String] = [:]
    /// Those of them whom the chat knew before, maybe by another name.
    private var unsure: Set<String> = []
    private var members: Set<String> = [] { didSet { hasChanged = true } }
    /// Whether somebody joined or left since this was last set to false.
    var hasChanged = false

    init(presence: NetworkConfig.Presence) { self.presence = presence }

    /// The commands for one message, in order.
    /// - Parameters:
    ///   - id: The message's id in the chat, where it follows from that on the network.
    ///   - replyTo: The id of the message that it answers.
    mutating func commands(
        _ speaker: Speaker, _ link: LinkConfig, message: String, kind: String?, key: String?, sentAt: String?,
        id: String? = nil, replyTo: String? = nil
    ) -> [ChatCommand] {
        var commands: [ChatCommand] = []
        if presence != .off { commands = introduce(speaker, link.channel, link.ref) }
        var json = JSONWriter(capacity: 160 + message.utf8.count)
        json.beginObject()
        json.member("type", ChatCommand.Kind.message.rawValue)
        json.member("userId", speaker.id)
        json.member("channelId", link.channel)
        json.member("message", message)
        json.member("messageId", ifPresent: id)
        json.member("kind", ifPresent: kind)
        json.member("replyTo", ifPresent: replyTo)
        if let sentAt {
            json.key("meta")
            json.beginObject()
            json.member("sentAt", sentAt)
            json.endObject()
        }
        json.endObject()
        commands.append(
            ChatCommand(
                kind: .message, json: json.bytes, userID: speaker.id, channel: link.channel, key: key, ref: link.ref))
        return commands
    }

    /// The commands for a topic, in order.
    mutating func topic(_ speaker: Speaker, _ link: LinkConfig, _ text: String, key: String?) -> [ChatCommand] {
        var commands = presence == .off ? [] : introduce(speaker, link.channel, link.ref)
        var json = JSONWriter()
        json.beginObject()
        json.member("type", ChatCommand.Kind.topic.rawValue)
        json.member("userId", speaker.id)
        json.member("channelId", link.channel)
        json.member("topic", text)
        json.endObject()
        commands.append(
            ChatCommand(
                kind: .topic, json: json.bytes, userID: speaker.id, channel: link.channel, key: key, ref: link.ref))
        return commands
    }

    /// The commands that delete a message in its author's name. Who is not in the chat's channel any more is let join
    /// for that.
    mutating func delete(_ messages: [String], of author: String, _ link: LinkConfig) -> [ChatCommand] {
        if messages.isEmpty { return [] }
        let isGone = presence != .off && members.insert(link.channel + " " + author).inserted
        let deletions = messages.map { message in
            var json = JSONWriter()
            json.beginObject()
            json.member("type", ChatCommand.Kind.delete.rawValue)
            json.member("userId", author)
            json.member("channelId", link.channel)
            json.member("messageId", message)
            json.endObject()
            return ChatCommand(
                kind: .delete, json: json.bytes, userID: author, channel: link.channel, ref: link.ref)
        }
        guard isGone else { return deletions }
        return [Self.joining(author, link.channel, link.ref)] + deletions + leave(author, link)
    }

    /// The commands that let somebody leave; none where they were not let join.
    mutating func leave(_ id: String, _ link: LinkConfig) -> [ChatCommand] {
        guard presence != .off, members.remove(link.channel + " " + id) != nil else { return [] }
        var json = JSONWriter()
        json.beginObject()
        json.member("type", ChatCommand.Kind.leave.rawValue)
        json.member("userId", id)
        json.member("channelId", link.channel)
        json.endObject()
        return [ChatCommand(kind: .leave, json: json.bytes, userID: id, channel: link.channel, ref: link.ref)]
    }

    /// The commands that give somebody another name; none where they are not known, or by this name.
    mutating func rename(_ speaker: Speaker, ref: String) -> [ChatCommand] {
        guard presence != .off, let known = names[speaker.id], known != speaker.name else { return [] }
        names[speaker.id] = speaker.name
        return [Self.naming(.rename, speaker, ref)]
    }

    /// The chat knows somebody already who was to be registered.
    mutating func existed(_ id: String) { if names[id] != nil { unsure.insert(id) } }

    /// The chat shows somebody by a name for the first time since it said that it knew them.
    /// - Returns: The command that gives them their new name, where that is another one.
    mutating func shown(_ id: String, as name: String, ref: String) -> [ChatCommand] {
        guard unsure.remove(id) != nil, presence != .off, let known = names[id], known != name else { return [] }
        return [Self.naming(.rename, Speaker(id: id, name: known), ref)]
    }

    /// Takes those who were let join a channel before the bridge was started.
    mutating func restore(_ ids: [String], _ channel: String) {
        for id in ids where members.count < Self.mostRemembered { members.insert(channel + " " + id) }
        hasChanged = false
    }

    /// The ids of those who were let join a channel, in order.
    func members(of channel: String) -> [String] {
        members.compactMap { $0.hasPrefix(channel + " ") ? String($0.dropFirst(channel.count + 1)) : nil }.sorted()
    }

    private static func naming(_ kind: ChatCommand.Kind, _ speaker: Speaker, _ ref: String) -> ChatCommand {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", kind.rawValue)
        json.member("userId", speaker.id)
        json.member("name", speaker.name)
        json.endObject()
        return ChatCommand(kind: kind, json: json.bytes, userID: speaker.id, ref: ref)
    }

    private static func joining(_ id: String, _ channel: String, _ ref: String) -> ChatCommand {
        var json = JSONWriter()
        json.beginObject()
        json.member("type", ChatCommand.Kind.join.rawValue)
        json.member("userId", id)
        json.member("channelId", channel)
        json.endObject()
        return ChatCommand(kind: .join, json: json.bytes, userID: id, channel: channel, ref: ref)
    }

    /// The commands that register somebody, or give them their new name, and let them join.
    mutating func introduce(_ speaker: Speaker, _ channel: String, _ ref: String) -> [ChatCommand] {
        var commands: [ChatCommand] = []
        if names.count >= Self.mostRemembered || members.count >= Self.mostRemembered { forgetAll() }
        let known = names.updateValue(speaker.name, forKey: speaker.id)
        if known != speaker.name {
            commands.append(Self.naming(known == nil ? .register : .rename, speaker, ref))
        }
        if members.insert(channel + " " + speaker.id).inserted {
            commands.append(Self.joining(speaker.id, channel, ref))
        }
        return commands
    }

    /// A command was refused in a way that says that the chat knows less than was thought.
    mutating func forget(_ id: String, channel: String?) {
        names[id] = nil
        unsure.remove(id)
        if let channel { members.remove(channel + " " + id) }
    }

    /// The commands that bring a message into the chat after all, which was refused as from somebody it does not know;
    /// none where that is not the bridge's doing.
    mutating func again(_ command: ChatCommand) -> [ChatCommand] {
        guard presence != .off, let channel = command.channel, let name = names[command.userID] else { return [] }
        forget(command.userID, channel: channel)
        return introduce(Speaker(id: command.userID, name: name), channel, command.ref) + [command]
    }

    private mutating func forgetAll() {
        names = [:]
        unsure = []
        members = []
    }
}
