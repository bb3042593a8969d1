import PluginKit

// What others ask the client by the client-to-client protocol, and how it sees itself.
extension Relay {
    /// The longest of a PING that is sent back, in bytes.
    static let longestPing = 100
    /// Answers a client's request (CTCP); nil where the message is none that is answered.
    mutating func request(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [RelayAction]? {
        guard message.verb == "PRIVMSG", let target = message.params.first, IRCSource.isName(source.nick),
            isOwn(target) || connection.memberships[fold(target)] != nil
        else { return nil }
        let text = IRCText.plain(message.params[1].filter { $0 != "\u{1}" })
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        let answer: String
        switch words.first?.uppercased() {
        case "VERSION": answer = "VERSION Crowbar \(CrowbarIRC.version)"
        case "PING": answer = "PING " + IRCText.cut(words.count > 1 ? words[1] : "", Self.longestPing)
        default: return nil
        }
        guard connection.directBucket.take(now: now), connection.bucket.take(now: now) else { return [] }
        return [.send("NOTICE \(source.nick) :\u{1}\(answer)\u{1}")]
    }

    /// Lets somebody leave the chat's channels again who has spoken in a channel on IRC without being in it, which some
    /// let everybody do (mode `-n`).
    mutating func outsiderLeaves(_ nick: String, _ account: String?, _ target: String) -> [RelayAction] {
        guard connection.memberships[target]?.hasNames == true, !roster.isFull, !roster.contains(nick, in: target)
        else {
            return []
        }
        var person = roster.person(nick) ?? Roster.Person(nick: nick)
        person.account = account
        person.channels = [target]
        return disappear(person)
    }
}
