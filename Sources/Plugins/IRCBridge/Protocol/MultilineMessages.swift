/// What a server allows of messages of several lines (IRCv3 multiline).
struct MultilineLimits: Equatable, Sendable {
    /// The most bytes of text, each end of a line counted as one.
    var bytes: Int
    /// The most lines; `Int.max` where the server sets no limit.
    var lines: Int

    init(bytes: Int, lines: Int = .max) { (self.bytes, self.lines) = (bytes, lines) }

    /// Reads a capability's value, `max-bytes=4096,max-lines=100`; nil where it does not say how many bytes.
    init?(value: some StringProtocol) {
        var limits: [Substring: Int] = [:]
        for part in value.split(separator: ",") {
            let words = Substring(part).split(separator: "=", maxSplits: 1)
            if words.count == 2, let number = Int(words[1]), number > 0 { limits[words[0]] = number }
        }
        guard let bytes = limits["max-bytes"] else { return nil }
        self.init(bytes: bytes, lines: limits["max-lines"] ?? .max)
    }
}

/// The messages of several lines that the server has begun and not ended (IRCv3 multiline).
struct MultilineMessages: Equatable, Sendable {
    /// The most bytes that are collected, of all messages together. What is beyond comes as lines of their own.
    static let mostBytes = 128 << 10
    /// The most lines of one message.
    static let mostLines = 4096
    /// The batch's type.
    static let type = "draft/multiline"
    private static let concatenation = "draft/multiline-concat"

    private struct Message: Equatable {
        /// The opening line, whose tags are the message's.
        var opening: IRCMessage
        /// The first line, as the message so far.
        var whole: IRCMessage?
        var lines = 0
    }

    /// What becomes of a line.
    enum Outcome: Equatable, Sendable {
        /// It is none of a message of several lines.
        case unrelated
        /// It waits for the rest of its message.
        case collected
        /// These are messages now.
        case complete([IRCMessage])
    }

    private var open: [String: Message] = [:]
    /// Whether none is open.
    var isEmpty: Bool { open.isEmpty }
    private var bytes = 0

    /// Whether a line begins such a message.
    static func isOpening(_ message: IRCMessage) -> Bool {
        message.verb == "BATCH" && message.params.count > 2 && message.params[1] == type
            && message.params[0].hasPrefix("+")
    }

    /// Takes a line.
    mutating func take(_ message: IRCMessage) -> Outcome {
        switch message.verb {
        case "BATCH":
            guard let reference = message.params.first else { return .unrelated }
            let name = String(reference.dropFirst())
            if Self.isOpening(message), open.count < Batches.mostOpen { open[name] = Message(opening: message) }
            guard reference.hasPrefix("-"), let ended = open.removeValue(forKey: name) else { return .unrelated }
            bytes -= ended.whole?.params[1].utf8.count ?? 0
            return .complete(ended.whole.map { [$0] } ?? [])
        case "PRIVMSG", "NOTICE":
            guard let name = message.tags["batch"], open[name] != nil, message.params.count == 2 else {
                return .unrelated
            }
            return collect(message, name)
        default: return .unrelated
        }
    }

    private mutating func collect(_ line: IRCMessage, _ name: String) -> Outcome {
        guard var message = open[name], let text = line.params.last else { return .unrelated }
        defer { open[name] = message }
        bytes += text.utf8.count + 1
        message.lines += 1
        guard var whole = message.whole else {
            message.whole = Self.first(line, of: message.opening)
            bytes -= 1
            return .collected
        }
        let isConcatenated = line.tags[Self.concatenation] != nil
        if isConcatenated { bytes -= 1 }
        whole.params[1] += (isConcatenated ? "" : "\n") + text
        guard bytes > Self.mostBytes || message.lines > Self.mostLines else {
            message.whole = whole
            return .collected
        }
        // What comes later is a message without an id.
        message.whole = nil
        message.lines = 0
        message.opening.tags["msgid"] = nil
        bytes -= whole.params[1].utf8.count
        return .complete([whole])
    }

    /// The first line with the tags of the message, and in the batch around it.
    private static func first(_ line: IRCMessage, of opening: IRCMessage) -> IRCMessage {
        var whole = line
        whole.tags["batch"] = nil
        whole.tags[concatenation] = nil
        whole.tags.merge(opening.tags) { _, new in new }
        whole.tags["label"] = nil
        whole.source = opening.source ?? line.source
        return whole
    }
}
