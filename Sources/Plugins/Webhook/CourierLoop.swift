import CCurl
import DequeModule
import Glibc
import HTTPClient
import JSONBytes
import PluginKit
import PluginWire

/// The loop of the courier's thread, owner of the lanes and of all that is in flight.
final class CourierLoop {
    /// How often the limits of a try's parts are looked at, in milliseconds.
    static let watchInterval: Int64 = 250
    /// The longest sleep when nothing is due, in milliseconds.
    static let idleInterval: Int64 = 60_000
    /// The wait for an endpoint's rate of which the host is told, in milliseconds.
    static let toldWait: Int64 = 5000
    /// What is kept of a drain's time for the last words, in milliseconds.
    static let lastWords: Int64 = 250

    private let multi: OpaquePointer
    let send: (PluginMessage) -> Void
    /// The endpoints as they are configured, by name.
    var wanted: [String: Endpoint]
    /// The index of each endpoint at work in the lists below, by name.
    var seats: [String: Int] = [:]
    /// Indices of endpoints that have gone and have something in flight, and of those that have nothing.
    var retired: Set<Int> = []
    var vacant: [Int] = []
    /// Whether there was another configuration before, whose deliveries may still come.
    var hasChanged = false
    var endpoints: [Endpoint] = []
    var headers: [HeaderLines] = []
    /// The pool of connections of each, and the last one given.
    var pools: [UInt32] = []
    var lastPool: UInt32 = 0
    var lanes: [Lane] = []
    var isListed: [Bool] = []
    var held: Set<Int> = []
    var idle: [[Transfer]] = []
    var idleCount = 0
    var reporter: Reporter
    /// What is to be added to the loop's clock for Unix time; as it was at the start, whatever becomes of that.
    let offset = CourierLoop.now(CLOCK_REALTIME) - CourierLoop.now()
    private let room: FileRoom
    private var runnable: Deque<Int> = []
    var pacer = Pacer()
    private var transfers: [Transfer] = []
    private var inFlight = 0
    private var acks: [Int64] = []
    private var drainUntil: Int64?
    private var watchedAt: Int64 = 0

    init(
        _ configuration: WebhookConfiguration, plugin: String, multi: OpaquePointer, room: FileRoom,
        send: @escaping (PluginMessage) -> Void
    ) {
        self.multi = multi
        self.send = send
        wanted = Dictionary(configuration.endpoints.map { ($0.name, $0) }) { first, _ in first }
        reporter = Reporter(plugin: plugin, leftOut: configuration.leftOut)
        self.room = room
    }

    /// The header lines that each request to an endpoint carries besides its own.
    static func headerLines(_ endpoint: Endpoint) -> HeaderLines {
        HeaderLines(["content-type: \(endpoint.body.contentType)", "expect:"] + endpoint.headers)
    }

    /// Works until a drain has ended.
    /// - Parameter take: Takes what came from outside.
    func run(_ take: () -> Courier.Inbox) {
        while true {
            let now = Self.now()
            admit(take(), now)
            release(now)
            start()
            ccurl_multi_perform(multi)
            finish(now)
            watch(now)
            flushAcks()
            if let report = reporter.report(lanesAtWork, now: now) { report.forEach(send) }
            if let drainUntil, inFlight == 0 || now >= drainUntil { return }
            ccurl_multi_poll(multi, Int32(pause(now)))
        }
    }

    /// Holds an endpoint that has no valid key from the start, so that the status tells of it at once.
    func holdIfUnsigned(_ lane: Int) {
        guard endpoints[lane].signer.isExpired(at: Int64(Glibc.time(nil))) else { return }
        lanes[lane].holdUnsigned(now: Self.now()).forEach(send)
        held.insert(lane)
    }

    private func admit(_ inbox: Courier.Inbox, _ now: Int64) {
        for order in inbox.orders {
            switch order {
            case .deliver(let job, let queue): admit(job, queue)
            case .start(let queues): begin(queues)
            case .configure(let id, let configuration): configure(id, configuration)
            case .ask(let id, let what, let queue): answer(id, what, queue)
            }
        }
        if let drainMs = inbox.drainMs { drainUntil = now + max(0, drainMs - Self.lastWords) }
    }

