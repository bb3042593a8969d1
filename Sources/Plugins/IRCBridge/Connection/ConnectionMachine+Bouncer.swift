import PluginWire

// A bouncer between the client and the server.
extension ConnectionMachine {
    /// What confirms a message on this connection.
    var receipts: ReceiptTracker.Mode {
        // A bouncer shows echoes of its own.
        if connection.bouncer.isThere { return .fences }
        if connection.registration.hasReceipts { return .labels }
        return connection.registration.hasEchoes ? .echoes : .fences
    }

    /// Asks the server to confirm what was written so far.
    mutating func askFence(_ now: Instant) -> Action {
        let token = connection.outbound.fence()
        connection.delays.fenceAt = now
        return connection.bouncer.isThere ? askServer(token, now) : ask(token, now)
    }

    /// Asks the server behind the bouncer.
    private mutating func askServer(_ token: String, _ now: Instant) -> Action {
        connection.figures.asked(token, now: now)
        return .send(connection.bouncer.ask(token, now: now))
    }

    /// Whether to ask the server (again) whether it is there.
    private var wantsServer: Bool {
        connection.bouncer.isThere && (connection.outbound.receipts.awaitsFence || connection.bouncer.lost != nil)
    }

    /// When the server is asked again.
    var nextServerQuestion: Instant? { wantsServer ? connection.bouncer.nextQuestion : nil }

    /// Time has passed: a question that was not answered is asked again.
    mutating func tickBouncer(_ now: Instant) -> [Action] {
        guard wantsServer, connection.bouncer.nextQuestion <= now else { return [] }
        return [askServer(connection.outbound.receipts.fenceToken ?? "crowbar", now)]
    }

    /// A PONG has come. That of a bouncer confirms nothing: the server is asked.
    mutating func ponged(_ message: IRCMessage, _ now: Instant) -> [Action] {
        let token = message.params.last ?? ""
        let isServers = connection.bouncer.ponged(by: message.source)
        if let ended = playbackAnswered(token, isServers: isServers) { return ended }
        if isServers { return fenceAnswered(token, now) }
        guard let fence = connection.outbound.receipts.fenceToken, fence == token else { return [] }
        return [askServer(fence, now)]
    }

    /// Handles what a bouncer says itself, or what only one leads to; nil for all other lines.
    mutating func bouncerSaid(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        guard case .registered = connection.phase else {
            if message.verb == "001" { connection.bouncer.welcomed(by: message.source) }
            return nil
        }
        if message.verb == "001" { return welcomedAgain(message, now) }
        if let token = connection.bouncer.answered(by: message) {
            let wasLost = connection.bouncer.lost != nil
            connection.bouncer.hasServer()
            return fenceAnswered(token, now) + (wasLost ? serverIsBack(now) : [])
        }
        guard let words = bouncerWords(message) else { return nil }
        return connection.bouncer.said(words) ? tellHealth() : []
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
    private mutating func welcomedAgain(_ message: IRCMessage, _ now: Instant) -> [Action] {
        let name =
            message.params.first.flatMap { IRCSource.isName($0) && !connection.supports.isChannel($0) ? $0 : nil }
            ?? connection.nick
        connection.bouncer.welcomed(by: message.source)
        connection.bouncer.found()
        connection.outbound.connectionLost(ConnectionState.bouncerLost)
        guard connection.bouncer.startsAgain(now: now) else { return [] }
        connection.resetFeatures()
        resetSession()
        return steps([.registered(nick: name)], now)
    }

    /// The client is in a channel in which it was thought to be: the bouncer has joined it by another connection.
    mutating func joinedAgain(_ target: String, now: Instant) {
        guard connection.bouncer.isThere else { return }
        connection.bouncer.hasServer()
        guard connection.memberships[target]?.isJoined == true else { return }
        connection.outbound.takeBack(target, ConnectionState.bouncerLost)
        // The question was lost as well.
        if !connection.outbound.hasUnconfirmed { connection.outbound.receipts.forgetFence() }
    }

    /// The bouncer has a server after all.
    private mutating func serverIsBack(_ now: Instant) -> [Action] { join(now) + tellHealth() }

    /// A message under the client's own nick, without a label. It is the echo of a line, or was said by another session
    /// of the same account: another client of the bouncer, or of a server that lets several use a nick. Nil for all
    /// other lines.
    mutating func saidAsOwn(_ message: IRCMessage, _ now: Instant) -> [Action]? {
        guard ["PRIVMSG", "NOTICE"].contains(message.verb), let source = message.source, isOwn(IRCSource(source).nick)
        else { return nil }
        guard !isAnswer(message), message.params.count == 2 else { return [] }
        let target = fold(message.params[0])
        guard connection.supports.isChannel(message.params[0]) || connection.memberships[target] != nil else {
            return []
        }
        sawMask(source)
        // A server that shows nobody what they say has one session for a nick.
        guard connection.bouncer.isThere || connection.registration.hasEchoes else { return [] }
        guard receipts == .echoes else { return relay(message, now) }
        let (echo, done) = connection.outbound.echoed(message, in: target)
        switch echo {
        case .foreign: return relay(message, now)
        case .held: return pump(now)
        case .own(let label, _):
            connection.lastReceipt = now
            connection.hasProgressed = true
            adapt(to: connection.figures.answered(ReceiptTracker.echoKey(label), now: now), now)
            return finish(done) + relayForeign(now) + pump(now)
        }
    }

    /// A line shows the client's own mask, unless a bouncer has made it.
    mutating func sawMask(_ source: String) {
        let host = IRCSource(source).host
        if Bouncer.isHost(host) { return connection.bouncer.found() }
        if !host.isEmpty { setMask(source) }
    }

    /// Relays messages under the client's own nick that turned out to be no echoes.
    mutating func relayForeign(_ now: Instant) -> [Action] {
        connection.outbound.receipts.takeForeign().flatMap { relay($0, now) }
    }
}
