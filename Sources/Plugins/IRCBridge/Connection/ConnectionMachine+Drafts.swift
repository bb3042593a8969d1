// Messages of several lines, replies and deletions, as far as the server supports them.
extension ConnectionMachine {
    /// What the server can do with messages of this connection. A server that has ended connections for flooding gets
    /// line by line what it would have to take at once as a message of several lines.
    var drafts: Drafts {
        let enabled = connection.registration.enabled
        let hasTags = enabled.contains("message-tags")
        let isSlowed = connection.flow.isReduced || connection.flow.hasFlooded
        return Drafts(
            replies: hasTags && connection.supports.passesTag(Drafts.reply),
            redacts: hasTags && enabled.contains(Drafts.redaction),
            // Without a label the echo of such a message cannot be told from others.
            multiline: hasMultiline && !isSlowed && receipts != .echoes ? connection.registration.multiline : nil)
    }

    /// Whether messages of several lines come as such.
    var hasMultiline: Bool {
        connection.registration.enabled.contains(MultilineMessages.type)
            && connection.registration.enabled.contains("batch")
    }

    /// Notes the id by which the server shows a message that was written with a label.
    mutating func noteSaid(_ label: String, _ echo: IRCMessage) -> [Action] {
        connection.outbound.entry(of: label).map { noteSaid($0, echo) } ?? []
    }

    /// Notes the id by which the server shows a message.
    mutating func noteSaid(_ entry: OutboundQueue.Entry, _ echo: IRCMessage) -> [Action] {
        guard let id = echo.tags["msgid"], let target = entry.targets.first, entry.message.saidText != nil,
            entry.message.id != nil
        else { return [] }
        return messageShown(entry.message, target: target, id: id)
    }

    /// Handles a standard reply that refuses a deletion or a message of several lines. Either is said in another way.
    mutating func draftRefused(_ message: IRCMessage) {
        let words = IRCText.words(message.params.last ?? message.verb)
        if message.params.first == "BATCH" { return connection.outbound.failDraft(words) { WireLine.isBatch($0.text) } }
        let context = message.params.dropFirst(2).dropLast()
        connection.outbound.failDraft(words) { line in
            let written = line.text.split(separator: " ").map(String.init)
            return WireLine.isRedaction(line.text) && written.count > 2 && context.contains(written[2])
        }
    }

    /// Collects the lines of a message of several.
    /// - Returns: The actions; nil where the line belongs to no message of several lines.
    mutating func collected(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        guard message.verb == "BATCH" || !connection.multiline.isEmpty, hasMultiline,
            case .registered = connection.phase
        else { return nil }
        switch connection.multiline.take(message) {
        case .unrelated: return nil
        case .collected: return []
        case .complete(let whole):
            let ended = message.verb == "BATCH" ? batch(message, now) : []
            return whole.reduce(ended) { $0 + received(unlabelled: $1, now) }
        }
    }
}