    private func admit(_ job: Job, _ queue: String) {
        if let seat = seats[queue] {
            lanes[seat].admit(job)
            list(seat)
        } else if !hasChanged {
            let message = "there is no endpoint '\(queue)'"
            send(.reject(delivery: job.delivery, code: "unknown_queue", message: message, deadLetter: true))
        }
        // Else it was on its way when its endpoint went, and is void.
    }

    /// Puts a lane that has something to post behind those that have, so that each gets its turn.
    func list(_ lane: Int) {
        guard !isListed[lane], lanes[lane].isRunnable, !pacer.isWaiting(lane) else { return }
        isListed[lane] = true
        runnable.append(lane)
    }

    private func release(_ now: Int64) {
        for lane in held {
            let messages = lanes[lane].release(now: now)
            if lanes[lane].wakeAt == nil { held.remove(lane) }
            if messages.isEmpty { continue }
            messages.forEach(send)
            reporter.isDirty = true
            list(lane)
        }
        for lane in pacer.release(now: now) { list(lane) }
    }

    /// Whether the endpoint's rate lets it be asked now.
    private func isPaced(_ lane: Int, _ now: Int64) -> Bool {
        let wait = pacer.take(lane, now: now)
        if wait >= Self.toldWait, let delivery = lanes[lane].firstWaiting {
            send(.working(delivery: delivery, ms: wait))
        }
        return wait == 0
    }

    private func start() {
        guard drainUntil == nil, !runnable.isEmpty else { return }
        let (now, time) = (Self.now(), Int64(Glibc.time(nil)))
        while inFlight < room.inFlight, let lane = runnable.popFirst() {
            isListed[lane] = false
            guard lanes[lane].isRunnable, isPaced(lane, now), let job = lanes[lane].next() else { continue }
            post(job, to: lane, time: time)
            list(lane)
        }
    }

    /// Begins a try.
    func post(_ job: Job, to lane: Int, time: Int64) {
        inFlight += 1
        if endpoints[lane].signer.isExpired(at: time) {
            giveUp(job, of: lane, .unsigned)
        } else if let transfer = transfer(to: lane) {
            if !transfer.post(job, on: multi, time: time) { fail(transfer, "libcurl refused the request") }
        } else {
            giveUp(job, of: lane, .failed(.broken, "libcurl has no memory for a request"))
        }
    }

    /// Ends a try that never went out.
    private func giveUp(_ job: Job, of lane: Int, _ outcome: Outcome) {
        let now = Self.now()
        note(
            job,
            DeliveryRecord(
                endpoint: endpoints[lane].name, url: endpoints[lane].url, at: now + offset, eventId: job.eventId,
                attempt: job.countedTry, outcome: outcome, milliseconds: 0, answer: []), of: lane)
        settle(job, of: lane, outcome, now)
    }

    private func transfer(to lane: Int) -> Transfer? {
        if let transfer = idle[lane].popLast() {
            idleCount -= 1
            return transfer
        }
        guard
            let transfer = Transfer(
                lane: lane, endpoint: endpoints[lane], headers: headers[lane], pool: pools[lane])
        else { return nil }
        transfer.slot = transfers.count
        transfers.append(transfer)
        return transfer
    }

    private func fail(_ transfer: Transfer, _ text: String) {
        end(transfer, .failed(.broken, text), Self.now())
    }

    private func finish(_ now: Int64) {
        var result = ccurl_result()
        while let context = ccurl_multi_next(multi, &result) {
            // The context is a transfer of `transfers`, which keeps it as long as its handle lives.
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            // The same try on a new connection, also in a drain: it neither begins another nor counts as a failure.
            if result.kind == CCURL_STALE, transfer.postAgain(on: multi) { continue }
            end(transfer, Outcome(result, of: transfer.endpoint, answer: transfer.answer), now)
        }
    }

