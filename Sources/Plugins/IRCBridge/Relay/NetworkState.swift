import JSONBytes

/// What is kept in the queue's state: the last message of each channel that the chat has, whom the bridge let join, and
/// under what nicks it spoke. All of it together stays below the host's limit (64 KiB).
struct NetworkState: Equatable, Sendable {
    /// The most channels kept, so that the state stays well below the host's limit.
    static let mostChannels = 200

    /// The most bytes of the members' ids and of the nicks, which come first; who is past it stays in the chat where
    /// they leave while the bridge is stopped.
    static let mostMemberBytes = 36 << 10

    /// The most bytes of the references; channels past it are not caught up with.
    static let mostReferenceBytes = 25 << 10

    /// The most bytes of all of it but ``messages``; these get what is left of 62 KiB.
    private static let mostBytes = mostMemberBytes + mostReferenceBytes

    /// By the chat's channel the ids of those whom the bridge let join, without what all of them begin with.
    var members: [String: [String]] = [:]
    /// The nicks of the bridge and of users' connections.
    private(set) var nicks = SeenNicks()
    private(set) var references: [String: String] = [:]
    /// The channels that the server has renamed or moved the client out of.
    var moves = ChannelMoves()
    /// The share of the configured rate at which the server is written to.
    var share = 1.0

    /// The newest messages of this network, see ``MessageIDMap``.
    var messages: [String] = []

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
        messages = state.members?.first { $0.key == "messages" }?.value.array?.compactMap(\.string) ?? []
        if let share = state.members?.first(where: { $0.key == "share" })?.value.double { self.share = share }
        moves = ChannelMoves(state)
        nicks = SeenNicks(text: state.members?.first { $0.key == "nicks" }?.value.string ?? "")
        // As earlier versions wrote them.
        for nick in state.members?.first(where: { $0.key == "puppets" })?.value.array?.compactMap(\.string) ?? [] {
            _ = nicks.note(nick)
        }
    }

    /// Notes a nick of the bridge or of a user's connection, folded.
    /// - Returns: Whether it is new.
    mutating func noteNick(_ nick: String) -> Bool { nicks.note(nick) }

    /// Notes the last message of a channel, by its folded name.
    mutating func note(_ channel: String, _ reference: String) {
        if references[channel] == nil, references.count >= Self.mostChannels { return }
        references[channel] = reference
    }

    /// Forgets all channels but these, by their folded names.
    mutating func keep(_ channels: Set<String>) {
        relinked(channels)
        references = references.filter { channels.contains($0.key) }
    }

    /// Takes the channels that are linked now, by their folded names: one that is linked by the name that the server
    /// gave it goes on.
    mutating func relinked(_ channels: Set<String>) {
        for (old, name) in moves.renamed where !channels.contains(old) {
            let new = Casemapping.rfc1459.fold(name)
            if channels.contains(new), references[new] == nil { references[new] = references[old] }
        }
        moves.keep(channels)
    }

    /// The bytes that are left for ``messages``.
    var roomForMessages: Int {
        var other = self
        other.messages = []
        return Self.mostBytes - other.json.bytes.count
    }

    /// The state.
    var json: JSON {
        var room = Self.mostReferenceBytes
        let last = references.sorted { $0.key < $1.key }.compactMap { channel, reference -> JSON.Member? in
            room -= JSON.string(channel).bytes.count + JSON.string(reference).bytes.count + 2
            return room > 0 ? JSON.Member(channel, .string(reference)) : nil
        }
        let marks = nicks.text
        room = Self.mostMemberBytes - marks.utf8.count
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
        state += moves.members
        if share < 1 { state.append(JSON.Member("share", .double(share))) }
        if !nicks.isEmpty { state.append(JSON.Member("nicks", .string(marks))) }
        if !messages.isEmpty { state.append(JSON.Member("messages", .array(messages.map { .string($0) }))) }
        return .object(state)
    }
}
