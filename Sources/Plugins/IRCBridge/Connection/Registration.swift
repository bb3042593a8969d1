/// From an open connection to a registered one (RFC 1459 4.1, IRCv3 capability negotiation 302, SASL 3.2).
struct Registration: Sendable {
    /// What to do.
    enum Step: Equatable, Sendable {
        /// Write this line.
        case send(String)
        /// Derive this key beside the event loop; ``Registration/derived(_:)`` waits for it.
        case derive(ScramExchange.Derivation)
        /// The server has accepted the client under this nick.
        case registered(nick: String)
        /// It will not. `isFinal`: trying again soon is of no use.
        case failed(reason: String, isFinal: Bool)
        /// The account was proved again, after the registration.
        case proved
        /// It could not be.
        case unproved(String)
    }

    /// Capabilities that are asked for wherever they are offered.
    static let wanted = [
        "account-notify", "account-tag", "batch", "cap-notify", "channel-rename", "chathistory", "chghost",
        "draft/channel-rename", "draft/chathistory", "draft/event-playback", "draft/message-redaction",
        "draft/multiline", "draft/relaymsg", "echo-message", "event-playback", "extended-join", "labeled-response",
        "message-tags", "multi-prefix", "server-time", "setname", "userhost-in-names",
    ]
    /// What lets the echo of a line be told from others.
    static let receipts: Set<String> = ["echo-message", "labeled-response", "batch"]
    /// The most nicks that are tried.
    static let maxNicks = 10
    /// The most lines in which a server may list its capabilities.
    static let maxListLines = 100
    /// What is asked for at all; other capabilities are not noted, so that no list of them grows.
    private static let known = Set(wanted + ["sasl"])
    private let config: NetworkConfig
    private(set) var nick: String
    private var triedNicks = 0
    private var listLines = 0
    private var offered: Set<String> = []
    private var sasl: SASLExchange?
    /// How the server lets accounts be proved; empty where it does not say.
    private var mechanisms = ""
    private var asked: Set<String> = []
    /// The capabilities that the server has acknowledged.
    private(set) var enabled: Set<String> = []
    /// What the server allows of messages of several lines, where it says so.
    private(set) var multiline: MultilineLimits?
    /// Whether the server answers each line by its label.
    var hasReceipts: Bool { Self.receipts.isSubset(of: enabled) }
    /// Whether the server shows the client what it says.
    var hasEchoes: Bool { enabled.contains("echo-message") }
    /// Whether what was offered is that of a bouncer.
    private(set) var isBouncer = false
    /// Whether the server knows the client's account.
    private(set) var isProved = false
    private var isOver = false
    /// How far a proof is that was begun after the registration.
    private var renewal = Renewal.none
    private var renewals = 0
    private let nonce: String

    private enum Renewal { case none, asked, proving }
    /// Whether it has failed because the server takes none of the nicks that were tried.
    private(set) var hasNoNick = false

    /// - Parameter nonce: For SASL: random, printable, without commas.
    init(_ config: NetworkConfig, nonce: String) {
        self.config = config
        self.nonce = nonce
        nick = config.nick
        sasl = config.sasl.map { SASLExchange($0, nonce: nonce) }
    }

    /// What is written first.
    func begin() -> [Step] {
        var lines = ["CAP LS 302"]
        if let password = config.serverPassword { lines.insert(IRCMessage("PASS", [password]).line, at: 0) }
        lines.append(IRCMessage("NICK", [nick]).line)
        lines.append("USER \(config.user) 0 * :\(config.realname)")
        return lines.map { .send($0) }
    }

    /// What a line of the server leads to.
    mutating func take(_ message: IRCMessage) -> [Step] {
        guard !isOver else { return [] }
        switch message.verb {
        case "CAP": return capabilities(message.params)
        case "AUTHENTICATE": return authenticate(message.params.first ?? "")
        // 907: the account was proved before.
        case "903", "907":
            guard let sasl, !isProved else { return [] }
            guard sasl.isComplete else {
                return fail("SASL failed: the server has not shown that it knows the password", true)
            }
            isProved = true
            return [.send("CAP END")]
        case "908":
            if message.params.count > 1 { mechanisms = message.params[1] }
            return []
        case "902", "904", "905", "906": return saslRefused(message.params.last ?? "")
        case "001":
            let wasAsked = asked.contains("sasl")
            // NickServ is for servers without SASL, not for those that leave it out.
            if config.sasl != nil, !isProved, wasAsked || config.nickServ == nil {
                let words = "the server let the bridge in without proof of its account, which 'sasl' asks for"
                return fail(wasAsked ? words : "the server does not offer SASL, which 'sasl' asks for", true)
            }
            isOver = true
            return [.registered(nick: message.params.first.flatMap { IRCSource.isName($0) ? $0 : nil } ?? nick)]
        // 432 is also that of a nick which is reserved for now, as for the services or after its user was lost.
        case "432": return otherNick(refused: message.params.last ?? "")
        case "433", "436", "437": return otherNick()
        case "464", "465", "466":
            let refusal = ServerRefusal(
                numeric: message.verb, words: message.params.last ?? "", hasPassword: config.serverPassword != nil)
            return fail(refusal.reason, refusal.isFinal)
        case "451", "461": return []
        default: return []
        }
    }

