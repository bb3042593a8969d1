/// Gets the configured nick back from whoever has it.
///
/// It is asked for again and again, at once where its holder is seen to go, and through NickServ where that knows the
/// client's account. A server's refusal (433) of such a try means nothing.
struct NickKeeper: Equatable, Sendable {
    /// How often it is asked for, in seconds.
    static let interval = 60.0
    /// How long NickServ may take to throw the holder out, in seconds.
    static let patience = 15.0

    /// What NickServ is asked for, the best first. `REGAIN` gives the client the nick, `GHOST` only ends who has it.
    private enum Request: String {
        case regain = "REGAIN"
        case ghost = "GHOST"
    }

    /// Nil where NickServ does not know the client, or none of the requests.
    private var request: Request?
    private var askedAt: Instant?
    private var isWatching = false
    /// When it is asked for next.
    private(set) var next: Instant = 0

    /// The server has accepted the client.
    mutating func registered(now: Instant) {
        self = NickKeeper()
        next = now + Self.interval
    }

    /// How long after the server has said that it does not accept the nick it is not asked for, in seconds.
    static let refusedInterval = 3600.0

    /// The server does not accept it (432).
    mutating func isRefused(now: Instant) { next = now + Self.refusedInterval }

    /// Another nick is wanted.
    mutating func wantsAnother(now: Instant) { next = now }

    /// The services know the client's account, whose nick it may be.
    mutating func identified(_ wanted: String, has nick: String, now: Instant) -> [String] {
        request = .regain
        return nick == wanted ? [] : ask(wanted, now)
    }

    /// The server tells who comes and goes (ISUPPORT `MONITOR`).
    mutating func watch(_ wanted: String, has nick: String) -> [String] {
        guard nick != wanted, !isWatching else { return [] }
        isWatching = true
        return [IRCMessage("MONITOR", ["+", wanted]).line]
    }

    /// Time has passed.
    mutating func tick(_ wanted: String, has nick: String, now: Instant) -> [String] {
        guard nick != wanted, now >= next else { return [] }
        next = now + Self.interval
        return ask(wanted, now) + [Self.take(wanted)]
    }

    /// Whoever had it has gone, or the server says that nobody has it.
    mutating func isFree(_ wanted: String, has nick: String) -> [String] { nick == wanted ? [] : [Self.take(wanted)] }

    /// NickServ answers.
    mutating func said(_ text: String, _ wanted: String, has nick: String, now: Instant) -> [String] {
        guard nick != wanted, let asked = askedAt, now - asked <= Self.patience, let request else { return [] }
        let small = text.lowercased()
        guard ["unknown command", "invalid command", "no such command"].contains(where: small.contains) else {
            // Whatever it said, the nick may be free now.
            askedAt = nil
            return [Self.take(wanted)]
        }
        askedAt = nil
        self.request = request == .regain ? .ghost : nil
        return ask(wanted, now)
    }

    /// The client's nick is another one.
    mutating func changed(_ wanted: String, to nick: String) -> [String] {
        guard nick == wanted else { return [] }
        askedAt = nil
        guard isWatching else { return [] }
        isWatching = false
        return [IRCMessage("MONITOR", ["-", wanted]).line]
    }

    private mutating func ask(_ wanted: String, _ now: Instant) -> [String] {
        guard let request else { return [] }
        askedAt = now
        return [IRCMessage("PRIVMSG", ["NickServ", "\(request.rawValue) \(wanted)"]).line]
    }

    private static func take(_ wanted: String) -> String { IRCMessage("NICK", [wanted]).line }
}
