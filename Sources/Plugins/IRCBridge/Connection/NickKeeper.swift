/// Regains the configured nick from another client.
///
/// The client asks for it every minute, at once when its holder leaves, and through NickServ where that knows the
/// client's account. Where the server or NickServ says that this never works, the client asks once an hour, and the
/// status has the reason.
struct NickKeeper: Sendable {
    /// How often it is asked for, in seconds.
    static let interval = 60.0
    /// How long NickServ may take to answer, in seconds.
    static let patience = 15.0
    /// How long after a refusal for good it is not asked for, in seconds.
    static let refusedInterval = 3600.0
    /// The shortest time between two tries after a channel's modes have changed, in seconds.
    static let shortest = 10.0
    /// How often the server may take the nick away before the client stops asking for it each minute.
    static let mostLosses = 2
    /// How many requests NickServ may leave unanswered before it is asked only once an hour.
    static let mostSilences = 3

    /// What NickServ is asked for. `REGAIN` gives the client the nick, `GHOST` only disconnects who has it, `RELEASE`
    /// ends a reservation.
    private enum Request: String {
        case regain = "REGAIN"
        case ghost = "GHOST"
        case release = "RELEASE"
    }

    /// Why the client does not get the nick.
    private enum Obstacle: Equatable {
        case reserved(String)
        case channel(String, words: String)
        case tooLong(Int)
        case lost
    }

    /// The best request that NickServ knows; nil where it does not know the client, or none of the requests.
    private var request: Request?
    private var asked: (request: Request, at: Instant, isAnswered: Bool)?
    private var silences = 0
    /// When NickServ may be asked again.
    private var nextRequest: Instant = 0
    private var knowsRelease = true
    private var releasedAt: Instant?
    private var isWatching = false
    /// When it is asked for next.
    private(set) var next: Instant = 0
    private var lastTry: Instant = 0
    private var obstacle: Obstacle?
    private var refusedByServices: String?
    private var losses = 0

    /// Why the client does not have the nick and will not get it by waiting; nil where it has it, or somebody else does
    /// for now.
    func problem(_ wanted: String, has nick: String) -> String? {
        guard nick != wanted else { return nil }
        switch obstacle {
        case .reserved(let words): return "cannot have the nick '\(wanted)': \(words); set another 'nick'"
        case .channel(_, let words): return "cannot change its nick to '\(wanted)': \(words)"
        case .tooLong(let most):
            return "cannot have the nick '\(wanted)': the server allows \(most) characters; set a shorter 'nick'"
        case .lost:
            return "lost the nick '\(wanted)' \(losses) times: the server or its services took it away; set 'sasl' or "
                + "'nickserv' for its account, or another 'nick'"
        case nil: return refusedByServices.map { "NickServ does not free the nick '\(wanted)': \($0)" }
        }
    }

    /// The server has accepted the client.
    mutating func registered(now: Instant) {
        self = NickKeeper()
        next = now + Self.interval
    }

    /// The server does not give the client the nick.
    /// - Returns: What to write: a request to release it, once an hour.
    mutating func refused(_ refusal: NickRefusal, _ wanted: String, has nick: String, now: Instant) -> [String] {
        guard nick != wanted else { return [] }
        obstacle = nil
        switch refusal {
        case .inUse: return []
        case .tooFast(let seconds):
            next = max(next, now + seconds)
            return []
        case .channel(let name, let words):
            obstacle = .channel(name, words: words)
            next = now + Self.refusedInterval
            return []
        case .never(let words):
            obstacle = .reserved(words)
            next = now + Self.refusedInterval
            return []
        case .held: return askRelease(wanted, now)
        case .reserved(let words):
            obstacle = .reserved(words)
            next = now + Self.refusedInterval
            return askRelease(wanted, now)
        }
    }

    private mutating func askRelease(_ wanted: String, _ now: Instant) -> [String] {
        guard request != nil, knowsRelease, now >= nextRequest else { return [] }
        if let releasedAt, now - releasedAt < Self.refusedInterval { return [] }
        releasedAt = now
        return [ask(.release, wanted, now)]
    }

    /// A channel's modes have changed: the nick is asked for again where they forbade that.
    /// - Parameters:
    ///   - channel: Its folded name.
    ///   - modes: The change, as `+m-N`.
    mutating func modesChanged(_ channel: String, _ modes: String, now: Instant) {
        guard case .channel(let name, _) = obstacle, name.isEmpty || name == channel else { return }
        var (isRemoved, isFound) = (false, false)
        for sign in modes {
            switch sign {
            case "+", "-": isRemoved = sign == "-"
            case "N", "b": isFound = isFound || isRemoved
            default: break
            }
        }
        if isFound { next = min(next, max(now, lastTry + Self.shortest)) }
    }

