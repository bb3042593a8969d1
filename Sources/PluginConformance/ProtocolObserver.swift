import JSONBytes
import PluginHost
import PluginWire

/// Reads along with the conversation of one process and finds what breaks the protocol: a pure value.
///
/// The real host forgives what a plugin could not know. This does not: it knows both sides.
public struct ProtocolObserver: Sendable {
    /// What is watched.
    public struct Expectations: Sendable {
        /// The plugin is one of the command phase.
        public var isChecker = false
        /// It is sent `ping`.
        public var pings = true
        /// Milliseconds from an event to its settlement.
        public var settle: Int64 = 60_000
        /// Milliseconds from `hello` to `ready`, and from `config` to `configured`.
        public var ready: Int64 = 10_000
        /// Milliseconds from `ping` to `pong`. The host kills a plugin after 30 s without a byte.
        public var pong: Int64 = 10_000
        /// Milliseconds from `ask` to `answer`.
        public var answer: Int64 = 60_000
        /// Milliseconds from `drain` to the end.
        public var drain: Int64 = 10_000

        /// The protocol's own times.
        public init() {}
    }

    /// A delivery.
    struct Delivery: Sendable {
        var exchange: Exchange
        var queue: String
        var position: Int64
        var lane: String
        /// The line that settled it.
        var settled: Exchange?
        /// Up to when it may be held.
        var deadline: Int64
        /// A `retry` was sent for it, and nothing came of that so far.
        var isVoid = false
    }

    /// Findings of each rule that are kept.
    static let most = 5

    let expectations: Expectations
    /// What was found, in order.
    public internal(set) var findings: [Finding] = []
    /// Rules that this conversation put to the test.
    public internal(set) var exercised: Set<Rule> = []
    /// Lines so far.
    public internal(set) var count = 0

    var hello: (exchange: Exchange, purpose: HostMessage.Hello.Purpose)?
    /// The plugin's `ready`.
    public internal(set) var ready: PluginMessage.Ready?
    var isStarted = false
    var draining: Exchange?
    var drained: Exchange?
    var deliveries: [Int64: Delivery] = [:]
    var held: Set<Int64> = []
    var lastDelivery: Int64 = 0
    var queues: Set<String> = []
    var pings: [Int64: Exchange] = [:]
    var configs: [MessageID: Exchange] = [:]
    var asks: [MessageID: Exchange] = [:]
    var checks: [MessageID: (exchange: Exchange, deadline: Int64)] = [:]
    var answered: (asks: Set<MessageID>, checks: Set<MessageID>) = ([], [])
    /// Commands without a result.
    var commands: [MessageID: PendingCommand] = [:]
    /// Pipelined: the delivery of each lane (of each queue) that `retry` was sent for, until `voided` comes.
    var retried: [String: Int64] = [:]
    /// The last delivery of each lane that the plugin acted on.
    var acted: [String: Int64] = [:]
    var fatals = 0
    var hasUnknownLine = false
    var isReadingStopped = false
    var isInputClosed = false
    /// The last line of the plugin's, by type.
    var last: [String: Exchange] = [:]
    var found: Set<Int> = []

    /// A command that was not decided yet.
    struct PendingCommand: Sendable {
        var exchange: Exchange
        var type: String
        var user: String
        var cause: Int64?
    }

    /// Commands that speak for a user who may not, by user.
    var unheard: [String: Exchange] = [:]
    /// SEND_MESSAGE commands that were stored and no duplicates.
    public internal(set) var messagesStored = 0
    /// Commands so far.
    public internal(set) var commandCount = 0

    /// Observes a process that starts now.
    public init(_ expectations: Expectations = Expectations()) { self.expectations = expectations }

    /// Deliveries that are neither settled nor given back.
    public var open: Int { held.count }
    /// Commands that have no result yet.
    public var undecided: Int { commands.count }
    /// `ping` lines that have no `pong` yet.
    public var unansweredPings: Int { pings.count }
    /// Questions and configurations that have no answer yet.
    public var unanswered: Int { configs.count + asks.count + checks.count }
    /// Deliveries so far.
    public var deliveryCount: Int64 { lastDelivery }
    /// Whether the plugin was sent `start`.
    public var hasStarted: Bool { isStarted }

