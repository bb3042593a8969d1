import DequeModule
import JSONBytes
import PluginWire

/// The deliveries of one endpoint: what waits, how many requests are in flight, and whether the endpoint may be sent
/// any. One endpoint never waits for another.
struct EndpointQueue {
    /// What the end of a try means to the host.
    struct Settlement: Equatable {
        /// What the endpoint wants done in the chat; it goes before the acknowledgement.
        var commands: [[UInt8]] = []
        /// The delivery that is done.
        var ack: Int64?
        /// All else, in this order.
        var messages: [PluginMessage] = []
    }

    /// The wait of a delivery whose endpoint accepts nothing, in milliseconds; the window of 0 holds it longer.
    static let waitOfGone: Int64 = 1000

    /// The endpoint's name.
    let name: String
    /// Whether the endpoint accepts nothing until the configuration changes.
    private(set) var isGone: Bool
    /// Until when the endpoint accepts nothing, in milliseconds of the caller's clock.
    private(set) var holdUntil: Int64?
    /// Requests in flight.
    private(set) var inFlight = 0
    /// Deliveries that succeeded.
    private(set) var delivered: Int64 = 0
    /// Tries that failed since the last that succeeded.
    private(set) var failing = 0
    /// How the last try ended: a status or a code.
    private(set) var last = "none yet"
    /// The last tries, oldest first.
    private(set) var records: Deque<DeliveryRecord> = []
    /// Whether it is worth trying.
    private(set) var health = EndpointHealth()

    private var size: QueueSize
    private var fingerprint: String
    /// What is to be added to the caller's clock for Unix time, which health is kept by.
    private let offset: Int64
    /// What the host has as the queue's state.
    private var kept = JSON.null
    private var waiting: Deque<Delivery> = []
    /// How many times in a row the endpoint was held.
    private var holds = 0

    /// - Parameters:
    ///   - state: The queue's state from `start`.
    ///   - offset: What is to be added to the times given to it for Unix time, in milliseconds.
    ///   - now: Milliseconds of a clock that never goes back.
    init(_ endpoint: some SendEndpoint, state: JSON, offset: Int64 = 0, now: Int64 = 0) {
        name = endpoint.name
        size = endpoint.size
        fingerprint = endpoint.fingerprint
        self.offset = offset
        isGone = state["gone"]?.string == fingerprint
        if state["of"]?.string == fingerprint, let health = state["health"] {
            self.health = EndpointHealth(kept: health, now: now + offset)
        }
        kept = state
    }

    /// What the host must know at the start: the window of an endpoint that, under this configuration, was gone or
    /// paused.
    var opening: [PluginMessage] {
        window == 0 ? [.window(queue: name, events: 0)] : []
    }

    /// How many unsettled deliveries it wants.
    var window: Int64 {
        if isGone || holdUntil != nil { return 0 }
        return switch health.phase {
        case .open: size.window
        case .paused: 0
        case .probing: 1
        }
    }

    /// Requests in flight at most.
    private var requestLimit: Int {
        switch health.phase {
        case .open: size.requests
        case .paused: 0
        case .probing: 1
        }
    }

    /// When ``release(now:)`` has something to do, on the caller's clock: a hold ends, or a probe is due.
    var wakeAt: Int64? { isGone ? nil : holdUntil ?? health.nextProbe.map { $0 - offset } }

    /// The same in Unix time, in milliseconds.
    var nextTryAt: Int64? { wakeAt.map { $0 + offset } }

    /// Whether ``next()`` has something.
    var isRunnable: Bool { !isGone && holdUntil == nil && inFlight < requestLimit && !waiting.isEmpty }

    /// Remembers a try.
    mutating func keep(_ record: DeliveryRecord) {
        if records.count >= DeliveryRecord.kept { records.removeFirst() }
        records.append(record)
    }

    /// The delivery whose turn is next.
    var firstWaiting: Int64? { waiting.first?.id }

    /// Appends a delivery.
    /// - Returns: The answer, where it is too large for the endpoint.
    mutating func enqueue(_ delivery: Delivery) -> PluginMessage? {
        guard delivery.body.count <= size.largestEvent else {
            let message = "the event has \(delivery.body.count) bytes; at most \(size.largestEvent) are accepted"
            return .reject(delivery: delivery.id, code: "too_large", message: message, deadLetter: true)
        }
        waiting.append(delivery)
        return nil
    }

    /// Removes the deliveries of the next request, which is in flight from now on.
    mutating func next() -> [Delivery]? {
        guard isRunnable, let first = waiting.popFirst() else { return nil }
        inFlight += 1
        var batch = [first]
        if size.batch == 1 || first.isAlone { return batch }
        var bytes = first.body.count
        while batch.count < size.batch, let delivery = waiting.first, !delivery.isAlone,
            bytes + delivery.body.count <= size.batchBytes
        {
            batch.append(waiting.removeFirst())
            bytes += delivery.body.count
        }
        return batch
    }

    /// Notes that a request has ended.
    /// - Parameter isVoid: Whether the endpoint was removed meanwhile, so that nothing of it waits again.
    /// - Returns: Whether its deliveries wait again, each for a request of its own: one of them must not cost the
    ///   others their try.
    mutating func endRequest<Result: DeliveryResult>(
        _ batch: [Delivery], _ results: [Result], isVoid: Bool = false
    ) -> Bool {
        inFlight -= 1
        guard !isVoid, batch.count > 1, let first = results.first, first.splitsBatch,
            results.allSatisfy({ $0 == first })
        else { return false }
        for delivery in batch.reversed() {
            var alone = delivery
            alone.isAlone = true
            waiting.prepend(alone)
        }
        return true
    }

