import DequeModule
import JSONBytes
import PluginWire

/// The deliveries of one endpoint: what waits, what is in flight, and whether the receiver wants any. One lane never
/// waits for another.
struct Lane {
    /// What a finished try means to the host.
    enum Settlement: Equatable {
        case ack(Int64)
        /// In this order.
        case messages([PluginMessage])
    }

    /// The wait of a delivery that met a receiver that is gone, in milliseconds; the window of 0 holds it longer.
    static let waitOfGone: Int64 = 1000

    /// The endpoint's name.
    let name: String
    /// Whether the receiver wants nothing until the configuration changes.
    private(set) var isGone: Bool
    /// Until when the receiver wants nothing, in milliseconds of the caller's clock.
    private(set) var holdUntil: Int64?
    /// Deliveries in flight.
    private(set) var inFlight = 0
    /// Deliveries that succeeded.
    private(set) var delivered: Int64 = 0
    /// Tries that failed since the last that succeeded.
    private(set) var failing = 0
    /// How the last try ended: the HTTP status or the failure's code.
    private(set) var last = "none yet"

    /// The last tries, oldest first.
    private(set) var records: Deque<DeliveryRecord> = []
    /// Whether it is worth trying.
    private(set) var health = EndpointHealth()

    private var concurrency: Int64
    private var fingerprint: String
    /// What is to be added to the caller's clock for Unix time, which health is kept by.
    private let offset: Int64
    /// What the host has as the queue's state.
    private var kept = JSON.null
    private var waiting: Deque<Job> = []
    /// How many tries running the receiver answered with a wish to wait.
    private var holds = 0

    /// - Parameters:
    ///   - state: The queue's state from `start`.
    ///   - offset: What is to be added to the times given to it for Unix time, in milliseconds.
    ///   - now: Milliseconds of a clock that never goes back.
    init(_ endpoint: Endpoint, state: JSON, offset: Int64 = 0, now: Int64 = 0) {
        name = endpoint.name
        concurrency = endpoint.window
        fingerprint = endpoint.fingerprint
        self.offset = offset
        isGone = state["gone"]?.string == endpoint.fingerprint
        if state["of"]?.string == endpoint.fingerprint, let health = state["health"] {
            self.health = EndpointHealth(kept: health, now: now + offset)
        }
        kept = state
    }

    /// What the host must know at the start: the window of a receiver that said, under this configuration, that it is
    /// gone, or that was paused.
    var opening: [PluginMessage] {
        window == 0 ? [.window(queue: name, events: 0)] : []
    }

    /// How many unsettled deliveries it wants.
    var window: Int64 { isGone || holdUntil != nil ? 0 : limit }

    /// Deliveries in flight at most.
    private var limit: Int64 {
        switch health.phase {
        case .open: concurrency
        case .paused: 0
        case .probing: 1
        }
    }

    /// When it has to be looked at again, on the caller's clock: a hold ends, or a probe is due.
    var wakeAt: Int64? { isGone ? nil : holdUntil ?? health.nextProbe.map { $0 - offset } }

    /// The same in Unix time, in milliseconds.
    var nextTryAt: Int64? { wakeAt.map { $0 + offset } }

    /// Whether ``next()`` has something.
    var isRunnable: Bool { !isGone && holdUntil == nil && inFlight < limit && !waiting.isEmpty }

    /// Remembers a try.
    mutating func keep(_ record: DeliveryRecord) {
        if records.count >= DeliveryRecord.kept { records.removeFirst() }
        records.append(record)
    }

    /// The delivery whose turn is next.
    var firstWaiting: Int64? { waiting.first?.delivery }

    /// Takes a delivery in.
    mutating func admit(_ job: Job) { waiting.append(job) }

    /// Takes the next delivery to post, which is in flight from now on.
    mutating func next() -> Job? {
        guard isRunnable else { return nil }
        inFlight += 1
        return waiting.removeFirst()
    }

    /// Says what becomes of a delivery whose try has ended.
    /// - Parameters:
    ///   - quote: What the receiver said, which stands behind the reason of a failure.
    ///   - now: Milliseconds of a clock that never goes back.
    ///   - chance: A random number in 0..<1.
    mutating func settle(
        _ job: Job, _ outcome: Outcome, quote: String = "", now: Int64, chance: Double
    ) -> Settlement {
        inFlight -= 1
        // What was in flight together is one wish.
        let holdsBefore = holdUntil == nil ? holds : max(0, holds - 1)
        let judgement = Judgement(outcome, attempt: job.countedTry, holds: holdsBefore, chance: chance).quoting(quote)
        note(outcome, judgement)
        let wasPaused = health.isPaused
        let changes = judge(judgement, now: now)
        switch judgement {
        case .delivered:
            return changes.isEmpty ? .ack(job.delivery) : .messages([.ack(.one(job.delivery), state: nil)] + changes)
        case .retry(_, let code, let message) where wasPaused && !outcome.blamesEvent:
            // A pause discards nothing, however long it lasts: probes cost no tries.
            return .messages(
                changes + [uncountedRetry(job, afterMs: Self.waitOfGone, code: code, message: message)])
        case .retry(let afterMs, let code, let message):
            return .messages(
                changes + [.retry(.init(delivery: job.delivery, afterMs: afterMs, code: code, message: message))])
        case .deadLetter(let code, let message):
            return .messages(
                changes + [.reject(delivery: job.delivery, code: code, message: message, deadLetter: true)])
        case .hold(let forMs, let code, let message):
            let isNew = holdUntil == nil && !isGone
            holdUntil = max(holdUntil ?? 0, now + forMs)
            return .messages(
                (isNew ? [.window(queue: name, events: 0)] : []) + [
                    uncountedRetry(job, afterMs: forMs, code: code, message: message)
                ])
        case .gone(let message):
            let isNew = !isGone
            isGone = true
            return .messages(
                (isNew ? [.window(queue: name, events: 0)] + keep(now: now) : []) + [
                    uncountedRetry(job, afterMs: Self.waitOfGone, code: "gone", message: message)
                ])
        }
    }