    /// What the server says of its capabilities later (cap-notify, which version 302 brings): new ones are asked for,
    /// and those that are gone done without.
    mutating func notified(_ params: [String]) -> [Step] {
        guard params.count >= 3 else { return [] }
        let names = (params.last ?? "").split(separator: " ").map { String($0.prefix { $0 != "=" }) }
        switch params[1].uppercased() {
        case "NEW":
            offer(names)
            noteMultiline((params.last ?? "").split(separator: " "))
            noteMechanisms(params.last ?? "")
            let ask = useful.filter { !enabled.contains($0) }
            return ask.isEmpty ? [] : [.send("CAP REQ :" + ask.joined(separator: " "))]
        case "DEL":
            offered.subtract(names)
            enabled.subtract(names)
            if names.contains("sasl"), renewal != .none { return unproved("the server does not offer SASL any more") }
        case "ACK":
            enabled.formUnion(Self.known.intersection(names))
            if renewal == .asked, names.contains("sasl"), let sasl {
                renewal = .proving
                return [.send(sasl.begin)]
            }
        case "NAK":
            if renewal == .asked, names.contains("sasl") { return unproved("the server refuses SASL") }
        default: break
        }
        return []
    }

    private mutating func offer(_ names: [String]) {
        offered.formUnion(Self.known.intersection(names))
        if names.contains(where: Bouncer.offers) { isBouncer = true }
    }

    /// What is offered and of use. An echo that a bouncer makes says nothing about the server.
    private var useful: [String] {
        Self.wanted.filter { name in
            switch name {
            case "echo-message": offered.contains(name) && !isBouncer
            case "labeled-response": Self.receipts.isSubset(of: offered) && !isBouncer
            case MultilineMessages.type: offered.contains(name) && offered.contains("batch")
            default: offered.contains(name)
            }
        }
    }

    private mutating func fail(_ reason: String, _ isFinal: Bool) -> [Step] {
        isOver = true
        return [.failed(reason: reason, isFinal: isFinal)]
    }

    private mutating func capabilities(_ params: [String]) -> [Step] {
        guard params.count >= 3 else { return [] }
        let names = (params.last ?? "").split(separator: " ").map(String.init)
        switch params[1].uppercased() {
        case "LS":
            listLines += 1
            guard listLines <= Self.maxListLines else {
                return fail("the server's list of capabilities has no end", false)
            }
            offer(names.map { String($0.prefix { $0 != "=" }) })
            noteMultiline(names)
            noteMechanisms(params.last ?? "")
            // A star before the list says that more follows.
            if params.count > 3, params[2] == "*" { return [] }
            var ask = useful
            // Without SASL there is NickServ to turn to.
            if config.sasl != nil, config.nickServ == nil || offered.contains("sasl") {
                guard offered.contains("sasl") else {
                    return fail("the server does not offer SASL, which 'sasl' asks for", true)
                }
                if !has(config.sasl) {
                    return fail(unknownMechanism, true)
                }
                ask.append("sasl")
            }
            asked = Set(ask)
            return [.send(ask.isEmpty ? "CAP END" : "CAP REQ :" + ask.joined(separator: " "))]
        case "ACK":
            enabled.formUnion(Self.known.intersection(names))
            if asked.contains("sasl"), !names.contains("sasl") {
                return fail("the server does not grant SASL, which 'sasl' asks for", true)
            }
            return [.send(names.contains("sasl") ? sasl?.begin ?? "CAP END" : "CAP END")]
        case "NAK":
            if asked.contains("sasl") {
                if asked.count > 1 {
                    asked = ["sasl"]
                    return [.send("CAP REQ :sasl")]
                }
                return fail("the server refuses SASL, which 'sasl' asks for", true)
            }
            return [.send("CAP END")]
        default: return []
        }
    }

    /// Whether the server offers to prove accounts.
    var offersSASL: Bool { offered.contains("sasl") }

    /// Whether the account is being proved again.
    var isRenewing: Bool { renewal != .none }

    /// Proves the account again, on a connection that is registered.
    mutating func renew() -> [Step] {
        guard isOver, renewal == .none, let account = config.sasl else { return [] }
        guard has(account) else { return unproved(unknownMechanism) }
        renewals += 1
        // A nonce is used once.
        let exchange = SASLExchange(account, nonce: nonce.isEmpty ? "" : nonce + String(renewals))
        sasl = exchange
        guard enabled.contains("sasl") else {
            renewal = .asked
            return [.send("CAP REQ :sasl")]
        }
        renewal = .proving
        return [.send(exchange.begin)]
    }

