import PluginKit

// What others ask the client by the client-to-client protocol, and how it sees itself.
extension NetworkMachine {
    /// The longest of a PING that is sent back, in bytes.
    static let longestPing = 100
    /// How long the own mask is believed without being seen, in seconds.
    static let maskInterval = 120.0

    /// Answers a client's request (CTCP); nil where the message is none that is answered.
    mutating func request(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [NetworkAction]? {
        guard !isPuppet, message.verb == "PRIVMSG", let target = message.params.first, IRCSource.isName(source.nick),
            isOwn(target) || memberships[fold(target)] != nil
        else { return nil }
        let text = IRCText.plain(message.params[1].filter { $0 != "\u{1}" })
        let words = text.split(separator: " ", maxSplits: 1).map(String.init)
        let answer: String
        switch words.first?.uppercased() {
        case "VERSION": answer = "VERSION Crowbar \(CrowbarIRC.version)"
        case "PING": answer = "PING " + IRCText.cut(words.count > 1 ? words[1] : "", Self.longestPing)
        default: return nil
        }
        guard directBucket.take(now: now), bucket.take(now: now) else { return [] }
        return [.send("NOTICE \(source.nick) :\u{1}\(answer)\u{1}")]
    }

    /// Whether the server is to be asked how others see the client: where it shows the client nothing that it says, a
    /// user name or host that has changed without a word would let lines be cut.
    var wantsMask: Bool {
        hasSpoken && receipts == .fences && bouncer.lost == nil && !isDraining
    }

    /// Lets somebody leave the chat's channels again who has spoken in a channel on IRC without being in it, which some
    /// let everybody do (mode `-n`).
    mutating func outsiderLeaves(_ nick: String, _ account: String?, _ target: String) -> [NetworkAction] {
        guard memberships[target]?.hasNames == true, !roster.isFull, !roster.contains(nick, in: target) else {
            return []
        }
        var person = roster.person(nick) ?? Roster.Person(nick: nick)
        person.account = account
        person.channels = [target]
        return disappear(person)
    }
}
