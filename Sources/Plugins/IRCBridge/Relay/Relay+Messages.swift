import ChatMarkdown
import PluginKit
import PluginWire

/// Messages of people on IRC, for the chat.
extension Relay {
    /// Takes a message.
    /// - Parameters:
    ///   - isPlayback: Whether it is one of a history, so that what is known of now does not apply to it.
    ///   - played: What identifies it there.
    ///   - wasHeld: Whether it waited for the end of a history, which may have brought it.
    mutating func relay(
        _ message: IRCMessage, _ now: Instant, isPlayback: Bool, played: LineIDs.LineID? = nil,
        wasHeld: Bool = false
    ) -> [RelayAction] {
        if !isPlayback, let target = message.params.first.map({ fold($0) }), playback.isOld(message, target, now: now) {
            return relayOld(message, target, now)
        }
        if !isPlayback, let target = message.params.first, let instead = heldBack(message, fold(target), now) {
            return instead
        }
        let line = isPlayback ? played : identify(message)
        guard message.params.count == 2, let source = message.source.map(IRCSource.init) else { return [] }
        // What comes here under the client's own nick was said by another session of its account.
        let isOwnSession = isOwn(source.nick) && !isPlayback
        guard isOwnSession || !isOurs(source.nick) && isPerson(source, message.verb), !Bouncer.speaks(source),
            !isIgnored(message.source ?? "")
        else { return [] }
        if message.params[1].utf8.first == 1, !isOwnSession, let answer = request(message, source, now) {
            return answer
        }
        if isOwn(message.params[0]) {
            return message.verb == "PRIVMSG" ? direct(source, message.params[1], now) : []
        }
        // What is said to a channel's operators alone (`@#channel`) or to a whole server is not for the chat.
        guard connection.supports.isChannel(message.params[0]) || connection.memberships[fold(message.params[0])] != nil
        else { return [] }
        if isPlayback, wasOurs(source.nick) { return [] }
        let target = fold(message.params[0])
        if loopGuard.isRepeated(message.params[1], in: target, nick: connection.nick, now: now, isOurs: isOurs) {
            return []
        }
        if let line, !history.isNew(target + " " + line.text) {
            return isPlayback || wasHeld ? [] : logSameID(message, target)
        }
        var text = message.params[1]
        var kind = message.verb == "NOTICE" ? "notice" : nil
        if text.utf8.first == 1 {
            // Of the client-to-client requests only ACTION is something said.
            guard message.verb == "PRIVMSG", text.hasPrefix("\u{1}ACTION ") else { return [] }
            text = String(text.dropFirst(8))
            kind = "action"
        }
        let texts = chatTexts(text, in: target).filter { $0.utf8.contains { $0 != 0x20 && $0 != 0x0A } }
        guard !texts.isEmpty else { return [] }
        var actions: [RelayAction] = []
        // A nick may have been another's then.
        var account = message.tags["account"]
        if !isPlayback {
            if connection.registration.enabled.contains("account-tag"), !isOwnSession {
                actions += accountIs(source.nick, account)
            }
            account = account ?? roster.person(source.nick)?.account
        }
        let speaker = speaker(source.nick, account: account)
        let time = message.tags["time"].flatMap { MessageReference.isTime($0) ? $0 : nil }
        playback.heard(message, in: target, now: now)
        let asked = line?.reference ?? MessageReference(message)
        let reference = history.reference(asked, in: target, hasID: line != nil, isPlayback: isPlayback)
        let part = line?.part ?? 1
        if let reference { places.relayed(target, reference, part: part, now: now) }
        for link in inbound(target) {
            let (whole, replyTo) = (line.map { Self.key($0.text, link) }, answered(message, target, link))
            for (i, text) in texts.enumerated() {
                let key = whole.map { Self.part(i, of: $0) }
                let commands = users.commands(
                    speaker, link, message: text, kind: kind, key: key, sentAt: time,
                    id: key.map { BridgeMessageID.of($0, plugin: connection.plugin) }, replyTo: i == 0 ? replyTo : nil)
                actions += commands.map { command in
                    var command = command
                    if command.kind == .message, i == texts.count - 1 {
                        (command.reference, command.part) = (reference, part)
                    }
                    return .emit(command)
                }
            }
        }
        noteBrought(message, target, by: speaker.id, parts: texts.count)
        if isPlayback || isOwnSession { return actions }
        return actions + guestSpoke(message, source.nick, account, target, now)
    }

    /// The chat's name for who is addressed in a channel on IRC: somebody there, or somebody of the chat.
    func addressee(_ nick: String, in target: String) -> String? {
        if let name = puppets.name(of: connection.supports.casemapping.fold(nick)) { return name }
        return roster.contains(nick, in: target) ? roster.person(nick)?.nick : recent.author(nick)
    }

    /// What a command's event id is derived from.
    func key(_ message: IRCMessage, _ link: LinkConfig) -> String? {
        message.tags["msgid"].flatMap { id in id.utf8.count <= HistoryFetch.longestID ? Self.key(id, link) : nil }
    }

    /// What the event id of a message is derived from.
    /// - Parameter id: The server's id of it.
    static func key(_ id: String, _ link: LinkConfig) -> String { "\(link.ref)/\(link.channel)/\(id)" }

    /// A topic: told on joining, or set by somebody.
    mutating func topic(_ message: IRCMessage, _ source: IRCSource) -> [RelayAction] {
        let params = message.params.dropFirst(message.verb == "332" ? 1 : 0)
        guard params.count == 2, let name = params.first, let text = params.last else { return [] }
        connection.memberships[fold(name)]?.topic = text
        // An own topic without the label of a line of the bridge was set by another session of its account.
        let isOtherSession = receipts == .labels && !isAnswer(message)
        guard message.verb == "TOPIC", !isOwn(source.nick) || isOtherSession, isPerson(source, "TOPIC"),
            !isIgnored(message.source ?? "")
        else { return [] }
        let speaker = speaker(source.nick, account: message.tags["account"] ?? roster.person(source.nick)?.account)
        return inbound(fold(name)).flatMap { link in
            users.topic(speaker, link, ShownText.line(IRCText.plain(text)), key: key(message, link)).map {
                .emit($0)
            }
        }
    }
}