    /// Gives up what takes too long to connect, for TLS or for a first byte, and ends bodies that do not end.
    private func watch(_ now: Int64) {
        guard inFlight > 0, now - watchedAt >= Self.watchInterval else { return }
        watchedAt = now
        // Those to give up are gathered first, as ending a try changes the list.
        let late = transfers.compactMap { transfer in
            transfer.job == nil ? nil : transfer.overrun(now: now).map { (transfer, $0) }
        }
        for (transfer, overrun) in late {
            switch overrun {
            case .headOnly: end(transfer, transfer.cut(on: multi), now)
            case .failed(let message):
                transfer.cancel(on: multi)
                end(transfer, .failed(.timedOut, message), now)
            }
        }
    }

    private func end(_ transfer: Transfer, _ outcome: Outcome, _ now: Int64) {
        let (lane, isOld) = (transfer.lane, isStale(transfer) || retired.contains(transfer.lane))
        if let job = transfer.finish() {
            let time = Self.now()
            let record = DeliveryRecord(
                endpoint: transfer.endpoint.name, url: transfer.endpoint.url, at: time + offset,
                eventId: job.eventId, attempt: job.countedTry, outcome: outcome,
                milliseconds: time - transfer.postedAt, answer: transfer.answer)
            note(job, record, of: lane)
            settle(job, of: lane, outcome, now, quote: outcome.isSuccess ? "" : record.quote, isStale: isOld)
        }
        if !isOld, idleCount < room.kept {
            idle[lane].append(transfer)
            idleCount += 1
        } else {
            discard(transfer)
        }
        vacate(lane)
    }

    /// Lets go of a handle that is idle.
    func discard(_ transfer: Transfer) {
        transfers.swapAt(transfer.slot, transfers.count - 1)
        transfers[transfer.slot].slot = transfer.slot
        transfers.removeLast()
    }

    /// - Parameters:
    ///   - quote: What the receiver said, for the operator.
    ///   - isStale: The try was made under a configuration that is no more.
    private func settle(
        _ job: Job, of lane: Int, _ outcome: Outcome, _ now: Int64, quote: String = "", isStale: Bool = false
    ) {
        inFlight -= 1
        if job.test != nil { return }
        if isStale, !outcome.isSuccess {
            // Of an endpoint that has gone the delivery is void.
            if let message = lanes[lane].giveBack(job), !retired.contains(lane) { send(message) }
            return list(lane)
        }
        let before = lanes[lane].trouble
        let settlement = lanes[lane].settle(
            job, outcome, quote: quote, now: now, chance: Double.random(in: 0..<1))
        switch settlement {
        case .ack(let delivery): acks.append(delivery)
        case .messages(let messages): messages.forEach(send)
        }
        if lanes[lane].wakeAt != nil { held.insert(lane) }
        reporter.isDirty = true
        reporter.log(endpoints[lane], before: before, lanes[lane], settlement)
        list(lane)
    }

    func flushAcks() {
        guard let first = acks.first else { return }
        send(.ack(acks.count == 1 ? .one(first) : .many(acks), state: nil))
        acks.removeAll(keepingCapacity: true)
    }

    /// How long the loop may sleep, in milliseconds; libcurl's own time-outs and a wake-up end it earlier.
    private func pause(_ now: Int64) -> Int64 {
        if drainUntil == nil, !runnable.isEmpty, inFlight < room.inFlight { return 0 }
        var pause = inFlight > 0 ? Self.watchInterval : Self.idleInterval
        if let drainUntil { pause = min(pause, drainUntil - now) }
        for lane in held { if let until = lanes[lane].wakeAt { pause = min(pause, until - now) } }
        if let due = pacer.due { pause = min(pause, due - now) }
        if let due = reporter.due { pause = min(pause, due - now) }
        return max(0, pause)
    }

    /// Milliseconds of a clock: of CLOCK_MONOTONIC, which CCurl reads too, if not told otherwise.
    static func now(_ clock: clockid_t = CLOCK_MONOTONIC) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
