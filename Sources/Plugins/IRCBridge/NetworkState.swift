import JSONBytes

/// What is kept in the queue's state: the last message of each channel that the chat has, and whom the bridge let join.
struct NetworkState: Equatable, Sendable {
    /// The most channels kept, so that the state stays well below the host's limit.
    static let mostChannels = 200

    /// The most bytes of the members' ids, so that the state stays well below the host's limit; who is past it stays in
    /// the chat where they leave while the bridge is stopped.
    static let mostMemberBytes = 40 << 10

    /// The most bytes of the references; channels past it are not caught up with.
    static let mostReferenceBytes = 20 << 10

    /// The most bytes of the nicks of users' connections, and the most of them.
    static let mostPuppetBytes = 12 << 10, mostPuppets = 500

    /// By the chat's channel the ids of those whom the bridge let join, without what all of them begin with.
    var members: [String: [String]] = [:]
    /// The folded nicks of users' connections, the latest last.
    private(set) var puppets: [String] = []
    private(set) var references: [String: String] = [:]

    init() {}

    /// Reads a state; one that is none of this kind is as good as empty.
    init(_ state: JSON) {
        for member in state.members?.first(where: { $0.key == "last" })?.value.members ?? [] {
            if let reference = member.value.string, references.count < Self.mostChannels {
                references[member.key] = reference
            }
        }
        for member in state.members?.first(where: { $0.key == "members" })?.value.members ?? [] {
            members[member.key] = member.value.array?.compactMap(\.string)
        }
        puppets = state.members?.first { $0.key == "puppets" }?.value.array?.compactMap(\.string) ?? []
    }

    /// Notes the nick of a user's connection.
    /// - Returns: Whether it is new.
    mutating func notePuppet(_ nick: String) -> Bool {
        guard !puppets.contains(nick) else { return false }
        puppets.append(nick)
        if puppets.count > Self.mostPuppets { puppets.removeFirst() }
        return true
    }

    /// Notes the last message of a channel, by its folded name.
    mutating func note(_ channel: String, _ reference: String) {
        if references[channel] == nil, references.count >= Self.mostChannels { return }
        references[channel] = reference
    }

    /// Forgets all channels but these, by their folded names.
    mutating func keep(_ channels: Set<String>) { references = references.filter { channels.contains($0.key) } }

    /// The state.
    var json: JSON {
        var room = Self.mostReferenceBytes
        let last = references.sorted { $0.key < $1.key }.compactMap { channel, reference -> JSON.Member? in
            room -= JSON.string(channel).bytes.count + JSON.string(reference).bytes.count + 2
            return room > 0 ? JSON.Member(channel, .string(reference)) : nil
        }
        // The latest nicks stay, and take their room from the members.
        room = Self.mostPuppetBytes
        let nicks = puppets.reversed().filter { nick in
            room -= JSON.string(nick).bytes.count + 1
            return room > 0
        }
        room = Self.mostMemberBytes - nicks.reduce(0) { $0 + JSON.string($1).bytes.count + 1 }
        var channels: [JSON.Member] = []
        for (channel, ids) in members.sorted(by: { $0.key < $1.key }) {
            let kept = ids.filter { id in
                room -= id.utf8.count + 3
                return room > 0
            }
            if !kept.isEmpty { channels.append(JSON.Member(channel, .array(kept.map { .string($0) }))) }
        }
        var state = [JSON.Member("last", .object(last))]
        if !channels.isEmpty { state.append(JSON.Member("members", .object(channels))) }
        if !nicks.isEmpty { state.append(JSON.Member("puppets", .array(nicks.reversed().map { .string($0) }))) }
        return .object(state)
    }
}