    /// Wants nothing, as no signing key is valid any more; only a new configuration helps.
    mutating func holdUnsigned(now: Int64) -> [PluginMessage] {
        last = Judgement.keysExpired
        holdUntil = now + Judgement.holdOfUnsigned
        return isGone ? [] : [.window(queue: name, events: 0)]
    }

    /// Takes a changed endpoint whose queue is the same: whatever the receiver of the old one wanted is over.
    /// - Returns: What the host must know, besides the new window.
    mutating func adopt(_ endpoint: Endpoint) -> [PluginMessage] {
        (concurrency, fingerprint) = (endpoint.window, endpoint.fingerprint)
        (isGone, holdUntil, failing, holds, health) = (false, nil, 0, 0, EndpointHealth())
        return keep(now: 0)
    }

    /// What keeps an endpoint from being sent its events, in a word for the operator; nil: nothing does.
    var obstacle: String? {
        if isGone { return "gone" }
        if health.isPaused { return "paused" }
        return holdUntil == nil ? nil : "asked to wait"
    }

    /// What is wrong with an endpoint, as far as the log says so.
    enum Trouble: Equatable, Sendable { case none, failing, paused, gone }

    /// What is wrong with it now.
    var trouble: Trouble {
        if isGone { return .gone }
        if health.isPaused { return .paused }
        return failing > 0 ? .failing : .none
    }

    /// Ends whatever keeps the endpoint from being sent its events, as an operator wishes.
    /// - Returns: What the host must know.
    mutating func resume() -> [PluginMessage] {
        if obstacle == nil { return [] }
        (isGone, holdUntil, failing, holds, health) = (false, nil, 0, 0, EndpointHealth())
        return [.window(queue: name, events: window)] + keep(now: 0)
    }

    /// Forgets what waits: its deliveries are void.
    mutating func retire() {
        waiting = []
        holdUntil = nil
    }

    /// Ends a try that says nothing about the endpoint as it is now.
    mutating func giveBack(_ job: Job) -> PluginMessage? {
        inFlight -= 1
        return uncountedRetry(
            job, afterMs: 0, code: "changed", message: "the endpoint's configuration changed during the try")
    }

    /// Ends a hold whose time has come, or lets a probe through.
    mutating func release(now: Int64) -> [PluginMessage] {
        if let until = holdUntil {
            guard until <= now else { return [] }
            holdUntil = nil
        } else if isGone || !health.wake(now: now + offset) {
            return []
        }
        return isGone || window == 0 ? [] : [.window(queue: name, events: window)]
    }

    /// Lets health judge a try that says something of the endpoint: whoever asks to wait is alive, and 410 is final.
    private mutating func judge(_ judgement: Judgement, now: Int64) -> [PluginMessage] {
        let isSuccess: Bool
        switch judgement {
        case .delivered: isSuccess = true
        case .retry, .deadLetter: isSuccess = false
        case .hold, .gone: return []
        }
        let change = health.note(isSuccess: isSuccess, now: now + offset)
        return (change == nil ? [] : [.window(queue: name, events: window)]) + keep(now: now)
    }

    /// The queue's state, where it is not what the host has.
    private mutating func keep(now: Int64) -> [PluginMessage] {
        var state = JSON.null
        if isGone {
            state = .object([.init("gone", .string(fingerprint))])
        } else if let health = health.kept(now: now + offset) {
            // A count alone is not worth a write.
            if !self.health.isPaused, kept["of"]?.string == fingerprint, kept["health"]?["paused"] == nil { return [] }
            state = .object([.init("of", .string(fingerprint)), .init("health", health)])
        }
        if state == kept { return [] }
        kept = state
        return [.state(queue: name, state: state)]
    }

    private func uncountedRetry(_ job: Job, afterMs: Int64, code: String, message: String) -> PluginMessage {
        .retry(
            .init(delivery: job.delivery, afterMs: afterMs, counted: false, code: code, message: message))
    }

    private mutating func note(_ outcome: Outcome, _ judgement: Judgement) {
        last = outcome.code
        if case .hold = judgement { holds += holdUntil == nil ? 1 : 0 } else { holds = 0 }
        if judgement == .delivered {
            delivered += 1
            failing = 0
        } else {
            failing += 1
        }
    }
}
