/// Identifying to a network's NickServ, where there is no SASL.
struct NickServ: Equatable, Sendable {
    /// How long its answer is waited for before the channels are joined, in seconds.
    static let patience = 5.0
    /// The longest of its words that are shown, in characters.
    static let longestWords = 200

    /// How the services of the networks say that they know the client, in small letters: Atheme ("You are now
    /// identified for", "You are now logged in as", "You are already logged in as"), Anope ("Password accepted - you
    /// are now recognized.", "You are already identified."), OFTC's ("You are successfully identified as"), and Ergo
    /// ("You're now logged in as", "You're already logged into an account").
    private static let welcomes = [
        "you are now identified", "you are now logged in", "you are now recognized", "you are successfully identified",
        "you are already identified", "you are already logged in", "password accepted",
        // QuakeNet's Q says what NickServ does; GameSurge's AuthServ, Undernet's X.
        "i recognize you", "authentication successful",
    ]
    /// How they say that they do not.
    private static let refusals = [
        "incorrect", "invalid", "wrong", "not registered", "isn't registered", "not a registered", "no such account",
        "failed", "denied", "suspended", "frozen", "cannot identify", "cannot log in", "not permitted",
        "not authorized", "unknown command", "could not find your account", "do not know who you are",
    ]

    /// How they ask somebody whom they do not know (any more), in small letters. Some say it in several notices.
    private static let requests = [
        "nickname is registered", "nick is registered", "nickname is owned", "nick is owned", "please identify",
        "must identify", "need to identify", "have to identify", "nickserv identify", "ns identify",
        "you are not identified", "you have been logged out", "you are now logged out", "you are no longer identified",
        "you are no longer logged in",
    ]

    /// Whether a message of services asks for a password.
    static func asks(_ text: String) -> Bool {
        let small = small(text)
        return requests.contains { small.contains($0) }
    }

    private static func small(_ text: String) -> String {
        IRCText.plain(text).lowercased().replacing("\u{2019}", with: "'").replacing("you're", with: "you are")
    }

    /// The account and how it is proved.
    struct Config: Equatable, Sendable {
        /// The nick's own where nil.
        var account: String?
        var password: String
        /// The target of the PRIVMSG: `NickServ`, `Q@CServe.quakenet.org`.
        var service = "NickServ"
        /// The message, with `{account}` and `{password}`; nil: NickServ's `IDENTIFY`.
        var command: String?

        /// The nick by which they answer.
        var nick: String { String(service.prefix { $0 != "@" }).lowercased() }

        /// Whether nicks belong to accounts there, and it frees them.
        var ownsNicks: Bool { command == nil }

        /// The messages of services not called NickServ: QuakeNet's Q, GameSurge's AuthServ, Undernet's X.
        private static let commands = [
            "q": "AUTH {account} {password}", "authserv": "AUTH {account} {password}",
            "x": "LOGIN {account} {password}",
        ]

        /// Reads a network's `nickserv`; nil where there is none.
        /// - Throws: ``ConfigError`` naming the key.
        static func read(_ section: ConfigSection) throws(ConfigError) -> Config? {
            guard let json = section.value("nickserv") else { return nil }
            let table = try ConfigSection(
                json, path: section.path + ".nickserv", known: ["account", "password", "service", "command"])
            let account = try table.value("account") == nil ? nil : table.word("account", default: "", most: 100)
            let password = try table.required("password", most: 300)
            // It is one word of the message.
            guard !password.utf8.contains(0x20) else { throw table.fail("password", "must hold no spaces") }
            var config = Config(account: account, password: password)
            config.service = try table.word("service", default: config.service, most: 100)
            guard !config.nick.isEmpty, !config.service.utf8.contains(where: { "#&,!*".utf8.contains($0) }) else {
                throw table.fail("service", "must be a nick such as 'NickServ', or one with its server: 'Q@HOST'")
            }
            config.command = try table.string("command", most: 300) ?? commands[config.nick]
            if let command = config.command {
                guard command.contains("{password}") else {
                    throw table.fail("command", "must hold {password}, and {account} where the service wants it")
                }
                guard account != nil || !command.contains("{account}") else {
                    throw table.fail("account", "is missing: it is sent to '\(config.service)'")
                }
            }
            return config
        }
    }

    private enum State: Equatable {
        case unasked
        case asked(until: Instant)
        case known
        case refused(String)
    }

    private var state = State.unasked

    /// When its silence is taken for an answer; nil: it was not asked, or has answered.
    var waitsUntil: Instant? { if case .asked(let until) = state { until } else { nil } }
    /// Why the client is not known to it.
    var problem: String? { if case .refused(let reason) = state { "NickServ: " + reason } else { nil } }

    /// Whether the client is known to it, or is asking to be.
    var isSettled: Bool { state == .known || waitsUntil != nil }

    /// Asks it.
    /// - Parameters:
    ///   - wanted: The configured nick, whose account it is where none is configured.
    ///   - nick: The one that the client has.
    mutating func identify(_ config: Config, _ wanted: String, has nick: String, now: Instant) -> String {
        state = .asked(until: now + Self.patience)
        if let command = config.command {
            let named = command.replacing("{account}", with: config.account ?? wanted)
            return IRCMessage("PRIVMSG", [config.service, named.replacing("{password}", with: config.password)]).line
        }
        // Under its own nick the client need not name the account, for which services have different orders of words.
        let account = config.account ?? (nick == wanted ? nil : wanted)
        let named = account.map { $0 + " " } ?? ""
        return IRCMessage("PRIVMSG", [config.service, "IDENTIFY \(named)\(config.password)"]).line
    }

    /// The client is known (900).
    mutating func isKnown() { state = .known }

    /// The client is logged out: it must identify again.
    mutating func isForgotten() { if state == .known { state = .unasked } }

    /// There is none (401).
    mutating func isMissing() { if waitsUntil != nil { state = .refused("there is none on this network") } }

    /// It has not answered in time.
    mutating func isSilent() { if waitsUntil != nil { state = .refused("it did not answer") } }

    /// It says something; of words that decide nothing it is waited for more.
    /// - Returns: Whether the client is known to it by that.
    mutating func said(_ text: String, _ config: Config) -> Bool {
        let small = Self.small(text)
        // Also after its time is over: services may be slow.
        guard state != .unasked, state != .known else { return false }
        // First, as the account that they name may be called anything.
        if Self.welcomes.contains(where: small.contains) {
            state = .known
            return true
        }
        if Self.refusals.contains(where: small.contains) {
            let words = IRCText.plain(text).replacing(config.password, with: "***")
            state = .refused(String(words.prefix(Self.longestWords)))
        }
        return false
    }
}
