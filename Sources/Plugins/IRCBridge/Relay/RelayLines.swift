import ChatMarkdown
import PluginKit

/// Writes a chat message as lines of IRC that no server cuts.
struct RelayLines: Sendable {
    /// The longest line without CR LF, as the server sends it on, in bytes (RFC 1459).
    static let maxLine = 510

    var format: RelayFormat
    /// Lines of one message at most; 0: all.
    var maxLines: Int
    /// How authors' names are written.
    var style = NameStyle()
    /// The longest line without CR LF on this network, in bytes.
    var longest = Self.maxLine
    /// The longest topic, in bytes.
    var topicLength = 390
    /// `nick!user@host` as the server shows this client to others.
    var mask: String
    /// What more the server can do.
    var drafts = Drafts()

    /// The lines for one channel, each without CR LF or a batch (see ``WireLine``); none where nothing is left to say.
    /// - Parameter nick: The nick in this channel for a name; nil where there is none.
    func lines(_ message: ChatMessage, target: String, nick: (String) -> String? = { _ in nil }) -> [String] {
        let ids = message.concerned[target] ?? []
        if let redaction = redaction(message, target, ids) { return redaction }
        let reply = replyTag(message, ids)
        var prefix = format.prefix(name: message.author, id: message.authorID, style: style)
        var verb = "PRIVMSG"
        var (before, after) = ("", "")
        var text: StyledText
        switch message.what {
        case .text(let said): text = StyledText(markdown: said)
        case .notice(let said): (text, verb) = (StyledText(markdown: said), "NOTICE")
        case .action(let done):
            (text, before, after) = (StyledText(markdown: done), "\u{1}ACTION ", "\u{1}")
            prefix = format.isBare ? "" : RelayFormat.short(message.author, style, id: message.authorID) + " "
        case .edit(let now, let previous): text = Self.correction(now, previous)
        case .topic(let topic): return [self.topic(topic, target)]
        case .summary(let count):
            prefix = ""
            text = Self.unstyled("(\(count) message\(count == 1 ? "" : "s") from the time without connection left out)")
        case .deletion: text = Self.unstyled("(deleted a message)")
        }
        text = text.replacing { Mentions.toIRC($0, before: $1, after: $2, nick: nick) }
        if message.answeredID != nil, reply == nil, let quote = message.quote {
            text = StyledText(Self.unstyled("(re \(quote)) ").runs + text.runs)
        }
        let head = "\(verb) \(target) :\(before)\(prefix)"
        // `:mask ` stands before what the client wrote.
        // A NOTICE may have to be said again as PRIVMSG, which is a byte longer.
        let spare = verb == "NOTICE" ? 1 : 0
        let budget = longest - (mask.utf8.count + 2) - head.utf8.count - after.utf8.count - spare
        func answering(_ line: String) -> String { reply.map { WireLine.tagged(line, $0) } ?? line }
        if verb == "PRIVMSG", before.isEmpty, !message.isPlain,
            let batch = batch(text, prefix: prefix, target: target, budget: budget + prefix.utf8.count)
        {
            return [answering(batch)]
        }
        var pieces = text.lines.flatMap { $0.pieces(budget: budget) }
        if maxLines > 0, pieces.count > maxLines {
            let left = pieces.count - maxLines
            pieces = Array(pieces[..<maxLines]) + [Self.moreLines(left)]
        }
        return pieces.enumerated().map { i, piece in
            let line = head + piece + after
            return i == 0 ? answering(line) : line
        }
    }

    private static func unstyled(_ text: String) -> StyledText { StyledText([StyledText.Run(text: text)]) }

    private func topic(_ text: String, _ target: String) -> String {
        let head = "TOPIC \(target) :"
        let budget = min(topicLength, longest - (mask.utf8.count + 2) - head.utf8.count)
        return head + (MessageSplitter.split(ShownText.line(IRCText.name(text)), budget: budget).first ?? "")
    }

    /// An edit as `s/old/new/` where one short run of text changed, else the whole text, marked.
    static func correction(_ markdown: String, _ previousMarkdown: String?) -> StyledText {
        let text = StyledText(markdown: markdown)
        let whole = StyledText([StyledText.Run(text: "(edit) ")] + text.runs)
        let now = text.plain
        guard let previous = previousMarkdown.map({ StyledText(markdown: $0).plain }), previous != now else {
            return whole
        }
        let (old, new) = (previous.split(separator: " "), now.split(separator: " "))
        var start = 0
        while start < old.count, start < new.count, old[start] == new[start] { start += 1 }
        var end = 0
        while end < old.count - start, end < new.count - start, old[old.count - 1 - end] == new[new.count - 1 - end] {
            end += 1
        }
        let was = old[start..<(old.count - end)].joined(separator: " ")
        let became = new[start..<(new.count - end)].joined(separator: " ")
        guard !was.isEmpty, !became.isEmpty, was.count + became.count < min(now.count, 60),
            !was.contains("/"), !became.contains("/")
        else { return whole }
        return unstyled("s/\(was)/\(became)/")
    }
}