    /// Another nick is wanted.
    mutating func wantsAnother(now: Instant) {
        (obstacle, refusedByServices, losses, asked, releasedAt) = (nil, nil, 0, nil, nil)
        (next, nextRequest) = (now, now)
    }

    /// The services know the client's account, whose nick it may be.
    mutating func identified(_ wanted: String, has nick: String, now: Instant) -> [String] {
        (request, refusedByServices, silences) = (.regain, nil, 0)
        (nextRequest, knowsRelease, releasedAt) = (now, true, nil)
        return nick == wanted ? [] : ask(wanted, now)
    }

    /// There is no NickServ (401).
    mutating func hasNoServices() { (request, asked) = (nil, nil) }

    /// The server tells who comes and goes (ISUPPORT `MONITOR`).
    mutating func watch(_ wanted: String, has nick: String) -> [String] {
        guard nick != wanted, !isWatching else { return [] }
        isWatching = true
        return [IRCMessage("MONITOR", ["+", wanted]).line]
    }

    /// Time has passed.
    /// - Parameter longest: The most bytes of a nick, by the server's `NICKLEN`.
    mutating func tick(_ wanted: String, has nick: String, longest: Int, now: Instant) -> [String] {
        guard nick != wanted, now >= next else { return [] }
        // The server has cut it, and does so each time.
        if nick.utf8.count == longest, wanted.hasPrefix(nick) {
            obstacle = .tooLong(longest)
            next = now + Self.refusedInterval
            return []
        }
        next = now + Self.interval
        return ask(wanted, now) + [take(wanted, now)]
    }

    /// Whoever had it has gone, or the server says that nobody has it.
    mutating func isFree(_ wanted: String, has nick: String, now: Instant) -> [String] {
        nick == wanted ? [] : [take(wanted, now)]
    }

    /// NickServ answers.
    /// - Parameter secret: What of its words is not shown.
    mutating func said(
        _ text: String, _ wanted: String, has nick: String, secret: String?, now: Instant
    ) -> [String] {
        guard nick != wanted, let asked, now - asked.at <= Self.patience else { return [] }
        silences = 0
        switch NickServAnswer(text, nick: wanted) {
        case .unknown:
            if asked.isAnswered { return [] }
            self.asked?.isAnswered = true
            guard asked.request != .release else {
                knowsRelease = false
                return []
            }
            request = asked.request == .regain ? .ghost : nil
            return ask(wanted, now)
        case .never:
            self.asked?.isAnswered = true
            var words = IRCText.words(IRCText.plain(text))
            if let secret, !secret.isEmpty { words = words.replacing(secret, with: "***") }
            refusedByServices = words
            nextRequest = now + Self.refusedInterval
            return []
        case .other:
            if asked.isAnswered { return [] }
            self.asked?.isAnswered = true
            return [take(wanted, now)]
        }
    }

    /// The client's nick is another one.
    /// - Parameter old: The one before.
    mutating func changed(_ wanted: String, from old: String, to nick: String, now: Instant) -> [String] {
        guard nick == wanted else {
            guard old == wanted else { return [] }
            losses += 1
            guard losses >= Self.mostLosses else { return [] }
            obstacle = .lost
            next = now + Self.refusedInterval
            return []
        }
        (obstacle, refusedByServices, asked) = (nil, nil, nil)
        guard isWatching else { return [] }
        isWatching = false
        return [IRCMessage("MONITOR", ["-", wanted]).line]
    }

    private mutating func ask(_ wanted: String, _ now: Instant) -> [String] {
        guard let request, now >= nextRequest else { return [] }
        if let asked, !asked.isAnswered {
            silences += 1
            guard silences < Self.mostSilences else {
                refusedByServices = "it does not answer"
                (nextRequest, silences) = (now + Self.refusedInterval, 0)
                self.asked = nil
                return []
            }
        }
        return [ask(request, wanted, now)]
    }

    private mutating func ask(_ request: Request, _ wanted: String, _ now: Instant) -> String {
        asked = (request, now, false)
        return IRCMessage("PRIVMSG", ["NickServ", "\(request.rawValue) \(wanted)"]).line
    }

    private mutating func take(_ wanted: String, _ now: Instant) -> String {
        lastTry = now
        return IRCMessage("NICK", [wanted]).line
    }
}
