import ChatMarkdown

/// What of the drafts of IRCv3 a connection can use.
struct Drafts: Equatable, Sendable {
    /// A message may name the one that it answers (`+draft/reply`).
    var replies = false
    /// Messages can be deleted (message-redaction).
    var redacts = false
    /// A message may have several lines (multiline), within these limits.
    var multiline: MultilineLimits?

    /// The tag's name, without `+`.
    static let reply = "draft/reply"
    /// The capability's name.
    static let redaction = "draft/message-redaction"

    /// The id of the message that a message of IRC answers.
    static func answered(by message: IRCMessage) -> String? { message.tags["+draft/reply"] ?? message.tags["+reply"] }
}

extension RelayLines {
    /// The lines that delete the message that a deletion is of; nil where words say that.
    func redaction(_ message: ChatMessage, _ target: String, _ ids: [String]) -> [String]? {
        guard drafts.redacts, !message.isPlain, message.what == .deletion, !ids.isEmpty else { return nil }
        return ids.map { IRCMessage("REDACT", [target, $0]).line }
    }

    /// The tag that names the message that a message answers; nil where words say that.
    func replyTag(_ message: ChatMessage, _ ids: [String]) -> String? {
        guard drafts.replies, !message.isPlain, message.answeredID != nil, let id = ids.first else { return nil }
        return "+\(Drafts.reply)=\(IRCMessage.escape(id))"
    }

    /// A text as a message of several lines; nil where it has but one, where the server does not take it as one
    /// message, or where those whom the server shows it line by line could take a line for somebody else's.
    /// - Parameters:
    ///   - prefix: What stands before the text.
    ///   - budget: The most bytes of a line's text.
    func batch(_ text: StyledText, prefix: String, target: String, budget: Int) -> String? {
        guard let limits = drafts.multiline else { return nil }
        var lines = text.allLines.map { $0.isBlank ? StyledText() : $0 }
        while lines.last?.isBlank == true { lines.removeLast() }
        lines.removeFirst(lines.prefix { $0.isBlank }.count)
        var pieces: [(text: String, isConcatenated: Bool)] = []
        for (i, line) in lines.enumerated() {
            let room = budget - (i == 0 ? prefix.utf8.count : 0)
            let irc = line.closedIRC
            // A byte is left for the space between words, which stays at the end of its piece.
            let parts =
                irc.utf8.count <= room ? [irc] : MessageSplitter.split(irc, budget: room - 1, keepsSpaces: true)
            pieces += parts.enumerated().map { ($1, $0 > 0) }
        }
        guard pieces.count > 1 else { return nil }
        pieces[0].text = prefix + pieces[0].text
        guard !pieces.dropFirst().contains(where: { format.mayNameAuthor($0.text) }) else { return nil }
        shorten(&pieces)
        let bytes = pieces.reduce(-1) { $0 + $1.text.utf8.count + ($1.isConcatenated ? 0 : 1) }
        guard pieces.count <= limits.lines, bytes <= limits.bytes else { return nil }
        let plain = "@batch=\(WireLine.batchName) "
        let body = pieces.map { piece in
            (piece.isConcatenated ? WireLine.concatenated : plain) + "PRIVMSG \(target) :" + piece.text
        }
        let all = ["BATCH +\(WireLine.batchName) \(MultilineMessages.type) \(target)"] + body
        let whole = (all + ["BATCH -\(WireLine.batchName)"]).joined(separator: WireLine.separator)
        return whole.utf8.count <= FlowControl.mostBytes ? whole : nil
    }

    /// Leaves out the lines beyond the configured ones, and says how many. Blank lines do not count.
    private func shorten(_ pieces: inout [(text: String, isConcatenated: Bool)]) {
        guard maxLines > 0 else { return }
        var count = 0
        guard
            let end = pieces.firstIndex(where: { piece in
                count += piece.text.isEmpty ? 0 : 1
                return count > maxLines
            })
        else { return }
        let left = pieces[end...].reduce(0) { $0 + ($1.text.isEmpty ? 0 : 1) }
        pieces.removeSubrange(end...)
        while pieces.last?.text.isEmpty == true { pieces.removeLast() }
        pieces.append((Self.moreLines(left), false))
    }

    /// What stands in place of lines that are left out.
    static func moreLines(_ count: Int) -> String { "(\(count) more line\(count == 1 ? "" : "s"))" }
}
