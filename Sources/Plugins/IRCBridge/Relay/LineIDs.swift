import PluginKit

/// Gives each line of a channel an id that is the same when it is said and in a later history.
///
/// A server gives one id to a message of several lines (IRCv3 multiline), and shows it on the first line only. Some
/// servers give no ids at all. Without one a line that comes twice would be two messages in the chat.
struct LineIDs: Equatable, Sendable {
    /// The latest messages whose further lines are recognised: lines of several people may be mixed.
    static let mostMessages = 8
    /// The most different lines of one moment that get an id of their own by their content.
    static let mostOfMoment = 1024

    /// What identifies one line.
    struct LineID: Equatable, Sendable {
        /// The line's id: it tells the line from all others of the channel.
        var text: String
        /// How the server can be asked for what came after the line's message.
        var reference: MessageReference?
        /// The line's place in its message, from 1.
        var part = 1
    }

    private struct Message: Equatable {
        /// `nick!user@host`; nil where it is not known.
        var source: String?
        var reference: MessageReference
        var parts: Int
    }

    private var messages: [Message] = []
    private var moment = ""
    /// How often each line of the moment came.
    private var counts: [UInt64: Int] = [:]

    init() {}

    /// Begins behind a message, of which a server may give the lines that have no id.
    /// - Parameter reference: That of the message.
    init(after reference: MessageReference) {
        if reference.id != nil { messages = [Message(source: nil, reference: reference, parts: 1)] }
    }

    /// Identifies the next line; nil where nothing does.
    /// - Parameter byContent: Whether a line without an id is identified by its time and content.
    mutating func next(_ line: IRCMessage, byContent: Bool) -> LineID? {
        let reference = MessageReference(line)
        if let reference, let id = reference.id {
            if messages.count >= Self.mostMessages { messages.removeFirst() }
            messages.append(Message(source: line.source, reference: reference, parts: 1))
            return LineID(text: id, reference: reference)
        }
        // Further lines of a message have the time of the first one.
        guard let time = reference?.time else { return nil }
        if let at = messages.lastIndex(where: {
            $0.reference.time == time && ($0.source == nil || $0.source == line.source)
        }), let id = messages[at].reference.id {
            messages[at].parts += 1
            let part = messages[at].parts
            return LineID(text: "\(id) \(part)", reference: messages[at].reference, part: part)
        }
        guard byContent, MessageReference.isTime(time) else { return nil }
        return ofContent(line, time).map { LineID(text: $0, reference: reference) }
    }

    /// The same words of the same person in the same moment are told apart by their order.
    private mutating func ofContent(_ line: IRCMessage, _ time: String) -> String? {
        if time != moment { (moment, counts) = (time, [:]) }
        let digest = Self.digest(line)
        guard counts[digest] != nil || counts.count < Self.mostOfMoment else { return nil }
        counts[digest, default: 0] += 1
        let count = counts[digest] ?? 1
        return "\(time) \(String(digest, radix: 16))" + (count > 1 ? " \(count)" : "")
    }

    /// FNV-1a over the nick, the command and the text. A user name or host may be shown otherwise in a history.
    private static func digest(_ line: IRCMessage) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3
        }
        add(line.source.map { IRCSource($0).nick } ?? "")
        add(line.verb)
        for param in line.params.dropFirst() { add(param) }
        return hash
    }
}
