/// One IRC connection: it connects, registers, keeps its nick, joins channels, writes within the flood limit and tracks
/// what the server has confirmed. A function from inputs to actions; it reads no clock and touches no socket.
///
/// ``Relay`` is the network's main connection, ``Puppet`` that of one chat user. The extensions of this protocol are
/// what both do; the requirements are where they differ.
protocol ConnectionMachine: Sendable {
    associatedtype Action: ConnectionAction

    var connection: ConnectionState { get set }

    /// Starts to connect.
    mutating func start(now: Instant) -> [Action]
    /// The connection is lost, or could not be opened.
    /// - Parameters:
    ///   - reason: Why, for the operator.
    ///   - random: From 0 up to 1, for the backoff.
    mutating func closed(reason: String, random: Double, now: Instant) -> [Action]
    /// Time has passed: see ``wake(now:)``.
    mutating func tick(now: Instant) -> [Action]
    /// When ``tick(now:)`` is due; nil if no timer is needed.
    func wake(now: Instant) -> Instant?
    /// Finishes the messages already begun and quits; the rest waits for the next start.
    mutating func drain(deadline: Double, now: Instant) -> [Action]

    /// Forgets what applied to the lost connection only.
    mutating func resetSession()
    /// The server has sent a line; nothing has handled it yet.
    mutating func lineArrived(now: Instant) -> [Action]
    /// Handles a line that only this kind of connection acts on; nil for all other lines.
    mutating func handleOwn(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [Action]?
    /// Sees each line of a registered connection before it is handled.
    mutating func observe(_ message: IRCMessage, _ now: Instant) -> [Action]
    /// Handles a message of somebody, or of another session of the same account.
    mutating func relay(_ message: IRCMessage, _ now: Instant) -> [Action]
    /// Handles a line in a batch by which a server repeats earlier messages.
    mutating func repeated(_ message: IRCMessage, _ batch: Batches.Batch, _ now: Instant) -> [Action]
    /// A batch of the server has ended.
    mutating func batchEnded(_ batch: Batches.Batch, _ now: Instant) -> [Action]
    /// Handles the answer to the query for the end of a playback; nil for all other answers.
    mutating func playbackAnswered(_ token: String, isServers: Bool) -> [Action]?
    /// A history query has its turn.
    /// - Returns: Whether it is still wanted.
    mutating func historyQueryDue(_ target: String, _ now: Instant) -> Bool
    /// Whether somebody with this nick shares a channel with the client.
    func isKnown(_ nick: String) -> Bool

    /// The server has accepted the client.
    mutating func registrationCompleted(now: Instant) -> [Action]
    /// The server has announced features (005).
    mutating func featuresChanged()
    /// The client has another nick.
    mutating func nickChanged(now: Instant) -> [Action]
    /// The client has joined a channel.
    mutating func channelJoined(_ target: String, _ message: IRCMessage, _ now: Instant) -> [Action]
    /// The client is no longer in a channel.
    mutating func channelLost(_ target: String)
    /// The server has answered every JOIN.
    mutating func channelsDecided(now: Instant) -> [Action]
    /// A channel has another name on the server.
    mutating func channelRenamed(_ target: String, to name: String, _ now: Instant)
    /// The server has moved the client from a linked channel to another one.
    mutating func movedAway(_ target: String, to name: String, _ now: Instant) -> [Action]
    /// A channel is linked under another name now.
    mutating func channelRelinked(_ old: String, to new: String)
    /// A channel has no link any more.
    mutating func channelUnlinked(_ target: String)
    /// The links have changed; these are their channels, folded.
    mutating func linksChanged(_ targets: Set<String>)
    /// The configuration has changed and the connection continues.
    mutating func configurationChanged(from old: NetworkConfig) -> [Action]
    /// Whether a new real name needs no new connection.
    var canRename: Bool { get }

    /// The next line to write, or the next message without one.
    mutating func nextTurn(_ now: Instant) -> OutboundQueue.Turn?
    /// Hands messages to other connections.
    mutating func leadPuppets(_ now: Instant) -> [Action]
    /// The lines of a message were written.
    mutating func wrote(_ parts: [String], _ now: Instant)
    /// Reports deliveries that are confirmed or failed.
    mutating func finish(_ entries: [OutboundQueue.Entry]) -> [Action]
    /// Adjusts how many events the connection accepts.
    mutating func widen(_ now: Instant) -> [Action]
    /// The share of the configured rate has changed.
    mutating func shareChanged(_ now: Instant)
    /// The server has shown a message of the client to all, with this id.
    mutating func messageShown(_ message: ChatMessage, target: String, id: String) -> [Action]
    /// Whether the connection retries what a channel refuses for now.
    var retriesRefused: Bool { get }
    /// The server has said something that may mean that a message was not delivered.
    mutating func doubt(_ words: String, of target: String, _ now: Instant) -> [Action]
    /// Whether a drain waits for other connections.
    var awaitsOthers: Bool { get }
    /// The QUIT line of a drain.
    var farewell: String { get }

    /// Performs what is due by time on a registered connection, before the queue is written.
    mutating func tickRegistered(since: Instant, now: Instant) -> [Action]
    /// When ``tickRegistered(since:now:)`` is due.
    func nextDue(since: Instant, now: Instant) -> Instant?

    /// Reports the connection's health where it has changed.
    mutating func tellHealth() -> [Action]
    /// Logs something for the operator.
    func log(_ level: String, _ text: String) -> [Action]
}

extension ConnectionMachine {
    /// Whether a name is the client's own.
    func isOwn(_ other: String) -> Bool {
        connection.supports.casemapping.fold(other) == connection.supports.casemapping.fold(connection.nick)
    }

