import DequeModule
import PluginWire

/// A network's main connection: it brings what is said on IRC into the chat and says there what is said in the chat,
/// itself or by puppets.
struct Relay: ConnectionMachine {
    typealias Action = RelayAction

    /// Timeout for the answers to JOIN, after which the delivery window opens anyway, in seconds.
    static let joinLimit = 10.0
    /// Interval of progress reports to the host, in seconds.
    static let workingInterval = 20.0
    /// Deliveries wanted at once, beside those that wait for a channel that the client is not in. They cost only
    /// memory, and so many of a busy channel may be in flight before one of a quiet channel has to wait.
    static let fullWindow = 1024
    /// Step in which the window follows the messages that wait for a channel.
    static let windowStep = 256
    /// Maximum number of messages that wait for channels that the client is not in.
    static let mostBlocked = 4096
    /// Maximum length of a health report, in bytes.
    static let longestHealth = 4000

    var connection: ConnectionState
    var puppets: PuppetPool
    var loopGuard = LoopGuard()

    // From IRC.
    var users: UserDirectory
    var relayed = RelayedSpeakers()
    var roster = Roster()
    /// People in a channel, by its folded name, whom the relay still has to introduce to the chat.
    var arrivals: Deque<(nick: String, target: String)> = []
    var netsplit = Netsplit()
    var playback = Playback()
    var history = HistoryFetch()
    var places = StoredPlaces()
    /// Whether this connection has logged that two messages have one id.
    var hasToldSameID = false

    // To IRC.
    var backlog = OutboundBacklog()
    var recent = RecentMessages()
    var isWindowOpen = false
    var window = Self.fullWindow
    private var nextWorking: Instant = 0

    // For the operator.
    var health: NetworkHealth?
    /// The problem that was logged last.
    var loggedProblem: String?
    /// Targets that the operator was warned of, because messages do not reach them.
    var toldMissed: Set<String> = []
    /// Channels on IRC, folded, that accept nothing from the client, and why.
    var silenced: [String: String] = [:]
    /// Linked channels that the chat does not have.
    var missing: Set<String> = []

    var keptState = NetworkState()
    /// When the queue's state is due to be stored.
    var stateDue: Instant?

    init(config: NetworkConfig, links: [LinkConfig], plugin: String) {
        connection = ConnectionState(
            config: config, links: links.filter { $0.network == config.name }, plugin: plugin,
            messageIDs: MessageIDMap())
        puppets = PuppetPool(config.puppets)
        users = UserDirectory(presence: config.presence)
    }

    /// The queue as `ready` declares it. Its window is closed until the channels are joined.
    var queue: PluginMessage.Queue {
        // Links to the chat alone need to know when their channel is created again, where people are in it before they
        // speak.
        let isFull = connection.config.presence == .full
        let links = connection.links
        return PluginMessage.Queue(
            name: connection.config.name,
            types: ["MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_DELETED", "CHANNEL_TOPIC_SET", "CHANNEL_CREATED"],
            channels: Set(links.filter { isFull || $0.direction != .toChat }.map(\.channel)).sorted(),
            window: isWindowOpen ? Int64(window) : 0,
            writes: Set(links.filter { $0.direction != .toIRC }.map(\.channel)).sorted())
    }

    mutating func start(now: Instant) -> [RelayAction] {
        connection.phase = .connecting
        // Why the last connection ended is not why this one fails.
        connection.refusal = nil
        let config = connection.config
        return setHealth(.degraded, "connecting to \(config.host):\(config.port)") + [.connect]
    }

    mutating func closed(reason: String, random: Double, now: Instant) -> [RelayAction] {
        if case .registered(let since) = connection.phase { connection.backOff.wasRegistered(for: now - since) }
        let why = connectionLost(reason, now: now)
        puppets.networkLost(now: now)
        resetSession()
        leavePlaces(now)
        var actions = saveState()
        if isWindowOpen {
            isWindowOpen = false
            actions.append(.plugin(.window(queue: connection.config.name, events: 0)))
        }
        if connection.isDraining {
            connection.phase = .idle
            return actions + [.drained]
        }
        let wait =
            connection.refusal?.isFinal == true ? BackOff.refused : connection.backOff.wait(random: random)
        connection.phase = .waiting(until: now + wait)
        // The time, because this text stays in the status until then.
        let text = "\(why); next try at \(shown(now + wait))"
        return actions + logProblem(why) + tellDown(text, now)
    }

    mutating func resetSession() {
        connection.resetSession()
        silenced = [:]
        toldMissed = []
        roster = Roster()
        arrivals = []
        roster.casemapping = connection.supports.casemapping
        netsplit = Netsplit()
        relayed = RelayedSpeakers()
        playback.connectionLost()
        hasToldSameID = false
        history.connectionLost()
    }

    mutating func drain(deadline: Double, now: Instant) -> [RelayAction] {
        beginDrain(deadline: deadline, now: now)
        puppets.leaveAll(now: now)
        let left = leadPuppets(now)
        switch connection.phase {
        case .idle, .waiting, .connecting:
            connection.phase = .idle
            return left + saveState() + [.drained]
        case .registering: return left + [.send("QUIT"), .close]
        case .registered: return left + pump(now)
        }
    }

    /// Stops or resumes reading, because the chat does not keep up. While nothing is read, the server's silence means
    /// nothing.
    mutating func setListening(_ on: Bool, now: Instant) -> [RelayAction] {
        connection.isListening = on
        playback.setListening(on, now: now)
        if on { connection.lastHeard = now }
        return (connection.delays.heard() ? recheckDelays(now) : []) + introduceArrivals()
    }

