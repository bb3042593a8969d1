import PluginWire

/// Numerics of the classes 4xx and 5xx that answer something else the bridge writes: its nick, WHO, PART. All
/// others that come while messages are unconfirmed refuse one of them. Servers have many numerics for it and make
/// up more: 404 is everybody's, 408 that of bahamut and hybrid for colours, 415 of Solanum, 439 of those that
/// limit targets, 477 of bahamut and others for those without an account, 531 of InspIRCd.
private let notAboutSpeech: Set<String> = [
    "416", "431", "432", "433", "435", "436", "437", "438", "447", "451", "462", "464", "465", "468", "484",
    // Lists and modes, which the bridge never sets.
    "441", "443", "467", "472", "478", "501", "502",
]

/// The numeric that refuses a topic in a channel that the client is in.
private let topicRefusal = "482"

/// Numerics that name the command they refuse in place of a channel.
private let commandRefusals: Set<String> = ["263", "400", "421", "461"]

/// Numerics by which a channel refuses what is said to it.
private let channelRefusals: Set<String> = ["404", "415", "477", "489", "531"]

/// Numerics outside the classes 4xx and 5xx that refuse a message whatever they say: 936 of InspIRCd before 3 for a
/// forbidden word, 926 for a forbidden channel, 716 for somebody who takes none.
private let otherRefusals: Set<String> = ["716", "926", "936"]

// What a server without labels says against messages that were written to it.
extension ConnectionMachine {
    /// Handles a numeric, or a standard reply `FAIL PRIVMSG CODE … :words`, that has no label.
    mutating func speechRefused(_ message: IRCMessage, _ now: Instant) {
        guard !isAnswer(message), !notAboutSpeech.contains(message.verb) else { return }
        let words = IRCText.words(message.params.last ?? message.verb)
        let context =
            message.verb == "FAIL" ? message.params.dropFirst(2).dropLast() : message.params.dropFirst().dropLast()
        if message.verb == topicRefusal {
            guard let target = context.first.map(fold), connection.memberships[target] != nil else { return }
            return connection.outbound.receipts.refuse(target, words, isTopic: true)
        }
        if let target = context.map(fold).first(where: { connection.memberships[$0] != nil }) {
            return refuse(target, words, message, now)
        }
        // A nick or another command is named: it is not about what was said to a channel.
        if commandRefusals.contains(message.verb) {
            guard ["PRIVMSG", "NOTICE"].contains(context.first ?? "") else { return }
        } else if let name = context.first, !name.isEmpty {
            return
        }
        // No target is named: it is taken to be of the one written to last.
        if let target = connection.outbound.receipts.lastTarget { refuse(target, words, message, now) }
    }

    private mutating func refuse(_ target: String, _ words: String, _ message: IRCMessage, _ now: Instant) {
        guard connection.outbound.receipts.canRefuse(target, isTopic: false) else { return }
        connection.outbound.receipts.refuse(target, words, isTopic: false, remedy(message, target, now))
    }

    /// Handles a numeric of a class in which most are answers to questions (6xx to 9xx). Kinds of servers number errors
    /// of their own so: what names a channel to which something is unconfirmed, and refuses by its words, is one.
    mutating func otherNumeric(_ message: IRCMessage, _ now: Instant) -> [Action] {
        guard message.params.count > 2, !isAnswer(message) else { return [] }
        let context = message.params.dropFirst().dropLast().map(fold)
        guard let target = context.first(where: { connection.memberships[$0]?.isJoined == true }),
            let words = message.params.last,
            otherRefusals.contains(message.verb) || ServerWords.refuses(words)
        else { return [] }
        refuse(target, IRCText.words(words), message, now)
        return []
    }

