import JSONBytes

/// The linked channels on IRC that have another name by now, and those that the server moved the client out of.
///
/// Within the bridge a channel keeps the name that the configuration gives it, as the ids of its messages are made of
/// that. Its present name is put in its place where a line is read or written.
struct ChannelMoves: Equatable, Sendable {
    /// The most bytes of all names that are stored.
    static let mostBytes = 1 << 10
    /// The longest name of a channel, in bytes.
    static let longestName = 200
    /// The verbs whose last parameter is a channel's name, not text.
    private static let namedLast: Set<String> = ["BATCH", "INVITE"]
    /// The verbs that have a channel's name as their first parameter only.
    private static let namedFirst: Set<String> = ["JOIN", "RENAME"]

    /// The present names, by the folded configured ones.
    private(set) var renamed: [String: String] = [:]
    /// Where the server moved the client, by the folded configured names.
    private(set) var moved: [String: String] = [:]
    /// The folded configured names, by the folded present ones.
    private(set) var configured: [String: String] = [:]

    init() {}

    /// Whether names have to be put in the place of others.
    var isEmpty: Bool { renamed.isEmpty }

    private static func fold(_ name: String) -> String { Casemapping.rfc1459.fold(name) }

    /// Whether a text can be a channel's name.
    static func isName(_ name: String) -> Bool {
        name.utf8.count <= longestName && name.utf8.count > 1 && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2C }
    }

    /// A channel has another name now.
    /// - Parameter channel: Its configured name, folded.
    mutating func rename(_ channel: String, to name: String) {
        if let old = renamed[channel] { configured[Self.fold(old)] = nil }
        moved[channel] = nil
        let isBack = Self.fold(name) == channel
        renamed[channel] = isBack ? nil : name
        if !isBack { configured[Self.fold(name)] = channel }
    }

    /// The server moved the client to another channel; nil: it is back, or may come back.
    mutating func move(_ channel: String, to name: String?) { moved[channel] = name }

    /// Forgets all channels but these, by their folded configured names.
    mutating func keep(_ channels: Set<String>) {
        renamed = renamed.filter { channels.contains($0.key) }
        moved = moved.filter { channels.contains($0.key) }
        configured = configured.filter { channels.contains($0.value) }
    }

    /// A line of the server with the configured names. A channel that has taken the former name of a renamed one gets
    /// a name that no link has.
    mutating func read(_ message: IRCMessage) -> IRCMessage {
        guard !isEmpty else { return message }
        var read = message
        let last = message.params.count - 1
        // What refuses a line that was written before the channel had another name is about that channel.
        let isRefusal =
            message.verb == "FAIL" || message.verb.utf8.count == 3 && "45".contains(message.verb.prefix(1))
        isAboutFormerName = false
        for (i, param) in message.params.enumerated() {
            if i > 0, Self.namedFirst.contains(message.verb) || i == last && !Self.namedLast.contains(message.verb) {
                continue
            }
            let folded = Self.fold(param)
            if let channel = configured[folded] {
                read.params[i] = channel
            } else if renamed[folded] != nil {
                if isRefusal { isAboutFormerName = true } else { read.params[i] = param + Self.foreign }
            }
        }
        return read
    }

    /// Whether the line that was read last names a renamed channel by its former name.
    private(set) var isAboutFormerName = false

    /// Follows on the name of a channel that has the former name of a linked one. No name has a space.
    private static let foreign = " "

    /// A channel's name as the server knows it.
    static func serversName(_ name: String) -> String {
        name.hasSuffix(foreign) ? String(name.dropLast(foreign.count)) : name
    }

    /// A line to a channel with its present name, where it was made before the channel had that.
    func written(_ line: String) -> String {
        guard !isEmpty else { return line }
        var start = line.startIndex
        func word() -> Range<String.Index> {
            let end = line[start...].firstIndex(of: " ") ?? line.endIndex
            defer { start = end < line.endIndex ? line.index(after: end) : end }
            return start..<end
        }
        if line.hasPrefix("@") { _ = word() }
        switch line[word()] {
        case "PRIVMSG", "NOTICE", "TOPIC", "REDACT": break
        // `BATCH +m draft/multiline #channel`; the end of a batch names no channel.
        case "BATCH": for _ in 0..<2 { _ = word() }
        default: return line
        }
        let target = word()
        guard let name = renamed[Self.fold(String(line[target]))] else { return line }
        return line[..<target.lowerBound] + name + line[target.upperBound...]
    }

    /// The state as members of the queue's.
    var members: [JSON.Member] {
        var room = Self.mostBytes
        func object(_ names: [String: String]) -> JSON {
            .object(
                names.sorted { $0.key < $1.key }.compactMap { channel, name in
                    room -= JSON.string(channel).bytes.count + JSON.string(name).bytes.count + 2
                    return room > 0 ? JSON.Member(channel, .string(name)) : nil
                })
        }
        var members: [JSON.Member] = []
        if !renamed.isEmpty { members.append(JSON.Member("renamed", object(renamed))) }
        if !moved.isEmpty { members.append(JSON.Member("moved", object(moved))) }
        return members
    }

    /// Reads a queue's state; what is none of this kind is as good as empty.
    init(_ state: JSON) {
        func names(_ key: String) -> [(String, String)] {
            let found = state.members?.first { $0.key == key }?.value.members ?? []
            return found.compactMap { member in
                member.value.string.flatMap { Self.isName($0) ? (Self.fold(member.key), $0) : nil }
            }
        }
        for (channel, name) in names("renamed") { rename(channel, to: name) }
        for (channel, name) in names("moved") { move(channel, to: name) }
    }
}
