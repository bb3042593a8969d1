import DequeModule
import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

/// The events of one target: what waits, what is in flight, and whether the target takes any. One lane never waits for
/// another.
struct Lane {
    /// What a finished request means to the host, in this order: commands, then settlements.
    struct Settlement: Equatable {
        /// What functions want said, with the delivery that caused it.
        var commands: [(cause: Int64, command: [UInt8])] = []
        /// Deliveries that are done.
        var acks: [Int64] = []
        /// All else.
        var messages: [PluginMessage] = []
        /// Whether the credentials were not accepted.
        var isUnaccepted = false

        static func == (left: Settlement, right: Settlement) -> Bool {
            left.acks == right.acks && left.messages == right.messages && left.isUnaccepted == right.isUnaccepted
                && left.commands.map(\.cause) == right.commands.map(\.cause)
                && left.commands.map(\.command) == right.commands.map(\.command)
        }
    }

    /// The target.
    let target: Target
    /// Until when the target takes nothing, in milliseconds of the caller's clock.
    private(set) var holdUntil: Int64?
    /// Events handed over.
    private(set) var delivered: Int64 = 0
    /// Requests and events that failed since the last that succeeded.
    private(set) var failing = 0
    /// How the last request ended: `ok` or a code.
    private(set) var last = "none yet"
    /// Why, where it failed.
    private(set) var reason = ""

    /// Its last tries, the oldest first.
    private(set) var records: [DeliveryRecord] = []

    private var waiting: Deque<Job> = []
    private var inFlight = 0
    private var holds = 0

    init(_ target: Target) { self.target = target }

    /// Requests in flight at most: so many that all events of the window are under way, each request being full.
    var requestLimit: Int { (Int(target.concurrency) + target.batch - 1) / target.batch }

    /// Whether ``next()`` has something.
    var isRunnable: Bool { holdUntil == nil && inFlight < requestLimit && !waiting.isEmpty }
    /// Whether events wait here.
    var hasWaiting: Bool { !waiting.isEmpty }

    /// Takes an event in; the answer, where it is too large ever to be taken.
    mutating func admit(_ job: Job) -> PluginMessage? {
        guard job.body.count <= target.maxEvent else {
            let message = "the event has \(job.body.count) bytes; the target takes \(target.maxEvent)"
            return .reject(delivery: job.delivery, code: "too_large", message: message, deadLetter: true)
        }
        waiting.append(job)
        return nil
    }

    /// Takes the events of the next request, which is in flight from now on.
    mutating func next() -> [Job]? {
        guard isRunnable, let first = waiting.popFirst() else { return nil }
        inFlight += 1
        var (jobs, bytes) = ([first], first.body.count)
        while !first.isAlone, jobs.count < target.batch, let job = waiting.first, !job.isAlone,
            bytes + job.body.count <= Target.maxBatchBytes
        {
            jobs.append(waiting.removeFirst())
            bytes += job.body.count
        }
        return jobs
    }

    /// Says what becomes of the events of a request that has ended.
    /// - Parameters:
    ///   - now: Milliseconds of a clock that never goes back.
    ///   - chance: A random number in 0..<1.
    mutating func settle(_ jobs: [Job], _ outcome: Outcome, now: Int64, chance: Double) -> Settlement {
        inFlight -= 1
        let judgements = target.judge(outcome, count: jobs.count)
        // One event must not cost those their try that were in the same request.
        if jobs.count > 1, let first = judgements.first, Self.isForWhole(first),
            judgements.allSatisfy({ $0 == first })
        {
            for job in jobs.reversed() {
                var alone = job
                alone.isAlone = true
                waiting.prepend(alone)
            }
            return Settlement()
        }
        var settlement = Settlement()
        for (job, judgement) in zip(jobs, judgements) {
            settle(job, judgement, now: now, chance: chance, into: &settlement)
        }
        return settlement
    }

    private static func isForWhole(_ judgement: Judgement) -> Bool {
        switch judgement {
        case .refused, .deadLetter(code: "too_large", message: _): true
        default: false
        }
    }

    private mutating func settle(
        _ job: Job, _ judgement: Judgement, now: Int64, chance: Double, into settlement: inout Settlement
    ) {
        let attempt = job.countedTry
        switch judgement {
        case .delivered(let commands):
            (failing, holds, last, reason) = (0, 0, "ok", "")
            delivered += 1
            settlement.commands += commands.map { (job.delivery, $0) }
            settlement.acks.append(job.delivery)
        case .refused(let code, let message) where attempt < Judgement.triesOfRefused:
            note(code, message)
            settlement.messages.append(retry(job, attempt, chance, code, message))
        case .deadLetter(let code, let message), .refused(let code, let message):
            note(code, message)
            settlement.messages.append(.reject(delivery: job.delivery, code: code, message: message, deadLetter: true))
        case .retry(let code, let message):
            note(code, message)
            settlement.messages.append(retry(job, attempt, chance, code, message))
        case .throttled(let code, let message), .unaccepted(let code, let message):
            note(code, message)
            if case .unaccepted = judgement { settlement.isUnaccepted = true }
            settlement.messages += hold(now: now, chance: chance)
            settlement.messages.append(uncountedRetry(job, now, code, message))
        }
    }

    /// Gives back all that waits, as there are no credentials; the host brings it again.
    mutating func suspend(_ problem: CredentialProblem, now: Int64, chance: Double) -> [PluginMessage] {
        guard hasWaiting else { return [] }
        note("credentials", problem.message)
        var messages = hold(now: now, chance: chance)
        while let job = waiting.popFirst() { messages.append(uncountedRetry(job, now, "credentials", problem.message)) }
        return messages
    }

    /// Ends a hold whose time has come.
    mutating func release(now: Int64) -> [PluginMessage] {
        guard let until = holdUntil, until <= now else { return [] }
        holdUntil = nil
        return [.window(queue: target.name, events: target.concurrency)]
    }

    /// Remembers a try.
    mutating func keep(_ record: DeliveryRecord) {
        if records.count >= DeliveryRecord.kept { records.removeFirst() }
        records.append(record)
    }

    /// What keeps a target from being handed its events, in words for the operator; nil: nothing does.
    var obstacle: String? {
        guard holdUntil != nil else { return nil }
        return last == "credentials" ? "waiting for credentials" : "throttled"
    }

    /// Ends what keeps the target from being handed its events, as an operator wishes.
    /// - Returns: What the host must know.
    mutating func resume() -> [PluginMessage] {
        guard holdUntil != nil else { return [] }
        (holdUntil, holds) = (nil, 0)
        return [.window(queue: target.name, events: target.concurrency)]
    }

    private mutating func hold(now: Int64, chance: Double) -> [PluginMessage] {
        if holdUntil != nil { return [] }
        holds += 1
        holdUntil = now + RetrySchedule.hold(holds, chance: chance)
        return [.window(queue: target.name, events: 0)]
    }

    private func retry(_ job: Job, _ attempt: Int64, _ chance: Double, _ code: String, _ message: String)
        -> PluginMessage
    {
        let wait = RetrySchedule.wait(afterAttempt: attempt, chance: chance)
        return .retry(.init(delivery: job.delivery, afterMs: wait, code: code, message: message))
    }

    private func uncountedRetry(_ job: Job, _ now: Int64, _ code: String, _ message: String) -> PluginMessage {
        let wait = max(0, (holdUntil ?? now) - now)
        return .retry(.init(delivery: job.delivery, afterMs: wait, counted: false, code: code, message: message))
    }

    private mutating func note(_ code: String, _ message: String) {
        failing += 1
        (last, reason) = (code, message)
    }
}
