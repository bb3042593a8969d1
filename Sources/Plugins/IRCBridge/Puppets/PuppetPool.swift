/// Which users of the chat have a connection of their own, get one or lose it. It opens nothing itself: what is to be
/// done comes out as orders.
struct PuppetPool: Sendable {
    /// Who is to say a message.
    enum Voice: Equatable, Sendable {
        /// The relay.
        case relay
        /// The user's puppet, which is not connected yet.
        case wait
        /// The user's puppet, by its serial.
        case puppet(Int)
    }

    /// What to do.
    enum Order: Equatable, Sendable {
        case open(Int, nick: String, name: String)
        case rename(Int, nick: String, name: String)
        /// Say what is begun, then leave.
        case leave(Int)
        /// Let go of it at once.
        case drop(Int)
    }

    /// How long a message waits for its author's connection before the bridge says it, in seconds.
    static let patience = 10.0
    /// Connections that are opened at once.
    static let mostConnecting = 5
    /// How long a channel that refused a user is not tried again by them, in seconds.
    static let muteTime = 600.0
    /// The wait after the first failure to connect, in seconds; doubled each time.
    static let firstHold = 10.0
    /// The longest such wait, in seconds.
    static let longestHold = 300.0
    /// How long a connection has to last, in seconds: one that the server ends sooner, as where it lets few in from one
    /// address, has failed too.
    static let steady = 60.0
    /// How long a connection may confirm nothing of what it was given, in seconds.
    static let stall = 60.0
    /// How long one may take to leave, in seconds.
    static let leaveLimit = 10.0
    /// How long the nick of a connection that is gone still counts as the bridge's own, where nobody was seen to quit,
    /// in seconds. What it said last may be heard that late.
    static let formerTime = 300.0
    /// The most such nicks.
    static let mostFormer = 4000

    private enum Stage: Equatable { case queued, connecting, ready, leaving }

    private struct Puppet {
        let user: String
        var name: String
        /// The nick that it is to have, and the one it has, folded.
        var wanted: String
        var nick: String?
        /// The one it has, as it is written.
        var shown: String?
        var stage = Stage.queued
        /// When a message began to wait for it.
        var askedAt: Instant
        var lastSpoke: Instant
        /// When it was ordered.
        var openedAt: Instant = 0
        /// When the server accepted it.
        var readyAt: Instant = 0
        /// When it was told to leave, or was given the first of what it has not confirmed, or confirmed some of it.
        var since: Instant = 0
        var unconfirmed = 0
        var hasQuit = false
        var isWantedBack = false
        var muted: [String: Instant] = [:]
    }

    /// For whom the bridge speaks for a while.
    private struct Unfit {
        /// The nick that was wanted: another one may do.
        var wanted: String
        var until: Instant
        /// When the last of this was.
        var at: Instant
        /// How often the server has ended their connection soon after it was there.
        var losses = 0
    }

    private(set) var config: PuppetConfig?
    private var puppets: [Int: Puppet] = [:]
    private var serials: [String: Int] = [:]
    private var nicks: [String: Int] = [:]
    private var former: [String: Instant] = [:]
    /// Those that are queued or connecting, in order.
    private var pending: [Int] = []
    private var orders: [Order] = []
    private var lastSerial = 0
    private var hold = PuppetHold()
    /// Those that are still to be logged.
    var losses = PuppetLosses()
    /// Users whose nick the server did not take or did not keep, and that nick: they are not tried again for a while.
    private var unfit: [String: Unfit] = [:]
    private var nextSweep: Instant?

    init(_ config: PuppetConfig?) { self.config = config }