    mutating func tick(now: Instant) -> [RelayAction] {
        let logged = logPuppetLosses(now)
        guard case .waiting(let until) = connection.phase else { return logged + tickConnection(now: now) }
        return logged + (now >= until ? start(now: now) : checkDelaysWhileDown(now))
    }

    mutating func tickRegistered(since: Instant, now: Instant) -> [RelayAction] {
        var actions = introduceArrivals()
        if !isWindowOpen, now - since >= Self.joinLimit, connection.bouncer.lost == nil { actions += openWindow(now) }
        if isWindowOpen, now >= nextWorking, connection.outbound.count > 0 {
            restartProgress(now)
            actions.append(.plugin(.working(delivery: nil, ms: Int64(Self.workingInterval * 3000))))
            connection.hasProgressed = false
        }
        for target in history.waiting(overdue: now) { actions += endHistory(target, now) }
        for entry in backlog.summaries(now: now) { connection.outbound.accept(entry) }
        actions += checkDelays(now)
        if users.hasChanged { stateDue = stateDue ?? now + Self.membersDelay }
        actions += saveDueState(now)
        return actions + endNetsplits(now) + endRelayed(now) + logPlayback(now)
    }

    /// Starts the interval of progress reports.
    mutating func restartProgress(_ now: Instant) { nextWorking = now + Self.workingInterval }

    func nextDue(since: Instant, now: Instant) -> Instant? {
        var due = [
            history.nextEnd, stateDue, backlog.nextSummary, puppets.wake(now: now), netsplit.nextEnd, relayed.due,
            playback.due, connection.delays.due, silenceDue,
        ]
        if connection.isListening, !arrivals.isEmpty { due.append(now) }
        if !isWindowOpen, connection.bouncer.lost == nil { due.append(since + Self.joinLimit) }
        if isWindowOpen, connection.outbound.count > 0 { due.append(nextWorking) }
        return due.compactMap(\.self).min()
    }

    func wake(now: Instant) -> Instant? {
        var wake = connectionWake(now: now)
        if case .waiting(let until) = connection.phase { wake = min(until, connection.delays.due ?? until) }
        guard let losses = puppets.losses.due else { return wake }
        return min(wake ?? losses, losses)
    }

    mutating func lineArrived(now: Instant) -> [RelayAction] {
        places.heardLine()
        return connection.delays.heard() ? recheckDelays(now) : []
    }

    mutating func registrationCompleted(now: Instant) -> [RelayAction] {
        var actions = logConnected() + beginCatchUp(now)
        for line in connection.config.perform { enqueue(.perform(line)) }
        if !connection.config.perform.isEmpty { actions += pump(now) }
        // NickServ learns who the client is before the channels are joined, where SASL has not proved it.
        return actions + (connection.registration.isProved ? identified(now) : identify(now))
    }

    mutating func featuresChanged() { roster.casemapping = connection.supports.casemapping }

    mutating func nickChanged(now: Instant) -> [RelayAction] {
        noteOwnNick(now: now)
        return []
    }

    mutating func channelJoined(_ target: String, _ message: IRCMessage, _ now: Instant) -> [RelayAction] {
        isBack(target, now)
        noteOwnNick(now: now)
        let asked = playbackFollows(target, message, now)
        return askHistory(target, now) + asked
    }

    mutating func channelLost(_ target: String) { roster.forget(channel: target) }

    mutating func channelsDecided(now: Instant) -> [RelayAction] { openWindow(now) }

    func isKnown(_ nick: String) -> Bool { roster.person(nick) != nil }

    mutating func observe(_ message: IRCMessage, _ now: Instant) -> [RelayAction] {
        if message.verb == "CHGHOST", let nick = message.source.map({ IRCSource($0).nick }), !isOwn(nick),
            message.params.count > 1
        {
            roster.setHost(nick, user: message.params[0], host: message.params[1])
        }
        return relayerMoved(message)
    }

    mutating func handleOwn(_ message: IRCMessage, _ source: IRCSource, _ now: Instant) -> [RelayAction]? {
        switch message.verb {
        case "JOIN", "KICK", "PART", "NICK", "QUIT", "ACCOUNT", "353", "354":
            let who = message.verb == "KICK" ? message.params.dropFirst().first ?? "" : source.nick
            return isOwn(who) ? nil : presence(message, source, now)
        case "366", "315":
            guard message.params.count > 1 else { return [] }
            return listEnded(fold(message.params[1]), isNames: message.verb == "366") + pump(now)
        case "FAIL" where message.params.first == "CHATHISTORY":
            return historyFailed(message, message.params.dropFirst(), now)
        case "421", "461":
            guard message.params.dropFirst().first == "CHATHISTORY" else { return nil }
            return historyFailed(message, [], now)
        case "ACK": return message.tags["label"].map { historyIsEmpty($0, now) } ?? []
        case "REDACT": return redacted(message, now)
        case "TOPIC", "332": return topic(message, source)
        default: return nil
        }
    }

    mutating func relay(_ message: IRCMessage, _ now: Instant) -> [RelayAction] {
        relay(message, now, isPlayback: false)
    }

    /// Logs something for the operator.
    func log(_ level: String, _ text: String) -> [RelayAction] {
        let line = IRCText.words("\(connection.config.name): \(text)", most: Self.longestHealth)
        return [.plugin(.log(level: level, message: line, fields: nil))]
    }

    var canRename: Bool { connection.registration.enabled.contains("setname") }
    var retriesRefused: Bool { true }
    var awaitsOthers: Bool { puppets.count > 0 }
    var farewell: String { "QUIT :Crowbar is stopped" }
}
