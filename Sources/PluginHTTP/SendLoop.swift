import CCurl
import DequeModule
import Glibc
import HTTPClient
import PluginWire

/// The loop of the sender's thread, which owns the queues and all that is in flight.
final class SendLoop<Service: SendService> {
    typealias Endpoint = Service.Endpoint
    typealias Request = ReusableRequest<Service>

    /// How often the limits of a request's parts are checked, in milliseconds.
    private static var watchInterval: Int64 { 250 }
    /// The longest sleep when nothing is due, in milliseconds.
    private static var idleInterval: Int64 { 60_000 }
    /// The wait for an endpoint's rate of which the host is told, in milliseconds.
    private static var reportedWait: Int64 { 5000 }
    /// A request that may take longer than this, in milliseconds, is announced to the host.
    private static var announcedTimeout: Int64 { 50_000 }
    /// What is kept of a drain's time for the last messages, in milliseconds.
    private static var lastMessages: Int64 { 250 }

    let service: Service
    let send: (PluginMessage) -> Void
    /// The endpoints as they are configured, by name.
    var wanted: [String: Endpoint]
    /// The index in the lists below of each endpoint that runs, by name.
    var indices: [String: Int] = [:]
    /// Indices of endpoints that were removed and have something in flight, and of those that have nothing.
    var retired: Set<Int> = []
    var vacant: [Int] = []
    /// Whether there was another configuration before, whose deliveries may still come.
    var hasChanged = false
    var configured: [ConfiguredEndpoint<Endpoint>] = []
    var lastPool: UInt32 = 0
    var queues: [EndpointQueue] = []
    var isListed: [Bool] = []
    var held: Set<Int> = []
    var idle: [[Request]] = []
    var idleCount = 0
    var reporter: StatusReporter
    var limiter = EndpointRateLimiter()
    var outbox: SettlementOutbox
    /// What is to be added to the loop's clock for Unix time; as it was at the start, whatever becomes of that.
    let offset = MonotonicClock.now(CLOCK_REALTIME) - MonotonicClock.now()
    private let multi: OpaquePointer
    private let budget: DescriptorBudget
    private var runnable: Deque<Int> = []
    /// Endpoints with deliveries whose requests cannot be made yet.
    private var pending: Set<Int> = []
    private var requests: [Request] = []
    /// Requests in flight that hand over events.
    private var inFlight = 0
    private var drainUntil: Int64?
    private var watchedAt: Int64 = 0

    init(
        _ configuration: Service.Configuration, plugin: String, commandsInFlight: Int, multi: OpaquePointer,
        budget: DescriptorBudget, send: @escaping (PluginMessage) -> Void
    ) {
        self.multi = multi
        self.send = send
        self.budget = budget
        service = Service(configuration)
        wanted = Dictionary(configuration.endpoints.map { ($0.name, $0) }) { first, _ in first }
        reporter = StatusReporter(plugin: plugin, words: Service.words)
        outbox = SettlementOutbox(limit: commandsInFlight)
        reporter.log(service.takeLogLines())
    }

    /// Unix time in seconds.
    static var time: Int64 { Int64(Glibc.time(nil)) }

    /// Works until a drain has ended.
    /// - Parameter take: Returns what came from outside.
    func run(_ take: () -> HTTPSender<Service.Configuration>.Inbox) {
        while true {
            let now = MonotonicClock.now()
            admit(take(), now)
            prepare()
            release(now)
            start()
            ccurl_multi_perform(multi)
            finish(now)
            watch(now)
            outbox.flush().forEach(send)
            if let report = reporter.report(runningQueues, notes: service.notes, now: now) { report.forEach(send) }
            if let drainUntil, (inFlight == 0 && outbox.isEmpty) || now >= drainUntil { return }
            ccurl_multi_poll(multi, Int32(pause(now)))
        }
    }

    private func admit(_ inbox: HTTPSender<Service.Configuration>.Inbox, _ now: Int64) {
        for order in inbox.orders {
            switch order {
            case .deliver(let delivery, let queue): admit(delivery, queue)
            case .start(let queues): begin(queues)
            case .configure(let id, let configuration): configure(id, configuration)
            case .ask(let id, let what, let queue): answer(id, what, queue)
            case .result(let result): if let line = outbox.note(result) { send(line) }
            }
        }
        if let drainMs = inbox.drainMs { drainUntil = now + max(0, drainMs - Self.lastMessages) }
    }

    private func admit(_ delivery: Delivery, _ queue: String) {
        if let index = indices[queue] {
            if let refusal = queues[index].enqueue(delivery) { send(refusal) }
            list(index)
        } else if !hasChanged {
            let message = "there is no \(Service.words.noun) '\(queue)'"
            send(.reject(delivery: delivery.id, code: "unknown_queue", message: message, deadLetter: true))
        }
        // Else it was on its way when its endpoint was removed, and is void.
    }

