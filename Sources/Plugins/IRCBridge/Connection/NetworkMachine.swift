import DequeModule
import PluginWire

/// One network: connects, registers, joins, relays both ways and starts over, as a function from what happens to what
/// is to be done. It reads no clock and touches no socket.
struct NetworkMachine: Sendable {
    /// Where the connection stands.
    enum Phase: Equatable, Sendable {
        /// Not started, or drained.
        case idle
        /// Waits to connect.
        case waiting(until: Instant)
        /// A connection is being opened.
        case connecting
        /// It is open; the server has not accepted the client yet.
        case registering(since: Instant)
        /// The server has accepted the client.
        case registered(since: Instant)
    }

    /// Silence after which the server is asked whether it is there, in seconds.
    static let silence = 60.0
    /// Silence after which the connection is given up, in seconds.
    static let dead = 120.0
    /// The longest that registering may take, in seconds.
    static let registrationLimit = 60.0
    /// The longest that the window waits for answers to JOIN, in seconds.
    static let joinLimit = 10.0
    /// How often the host is told that what it waits for is being worked on, in seconds.
    static let workingInterval = 20.0
    /// The longest that a drain waits for the last PONG, in seconds.
    static let drainLimit = 3.0
    /// Events wanted at once, beside those that wait for a channel on IRC which is not there. They cost only memory,
    /// and so many of a busy channel may be on their way before one of a quiet one has to wait.
    static let fullWindow = 1024
    /// In what steps the window follows those that wait for a channel.
    static let windowStep = 256
    /// The most messages that wait for channels which are not there.
    static let mostBlocked = 4096
    /// Messages behind which a fence is set though more wait, where a limit makes each line dear.
    static let limitedFence = 8

    /// The longest that is told of a network's health, in bytes.
    static let longestHealth = 4000
    /// The longest `nick!user@host` of the client that is believed, in bytes: a longer one would leave lines no room.
    static let longestMask = 256

    /// What WHO carries that the bridge asks with.
    static let whoToken = "42"

    var config: NetworkConfig
    var links: [LinkConfig]
    let plugin: String
    /// Whether this is the connection of a single user, which another machine leads.
    var isPuppet = false
    var puppets: PuppetPool
    var relayMarks = RelayMarks()
    var playback = Playback()
    /// Whether it was logged on this connection that two messages have one id.
    var hasToldSameID = false

