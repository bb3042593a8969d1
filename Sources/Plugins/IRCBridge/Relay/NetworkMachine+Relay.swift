import ChatMarkdown
import PluginKit
import PluginWire

/// What people say on IRC, for the chat.
extension NetworkMachine {
    /// Takes a message.
    /// - Parameters:
    ///   - isPlayback: Whether it is one of a history, so that what is known of now does not apply to it.
    ///   - played: What identifies it there.
    ///   - wasHeld: Whether it waited for the end of a history, which may have brought it.
    mutating func relay(
        _ message: IRCMessage, _ now: Instant, isPlayback: Bool = false, played: LineIDs.LineID? = nil,
        wasHeld: Bool = false
    ) -> [NetworkAction] {
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
        if isPuppet { return isOwn(message.params[0]) ? sayUnreachable(message, source, now) : [] }
        if isOwn(message.params[0]) {
            return message.verb == "PRIVMSG" ? direct(source, message.params[1], now) : []
        }
        // What is said to a channel's operators alone (`@#channel`) or to a whole server is not for the chat.
        guard supports.isChannel(message.params[0]) || memberships[fold(message.params[0])] != nil else { return [] }
        if isPlayback, wasOurs(source.nick) { return [] }
        let target = fold(message.params[0])
        if relayMarks.isRepeated(message.params[1], in: target, nick: nick, now: now, isOurs: isOurs) { return [] }
        if let line, !catchUp.isNew(target + " " + line.text) {
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
        var actions: [NetworkAction] = []
        // A nick may have been another's then.
        var account = message.tags["account"]
        if !isPlayback {
            if registration.enabled.contains("account-tag"), !isOwnSession {
                actions += accountIs(source.nick, account)
            }
            account = account ?? roster.person(source.nick)?.account
        }
        let speaker = speaker(source.nick, account: account)
        let time = message.tags["time"].flatMap { MessageReference.isTime($0) ? $0 : nil }
        playback.heard(message, in: target, now: now)
        let asked = line?.reference ?? MessageReference(message)
        let reference = catchUp.reference(asked, in: target, hasID: line != nil, isPlayback: isPlayback)
        let part = line?.part ?? 1
        if let reference { places.relayed(target, reference, part: part, now: now) }
        for link in inbound(target) {
            let (whole, replyTo) = (line.map { Self.key($0.text, link) }, answered(message, target, link))
            for (i, text) in texts.enumerated() {
                let key = whole.map { Self.part(i, of: $0) }
                let commands = speakers.commands(
                    speaker, link, message: text, kind: kind, key: key, sentAt: time,
                    id: key.map { BridgeMessageID.of($0, plugin: plugin) }, replyTo: i == 0 ? replyTo : nil)
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
}
