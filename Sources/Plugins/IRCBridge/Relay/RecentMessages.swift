import ChatMarkdown
import DequeModule
import PluginKit

/// The beginnings of the chat's last messages, so that an answer or a deletion can say of which, and their authors.
struct RecentMessages: Sendable {
    /// The messages held, and the authors.
    static let most = 1000
    /// The longest beginning, in characters, and the bytes of a message that it is made of where it is wanted.
    static let snippet = 40, kept = 512

    private var texts: [String: (author: String, text: String)] = [:]
    private var order: Deque<String> = []
    private var authors: [String: String] = [:]
    private var lastAuthor: String?
    /// Who spoke last in each channel, the latest first.
    private var spoke: [String: [String]] = [:]
    /// The authors held for each channel, and the channels.
    static let mostSpeakers = 50, mostChannels = 1000

    /// The author's name, as they write it, for a name in small letters.
    func author(_ name: String) -> String? { authors[name.lowercased()] }

    /// Who spoke last in a channel of the chat, the latest first.
    func speakers(_ channel: String) -> [String] { spoke[channel] ?? [] }

    private mutating func noteSpeaker(_ message: ChatMessage) {
        if spoke[message.channel]?.first == message.author { return }
        if message.isTopic || spoke[message.channel] == nil && spoke.count >= Self.mostChannels { return }
        var names = spoke[message.channel] ?? []
        names.removeAll { $0 == message.author }
        names.insert(message.author, at: 0)
        spoke[message.channel] = Array(names.prefix(Self.mostSpeakers))
    }

    /// Notes what a message says, and gives it what it refers to.
    /// - Parameter isForeign: Whether it came from elsewhere than the network itself, whose people know each other.
    mutating func note(_ message: inout ChatMessage, isForeign: Bool = true) {
        if isForeign { noteSpeaker(message) }
        if message.author != lastAuthor {
            if authors.count >= Self.most { authors = [:] }
            authors[message.author.lowercased()] = message.author
            lastAuthor = message.author
        }
        if let answered = message.replyTo {
            message.quote = texts[answered].map { "\(Self.shown($0.author)): “\(Self.short($0.text))”" }
        }
        guard let id = message.id else { return }
        switch message.what {
        case .text(let text), .action(let text), .notice(let text), .edit(let text, _):
            if texts[id] == nil { order.append(id) }
            texts[id] = (message.author, IRCText.cut(text, Self.kept))
            if order.count > Self.most, let first = order.popFirst() { texts[first] = nil }
        // A deleted text is forgotten, so that neither the deletion nor a later reply shows it on IRC once more.
        case .deletion: texts[id] = nil
        case .topic, .summary: break
        }
    }

    /// An author's name beside a quotation: without what tells it from that.
    private static func shown(_ author: String) -> String {
        RelayFormat.short(author, without: RelayFormat.speakerSigns.adding(":\"()"))
    }

    /// The beginning of a text on one line, which cannot end its own quotation.
    private static func short(_ text: String) -> String {
        let quoted = IRCText.name(StyledText(markdown: text).plain)
        let line = String(ShownText.line(quoted).map { $0 == "“" || $0 == "”" ? "\"" : $0 })
        let short = line.prefix(snippet)
        return short.endIndex < line.endIndex ? short + "…" : line
    }
}
