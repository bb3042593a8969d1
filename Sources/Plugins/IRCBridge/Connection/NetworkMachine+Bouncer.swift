import PluginWire

// A bouncer between the client and the server.
extension NetworkMachine {
    /// What confirms a message on this connection.
    var receipts: OutboundLedger.Receipts {
        // A bouncer shows echoes of its own.
        if bouncer.isThere { return .fences }
        if registration.hasReceipts { return .labels }
        return registration.hasEchoes ? .echoes : .fences
    }

    /// Asks the server to confirm what was written so far.
    mutating func askFence(_ now: Instant) -> NetworkAction {
        let token = ledger.fence()
        delays.fenceAt = now
        return bouncer.isThere ? askServer(token, now) : ask(token, now)
    }

    /// Asks the server behind the bouncer.
    private mutating func askServer(_ token: String, _ now: Instant) -> NetworkAction {
        figures.asked(token, now: now)
        return .send(bouncer.ask(token, now: now))
    }

    /// Whether the server is to be asked (again) whether it is there.
    private var wantsServer: Bool { bouncer.isThere && (ledger.fenceInFlight != nil || bouncer.lost != nil) }

    /// When the server is asked again.
    var nextServerQuestion: Instant? { wantsServer ? bouncer.nextQuestion : nil }

    /// Time has passed: a question that was not answered is asked again.
    mutating func tickBouncer(_ now: Instant) -> [NetworkAction] {
        guard wantsServer, bouncer.nextQuestion <= now else { return [] }
        return [askServer(ledger.fenceToken ?? "crowbar", now)]
    }

    /// A PONG has come. That of a bouncer confirms nothing: the server is asked.
    mutating func ponged(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let token = message.params.last ?? ""
        let isServers = bouncer.ponged(by: message.source)
        if let ended = playbackAnswered(token, isServers: isServers) { return ended }
        if isServers { return fenceAnswered(token, now) }
        guard let fence = ledger.fenceToken, fence == token else { return [] }
        return [askServer(fence, now)]
    }

    /// Handles what a bouncer says itself, or what only one leads to; nil for all other lines.
    mutating func bouncerSaid(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        guard case .registered = phase else {
            if message.verb == "001" { bouncer.welcomed(by: message.source) }
            return nil
        }
        if message.verb == "001" { return welcomedAgain(message, now) }
        if let token = bouncer.answered(by: message) {
            let wasLost = bouncer.lost != nil
            bouncer.hasServer()
            return fenceAnswered(token, now) + (wasLost ? serverIsBack(now) : [])
        }
        guard let words = bouncerWords(message) else { return nil }
        return bouncer.said(words) ? tellHealth() : []
    }

    /// The words of a line in which a bouncer speaks to the client; nil where it is none.
    private func bouncerWords(_ message: IRCMessage) -> String? {
        let source = IRCSource(message.source ?? "")
        switch message.verb {
        case "PRIVMSG", "NOTICE":
            let isOurs = message.params.first.map { isOwn($0) } == true
            guard Bouncer.isItself(source), isOurs || source.host.isEmpty else { return nil }
        case "KICK":
            // bip lets its clients leave their channels so, and join them again.
            guard Bouncer.isItself(source) else { return nil }
        case "400":
            // soju refuses so what it cannot pass on.
            guard message.params.last?.lowercased().contains("upstream") == true else { return nil }
        default: return nil
        }
        return IRCText.words(message.params.last ?? "")
    }

    /// The bouncer has another connection to the server: what was not confirmed on the old one is lost.
    private mutating func welcomedAgain(_ message: IRCMessage, _ now: Instant) -> [NetworkAction] {
        let name = message.params.first.flatMap { IRCSource.isName($0) && !supports.isChannel($0) ? $0 : nil } ?? nick
        bouncer.welcomed(by: message.source)
        bouncer.found()
        ledger.connectionLost(Self.bouncerLost)
        guard bouncer.startsAgain(now: now) else { return [] }
        let casemapping = supports.casemapping
        supports = ISupport()
        supports.casemapping = casemapping
        forgetPeople()
        return steps([.registered(nick: name)], now)
    }

    /// Why messages are written again after that.
    static let bouncerLost = "the bouncer lost its connection to the server"

    /// The client is in a channel in which it was thought to be: the bouncer has joined it by another connection.
    mutating func joinedAgain(_ target: String, now: Instant) {
        guard bouncer.isThere else { return }
        bouncer.hasServer()
        guard memberships[target]?.isJoined == true else { return }
        ledger.takeBack(target, Self.bouncerLost)
        // The question was lost as well.
        if !ledger.hasUnconfirmed { ledger.fenceInFlight = nil }
    }

    /// The bouncer has a server after all.
    private mutating func serverIsBack(_ now: Instant) -> [NetworkAction] { join(now) + tellHealth() }

    /// A message under the client's own nick, without a label. It is the echo of a line, or was said by another session
    /// of the same account: another client of the bouncer, or of a server that lets several use a nick. Nil for all
    /// other lines.
    mutating func saidAsOwn(_ message: IRCMessage, _ now: Instant) -> [NetworkAction]? {
        guard ["PRIVMSG", "NOTICE"].contains(message.verb), let source = message.source, isOwn(IRCSource(source).nick)
        else { return nil }
        guard !isAnswer(message), message.params.count == 2 else { return [] }
        let target = fold(message.params[0])
        guard supports.isChannel(message.params[0]) || memberships[target] != nil else { return [] }
        sawMask(source)
        // A server that shows nobody what they say has one session for a nick.
        guard bouncer.isThere || registration.hasEchoes else { return [] }
        guard receipts == .echoes else { return relay(message, now) }
        switch ledger.echoed(message, in: target) {
        case .foreign: return relay(message, now)
        case .held: return pump(now)
        case .own(let label, let done):
            lastReceipt = now
            hasProgressed = true
            adapt(to: figures.answered(OutboundLedger.echoKey(label), now: now), now)
            return finish(done) + relayForeign(now) + pump(now)
        }
    }

    /// A line shows the client's own mask, unless a bouncer has made it.
    mutating func sawMask(_ source: String) {
        let host = IRCSource(source).host
        if Bouncer.isHost(host) { return bouncer.found() }
        if !host.isEmpty { setMask(source) }
    }

    /// Relays messages under the client's own nick that turned out to be no echoes.
    mutating func relayForeign(_ now: Instant) -> [NetworkAction] {
        ledger.takeForeign().flatMap { relay($0, now) }
    }
}