    func fold(_ name: String) -> String { Casemapping.rfc1459.fold(name) }

    func send(_ lines: [String]) -> [Action] { lines.map { .send($0) } }

    /// The connection is open, TLS included.
    /// - Parameter nonce: For SASL: random, printable, without commas.
    mutating func connected(nonce: String = "", now: Instant) -> [Action] {
        connection.phase = .registering(since: now)
        connection.registration = Registration(connection.config, nonce: nonce)
        connection.bouncer = Bouncer(nonce: nonce)
        connection.resetFeatures()
        connection.lines.topicLength = connection.supports.topicLength
        connection.lines.longest = connection.supports.longestLine
        connection.bucket = newBucket(now)
        connection.refusal = nil
        connection.lastHeard = now
        connection.hasAsked = false
        resetSession()
        return steps(connection.registration.begin(), now)
    }

    /// Takes back what the lost connection has not confirmed.
    /// - Returns: Why it was lost.
    mutating func connectionLost(_ reason: String, now: Instant) -> String {
        let why = IRCText.words(connection.refusal?.reason ?? reason)
        if connection.outbound.hasUnconfirmed { slowDown(why, now) }
        connection.outbound.connectionLost(why)
        return why
    }

    /// Time has passed, whatever kind of connection it is.
    mutating func tickConnection(now: Instant) -> [Action] {
        switch connection.phase {
        case .idle, .connecting, .waiting: return []
        case .registering(let since):
            guard now - since >= ConnectionState.registrationLimit else { return [] }
            connection.refusal = ("the server did not answer for \(Int(ConnectionState.registrationLimit)) s", false)
            return [.close]
        case .registered(let since):
            var actions: [Action] = []
            let silence = connection.isListening ? now - connection.lastHeard : 0
            if silence >= ConnectionState.dead {
                connection.refusal = ("the server was silent for \(Int(ConnectionState.dead)) s", false)
                return [.close]
            }
            if silence >= ConnectionState.silence, !connection.hasAsked {
                connection.hasAsked = true
                actions.append(ask("alive", now))
            }
            actions += tickMemberships(now) + tickServices(now) + tickBouncer(now)
            if wantsMask, now >= connection.maskCheck {
                connection.maskCheck = now + ConnectionState.maskInterval
                enqueue(.own)
            }
            return actions + tickRegistered(since: since, now: now) + pump(now)
        }
    }

    /// When ``tickConnection(now:)`` is due; nil if no timer is needed.
    func connectionWake(now: Instant) -> Instant? {
        switch connection.phase {
        case .idle, .connecting: return nil
        case .waiting(let until): return until
        case .registering(let since): return since + ConnectionState.registrationLimit
        case .registered(let since):
            let patience = connection.hasAsked ? ConnectionState.dead : ConnectionState.silence
            var wake = connection.isListening ? connection.lastHeard + patience : now + ConnectionState.silence
            func soon(_ end: Instant?) { if let end { wake = min(wake, end) } }
            for membership in connection.memberships.values {
                soon(membership.nextTry)
                soon(membership.deadline)
                if let held = membership.heldUntil, held > now { wake = min(wake, held) }
            }
            soon(nextDue(since: since, now: now))
            if connection.bouncer.lost == nil { soon(receiptsDue) }
            soon(nextServerQuestion)
            soon(connection.nickServ.waitsUntil)
            soon(connection.account.due)
            if wantsMask { soon(connection.maskCheck) }
            if connection.nick != connection.config.nick { wake = min(wake, connection.nickKeeper.next) }
            // With a token left everything that could be written was, so what waits does not wait for the bucket.
            let bucket = connection.bucket
            let waits = connection.outbound.hasWaiting || !connection.controls.isEmpty
            if bucket.isLimited, bucket.nextToken > now,
                waits || connection.outbound.needsFence && receipts == .fences
            {
                wake = min(wake, bucket.nextToken)
            }
            if connection.isDraining { wake = min(wake, connection.drainEnds) }
            // Never immediately: something that is due and cannot be done must not cause a busy loop.
            return max(wake, now + 0.01)
        }
    }

    /// Sends a PING.
    mutating func ask(_ token: String, _ now: Instant) -> Action {
        let line = "PING :" + token
        connection.delays.asked(now: now)
        connection.figures.sent(line, now: now)
        return .send(line)
    }
}