    /// What a line of the server leads to while that goes on.
    mutating func renewing(_ message: IRCMessage) -> [Step] {
        guard renewal == .proving, let sasl else { return [] }
        switch message.verb {
        case "AUTHENTICATE": return authenticate(message.params.first ?? "")
        case "903", "907":
            // Who was proved before need not be once more (907).
            guard sasl.isComplete || message.verb == "907" && isProved else {
                return unproved("the server has not shown that it knows the password")
            }
            renewal = .none
            isProved = true
            return [.proved]
        case "908":
            if message.params.count > 1 { mechanisms = message.params[1] }
            return []
        case "902", "904", "905", "906": return unproved(saslRefusal(message.params.last ?? ""))
        default: return []
        }
    }

    /// It is not answered.
    mutating func abandonRenewal() -> [Step] {
        let wasProving = renewal == .proving
        renewal = .none
        return wasProving ? [.send("AUTHENTICATE *")] : []
    }

    private mutating func unproved(_ reason: String) -> [Step] {
        renewal = .none
        return [.unproved(reason)]
    }

    private mutating func noteMechanisms(_ capabilities: String) {
        guard let value = capabilities.split(separator: " ").last(where: { $0.hasPrefix("sasl=") }) else { return }
        mechanisms = String(value.dropFirst(5))
    }

    private var unknownMechanism: String { "the server knows accounts by \(mechanisms) only; set sasl.mechanism" }

    private mutating func noteMultiline(_ capabilities: [some StringProtocol]) {
        let mark = "draft/multiline="
        guard let value = capabilities.last(where: { $0.hasPrefix(mark) }) else { return }
        multiline = MultilineLimits(value: value.dropFirst(mark.count))
    }

    /// Whether the server knows the mechanism, as far as it says.
    private func has(_ sasl: SASLConfig?) -> Bool {
        guard let sasl, !mechanisms.isEmpty else { return true }
        return mechanisms.uppercased().split(separator: ",").contains { $0 == sasl.mechanism.wire }
    }

    private mutating func authenticate(_ piece: String) -> [Step] {
        answer { (exchange: inout SASLExchange) throws(ScramExchange.Failure) in try exchange.take(piece) }
    }

    /// The key that was asked for is there; nil: it could not be derived.
    mutating func derived(_ key: [UInt8]?) -> [Step] {
        guard !isOver || renewal == .proving, sasl?.derivation != nil else { return [] }
        return answer { (exchange: inout SASLExchange) throws(ScramExchange.Failure) in try exchange.derived(key) }
    }

    private mutating func answer(
        _ take: (inout SASLExchange) throws(ScramExchange.Failure) -> [String]
    ) -> [Step] {
        guard var exchange = sasl else { return [] }
        do throws(ScramExchange.Failure) {
            let lines = try take(&exchange)
            sasl = exchange
            return lines.map { .send($0) } + (exchange.derivation.map { [.derive($0)] } ?? [])
        } catch {
            // The QUIT ends the server's wait; then the connection is closed.
            let reason = "SASL failed: \(error.reason)"
            return [.send("AUTHENTICATE *")] + (isOver ? unproved(reason) : fail(reason, true))
        }
    }

    private mutating func saslRefused(_ words: String) -> [Step] {
        config.sasl == nil ? [] : fail(saslRefusal(words), true)
    }

    /// What the server's refusal of an account means for the operator.
    private func saslRefusal(_ words: String) -> String {
        guard has(config.sasl) else { return unknownMechanism }
        let advice =
            config.sasl?.mechanism == .external
            ? "add the certificate of client_cert to the account" : "check sasl.account and sasl.password"
        return "SASL failed: \(words); \(advice)"
    }

    /// - Parameter refused: Why the server does not accept the last one, where it is not in use.
    private mutating func otherNick(refused: String? = nil) -> [Step] {
        triedNicks += 1
        guard triedNicks < Self.maxNicks else {
            hasNoNick = true
            if let refused {
                let all = "'\(config.nick)' nor \(Self.maxNicks - 1) like it (\(refused))"
                return fail("the server does not accept the nick \(all); set another 'nick'", true)
            }
            return fail("'\(config.nick)' and \(Self.maxNicks - 1) like it are in use", false)
        }
        nick = Self.alternative(config.nick, triedNicks)
        return [.send("NICK " + nick)]
    }

    /// The nick to try after so many were taken: `nick_`, `nick__`, then with a digit, cut to nine bytes where the
    /// configured one fits in nine, which every server takes.
    static func alternative(_ nick: String, _ tries: Int) -> String {
        let tail = tries <= 2 ? String(repeating: "_", count: tries) : "_\(tries)"
        let longest = max(nick.utf8.count, 9)
        return String(nick.prefix(longest - tail.utf8.count)) + tail
    }
}
