import ChatMarkdown
import PluginWire

// Replies and deletions, both ways.
extension NetworkMachine {
    /// What the server can do with messages of this connection. A server that has ended connections for flooding gets
    /// line by line what it would have to take at once as a message of several lines.
    var drafts: Drafts {
        let enabled = registration.enabled
        let hasTags = enabled.contains("message-tags")
        let isSlowed = flow.isReduced || flow.hasFlooded
        return Drafts(
            replies: hasTags && supports.passesTag(Drafts.reply),
            redacts: hasTags && enabled.contains(Drafts.redaction),
            // Without a label the echo of such a message cannot be told from others.
            multiline: hasMultiline && !isSlowed && receipts != .echoes ? registration.multiline : nil)
    }

    /// Whether messages of several lines come as such.
    var hasMultiline: Bool {
        registration.enabled.contains(MultilineMessages.type) && registration.enabled.contains("batch")
    }

    /// Notes the id by which the server shows a message that was written with a label.
    mutating func noteSaid(_ label: String, _ echo: IRCMessage) -> [NetworkAction] {
        ledger.entry(of: label).map { noteSaid($0, echo) } ?? []
    }

    /// Notes the id by which the server shows a message.
    mutating func noteSaid(_ entry: OutboundLedger.Entry, _ echo: IRCMessage) -> [NetworkAction] {
        guard let id = echo.tags["msgid"], let target = entry.targets.first, entry.message.saidText != nil,
            entry.message.id != nil
        else { return [] }
        noteSaid(entry.message, target: target, id: id, by: nil)
        return isPuppet ? [.news(.said(entry.message, target: target, id: id))] : []
    }

    /// Notes the server's id of a message of the chat.
    /// - Parameter user: The user whose own connection has said it.
    mutating func noteSaid(_ message: ChatMessage, target: String, id: String, by user: String?) {
        guard let chatID = message.id else { return }
        messageIDs.insert(
            MessageIDMap.Record(
                target: target, id: id, source: .chat(speaker: user), messages: [message.channel: [chatID]]))
        if !isPuppet { stateDue = stateDue ?? lastHeard + Self.stateDelay }
    }

    /// Notes the server's id of a message that goes into the chat.
    /// - Parameter parts: Into how many messages it was cut there.
    mutating func noteBrought(_ message: IRCMessage, _ target: String, by author: String, parts: Int) {
        guard let id = message.tags["msgid"], id.utf8.count <= CatchUp.longestID else { return }
        messageIDs.insert(
            MessageIDMap.Record(
                target: target, id: id, source: .irc(author: author),
                messages: Self.chatIDs(id, target, parts, links: inbound(target), plugin: plugin)))
    }

    /// The ids in the chat of a message of IRC, by the channels of the links.
    private static func chatIDs(
        _ id: String, _ target: String, _ parts: Int, links: [LinkConfig], plugin: String
    ) -> [String: [String]] {
        var ids: [String: [String]] = [:]
        for link in links {
            let key = Self.key(id, link)
            ids[link.channel] = (0..<parts).map { BridgeMessageID.of(Self.part($0, of: key), plugin: plugin) }
        }
        return ids
    }

    /// The key of a part of a message.
    static func part(_ number: Int, of key: String) -> String { number == 0 ? key : "\(key)#\(number + 1)" }

    /// The message in the chat that a message of IRC answers.
    func answered(_ message: IRCMessage, _ target: String, _ link: LinkConfig) -> String? {
        Drafts.answered(by: message).flatMap { messageIDs.record(target, $0)?.messages[link.channel]?.first }
    }

    /// Takes the messages that were known before a restart.
    mutating func restoreMessageIDs() {
        let (links, plugin) = (links, plugin)
        messageIDs.restore(keptState.messages, prefix: idPrefix) { target, id, parts in
            let theirs = links.filter { $0.direction != .toIRC && Casemapping.rfc1459.fold($0.target) == target }
            return Self.chatIDs(id, target, parts, links: theirs, plugin: plugin)
        }
        keptState.messages = []
    }

    /// The server says that a message was deleted (`REDACT #channel ID :reason`): it is deleted in the chat, where the
    /// bridge has brought it there. Who may delete what is for the server to know. The bridge itself deletes on IRC
    /// only what was said in the chat, so that a deletion under its nick is of another session of its account.
    mutating func redacted(_ message: IRCMessage, _ now: Instant, isPlayback: Bool = false) -> [NetworkAction] {
        guard !isPuppet, registration.enabled.contains(Drafts.redaction), message.params.count > 1,
            let source = message.source, !isIgnored(source)
        else { return [] }
        let target = fold(message.params[0])
        if !isPlayback, let instead = heldBack(message, target, now) { return instead }
        let id = message.params[1]
        guard let record = messageIDs.record(target, id), case .irc(let author) = record.source else { return [] }
        messageIDs.remove(target, id)
        return inbound(target).flatMap { link in
            speakers.delete(record.messages[link.channel] ?? [], of: author, link).map { .emit($0) }
        }
    }

    /// Handles a standard reply that refuses a deletion or a message of several lines. Either is said in another way.
    mutating func draftRefused(_ message: IRCMessage) {
        let words = IRCText.words(message.params.last ?? message.verb)
        if message.params.first == "BATCH" { return ledger.failDraft(words) { WireLine.isBatch($0.text) } }
        let context = message.params.dropFirst(2).dropLast()
        ledger.failDraft(words) { line in
            let written = line.text.split(separator: " ").map(String.init)
            return WireLine.isRedaction(line.text) && written.count > 2 && context.contains(written[2])
        }
    }
}

// Messages of several lines.
extension NetworkMachine {
    /// The longest message that the chat takes, in bytes.
    static let longestChatMessage = 16_384

    /// Collects the lines of a message of several.
    /// - Returns: What is to be done; nil where the line is none of one.
    mutating func collected(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        guard message.verb == "BATCH" || !multiline.isEmpty, hasMultiline, case .registered = phase else { return nil }
        switch multiline.take(message) {
        case .unrelated: return nil
        case .collected: return []
        case .complete(let whole):
            let ended = message.verb == "BATCH" ? batch(message, now) : []
            return whole.reduce(ended) { $0 + received(unlabelled: $1, now) }
        }
    }

    /// A message of IRC as messages of the chat: one, unless it is longer than the chat takes.
    func chatTexts(_ text: String, in target: String) -> [String] {
        let markdown =
            StyledText(ircLines: text).replacing { part, before, _ in
                // In each line, as where the server brings them one by one.
                part.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { i, line in
                    let begins = i > 0 || before == nil || before == "\n"
                    return begins ? Mentions.toChat(String(line)) { addressee($0, in: target) } : String(line)
                }.joined(separator: "\n")
            }.markdown
        guard markdown.utf8.count > Self.longestChatMessage else { return [markdown] }
        let bytes = Array(text.utf8)
        let middle = bytes.count / 2
        // Between two lines if there is such a place in the middle half, else between characters.
        let near = (bytes.count / 4)..<(bytes.count * 3 / 4)
        let line = near.filter { bytes[$0] == UInt8(ascii: "\n") }.min { abs($0 - middle) < abs($1 - middle) }
        var end = line ?? middle
        while line == nil, end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        let rest = String(decoding: bytes[(line == nil ? end : end + 1)...], as: UTF8.self)
        return chatTexts(String(decoding: bytes[..<end], as: UTF8.self), in: target) + chatTexts(rest, in: target)
    }
}
