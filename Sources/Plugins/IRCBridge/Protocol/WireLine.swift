/// What is written to a server at once: a line, or the lines of a batch that no other line may come between, with CR LF
/// between them.
enum WireLine {
    /// What stands between the lines of a batch.
    static let separator = "\r\n"
    /// The name of a batch of the client's. One is open at a time, so all have the same.
    static let batchName = "m"

    /// The lines.
    static func parts(_ text: String) -> [String] {
        isBatch(text) ? text.split(separator: separator).map(String.init) : [text]
    }

    /// How many lines there are.
    static func count(_ text: String) -> Int { isBatch(text) ? parts(text).count : 1 }

    /// A text without the tags of its first line.
    static func untagged(_ text: String) -> Substring {
        guard text.utf8.first == UInt8(ascii: "@"), let space = text.utf8.firstIndex(of: UInt8(ascii: " ")) else {
            return text[...]
        }
        return text[text.utf8.index(after: space)...]
    }

    /// A text with another tag before those of its first line.
    static func tagged(_ text: String, _ tag: String) -> String {
        text.utf8.first == UInt8(ascii: "@") ? "@\(tag);\(text.dropFirst())" : "@\(tag) \(text)"
    }

    /// Whether it is a message of several lines (IRCv3 multiline).
    static func isBatch(_ text: String) -> Bool { untagged(text).hasPrefix("BATCH ") }

    /// Whether it asks the server to delete a message (IRCv3 message-redaction).
    static func isRedaction(_ text: String) -> Bool { text.hasPrefix("REDACT ") }

    /// Whether it needs what only some servers have, so that it can be said in another way.
    static func isDraft(_ text: String) -> Bool { isRedaction(text) || isBatch(text) }

    /// The message of a batch as one line, which is none that can be written: its lines stand in the text.
    static func joined(_ text: String) -> String? {
        guard isBatch(text) else { return nil }
        var out = ""
        for part in parts(text) {
            let line = untagged(part)
            guard line.hasPrefix("PRIVMSG "), let text = lastParameter(of: line) else { continue }
            if out.isEmpty {
                out = String(line)
            } else {
                out += (part.hasPrefix(concatenated) ? "" : "\n") + text
            }
        }
        return out
    }

    /// What stands behind the first ` :` of a line. By bytes, as a mark may follow that combines with the colon.
    private static func lastParameter(of line: Substring) -> Substring? {
        var last: UInt8 = 0
        for at in line.utf8.indices {
            let byte = line.utf8[at]
            if last == UInt8(ascii: " "), byte == UInt8(ascii: ":") { return line[line.utf8.index(after: at)...] }
            last = byte
        }
        return nil
    }

    /// What a line of a batch begins with that goes on where the line before it ends.
    static let concatenated = "@batch=\(batchName);draft/multiline-concat "
}