    /// Takes the next line.
    public mutating func observe(_ direction: LineTraces.Direction, _ line: [UInt8], at milliseconds: Int64) {
        count += 1
        let exchange = Exchange(number: count, milliseconds: milliseconds, direction: direction, line: line)
        switch direction {
        case .toPlugin: if let message = try? HostMessage(line: line) { heard(message, exchange) }
        case .fromPlugin: said(exchange)
        }
    }

    /// The host reads nothing of the plugin's meanwhile, so that nothing of it is late.
    public mutating func stopReading(_ isStopped: Bool, at now: Int64) {
        isReadingStopped = isStopped
        if isStopped { return }
        for n in pings.keys { pings[n]?.milliseconds = now }
        for delivery in held { deliveries[delivery]?.deadline = now + expectations.settle }
    }

    /// The host closes the plugin's input, which is asked to end without a `drain`.
    public mutating func closeInput() { isInputClosed = true }

    /// Finds what is overdue.
    public mutating func look(at now: Int64) {
        if isReadingStopped { return }
        if let hello, ready == nil, fatals == 0, now - hello.exchange.milliseconds > expectations.ready {
            find(.readyInTime, "no 'ready' within \(expectations.ready / 1000) s", [hello.exchange])
        }
        for (n, ping) in pings.sorted(by: { $0.key < $1.key }) where now - ping.milliseconds > expectations.pong {
            find(.pong, "no 'pong' for ping \(n) within \(expectations.pong / 1000) s", [ping])
            pings[n] = nil
        }
        for (id, config) in configs where now - config.milliseconds > expectations.ready {
            find(.configuredInTime, "no 'configured' for config \(id)", [config])
            configs[id] = nil
        }
        for (id, ask) in asks where now - ask.milliseconds > expectations.answer {
            find(.answerInTime, "no 'answer' for ask \(id)", [ask])
            asks[id] = nil
        }
        for (id, check) in checks where now > check.deadline {
            find(.verdictInTime, "no 'verdict' for check \(id) in time", [check.exchange])
            checks[id] = nil
        }
        guard draining == nil else { return }
        for number in held.sorted() {
            guard let delivery = deliveries[number], now > delivery.deadline else { continue }
            find(
                .settleEach, "delivery \(number) is not settled after \(expectations.settle / 1000) s",
                [delivery.exchange])
            release(number)
        }
    }

    /// The process has ended.
    /// - Parameters:
    ///   - status: Its exit status; nil: by a signal.
    ///   - wasKilled: It was killed by the kit.
    ///   - reason: What the host says of the end.
    public mutating func ended(status: Int32?, wasKilled: Bool, reason: String, at now: Int64) {
        look(at: now)
        if wasKilled { return }
        if let draining {
            exercised.formUnion([.drain, .exitStatus])
            if drained == nil { find(.drain, "it ended without 'drained': \(reason)", [draining]) }
            if now - draining.milliseconds > expectations.drain {
                find(.drain, "it ended \(Exchange.seconds(now - draining.milliseconds)) s after 'drain'", [draining])
            } else if status != 0 {
                find(.exitStatus, "it did not exit with status 0 after 'drain': \(reason)", [draining])
            }
        } else if hello?.purpose == .check {
            exercised.insert(.checkPurpose)
            if ready == nil, fatals == 0 { find(.checkPurpose, "neither 'ready' nor 'fatal': \(reason)", []) }
        } else if fatals == 0, isStarted || ready == nil {
            exercised.insert(.exitStatus)
            let line = last.values.max { $0.number < $1.number }
            find(.exitStatus, "it ended of its own accord: \(reason)", line.map { [$0] } ?? [])
        }
        for (user, exchange) in unheard {
            find(.joinsFirst, "'\(user)' spoke without being registered and in the channel", [exchange])
        }
    }

    mutating func find(_ rule: Rule, _ reason: String, _ lines: [Exchange]) {
        exercised.insert(rule)
        if let line = lines.last { found.insert(line.number) }
        guard findings.count(where: { $0.rule == rule }) < Self.most else { return }
        findings.append(Finding(rule, reason, lines))
    }

    /// Takes a delivery off those that are held.
    mutating func release(_ number: Int64) { held.remove(number) }
}