    /// Puts an endpoint that has something to send behind those that have, so that each gets its turn.
    func list(_ index: Int) {
        guard !isListed[index], queues[index].isRunnable, !limiter.isWaiting(index) else { return }
        isListed[index] = true
        runnable.append(index)
    }

    private func release(_ now: Int64) {
        for index in held {
            let messages = queues[index].release(now: now)
            if queues[index].wakeAt == nil { held.remove(index) }
            if messages.isEmpty { continue }
            messages.forEach(send)
            reporter.isDirty = true
            list(index)
        }
        for index in limiter.release(now: now) { list(index) }
    }

    // MARK: Requests

    /// Starts the requests that the plugin needs first, such as those for credentials.
    private func prepare() {
        let time = Self.time
        while let call = service.nextPreparation(at: time) {
            guard let request = Request(call) else {
                finish(call, .failed(code: "transfer", message: "libcurl has no memory for a request"))
                continue
            }
            add(request)
            if !request.send([], [], call.call.request.body, on: multi) {
                discard(request)
                finish(call, .failed(code: "transfer", message: "libcurl refused the request"))
            }
        }
        noteChange()
    }

    private func finish(_ call: PreparationCall<Service.Preparation>, _ outcome: HTTPClient.Outcome) {
        service.finish(call.preparation, outcome, at: Self.time)
        noteChange()
    }

    private func noteChange() {
        guard service.takeChange() else { return }
        reporter.isDirty = true
        for index in pending { list(index) }
        pending = []
    }

    /// Whether the endpoint's rate lets it be asked now.
    private func isPaced(_ index: Int, _ now: Int64) -> Bool {
        let wait = limiter.take(index, now: now)
        if wait >= Self.reportedWait, let delivery = queues[index].firstWaiting {
            send(.working(delivery: delivery, ms: wait))
        }
        return wait == 0
    }

    private func start() {
        guard drainUntil == nil, !runnable.isEmpty else { return }
        let (now, time) = (MonotonicClock.now(), Self.time)
        while inFlight < budget.inFlight, let index = runnable.popFirst() {
            isListed[index] = false
            guard queues[index].isRunnable else { continue }
            switch service.readiness(of: configured[index].endpoint, at: time) {
            case .ready: break
            case .pending:
                pending.insert(index)
                continue
            case .blocked(let result):
                suspend(index, result)
                continue
            }
            guard isPaced(index, now), let deliveries = queues[index].next() else { continue }
            send(deliveries, to: index, time: time)
            list(index)
        }
    }

    /// Holds an endpoint that no request can be made to.
    func suspend(_ index: Int, _ result: Endpoint.Result) {
        let (now, before) = (MonotonicClock.now(), queues[index].trouble)
        let (messages, deliveries) = queues[index].suspend(for: result, now: now, chance: .random(in: 0..<1))
        messages.forEach(send)
        for delivery in deliveries.suffix(DeliveryRecord.kept) {
            queues[index].keep(record(delivery, to: configured[index], result, since: now, answer: []))
        }
        if queues[index].wakeAt != nil { held.insert(index) }
        reporter.isDirty = true
        reporter.log(queues[index], at: configured[index].shownAddress, before: before, messages)
    }

    /// Starts a request.
    func send(_ deliveries: [Delivery], to index: Int, time: Int64) {
        inFlight += 1
        let current = configured[index]
        if current.endpoint.limits.all > Self.announcedTimeout {
            let ms = current.endpoint.limits.all + Self.announcedTimeout
            for delivery in deliveries where delivery.test == nil { send(.working(delivery: delivery.id, ms: ms)) }
        }
        guard let request = request(to: index) else {
            let end = RequestEnd.unsent("libcurl has no memory for a request")
            let results = current.endpoint.results(end, count: deliveries.count, answer: [])
            return settle(deliveries, results, of: index, current, since: MonotonicClock.now(), answer: [])
        }
        let (lines, body) = service.request(for: deliveries, to: current.endpoint, at: time)
        if !request.send(deliveries, lines, body, on: multi) {
            end(request, .unsent("libcurl refused the request"))
        }
    }

    private func request(to index: Int) -> Request? {
        if let request = idle[index].popLast() {
            idleCount -= 1
            return request
        }
        let request = Request(index: index, configured[index])
        if let request { add(request) }
        return request
    }

    private func add(_ request: Request) {
        request.slot = requests.count
        requests.append(request)
    }

    /// Releases a handle that is idle.
    func discard(_ request: Request) {
        requests.swapAt(request.slot, requests.count - 1)
        requests[request.slot].slot = request.slot
        requests.removeLast()
    }

    private func finish(_ now: Int64) {
        var result = ccurl_result()
        while let context = ccurl_multi_next(multi, &result) {
            // The context is a request of `requests`, which keeps it as long as its handle lives.
            let request = Unmanaged<Request>.fromOpaque(context).takeUnretainedValue()
            // The same try on a new connection, also in a drain: it neither begins another nor counts as a failure.
            if result.kind == CCURL_STALE, request.sendAgain(on: multi) { continue }
            end(request, .completed(result))
        }
    }

