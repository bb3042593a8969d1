import PluginWire

// What a server without labels says against messages that were written to it.
extension NetworkMachine {
    /// Numerics of the classes 4xx and 5xx that answer something else the bridge writes: its nick, WHO, PART. All
    /// others that come while messages are unconfirmed refuse one of them. Servers have many numerics for it and make
    /// up more: 404 is everybody's, 408 that of bahamut and hybrid for colours, 415 of Solanum, 439 of those that
    /// limit targets, 477 of bahamut and others for those without an account, 531 of InspIRCd.
    private static let notAboutSpeech: Set<String> = [
        "416", "431", "432", "433", "435", "436", "437", "438", "447", "451", "462", "464", "465", "468", "484",
        // Lists and modes, which the bridge never sets.
        "441", "443", "467", "472", "478", "501", "502",
    ]
    /// Numerics that refuse a topic in a channel that the client is in.
    private static let topicRefusals: Set<String> = ["442", "482"]
    /// Numerics that name the command they refuse in place of a channel.
    private static let commandRefusals: Set<String> = ["263", "400", "421", "461"]

    /// Handles a numeric, or a standard reply `FAIL PRIVMSG CODE … :words`, that has no label.
    mutating func speechRefused(_ message: IRCMessage, _ now: Instant) {
        guard !isAnswer(message), !Self.notAboutSpeech.contains(message.verb) else { return }
        let words = IRCText.words(message.params.last ?? message.verb)
        let context =
            message.verb == "FAIL" ? message.params.dropFirst(2).dropLast() : message.params.dropFirst().dropLast()
        if Self.topicRefusals.contains(message.verb) {
            guard let target = context.first.map(fold), memberships[target] != nil else { return }
            return ledger.refuse(target, words, isTopic: true)
        }
        if let target = context.map(fold).first(where: { memberships[$0] != nil }) {
            return refuse(target, words, message, now)
        }
        // A nick or another command is named: it is not about what was said to a channel.
        if Self.commandRefusals.contains(message.verb) {
            guard ["PRIVMSG", "NOTICE"].contains(context.first ?? "") else { return }
        } else if let name = context.first, !name.isEmpty {
            return
        }
        // No target is named: it is taken to be of the one written to last.
        if let target = ledger.lastTarget { refuse(target, words, message, now) }
    }

    private mutating func refuse(_ target: String, _ words: String, _ message: IRCMessage, _ now: Instant) {
        guard ledger.canRefuse(target, isTopic: false) else { return }
        ledger.refuse(target, words, isTopic: false, remedy(message, target, now))
    }

    /// Numerics by which a channel refuses what is said to it.
    private static let channelRefusals: Set<String> = ["404", "415", "477", "489", "531"]

    /// What can be done about a line to a channel that the server does not pass on.
    mutating func remedy(_ message: IRCMessage, _ target: String, _ now: Instant) -> Remedy {
        // The channel was renamed meanwhile: the line is said under its present name.
        if keptState.moves.isAboutFormerName, keptState.moves.renamed[target] != nil { return .renamed }
        let words = message.params.last ?? ""
        let remedy = Remedy(message.verb, words)
        guard remedy == .none || remedy == .simplest else { return remedy }
        // What a user's own connection cannot say is said by the bridge's at once.
        guard !isPuppet, Self.channelRefusals.contains(message.verb) || Remedy.seconds(words) != nil,
            memberships[target]?.holds(words, now: now) == true
        else { return remedy }
        delays.look(at: now)
        return .later
    }

    /// Words with which a server says in a NOTICE that it drops messages because there are too many.
    private static let throttlingWords = [
        "throttled", "too fast", "flood", "slow down", "rate limit", "message dropped", "message not sent",
        "message blocked", "not delivered", "was not sent", "could not be sent", "cannot send",
    ]

    /// Handles a NOTICE of the server itself: some drop messages for throttling and say so in no other way (Charybdis:
    /// `*** Message to #room throttled due to flooding`).
    mutating func noteThrottling(_ message: IRCMessage, _ now: Instant) {
        guard case .registered = phase, !isAnswer(message), message.params.count == 2,
            isOwn(message.params[0]) || message.params[0] == "*" || memberships[fold(message.params[0])] != nil,
            !isPerson(IRCSource(message.source ?? ""), message.verb)
        else { return }
        let words = IRCText.words(message.params[1])
        let small = words.lowercased()
        guard Self.throttlingWords.contains(where: { small.contains($0) }) else { return }
        let named =
            small.split(whereSeparator: { " \t,;:".contains($0) }).map { fold(String($0)) } + [fold(message.params[0])]
        let target = named.first { memberships[$0] != nil } ?? ledger.lastTarget
        if let target { refuse(target, words, message, now) }
    }
}
