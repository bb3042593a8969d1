/// Why a server does not give the client a nick, and whether to ask for it again.
enum NickRefusal: Equatable, Sendable {
    /// Somebody has the nick, or had it a moment ago.
    case inUse
    /// The server wants fewer changes: ask again after so many seconds.
    case tooFast(Double)
    /// The server or its services keep the nick for now. NickServ may release it.
    case held(String)
    /// The server reserves the nick, or does not allow it. NickServ may release it.
    case reserved(String)
    /// The server gives the nick only to another account, or allows the client no change.
    case never(String)
    /// A channel, by its folded name where the server names it, allows no change of nick until its modes change.
    case channel(String, words: String)

    /// Numerics that refuse each change of nick.
    private static let numerics: Set<String> = ["435", "438", "447", "484"]
    /// How servers say that a nick is in use only by the rules (433): Ergo keeps the nicks of accounts.
    private static let reservedWords = ["reserved", "different account", "registered", "forbidden"]

    /// Reads a refusal; nil where the line refuses something else.
    ///
    /// | line | server | meaning |
    /// |---|---|---|
    /// | 432 | all | reserved or not allowed; InspIRCd also while services keep it |
    /// | 433, 436 | all | in use; with `reserved`: Ergo, of another account |
    /// | 437 with a nick | Solanum, Hybrid | kept for now, as after a `RELEASE` |
    /// | 435, 437 with a channel | Solanum, UnrealIRCd, bahamut | banned in a channel |
    /// | 438 | ircu, UnrealIRCd, Solanum | too many changes |
    /// | 447 | InspIRCd, UnrealIRCd | a channel with `+N` |
    /// | 484 | RFC 2812 | the connection is restricted |
    /// | 400 `NICK`, `FAIL NICK` | Ergo | rules of the server |
    /// - Parameters:
    ///   - wanted: The nick that was asked for; a refusal of another one means nothing.
    ///   - channel: The folded name where a parameter names a channel.
    init?(_ message: IRCMessage, wanted: String, channel: (String) -> String?) {
        let words = IRCText.words(message.params.last ?? "")
        let context = message.params.dropFirst().dropLast()
        let inWords = words.split(whereSeparator: { " ,;:()'".contains($0) }).map(String.init)
        let named = (context + inWords).compactMap(channel).first
        switch message.verb {
        case "400": guard context.first == "NICK" else { return nil }
        case "FAIL": guard message.params.first == "NICK" else { return nil }
        case "437": guard named != nil || context.first == wanted else { return nil }
        case "432", "433", "436": guard context.first == wanted else { return nil }
        default: guard Self.numerics.contains(message.verb) else { return nil }
        }
        switch message.verb {
        case "432": self = .reserved(words)
        case "433", "436":
            let small = words.lowercased()
            self = Self.reservedWords.contains { small.contains($0) } ? .never(words) : .inUse
        case "435", "447": self = .channel(named ?? "", words: words)
        case "437": self = named.map { .channel($0, words: words) } ?? .held(words)
        case "438": self = .tooFast(NamedWait(words)?.seconds ?? NickKeeper.interval)
        default: self = .never(words)
        }
    }
}

/// What services answer to a request to free a nick.
enum NickServAnswer: Equatable, Sendable {
    /// They do not know the request.
    case unknown
    /// They will not do it, however often they are asked.
    case never
    /// Anything else: the nick may be free now.
    case other

    private static let unknownWords = ["unknown command", "invalid command", "no such command"]
    /// How they say that it is done: an answer with these words refuses nothing.
    private static let doneWords = [
        "ghosted", "has been regained", "regained control", "has been released", "has been recovered", "been killed",
        "been disconnected",
    ]
    /// Atheme ("is not a registered nickname", "Invalid password for"), Anope ("isn't registered", "Access denied",
    /// "Password incorrect"), Ergo ("You don't own that nick", "You can't GHOST an always-on client"), OFTC ("is not
    /// registered") and what others of their families say.
    private static let refusals = [
        "not a registered", "not registered", "isn't registered", "unregistered", "access denied",
        "permission denied", "insufficient privileges", "don't own", "do not own", "not the owner", "not authorized",
        "not allowed", "not permitted", "may not", "cannot ghost", "can't ghost", "cannot regain", "can't regain",
        "cannot recover", "can't recover", "cannot release", "can't release", "password incorrect",
        "incorrect password", "invalid password", "wrong password", "authentication failed", "suspended", "frozen",
        "forbidden", "always-on", "not logged in", "not identified", "must be identified", "identify first",
        "authentication is disabled", "disabled",
    ]

    /// Reads an answer.
    /// - Parameter nick: The nick that it is about, whose own letters mean nothing.
    init(_ text: String, nick: String) {
        let small = IRCText.plain(text).lowercased().replacing("\u{2019}", with: "'")
            .replacing(nick.lowercased(), with: "")
        if Self.unknownWords.contains(where: small.contains) {
            self = .unknown
        } else if Self.doneWords.contains(where: small.contains) {
            self = .other
        } else {
            self = Self.refusals.contains(where: small.contains) ? .never : .other
        }
    }
}