    /// Gives up what takes too long to connect, for TLS or for a first byte, and ends bodies that do not end.
    private func watch(_ now: Int64) {
        guard inFlight > 0, now - watchedAt >= Self.watchInterval else { return }
        watchedAt = now
        // Those to give up are gathered first, as ending a request changes the list.
        let late = requests.compactMap { request in
            guard !request.deliveries.isEmpty, case .deliveries(_, let current) = request.purpose else {
                return (Request, Request.Overrun)?.none
            }
            return request.overrun(current.endpoint.limits, now: now).map { (request, $0) }
        }
        for (request, overrun) in late {
            switch overrun {
            case .headOnly: end(request, .completed(request.cut(on: multi)))
            case .failed(let message):
                request.cancel(on: multi)
                end(request, .timedOut(message))
            }
        }
    }

    private func end(_ request: Request, _ end: RequestEnd) {
        switch request.purpose {
        case .preparation(let call):
            if case .completed(let result) = end {
                let outcome = HTTPClient.Outcome(
                    result, of: call.call.endpoint, keptHeaders: call.call.keptHeaders, body: request.answer)
                finish(call, outcome)
            }
            discard(request)
        case .deliveries(let index, let made):
            let answer = request.answer
            let deliveries = request.finish()
            let results = made.endpoint.results(end, count: deliveries.count, answer: answer)
            let isOld = isStale(made, index)
            settle(deliveries, results, of: index, made, since: request.sentAt, answer: answer)
            if !isOld, idleCount < budget.kept {
                idle[index].append(request)
                idleCount += 1
            } else {
                discard(request)
            }
            vacate(index)
        }
    }

    private func isStale(_ made: ConfiguredEndpoint<Endpoint>, _ index: Int) -> Bool {
        made !== configured[index] || retired.contains(index)
    }

    /// - Parameter made: The endpoint as it was when the request was made.
    private func settle(
        _ deliveries: [Delivery], _ results: [Endpoint.Result], of index: Int, _ made: ConfiguredEndpoint<Endpoint>,
        since: Int64, answer: [UInt8]
    ) {
        inFlight -= 1
        if let test = deliveries.first, let id = test.test, let result = results.first {
            return send(.answer(id: id, .told(record(test, to: made, result, since: since, answer: answer).json)))
        }
        service.note(results, of: made.endpoint, at: Self.time)
        reporter.isDirty = true
        let isApart = queues[index].endRequest(deliveries, results, isVoid: retired.contains(index))
        for (delivery, result) in zip(deliveries, results) {
            let record = record(delivery, to: made, result, since: since, answer: answer)
            queues[index].keep(record)
            if !isApart { settle(delivery, result, of: index, made, record) }
        }
        if queues[index].wakeAt != nil { held.insert(index) }
        list(index)
    }

    private func settle(
        _ delivery: Delivery, _ result: Endpoint.Result, of index: Int, _ made: ConfiguredEndpoint<Endpoint>,
        _ record: DeliveryRecord
    ) {
        if !result.isSuccess, isStale(made, index) {
            // Of an endpoint that was removed the delivery is void.
            if !retired.contains(index) { send(queues[index].givenBack(delivery)) }
            return
        }
        let before = queues[index].trouble
        let quote = result.quotesAnswer && !result.isSuccess ? record.quote() : ""
        let settlement = queues[index].settle(
            delivery, by: result, quote: quote, now: MonotonicClock.now(), chance: .random(in: 0..<1))
        outbox.enqueue(settlement)
        // A queue of that name may have started again, with a window and a state of its own.
        if !retired.contains(index) { settlement.messages.forEach(send) }
        reporter.log(queues[index], at: made.shownAddress, before: before, settlement.messages)
    }

    /// What is remembered of a try that has ended.
    func record(
        _ delivery: Delivery, to made: ConfiguredEndpoint<Endpoint>, _ result: Endpoint.Result, since: Int64,
        answer: [UInt8]
    ) -> DeliveryRecord {
        let now = MonotonicClock.now()
        return DeliveryRecord(
            delivery, to: made, result, at: now + offset, milliseconds: now - since, answer: answer)
    }

    /// How long the loop may sleep, in milliseconds; libcurl's own time-outs and a wake-up end it earlier.
    private func pause(_ now: Int64) -> Int64 {
        if drainUntil == nil, !runnable.isEmpty, inFlight < budget.inFlight { return 0 }
        var pause = inFlight > 0 ? Self.watchInterval : Self.idleInterval
        if let drainUntil { pause = min(pause, drainUntil - now) }
        for index in held { if let until = queues[index].wakeAt { pause = min(pause, until - now) } }
        if let due = limiter.due { pause = min(pause, due - now) }
        if let due = reporter.due { pause = min(pause, due - now) }
        if let due = service.preparationDue(at: Self.time) { pause = min(pause, (due - Self.time) * 1000) }
        return max(0, pause)
    }
}