    var phase = Phase.idle
    var isDraining = false
    var drainEnds: Instant = 0
    var registration: Registration
    var backOff = BackOff()
    var supports = ISupport()
    var nick: String
    var mask = ""
    var ledger = OutboundLedger()
    var bucket: FloodBucket
    /// Kept from one connection to the next.
    var flow = FlowControl()
    var memberships: [String: Membership] = [:]
    var speakers: Speakers
    var relayed = RelayedSpeakers()
    var roster = Roster()
    /// People in a channel, by its folded name, who are to appear in the chat.
    var arrivals: Deque<(nick: String, target: String)> = []
    var netsplit = Netsplit()
    var batches = Batches()
    var backlog = Backlog()
    /// The seconds of Unix at the instant 0, for the age of messages.
    var unixStart = 0.0
    /// When the client was registered; messages from before are of the time without a connection.
    var registeredAt: Instant = 0
    var directBucket: FloodBucket
    var catchUp = CatchUp()
    var keptState = NetworkState()
    var places = StoredPlaces()
    /// When the queue's state is to be stored.
    var stateDue: Instant?
    /// When the server last answered a line by its label, or the first of those unanswered was written.
    var lastReceipt: Instant = 0
    var recent = RecentMessages()
    var messageIDs = MessageIDMap()
    var multiline = MultilineMessages()
    var isWindowOpen = false
    /// Events wanted at once.
    var window = Self.fullWindow
    /// Questions to the server that wait for their turn, and whether the last line was one.
    var controls: Deque<ControlLine> = []
    var wasControl = false
    /// Since when channels have refused the client, from one connection to the next.
    var refusedSince: [String: Instant] = [:]
    /// Targets of which the operator was told that messages do not get there.
    var toldMissed: Set<String> = []
    /// The answers to lines of this client that are on their way as batches.
    var answers: [String: LabelledAnswer] = [:]
    /// Whether the server has not shown the client's mask yet.
    var isMaskAssumed = true
    /// When the server is asked for it again, where something was said since it was shown last.
    var maskCheck: Instant = 0
    var hasSpoken = false
    var lastHeard: Instant = 0
    var isListening = true
    var hasAsked = false
    var nickServ = NickServ()
    var account = AccountRenewal()
    var nickKeeper = NickKeeper()
    var nextWorking: Instant = 0
    /// Whether something was written or confirmed since that was told last.
    var hasProgressed = false
    /// Channels, folded, that a refusal of another one announced, and whether the PART was written in time.
    var forwards: [String: Bool] = [:]
    /// JOINs that were written again because the server had renamed the channel.
    var redirects = 0
    /// The linked channel that the client was taken out of last, and the other one that it was put into last.
    var lastLoss: (target: String, at: Instant)?, lastStray: (name: String, at: Instant)?
    var refusal: (reason: String, isFinal: Bool)?
    var lines: RelayLines
    var health: NetworkHealth?
    /// What was logged last of what is wrong.
    var loggedProblem: String?
    /// Channels on IRC, folded, that take nothing the client says, and why.
    var silenced: [String: String] = [:]
    /// Channels of the chat that are linked and are not there.
    var missing: Set<String> = []
    var figures = NetworkFigures()
    /// What is known of a bouncer in between.
    var bouncer = Bouncer()
    var delays = DelayWatch()

    init(config: NetworkConfig, links: [LinkConfig], plugin: String) {
        self.config = config
        self.links = links.filter { $0.network == config.name }
        self.plugin = plugin
        puppets = PuppetPool(config.puppets)
        registration = Registration(config, nonce: "")
        nick = config.nick
        bucket = FloodBucket(burst: config.burst, rate: config.linesPerSecond, now: 0)
        directBucket = FloodBucket(burst: Self.directBurst, rate: Self.directRate, now: 0)
        speakers = Speakers(presence: config.presence)
        lines = RelayLines(format: config.format, maxLines: config.maxLines, mask: "")
        lines.style = config.style
    }

    /// A user's own connection.
    init(puppet config: NetworkConfig, plugin: String) {
        self.init(config: config, links: [], plugin: plugin)
        isPuppet = true
        messageIDs = MessageIDMap(limit: MessageIDMap.mostOfPuppet)
    }

    /// The queue as `ready` declares it: its window is closed until there is somebody to talk to.
    var queue: PluginMessage.Queue {
        // Of the others it is of interest that one is made anew, where people are in it before they speak.
        let isFull = config.presence == .full
        let channels = Set(links.filter { isFull || $0.direction != .toChat }.map(\.channel)).sorted()
        return PluginMessage.Queue(
            name: config.name,
            types: ["MESSAGE_SENT", "MESSAGE_EDITED", "MESSAGE_DELETED", "CHANNEL_TOPIC_SET", "CHANNEL_CREATED"],
            channels: channels,
            window: isWindowOpen ? Int64(window) : 0,
            writes: Set(links.filter { $0.direction != .toIRC }.map(\.channel)).sorted())
    }

    /// Whether a name is the client's own.
    func isOwn(_ other: String) -> Bool { supports.casemapping.fold(other) == supports.casemapping.fold(nick) }

    /// Work begins.
    mutating func start(now: Instant) -> [NetworkAction] {
        phase = .connecting
        // What ended the last connection is not why this one is not to be had.
        refusal = nil
        return setHealth(.degraded, "connecting to \(config.host):\(config.port)") + [.connect]
    }

