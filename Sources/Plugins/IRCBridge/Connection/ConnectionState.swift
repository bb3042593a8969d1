import DequeModule

/// The state of one IRC connection: registration, nick, channels, flood limits and unconfirmed lines.
struct ConnectionState: Sendable {
    /// Where the connection stands.
    enum Phase: Equatable, Sendable {
        /// Not started, or drained.
        case idle
        /// Waits to connect.
        case waiting(until: Instant)
        /// A connection is being opened.
        case connecting
        /// The connection is open, and the server has not accepted the client yet.
        case registering(since: Instant)
        /// The server has accepted the client.
        case registered(since: Instant)
    }

    /// Silence after which the client sends a PING, in seconds.
    static let silence = 60.0
    /// Silence after which the client closes the connection, in seconds.
    static let dead = 120.0
    /// Timeout of the registration, in seconds.
    static let registrationLimit = 60.0
    /// Timeout of a drain that waits for the last PONG, in seconds.
    static let drainLimit = 3.0
    /// Messages behind which the client sets a fence although more wait, where a flood limit applies.
    static let limitedFence = 8
    /// Maximum length of the client's own `nick!user@host`, in bytes. A longer one would leave lines no room.
    static let longestMask = 256
    /// How long the client trusts its own mask without seeing it, in seconds.
    static let maskInterval = 120.0
    /// Burst of answers to private messages and CTCP requests, and their rate per second.
    static let directBurst = 3, directRate = 0.2
    /// The token by which the client recognises answers to its WHO queries.
    static let whoToken = "42"

    var config: NetworkConfig
    var links: [LinkConfig]
    let plugin: String

    var phase = Phase.idle
    var backOff = BackOff()
    var isDraining = false
    var drainEnds: Instant = 0
    var registration: Registration
    /// When the client was registered last.
    var registeredAt: Instant = 0
    /// Why the server or the client ends the connection, where that is known before it closes.
    var refusal: (reason: String, isFinal: Bool)?
    var supports = ISupport()
    var batches = Batches()
    var multiline = MultilineMessages()
    var bouncer = Bouncer()
    /// The Unix time at the instant 0, in seconds.
    var unixStart = 0.0

    var lastHeard: Instant = 0
    /// False while the socket is not read, because the chat does not keep up.
    var isListening = true
    var hasAsked = false

    var nick: String
    var mask = ""
    /// Whether the server has not shown the client's mask yet.
    var isMaskAssumed = true
    /// When the client asks for its mask again, if it wrote something since.
    var maskCheck: Instant = 0
    var hasSpoken = false
    var nickServ = NickServ()
    var account = AccountRenewal()
    var nickKeeper = NickKeeper()

    var memberships: [String: Membership] = [:]
    /// Since when channels have refused the client, kept across connections.
    var refusedSince: [String: Instant] = [:]
    /// Channels with another name on the server, and channels that the server moved the client out of.
    var moves = ChannelMoves()
    var strays = Strays()
    /// Queries to the server that wait for their turn, and whether the last line was one.
    var controls: Deque<ControlLine> = []
    var wasControl = false

    var outbound = OutboundQueue()
    var lines: RelayLines
    var messageIDs: MessageIDMap
    /// Answers to labelled lines that are still arriving as batches.
    var answers: [String: LabelledAnswer] = [:]
    /// When the server last answered a line by its label, or the first of those unanswered was written.
    var lastReceipt: Instant = 0
    /// Whether something was written or confirmed since the last progress report.
    var hasProgressed = false
    var bucket: FloodBucket
    var directBucket: FloodBucket
    /// Kept from one connection to the next.
    var flow = FlowControl()
    var figures = NetworkFigures()
    var delays = DelayWatch()

    init(config: NetworkConfig, links: [LinkConfig], plugin: String, messageIDs: MessageIDMap) {
        (self.config, self.links, self.plugin, self.messageIDs) = (config, links, plugin, messageIDs)
        registration = Registration(config, nonce: "")
        nick = config.nick
        bucket = FloodBucket(burst: config.burst, rate: config.linesPerSecond, now: 0)
        directBucket = FloodBucket(burst: Self.directBurst, rate: Self.directRate, now: 0)
        lines = RelayLines(format: config.format, maxLines: config.maxLines, mask: "")
        lines.style = config.style
    }

    /// Forgets what applied to the lost connection only.
    mutating func resetSession() {
        for (target, membership) in memberships { refusedSince[target] = membership.refusedSince }
        memberships = [:]
        controls = []
        answers = [:]
        strays = Strays()
        delays = DelayWatch()
        batches = Batches()
        multiline = MultilineMessages()
    }

    /// Starts with the features of a server that has announced none. The case mapping stays until the server announces
    /// it again, because names are compared before that.
    mutating func resetFeatures() {
        let casemapping = supports.casemapping
        supports = ISupport()
        supports.casemapping = casemapping
    }

    /// Records the server's id of a message of the chat.
    /// - Parameter user: The user whose puppet has said it.
    mutating func record(_ message: ChatMessage, target: String, id: String, by user: String?) {
        guard let chatID = message.id else { return }
        messageIDs.insert(
            MessageIDMap.Record(
                target: target, id: id, source: .chat(speaker: user), messages: [message.channel: [chatID]]))
    }
}

/// Channels that the server put the client into or took it out of, on one connection.
struct Strays: Sendable {
    /// Channels, folded, that a refusal of another one announced, and whether the PART was written in time.
    var forwards: [String: Bool] = [:]
    /// JOINs that were written again because the server had renamed the channel.
    var redirects = 0
    /// The linked channel that the client was taken out of last, and the other one that it was put into last.
    var lastLoss: (target: String, at: Instant)?, lastStray: (name: String, at: Instant)?
}
