import ChatMarkdown
import PluginWire

// Replies and deletions, both ways.
extension Relay {
    /// Notes the server's id of a message that goes into the chat.
    /// - Parameter parts: Into how many messages it was cut there.
    mutating func noteBrought(_ message: IRCMessage, _ target: String, by author: String, parts: Int) {
        guard let id = message.tags["msgid"], id.utf8.count <= HistoryFetch.longestID else { return }
        connection.messageIDs.insert(
            MessageIDMap.Record(
                target: target, id: id, source: .irc(author: author),
                messages: Self.chatIDs(id, target, parts, links: inbound(target), plugin: connection.plugin)))
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
        Drafts.answered(by: message).flatMap { connection.messageIDs.record(target, $0)?.messages[link.channel]?.first }
    }

    /// Takes the messages that were known before a restart.
    mutating func restoreMessageIDs() {
        let (links, plugin) = (connection.links, connection.plugin)
        connection.messageIDs.restore(keptState.messages, prefix: idPrefix) { target, id, parts in
            let theirs = links.filter { $0.direction != .toIRC && Casemapping.rfc1459.fold($0.target) == target }
            return Self.chatIDs(id, target, parts, links: theirs, plugin: plugin)
        }
        keptState.messages = []
    }

    /// The server says that a message was deleted (`REDACT #channel ID :reason`): it is deleted in the chat, where the
    /// bridge has brought it there. Who may delete what is for the server to know. The bridge itself deletes on IRC
    /// only what was said in the chat, so that a deletion under its nick is of another session of its account.
    mutating func redacted(_ message: IRCMessage, _ now: Instant, isPlayback: Bool = false) -> [RelayAction] {
        guard connection.registration.enabled.contains(Drafts.redaction), message.params.count > 1,
            let source = message.source, !isIgnored(source)
        else { return [] }
        let target = fold(message.params[0])
        if !isPlayback, let instead = heldBack(message, target, now) { return instead }
        let id = message.params[1]
        guard let record = connection.messageIDs.record(target, id), case .irc(let author) = record.source else {
            return []
        }
        connection.messageIDs.remove(target, id)
        return inbound(target).flatMap { link in
            users.delete(record.messages[link.channel] ?? [], of: author, link).map { .emit($0) }
        }
    }
}

// Messages of several lines.
extension Relay {
    /// The longest message that the chat takes, in bytes.
    static let longestChatMessage = 16_384

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