    /// The connection is open, TLS included.
    /// - Parameter nonce: For SASL: random, printable, without commas.
    mutating func connected(nonce: String = "", now: Instant) -> [NetworkAction] {
        phase = .registering(since: now)
        registration = Registration(config, nonce: nonce)
        bouncer = Bouncer(nonce: nonce)
        // Until the server says it again names are compared as before, those of users' connections too.
        let casemapping = supports.casemapping
        supports = ISupport()
        supports.casemapping = casemapping
        (lines.topicLength, lines.longest) = (supports.topicLength, supports.longestLine)
        bucket = newBucket(now)
        refusal = nil
        lastHeard = now
        hasAsked = false
        forgetPeople()
        return steps(registration.begin(), now)
    }

    /// The connection is gone, or was not to be had.
    /// - Parameters:
    ///   - reason: Why, for the operator.
    ///   - random: From 0 up to 1, for the wait.
    mutating func closed(reason: String, random: Double, now: Instant) -> [NetworkAction] {
        if case .registered(let since) = phase { backOff.wasRegistered(for: now - since) }
        let why = IRCText.words(refusal?.reason ?? reason)
        if ledger.hasUnconfirmed { slowDown(why, now) }
        ledger.connectionLost(why)
        if !isPuppet { puppets.networkLost(now: now) }
        forgetPeople()
        leavePlaces(now)
        var actions = saveState()
        if isWindowOpen {
            isWindowOpen = false
            actions.append(.plugin(.window(queue: config.name, events: 0)))
        }
        if isDraining {
            phase = .idle
            return actions + [.drained]
        }
        if isPuppet {
            phase = .idle
            return [.news(registration.hasNoNick ? .unfit(why) : .lost(why))]
        }
        let wait = refusal?.isFinal == true ? BackOff.refused : backOff.wait(random: random)
        phase = .waiting(until: now + wait)
        // The time, as this text stands in the status until then.
        let text = "\(why); next try at \(shown(now + wait))"
        return actions + logProblem(why) + tellDown(text, now)
    }

    mutating func forgetPeople() {
        for (target, membership) in memberships { refusedSince[target] = membership.refusedSince }
        memberships = [:]
        silenced = [:]
        controls = []
        answers = [:]
        forgetStrays()
        toldMissed = []
        delays = DelayWatch()
        roster = Roster()
        arrivals = []
        roster.casemapping = supports.casemapping
        netsplit = Netsplit()
        relayed = RelayedSpeakers()
        batches = Batches()
        multiline = MultilineMessages()
        playback.connectionLost()
        hasToldSameID = false
        catchUp.connectionLost()
    }

    /// No more events come: what was begun is finished and confirmed, the rest is left to the next start.
    mutating func drain(deadline: Double, now: Instant) -> [NetworkAction] {
        isDraining = true
        drainEnds = now + min(Self.drainLimit, deadline / 2)
        puppets.leaveAll(now: now)
        let farewell = leadPuppets(now)
        switch phase {
        case .idle, .waiting, .connecting:
            phase = .idle
            return farewell + saveState() + [.drained]
        case .registering: return farewell + [.send("QUIT"), .close]
        case .registered: return farewell + pump(now)
        }
    }

    /// Nothing is read for a while, because the chat does not keep up: the server's silence then means nothing.
    mutating func setListening(_ on: Bool, now: Instant) -> [NetworkAction] {
        isListening = on
        playback.setListening(on, now: now)
        if on { lastHeard = now }
        return (delays.heard() ? recheckDelays(now) : []) + introduceArrivals()
    }

    /// Time has passed: see ``wake(now:)``.
    mutating func tick(now: Instant) -> [NetworkAction] {
        let logged = logPuppetLosses(now)
        switch phase {
        case .idle, .connecting: return logged
        case .waiting(let until):
            return logged + (now >= until ? start(now: now) : checkDelaysWhileDown(now))
        case .registering(let since):
            guard now - since >= Self.registrationLimit else { return logged }
            refusal = ("the server did not answer for \(Int(Self.registrationLimit)) s", false)
            return logged + [.close]
        case .registered(let since): return logged + tickRegistered(since, now)
        }
    }

