/// What a server says in words alone: in a NOTICE, or behind a number that means many things.
enum ServerWords {
    /// What a NOTICE means that a server sends while messages are unconfirmed.
    enum Meaning: Equatable, Sendable {
        /// It is of a kind that has nothing to do with what was said.
        case unrelated
        /// It says that what was said is not passed on.
        case refusal
        /// Nothing of that is known.
        case doubt
    }

    /// How notices begin, behind their stars and dashes, that are not about a message: announcements, what happens on
    /// the network, and what servers say while somebody connects.
    private static let unrelatedBeginnings = [
        "global --", "[global", "(global", "global:", "announcement", "[announcement", "notice --",
        "broadcast", "wallops",
        "looking up", "found your", "found hostname", "could not resolve", "couldn't resolve", "couldn't look up",
        "checking ident", "got ident", "no ident", "ident ", "your host", "spoofing", "you are connected",
        "you are now logged", "you are now connected", "you have been logged", "welcome", "highest connection",
        "current local", "current global", "server up", "uptime", "message of the day", "motd", "netsplit", "netjoin",
        "received sighup", "your vhost", "processing connection", "skipping host", "if you are having problems",
    ]
    /// Words within notices that are about others and not about a message.
    private static let unrelatedWords = ["new connections", "into the channel"]
    /// Words that say that something is not done.
    private static let refusalWords = [
        "not processed", "not be processed", "blocked", "banned", "shunned", "too similar", "slow mode", "slow down",
        "cannot", "can't", "can not", "could not", "couldn't", "may not", "not allowed", "not permitted",
        "not accepted", "denied", "rejected", "refused", "dropped", "discarded", "not delivered", "undelivered",
        "not sent", "wasn't sent", "wasn't posted", "not posted", "wasn't delivered", "not been sent",
        "not been delivered", "throttl", "flood", "too fast", "too quickly", "too many", "too often", "too long",
        "rate limit", "rate-limit", "ratelimit", "spam", "muted", "quieted", "silenced", "gagged", "-only mode",
        "only mode", "must be", "must have", "must wait", "must first", "need to", "please wait", "identical",
        "repeat", "filtered", "forbidden", "prohibited", "unable", "restricted", "suspended", "violat", "duplicate",
        "ignored", "delivery failed",
    ]
    /// Words that say that it is about what the client has said.
    private static let subjects: Set<Substring> = [
        "you", "your", "yours", "you're", "you've", "message", "messages", "line", "lines", "privmsg", "room",
        "channel", "text",
    ]
    /// Words that say that it is for being too much or too fast.
    private static let paceWords = [
        "throttl", "flood", "too fast", "too quickly", "too often", "too many lines", "too many messages", "slow down",
        "rate limit", "rate-limit", "ratelimit", "rate_limit", "please wait", "wait before", "must wait",
        "again later", "retry later",
    ]
    /// How servers say that the client is not in a channel.
    private static let absenceWords = [
        "not on that channel", "not on channel", "not on the channel", "not in that channel", "not in the channel",
        "not in channel", "not on this channel", "not in this channel", "not a member", "haven't joined",
        "have not joined", "not joined", "no external", "external messages",
    ]

    /// What a NOTICE means.
    /// - Parameters:
    ///   - text: Its text.
    ///   - isNamed: Whether it names a channel that something unconfirmed was said to, or is to that channel.
    static func meaning(_ text: String, isNamed: Bool) -> Meaning {
        let small = plain(text)
        if isUnrelated(small) { return .unrelated }
        let isAbout = isNamed || small.split { !$0.isLetter && $0 != "'" }.contains(where: subjects.contains)
        return isAbout && refusalWords.contains(where: small.contains) ? .refusal : .doubt
    }

    /// Whether words refuse something.
    static func refuses(_ text: String) -> Bool {
        let small = plain(text)
        return refusalWords.contains(where: small.contains)
    }

    /// Whether words say that messages come too fast.
    static func isTooFast(_ text: String) -> Bool {
        let small = plain(withoutChannels(text))
        return paceWords.contains(where: small.contains)
    }

    /// Whether words say that the client is not in the channel.
    static func isAbsence(_ text: String) -> Bool {
        let small = plain(text)
        return absenceWords.contains(where: small.contains)
    }

    /// The words but for names of channels, which may be anything.
    static func withoutChannels(_ words: String) -> String {
        words.split(separator: " ").filter { !$0.drop { $0 == "(" || $0 == "'" }.hasPrefix("#") }
            .joined(separator: " ")
    }

    private static func plain(_ text: String) -> String { text.lowercased().replacing("\u{2019}", with: "'") }

    private static func isUnrelated(_ small: String) -> Bool {
        if small.allSatisfy({ !$0.isLetter }) { return true }
        let said = small.drop { "*- ".contains($0) }
        // What InspIRCd tells its operators: `*** CONNECT: Client connecting`. The words are small here.
        let first = said.prefix { $0.isLetter }
        if small.hasPrefix("*** "), snomasks.contains(first), said.dropFirst(first.count).hasPrefix(":") { return true }
        return unrelatedBeginnings.contains(where: said.hasPrefix) || unrelatedWords.contains(where: small.contains)
    }

    private static let snomasks: Set<Substring> = [
        "connect", "quit", "kill", "remoteconnect", "remotequit", "remotekill", "oper", "announcement", "link",
        "remotelink", "xline", "stats", "debug", "nick", "remotenick", "client", "rehash", "spanningtree", "globops",
    ]
}