    /// Decides what becomes of a delivery whose request has ended.
    /// - Parameters:
    ///   - quote: What the endpoint answered, which stands after the reason of a failure.
    ///   - now: Milliseconds of a clock that never goes back.
    ///   - chance: A random number in 0..<1.
    mutating func settle(
        _ delivery: Delivery, by result: some DeliveryResult, quote: String = "", now: Int64, chance: Double
    ) -> Settlement {
        let verdict = verdict(on: delivery, result, chance: chance).quoting(quote)
        note(result.code, verdict)
        let wasPaused = health.isPaused
        let changes = noteHealth(verdict, now: now)
        switch verdict {
        case .delivered(let commands):
            return Settlement(commands: commands, ack: delivery.id, messages: changes)
        case .retry(_, let code, let message) where wasPaused && !result.blamesEvent:
            // A pause discards nothing, however long it lasts: probes cost no tries.
            return Settlement(
                messages: changes + [uncountedRetry(delivery, afterMs: Self.waitOfGone, code: code, message: message)])
        case .retry(let afterMs, let code, let message):
            let retry = PluginMessage.Retry(delivery: delivery.id, afterMs: afterMs, code: code, message: message)
            return Settlement(messages: changes + [.retry(retry)])
        case .deadLetter(let code, let message):
            return Settlement(
                messages: changes + [.reject(delivery: delivery.id, code: code, message: message, deadLetter: true)])
        case .hold(let forMs, let code, let message):
            return Settlement(
                messages: hold(forMs, now: now) + [
                    uncountedRetry(delivery, afterMs: forMs, code: code, message: message)
                ])
        case .gone(let message):
            let isNew = !isGone
            isGone = true
            return Settlement(
                messages: (isNew ? [.window(queue: name, events: 0)] + keep(now: now) : []) + [
                    uncountedRetry(delivery, afterMs: Self.waitOfGone, code: "gone", message: message)
                ])
        }
    }

    /// Holds an endpoint that no request can be made to, as its keys or credentials are of no use, and gives back all
    /// that waits: the host delivers it again.
    /// - Parameter result: What a request would end with.
    /// - Returns: What the host must know, and the deliveries.
    mutating func suspend(
        for result: some DeliveryResult, now: Int64, chance: Double
    ) -> (messages: [PluginMessage], deliveries: [Delivery]) {
        let verdict = result.verdict(attempt: 1, holds: holdsBefore, chance: chance)
        guard case .hold(let forMs, let code, let message) = verdict else { return ([], []) }
        note(result.code, verdict)
        let deliveries = Array(waiting)
        waiting = []
        let messages = hold(forMs, now: now)
        return (
            messages + deliveries.map { uncountedRetry($0, afterMs: forMs, code: code, message: message) }, deliveries
        )
    }

    /// Adopts a changed endpoint whose queue is the same: what held the old one is over.
    /// - Returns: What the host must know, besides the new window.
    mutating func adopt(_ endpoint: some SendEndpoint) -> [PluginMessage] {
        (size, fingerprint) = (endpoint.size, endpoint.fingerprint)
        (isGone, holdUntil, failing, holds, health) = (false, nil, 0, 0, EndpointHealth())
        return keep(now: 0)
    }

    /// What keeps an endpoint from being sent its events, in a word for the operator; nil: nothing does.
    func obstacle(_ words: EndpointWords) -> String? {
        if isGone { return "gone" }
        if health.isPaused { return "paused" }
        return holdUntil == nil ? nil : words.obstacle(last)
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
        if !isGone, !health.isPaused, holdUntil == nil { return [] }
        (isGone, holdUntil, failing, holds, health) = (false, nil, 0, 0, EndpointHealth())
        return [.window(queue: name, events: window)] + keep(now: 0)
    }

    /// Forgets what waits: its deliveries are void.
    mutating func retire() {
        waiting = []
        holdUntil = nil
    }

    /// The answer for a delivery whose try says nothing about the endpoint as it is now.
    func givenBack(_ delivery: Delivery) -> PluginMessage {
        uncountedRetry(
            delivery, afterMs: 0, code: "changed", message: "the endpoint's configuration changed during the try")
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

    // MARK: Parts

    /// Holds in a row before this one. What was in flight together is one hold.
    private var holdsBefore: Int { holdUntil == nil ? holds : max(0, holds - 1) }

    private func verdict(on delivery: Delivery, _ result: some DeliveryResult, chance: Double) -> DeliveryVerdict {
        result.verdict(attempt: delivery.countedTry, holds: holdsBefore, chance: chance)
    }

    private mutating func hold(_ forMs: Int64, now: Int64) -> [PluginMessage] {
        let isNew = holdUntil == nil && !isGone
        holdUntil = max(holdUntil ?? 0, now + forMs)
        return isNew ? [.window(queue: name, events: 0)] : []
    }

    /// Lets health judge a try that says something of the endpoint: one that asks to wait is alive, and gone is final.
    private mutating func noteHealth(_ verdict: DeliveryVerdict, now: Int64) -> [PluginMessage] {
        let isSuccess: Bool
        switch verdict {
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

    private func uncountedRetry(_ delivery: Delivery, afterMs: Int64, code: String, message: String) -> PluginMessage {
        .retry(.init(delivery: delivery.id, afterMs: afterMs, counted: false, code: code, message: message))
    }

    private mutating func note(_ code: String, _ verdict: DeliveryVerdict) {
        last = code
        if case .hold = verdict { holds += holdUntil == nil ? 1 : 0 } else { holds = 0 }
        if case .delivered = verdict {
            delivered += 1
            failing = 0
        } else {
            failing += 1
        }
    }
}