    /// The name of a channel that the client was thought to be in, if the server refuses a message or topic because it
    /// is not: 442 and 403, and a 404 that says so. A channel that was renamed is not there under its former name.
    func absence(_ message: IRCMessage) -> String? {
        guard message.params.count > 2, !connection.moves.isAboutFormerName,
            connection.memberships[fold(message.params[1])]?.isJoined == true,
            connection.outbound.receipts.hasUnconfirmed(fold(message.params[1]))
        else { return nil }
        switch message.verb {
        case "403", "442": return message.params[1]
        case "404": return ServerWords.isAbsence(message.params.last ?? "") ? message.params[1] : nil
        default: return nil
        }
    }

    /// What can be done about a line to a channel that the server does not pass on.
    mutating func remedy(_ message: IRCMessage, _ target: String, _ now: Instant) -> Remedy {
        // The channel was renamed meanwhile: the line is said under its present name.
        if connection.moves.isAboutFormerName, connection.moves.renamed[target] != nil { return .renamed }
        let words = message.params.last ?? ""
        let remedy = Remedy(message.verb, words)
        // The relay says at once what a puppet cannot say.
        guard remedy == .none || remedy == .simplest, retriesRefused else { return remedy }
        let wait = NamedWait(words)
        if let wait, wait.origin == .answer {
            return throttled(target, IRCText.words(words), seconds: wait.seconds, now) ?? remedy
        }
        let code = message.verb == "FAIL" && message.params.count > 1 ? message.params[1] : ""
        if wait == nil, ServerWords.isTooFast(words) || ServerWords.isTooFast(code) || message.verb == "263" {
            return throttled(target, IRCText.words(words), seconds: nil, now) ?? remedy
        }
        let registeredAt = connection.registeredAt
        guard channelRefusals.contains(message.verb) || wait != nil,
            connection.memberships[target]?.holds(words, registeredAt: registeredAt, now: now) == true
        else { return remedy }
        connection.delays.look(at: now)
        return .later
    }

    /// Handles a NOTICE of the server itself that comes while messages without a label are unconfirmed: some servers
    /// drop messages and say so in no other way (Charybdis: `*** Message to #room throttled due to flooding`; InspIRCd:
    /// `*** This line is too similar to one of your last lines.`). Words that are about something else, or unknown, do
    /// not turn a delivered message into a loss: the operator gets a warning for the latter.
    mutating func noticed(_ message: IRCMessage, _ now: Instant) -> [Action] {
        guard case .registered = connection.phase, !isAnswer(message), message.params.count == 2,
            isOwn(message.params[0]) || message.params[0] == "*"
                || connection.memberships[fold(message.params[0])] != nil,
            isServer(message.source)
        else { return [] }
        let words = IRCText.words(message.params[1])
        let names = words.split(whereSeparator: { " \t,;:()'\"".contains($0) }).map { fold(trimmed($0)) }
        let named = ([fold(message.params[0])] + names).first { connection.memberships[$0] != nil }
        guard let target = named ?? connection.outbound.receipts.lastTarget,
            connection.outbound.receipts.canRefuse(target, isTopic: false)
        else { return [] }
        switch ServerWords.meaning(words, isNamed: named != nil) {
        case .unrelated: return []
        case .refusal:
            refuse(target, words, message, now)
            return []
        // An echo tells more.
        case .doubt: return receipts == .fences ? doubt(words, of: target, now) : []
        }
    }

    /// A channel's name at the end of a sentence.
    private func trimmed(_ word: Substring) -> String {
        var word = word
        while let last = word.last, ".!?".contains(last), connection.memberships[fold(String(word))] == nil {
            word.removeLast()
        }
        return String(word)
    }

    /// Whether a line is the server's own. Services may speak without a host; their nicks have no dot.
    private func isServer(_ source: String?) -> Bool {
        let source = IRCSource(source ?? "")
        guard source.host.isEmpty, source.user.isEmpty else { return false }
        return source.nick.contains(".")
            || !source.nick.lowercased().hasSuffix("serv") && !isKnown(source.nick)
    }
}
