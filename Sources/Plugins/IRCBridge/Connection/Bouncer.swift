/// A bouncer (ZNC, bip, soju) between the client and the server, as far as it is known.
///
/// A bouncer answers PINGs itself and shows the client echoes of its own, also while its server does not answer or is
/// gone. Neither says that the server has a message. So the server is asked something that the bouncer passes on: the
/// names of a channel that does not exist. The server handles lines in order, and repeats that channel in its answer.
struct Bouncer: Sendable {
    /// How long after a second welcome another one is not answered by joining the channels once more, in seconds.
    static let welcomePause = 1.0
    /// How long the server's answer is waited for until it is asked again, in seconds.
    static let patience = 30.0
    /// The most bytes of a connection's random name that its questions carry.
    private static let longestNonce = 8
    /// What the capabilities of bouncers begin with.
    private static let capabilities = ["znc.in/", "soju.im/"]
    /// The hosts of a bouncer's own lines.
    private static let hosts: Set<String> = ["znc.in", "irc.znc.in", "b.i.p", "bip.bip.bip"]
    /// The servers' names under which a bouncer speaks that has no server.
    private static let servers: Set<String> = ["irc.znc.in", "irc.bip.net"]
    /// Words with which a bouncer says that it has no server.
    private static let lostWords = [
        "not connected to irc", "disconnected from irc", "disconnected from upstream", "server disconnected",
        "proxy not connected", "reconnecting...", "retrying...",
    ]

    /// Whether there is one.
    private(set) var isThere = false
    /// Why it has no server, in its words; nil where it has one.
    private(set) var lost: String?
    /// The name of the server that welcomed the client.
    private var server = ""
    /// What tells this connection's questions from those of other clients of the bouncer, which gets all answers.
    private var nonce = ""
    /// The channel that the server was asked about last, folded, and what its answer confirms.
    private var question: (channel: String, token: String)?
    /// When that was.
    private var askedAt: Instant = 0
    /// When the client last began again after a second welcome.
    private var startedAgainAt: Instant?

    init() {}

    /// - Parameter nonce: Random.
    init(nonce: String) {
        let word = nonce.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        self.nonce = String(word.prefix(Self.longestNonce))
    }

    /// Whether a capability is one that only bouncers offer.
    static func offers(_ capability: String) -> Bool { capabilities.contains { capability.hasPrefix($0) } }

    /// Whether a host is that of a bouncer's own lines, and no person's.
    static func isHost(_ host: String) -> Bool { hosts.contains(host) }

    /// Whether a line is the bouncer's own and not a person's: a module of ZNC (`*status!znc@znc.in`), or bip, which
    /// repeats what people said under a host of its own (`bob!bip@b.i.p`).
    static func speaks(_ source: IRCSource) -> Bool {
        switch source.host {
        case "znc.in": !startsAsNick(source.nick)
        case "b.i.p": source.user == "bip"
        default: false
        }
    }

    /// Whether a line tells how the bouncer itself is. Nobody can have such a nick.
    static func isItself(_ source: IRCSource) -> Bool {
        guard !startsAsNick(source.nick) else { return source.nick == "irc.bip.net" }
        return source.host == "znc.in" && source.user == "znc" || source.host == "b.i.p" && source.nick == "-bip"
    }

    private static func startsAsNick(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first else { return false }
        return first.properties.isAlphabetic || "[]\\`_^{|}".unicodeScalars.contains(first)
    }

    /// There is one.
    mutating func found() { isThere = true }

    /// A server, or a bouncer without one, has accepted the client.
    mutating func welcomed(by source: String?) {
        server = (source ?? "").lowercased()
        lost = nil
        question = nil
        guard Self.servers.contains(server) else { return }
        (isThere, lost) = (true, "it says nothing more")
    }

    /// Whether a name is that of the server which welcomed the client.
    func isServer(_ name: String) -> Bool { !server.isEmpty && name.lowercased() == server }

    /// The client is welcomed once more.
    /// - Returns: Whether it has to begin again. A server that welcomes it without end is not answered each time.
    mutating func startsAgain(now: Instant) -> Bool {
        if let startedAgainAt, now - startedAgainAt < Self.welcomePause { return false }
        startedAgainAt = now
        return true
    }

    /// A PONG has come.
    /// - Returns: Whether it is the server's own.
    mutating func ponged(by source: String?) -> Bool {
        if let source, !server.isEmpty, source.lowercased() != server { isThere = true }
        return !isThere
    }

    /// The bouncer, or a line on its behalf, says something.
    /// - Returns: Whether it says that it has no server.
    mutating func said(_ words: String) -> Bool {
        isThere = true
        let small = words.lowercased()
        guard Self.lostWords.contains(where: { small.contains($0) }) else { return false }
        lost = words
        return true
    }

    /// The server is there (again).
    mutating func hasServer() { lost = nil }

    /// The line that asks the server.
    /// - Parameter token: What its answer confirms.
    mutating func ask(_ token: String, now: Instant) -> String {
        let channel = "#" + token + (nonce.isEmpty ? "" : "-" + nonce)
        question = (channel, token)
        askedAt = now
        return "NAMES " + channel
    }

    /// What a line of the server confirms; nil where it is no answer to the question.
    ///
    /// Servers say that the list of such a channel has ended (366), or that there is none (401, 403, 479). soju ends
    /// the list itself where it loses its server meanwhile.
    func answered(by message: IRCMessage) -> String? {
        guard let question, message.verb.utf8.count == 3, message.params.count > 2,
            message.params[1].lowercased() == question.channel,
            message.params.last?.lowercased().contains("abort") == false
        else { return nil }
        return question.token
    }

    /// When the server is asked again.
    var nextQuestion: Instant { askedAt + Self.patience }
}
