import JSONBytes

/// The last message of each channel that the chat has, kept in the queue's state.
struct LastSeen: Equatable, Sendable {
    /// The most channels kept, so that the state stays well below the host's limit.
    static let mostChannels = 200

    private(set) var references: [String: String] = [:]

    init() {}

    /// Reads a state; one that is none of this kind is as good as empty.
    init(_ state: JSON) {
        for member in state.members?.first(where: { $0.key == "last" })?.value.members ?? [] {
            if let reference = member.value.string, references.count < Self.mostChannels {
                references[member.key] = reference
            }
        }
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
        let members = references.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value)) }
        return .object([JSON.Member("last", .object(members))])
    }
}
