import CrowbarCore

/// The decision tables in memory.
struct MemoryTables: DecisionTables {
    private struct MessageKey: Hashable {
        var channel: Int64
        var id: String
    }

    private var users: [String: String] = [:]
    private var channels: [String: ChannelState] = [:]
    private var members: [Int64: Set<String>] = [:]
    private var messages: [MessageKey: MessageState] = [:]
    private var lastKey: Int64 = 0
    /// The JSON of every event; the one at position `n` stands at index `n - 1`.
    var events: [[UInt8]] = []

    func userName(_ id: String) -> String? { users[id] }

    func channel(_ id: String) -> ChannelState? { channels[id] }

    func isMember(_ user: String, of channel: ChannelState) -> Bool { members[channel.key]?.contains(user) ?? false }

    func message(_ id: String, in channel: ChannelState) -> MessageState? {
        messages[MessageKey(channel: channel.key, id: id)]
    }

    func text(of message: MessageState) throws -> String {
        guard let text = EventEncoder.messageText(in: events[Int(message.textPosition) - 1]) else {
            throw LogError.damaged("a message's text is missing at position \(message.textPosition)")
        }
        return text
    }

    mutating func apply(_ change: StateChange) throws {
        switch change {
        case .userNamed(let id, let name): users[id] = name
        case .channelCreated(let id, let creator, let isPrivate):
            lastKey += 1
            channels[id] = ChannelState(key: lastKey, creator: creator, isPrivate: isPrivate)
            members[lastKey] = [creator]
        case .channelDestroyed(let id, let channel):
            channels[id] = nil
            members[channel.key] = nil
        case .joined(let user, let channel): members[channel.key, default: []].insert(user)
        case .left(let user, let channel): members[channel.key]?.remove(user)
        case .messageSent(let id, let author, let channel, let position):
            let key = MessageKey(channel: channel.key, id: id)
            if messages[key] != nil { throw CommandError.messageExists(id) }
            messages[key] = MessageState(author: author, textPosition: position)
        case .messageEdited(let id, let channel, let position):
            messages[MessageKey(channel: channel.key, id: id)]?.textPosition = position
        case .messageDeleted(let id, let channel):
            messages[MessageKey(channel: channel.key, id: id)]?.isDeleted = true
        }
    }
}
