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
    private var invitations: [Int64: Set<String>] = [:]
    /// Who has each reaction of a message.
    private var reactions: [MessageKey: [String: Set<String>]] = [:]
    private var lastKey: Int64 = 0
    /// The JSON of every event; the one at position `n` stands at index `n - 1`.
    var events: [[UInt8]] = []

    func userName(_ id: String) -> String? { users[id] }

    /// Nothing erases in memory.
    func isErased(_ user: String) -> Bool { false }

    func channel(_ id: String) -> ChannelState? { channels[id] }

    func isMember(_ user: String, of channel: ChannelState) -> Bool { members[channel.key]?.contains(user) ?? false }

    func isInvited(_ user: String, to channel: ChannelState) -> Bool {
        invitations[channel.key]?.contains(user) ?? false
    }

    /// The private channels of a user, by key.
    func rights(of user: String, head: Int64, withPublic: Bool) -> ReadRights {
        let isPrivate = Set(channels.values.filter(\.isPrivate).map(\.key))
        func keys(_ sets: [Int64: Set<String>]) -> Set<Int64> {
            isPrivate.intersection(sets.filter { $0.value.contains(user) }.keys)
        }
        var rights = ReadRights(head: head, member: keys(members), invited: keys(invitations))
        if withPublic {
            let open = channels.filter { !$0.value.isPrivate && members[$0.value.key]?.contains(user) == true }
            rights.publicChannels = Set(open.keys)
        }
        return rights
    }

    func hasReacted(_ user: String, with reaction: String, on message: String, in channel: ChannelState) -> Bool {
        reactions[MessageKey(channel: channel.key, id: message)]?[reaction]?.contains(user) ?? false
    }

    func hasReaction(_ reaction: String, on message: String, in channel: ChannelState) -> Bool {
        reactions[MessageKey(channel: channel.key, id: message)]?[reaction] != nil
    }

    func reactionCount(on message: String, in channel: ChannelState) -> Int {
        reactions[MessageKey(channel: channel.key, id: message)]?.count ?? 0
    }

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
            invitations[channel.key] = nil
        case .joined(let user, let channel):
            members[channel.key, default: []].insert(user)
            invitations[channel.key]?.remove(user)
        case .invited(let user, let channel): invitations[channel.key, default: []].insert(user)
        case .removed(let user, let channel):
            members[channel.key]?.remove(user)
            invitations[channel.key]?.remove(user)
        case .left(let user, let channel): members[channel.key]?.remove(user)
        case .messageSent(let id, let author, let channel, let position):
            let key = MessageKey(channel: channel.key, id: id)
            if messages[key] != nil { throw CommandError.messageExists(id) }
            messages[key] = MessageState(author: author, textPosition: position)
        case .messageEdited(let id, let channel, let position):
            messages[MessageKey(channel: channel.key, id: id)]?.textPosition = position
        case .messageDeleted(let id, let channel):
            messages[MessageKey(channel: channel.key, id: id)]?.isDeleted = true
        case .reactionAdded(let reaction, let message, let user, let channel):
            let key = MessageKey(channel: channel.key, id: message)
            reactions[key, default: [:]][reaction, default: []].insert(user)
        case .reactionRemoved(let reaction, let message, let user, let channel):
            let key = MessageKey(channel: channel.key, id: message)
            reactions[key]?[reaction]?.remove(user)
            if reactions[key]?[reaction]?.isEmpty ?? false { reactions[key]?[reaction] = nil }
        }
    }
}