    /// Connections that are there or being opened.
    var count: Int { puppets.count }
    /// Those that can speak.
    var ready: [(serial: Int, nick: String, name: String)] {
        puppets.filter { $0.value.stage == .ready }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value.wanted, $0.value.name) }
    }

    /// Who is to say a message of a user; a connection is ordered where they have none and may have one.
    /// - Parameters:
    ///   - targets: The channels on IRC, folded.
    ///   - longest: The longest nick, in bytes.
    mutating func voice(
        of user: String, name: String, targets: [String], longest: Int, now: Instant
    ) -> Voice {
        guard let config else { return .relay }
        let wanted = config.nick.nick(name, longest: longest)
        guard let serial = serials[user], var puppet = puppets[serial] else {
            guard puppets.count < config.limit, now >= hold.until else { return .relay }
            if let unfit = unfit[user], unfit.wanted == wanted, now < unfit.until { return .relay }
            add(user, name: name, wanted: wanted, now)
            return .wait
        }
        puppet.lastSpoke = now
        defer { puppets[serial] = puppet }
        switch puppet.stage {
        case .queued, .connecting: break
        case .leaving:
            if !puppet.isWantedBack { (puppet.isWantedBack, puppet.askedAt) = (true, now) }
            puppet.name = name
            puppet.wanted = wanted
        case .ready:
            if puppet.wanted != wanted {
                (puppet.wanted, puppet.name) = (wanted, name)
                orders.append(.rename(serial, nick: wanted, name: name))
            }
            let isMuted = targets.contains { target in puppet.muted[target].map { now < $0 } ?? false }
            return isMuted ? .relay : .puppet(serial)
        }
        return now < puppet.askedAt + Self.patience && now >= hold.until ? .wait : .relay
    }

    /// Who deletes a message that a user's puppet has said: the puppet if it is connected, else the relay.
    func readyVoice(of user: String, targets: [String], now: Instant) -> Voice {
        guard let serial = serials[user], let puppet = puppets[serial], puppet.stage == .ready,
            !targets.contains(where: { target in puppet.muted[target].map { now < $0 } ?? false })
        else { return .relay }
        return .puppet(serial)
    }

    /// The user of a connection.
    func user(of serial: Int) -> String? { puppets[serial]?.user }

    private mutating func add(_ user: String, name: String, wanted: String, _ now: Instant) {
        lastSerial += 1
        puppets[lastSerial] = Puppet(user: user, name: name, wanted: wanted, askedAt: now, lastSpoke: now)
        serials[user] = lastSerial
        pending.append(lastSerial)
        if nextSweep == nil { nextSweep = now + sweepInterval }
    }

    /// Returns the orders that are due.
    mutating func takeOrders(now: Instant) -> [Order] {
        defer { orders = [] }
        guard !pending.isEmpty, now >= hold.until else { return orders }
        var connecting = pending.reduce(0) { $0 + (puppets[$1]?.stage == .connecting ? 1 : 0) }
        for serial in pending where connecting < Self.mostConnecting && puppets[serial]?.stage == .queued {
            guard let puppet = puppets[serial] else { continue }
            puppets[serial]?.stage = .connecting
            puppets[serial]?.openedAt = now
            connecting += 1
            orders.append(.open(serial, nick: puppet.wanted, name: puppet.name))
        }
        return orders
    }

    /// The server has accepted one, or given it another nick.
    /// - Parameters:
    ///   - nick: Folded.
    ///   - shown: As it is written.
    mutating func isNow(_ serial: Int, _ nick: String, as shown: String? = nil, now: Instant) {
        guard let puppet = puppets[serial] else { return }
        if let old = puppet.nick, nicks[old] == serial { nicks[old] = nil }
        nicks[nick] = serial
        former[nick] = nil
        puppets[serial]?.nick = nick
        if let shown { puppets[serial]?.shown = shown }
        puppets[serial]?.hasQuit = false
        if puppet.stage == .connecting {
            puppets[serial]?.stage = .ready
            puppets[serial]?.readyAt = now
            pending.removeAll { $0 == serial }
        }
    }

    /// The server shows that somebody has another nick now. Both are folded.
    mutating func renamed(_ old: String, _ new: String, now: Instant) {
        if let serial = nicks[old] { isNow(serial, new, now: now) }
    }

    /// The server shows that somebody has quit.
    mutating func quit(_ nick: String) {
        former[nick] = nil
        if let serial = nicks[nick] { puppets[serial]?.hasQuit = true }
    }

    /// Whether a folded nick is one of the bridge's own.
    func isOwn(_ nick: String) -> Bool { nicks[nick] != nil || former[nick] != nil }

    /// The chat's name of the user with a folded nick.
    func name(of nick: String) -> String? { nicks[nick].flatMap { puppets[$0]?.name } }

    /// The nick of the user with a name, where they have a connection.
    func nick(of name: String) -> String? {
        nicks.values.lazy.compactMap { puppets[$0] }.first { $0.name.lowercased() == name.lowercased() }
            .map { $0.shown ?? $0.wanted }
    }

    /// One was given a message.
    mutating func gave(_ serial: Int, now: Instant) {
        if puppets[serial]?.unconfirmed == 0 { puppets[serial]?.since = now }
        puppets[serial]?.unconfirmed += 1
    }

    /// So many messages are known to have arrived, or to be refused.
    mutating func confirmed(_ serial: Int, _ count: Int, now: Instant) {
        guard let puppet = puppets[serial] else { return }
        puppets[serial]?.unconfirmed = max(0, puppet.unconfirmed - count)
        if puppet.stage == .ready { puppets[serial]?.since = now }
    }

    /// One is writing a long message, or the server has confirmed a part of it.
    mutating func isWorking(_ serial: Int, now: Instant) {
        if puppets[serial]?.stage == .ready { puppets[serial]?.since = now }
    }

    /// All that they were given is void.
    mutating func nothingIsGiven() { for serial in puppets.keys { puppets[serial]?.unconfirmed = 0 } }

    /// Some channels do not let one speak: the bridge does for a while.
    mutating func mute(_ serial: Int, _ targets: [String], now: Instant) {
        for target in targets { puppets[serial]?.muted[target] = now + Self.muteTime }
    }

    /// One is gone.
    /// - Parameters:
    ///   - reason: Why, for the log.
    ///   - isUnfit: Whether that is for its nick alone, or it was given up: then it is the bridge that speaks for this
    ///     user for a while, and the others are not held up.
    /// - Returns: Whether it could not connect or did not last; the relay speaks then. Nil for an unknown puppet.
    mutating func closed(_ serial: Int, _ reason: String = "", isUnfit: Bool = false, now: Instant) -> Bool? {
        guard let puppet = puppets.removeValue(forKey: serial) else { return nil }
        serials[puppet.user] = nil
        pending.removeAll { $0 == serial }
        if let nick = puppet.nick, nicks[nick] == serial {
            nicks[nick] = nil
            if former.count >= Self.mostFormer { former = [:] }
            if !puppet.hasQuit { former[nick] = now + Self.formerTime }
        }
        let isExpected = puppet.stage == .leaving || puppet.stage == .queued
        if !isExpected { losses.note(puppet.name, reason, now: now) }
        if isExpected || hold.isNetworkLoss(openedAt: puppet.openedAt) {
            if puppet.isWantedBack, config != nil { add(puppet.user, name: puppet.name, wanted: puppet.wanted, now) }
            return false
        }
        let isShort = puppet.stage == .ready && now - puppet.readyAt < Self.steady
        if isUnfit || isShort { noteUnfit(puppet, isForGood: isUnfit, now) }
        if puppet.stage == .connecting && !isUnfit || isShort { hold.failed(openedAt: puppet.openedAt, now: now) }
        return puppet.stage == .connecting || isUnfit || isShort
    }

    private mutating func noteUnfit(_ puppet: Puppet, isForGood: Bool, _ now: Instant) {
        if unfit.count >= Self.mostFormer { unfit = [:] }
        var entry = unfit[puppet.user] ?? Unfit(wanted: puppet.wanted, until: now, at: now)
        (entry.wanted, entry.at, entry.until) = (puppet.wanted, now, now + Self.muteTime)
        if !isForGood {
            entry.until = now + min(Self.firstHold * Double(1 << min(entry.losses, 6)), Self.muteTime)
            entry.losses += 1
        }
        unfit[puppet.user] = entry
    }

    /// The relay's connection is lost: puppets that were lost with it have not failed.
    mutating func networkLost(now: Instant) {
        hold.networkLost(now: now)
        unfit = unfit.filter { $0.value.losses == 0 || now - $0.value.at > PuppetHold.grace }
    }

    /// Takes another configuration.
    mutating func reconfigure(_ new: PuppetConfig?, now: Instant) {
        guard new != config else { return }
        config = new
        guard let new else { return leaveAll(now: now) }
        let kept = puppets.sorted { ($0.value.lastSpoke, $0.key) > ($1.value.lastSpoke, $1.key) }.map(\.key)
        for serial in kept.dropFirst(new.limit) { leave(serial, now) }
        if nextSweep != nil { nextSweep = now + sweepInterval }
    }

    /// All leave.
    mutating func leaveAll(now: Instant) { for serial in puppets.keys.sorted() { leave(serial, now) } }

    private mutating func leave(_ serial: Int, _ now: Instant) {
        guard let stage = puppets[serial]?.stage, stage != .leaving else { return }
        pending.removeAll { $0 == serial }
        if stage == .queued {
            _ = closed(serial, now: now)
            return
        }
        puppets[serial]?.stage = .leaving
        puppets[serial]?.since = now
        orders.append(.leave(serial))
        nextSweep = min(nextSweep ?? now + sweepInterval, now + Self.leaveLimit)
    }

    private var sweepInterval: Double {
        guard let idle = config?.idle, idle > 0 else { return 30 }
        return min(max(idle / 2, 0.25), 30)
    }

    /// Time has passed: those that have been silent long leave, those that answer nothing are dropped.
    mutating func tick(now: Instant) {
        guard let due = nextSweep, now >= due else { return }
        let idle = config?.idle ?? 0
        for (serial, puppet) in puppets.sorted(by: { $0.key < $1.key }) {
            switch puppet.stage {
            case .queued, .connecting: break
            case .ready where puppet.unconfirmed > 0:
                if now - puppet.since >= Self.stall { orders.append(.drop(serial)) }
            case .ready: if idle > 0, now - puppet.lastSpoke >= idle { leave(serial, now) }
            case .leaving: if now - puppet.since >= Self.leaveLimit { orders.append(.drop(serial)) }
            }
        }
        for puppet in puppets.values where puppet.stage == .ready && now - puppet.readyAt >= Self.steady {
            hold.lasted(readyAt: puppet.readyAt)
        }
        former = former.filter { $0.value > now }
        unfit = unfit.filter { $0.value.until + Self.muteTime > now }
        nextSweep = puppets.isEmpty && former.isEmpty && unfit.isEmpty ? nil : now + sweepInterval
    }

    /// When ``tick(now:)`` or ``takeOrders(now:)`` is due, or a message has waited long enough.
    func wake(now: Instant) -> Instant? {
        var wake = nextSweep
        for serial in pending {
            guard let puppet = puppets[serial] else { continue }
            let end = puppet.askedAt + Self.patience
            if end > now { wake = min(wake ?? end, end) }
            if puppet.stage == .queued, hold.until > now { wake = min(wake ?? hold.until, hold.until) }
        }
        return wake
    }
}