    private mutating func tickRegistered(_ since: Instant, _ now: Instant) -> [NetworkAction] {
        var actions: [NetworkAction] = []
        if isListening, now - lastHeard >= Self.dead {
            refusal = ("the server was silent for \(Int(Self.dead)) s", false)
            return [.close]
        }
        if isListening, now - lastHeard >= Self.silence, !hasAsked {
            hasAsked = true
            actions.append(ask("alive", now))
        }
        actions += tickMemberships(now) + tickServices(now) + introduceArrivals() + tickBouncer(now)
        if wantsMask, now >= maskCheck {
            maskCheck = now + Self.maskInterval
            enqueue(.own)
        }
        if !isWindowOpen, now - since >= Self.joinLimit, bouncer.lost == nil { actions += openWindow(now) }
        if isWindowOpen, now >= nextWorking, ledger.count > 0 {
            nextWorking = now + Self.workingInterval
            if !isPuppet {
                actions.append(.plugin(.working(delivery: nil, ms: Int64(Self.workingInterval * 3000))))
            } else if hasProgressed {
                actions.append(.news(.working))
            }
            hasProgressed = false
        }
        for target in catchUp.waiting(overdue: now) { actions += endHistory(target, now) }
        for entry in backlog.summaries(now: now) { ledger.accept(entry) }
        actions += checkDelays(now)
        if speakers.hasChanged { stateDue = stateDue ?? now + Self.membersDelay }
        actions += saveDueState(now)
        return actions + endNetsplits(now) + endRelayed(now) + logPlayback(now) + pump(now)
    }

    /// When ``tick(now:)`` is due; nil: not by itself.
    func wake(now: Instant) -> Instant? {
        let wake = phaseWake(now)
        guard let losses = puppets.losses.due else { return wake }
        return min(wake ?? losses, losses)
    }

    private func phaseWake(_ now: Instant) -> Instant? {
        switch phase {
        case .idle, .connecting: return nil
        case .waiting(let until): return min(until, delays.due ?? until)
        case .registering(let since): return since + Self.registrationLimit
        case .registered(let since):
            var wake = isListening ? lastHeard + (hasAsked ? Self.dead : Self.silence) : now + Self.silence
            for membership in memberships.values {
                if let next = membership.nextTry { wake = min(wake, next) }
                if let deadline = membership.deadline { wake = min(wake, deadline) }
                if let held = membership.heldUntil, held > now { wake = min(wake, held) }
            }
            func soon(_ end: Instant?) { if let end { wake = min(wake, end) } }
            soon(catchUp.nextEnd)
            soon(stateDue)
            if bouncer.lost == nil { soon(receiptsDue) }
            soon(nextServerQuestion)
            soon(backlog.nextSummary)
            soon(puppets.wake(now: now))
            soon(netsplit.nextEnd)
            soon(relayed.due)
            soon(nickServ.waitsUntil)
            soon(account.due)
            soon(playback.due)
            soon(delays.due)
            soon(silenceDue)
            if isListening, !arrivals.isEmpty { wake = now }
            if wantsMask { soon(maskCheck) }
            if nick != config.nick { wake = min(wake, nickKeeper.next) }
            if !isWindowOpen, bouncer.lost == nil { wake = min(wake, since + Self.joinLimit) }
            if isWindowOpen, ledger.count > 0 { wake = min(wake, nextWorking) }
            // With a token left all that could be written was: what waits then waits for the server.
            if bucket.isLimited, bucket.nextToken > now,
                ledger.hasWaiting || !controls.isEmpty || (ledger.needsFence && receipts == .fences)
            {
                wake = min(wake, bucket.nextToken)
            }
            if isDraining { wake = min(wake, drainEnds) }
            // Never at once again: what is due and cannot be done must not make a busy loop.
            return max(wake, now + 0.01)
        }
    }

    /// A PING.
    mutating func ask(_ token: String, _ now: Instant) -> NetworkAction {
        let line = "PING :" + token
        delays.asked(now: now)
        figures.sent(line, now: now)
        return .send(line)
    }
}
