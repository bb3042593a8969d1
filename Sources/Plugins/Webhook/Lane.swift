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

    /// Events whose uncounted tries are remembered, at most; others may wait longer than the schedule says.
    static let maxUncounted = 4096
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

    private var concurrency: Int64
    private var fingerprint: String
    private var waiting: Deque<Job> = []
    private var uncounted: [Int64: Int64] = [:]

    /// - Parameter state: The queue's state from `start`.
    init(_ endpoint: Endpoint, state: JSON) {
        name = endpoint.name
        concurrency = endpoint.concurrency
        fingerprint = endpoint.fingerprint
        isGone = state["gone"]?.string == endpoint.fingerprint
    }

    /// What the host must know at the start: the window of a receiver that said, under this configuration, that it is
    /// gone.
    var opening: [PluginMessage] {
        isGone ? [.window(queue: name, events: 0)] : []
    }

    /// How many unsettled deliveries it wants.
    var window: Int64 { isGone || holdUntil != nil ? 0 : concurrency }

    /// Whether ``next()`` has something.
    var isRunnable: Bool { !isGone && holdUntil == nil && inFlight < concurrency && !waiting.isEmpty }

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
    ///   - now: Milliseconds of a clock that never goes back.
    ///   - chance: A random number in 0..<1.
    mutating func settle(_ job: Job, _ outcome: Outcome, now: Int64, chance: Double) -> Settlement {
        inFlight -= 1
        let attempt = max(1, job.attempt - (uncounted[job.position] ?? 0))
        let judgement = Judgement(outcome, attempt: attempt, chance: chance)
        note(outcome, judgement)
        switch judgement {
        case .delivered:
            if !uncounted.isEmpty { uncounted[job.position] = nil }
            return .ack(job.delivery)
        case .retry(let afterMs, let code, let message):
            return .messages([.retry(.init(delivery: job.delivery, afterMs: afterMs, code: code, message: message))])
        case .deadLetter(let code, let message):
            uncounted[job.position] = nil
            return .messages([.reject(delivery: job.delivery, code: code, message: message, deadLetter: true)])
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
            let state = JSON.object([.init("gone", .string(fingerprint))])
            return .messages(
                (isNew ? [.window(queue: name, events: 0), .state(queue: name, state: state)] : []) + [
                    uncountedRetry(job, afterMs: Self.waitOfGone, code: "gone", message: message)
                ])
        }
    }

    /// Takes a changed endpoint whose queue is the same: whatever the receiver of the old one wanted is over.
    /// - Returns: What the host must know, besides the new window.
    mutating func adopt(_ endpoint: Endpoint) -> [PluginMessage] {
        let wasGone = isGone
        (concurrency, fingerprint) = (endpoint.concurrency, endpoint.fingerprint)
        (isGone, holdUntil, failing) = (false, nil, 0)
        return wasGone ? [.state(queue: name, state: .null)] : []
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

    /// Ends a hold whose time has come.
    mutating func release(now: Int64) -> [PluginMessage] {
        guard let until = holdUntil, until <= now else { return [] }
        holdUntil = nil
        return isGone ? [] : [.window(queue: name, events: concurrency)]
    }

    private mutating func uncountedRetry(_ job: Job, afterMs: Int64, code: String, message: String) -> PluginMessage {
        if uncounted.count < Self.maxUncounted || uncounted[job.position] != nil {
            uncounted[job.position, default: 0] += 1
        }
        return .retry(
            .init(delivery: job.delivery, afterMs: afterMs, counted: false, code: code, message: message))
    }

    private mutating func note(_ outcome: Outcome, _ judgement: Judgement) {
        switch outcome {
        case .answered(let status, _, _): last = String(status)
        case .denied: last = "address_denied"
        case .failed(let failure, _): last = failure.rawValue
        }
        if judgement == .delivered {
            delivered += 1
            failing = 0
        } else {
            failing += 1
        }
    }
}
