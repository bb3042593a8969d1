import CCurl
import DequeModule
import Glibc
import HTTPClient
import JSONBytes
import PluginWire

/// The loop of the courier's thread, owner of the lanes, the credentials and all that is in flight.
final class CourierLoop {
    /// Connections that are kept open for the next request, at most.
    static let maxIdleConnections = 256
    /// Requests in flight at most, over all targets; fewer where the process may not open so many files.
    static let maxInFlight = 1024
    /// Files that are left for what is no connection.
    static let spareFiles = 64
    /// The longest sleep, in milliseconds; libcurl's own time-outs and a wake-up end it earlier.
    static let idleInterval: Int64 = 60_000
    /// What is kept of a drain's time for the last words, in milliseconds.
    static let lastWords: Int64 = 250
    /// A request that may take longer than this, in milliseconds, is told to the host beforehand.
    static let toldTimeout: Int64 = 50_000

    private let multi: OpaquePointer
    let send: (PluginMessage) -> Void
    private let source: CredentialSource
    private let surroundings: Surroundings
    private let inFlightLimit: Int
    var lanes: [Lane]
    /// What is to be added to the loop's clock for Unix time; as it was at the start, whatever becomes of that.
    let offset = CourierLoop.now(CLOCK_REALTIME) - CourierLoop.now()
    var keepers: [CredentialOrigin: CredentialKeeper] = [.own: CredentialKeeper()]
    private var runnable: Deque<Int> = []
    private var isListed: [Bool]
    private var held: Set<Int> = []
    private var exchanges: [ObjectIdentifier: Exchange] = [:]
    private var eventsInFlight = 0
    private var outbox: CommandOutbox
    var reporter = Reporter()
    private var drainUntil: Int64?

    init(
        _ configuration: AWSConfiguration, _ surroundings: Surroundings, commandsInFlight: Int, multi: OpaquePointer,
        send: @escaping (PluginMessage) -> Void
    ) {
        self.multi = multi
        self.send = send
        self.surroundings = surroundings
        source = configuration.source
        lanes = configuration.targets.map { Lane($0) }
        isListed = Array(repeating: false, count: lanes.count)
        outbox = CommandOutbox(limit: commandsInFlight)
        inFlightLimit = Self.fileLimit()
        for target in configuration.targets { keepers[CredentialOrigin(target)] = CredentialKeeper() }
    }

    /// Raises the soft limit of open files to the hard one; returns how many connections fit.
    private static func fileLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 128 }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(maxInFlight + maxIdleConnections + spareFiles))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return max(1, min(maxInFlight, Int(limit.rlim_cur) - spareFiles))
    }

    /// Works until a drain has ended.
    /// - Parameter take: Takes what came from outside.
    func run(_ take: () -> Courier.Inbox) {
        while true {
            let now = Self.now()
            admit(take(), now)
            fetchCredentials()
            release(now)
            start(now)
            ccurl_multi_perform(multi)
            finish()
            outbox.next().forEach(send)
            if let report = reporter.report(lanes, problems, offset: offset, now: now) { report.forEach(send) }
            if let drainUntil, (eventsInFlight == 0 && outbox.isEmpty) || now >= drainUntil { return }
            ccurl_multi_poll(multi, Int32(pause(Self.now())))
        }
    }

    private func admit(_ inbox: Courier.Inbox, _ now: Int64) {
        for (lane, job) in inbox.jobs {
            if let refusal = lanes[lane].admit(job) { send(refusal) }
            list(lane)
        }
        for question in inbox.questions { answer(question) }
        for result in inbox.results { if let line = outbox.answer(result) { send(line) } }
        if let drainMs = inbox.drainMs { drainUntil = now + max(0, drainMs - Self.lastWords) }
    }

    /// Puts a lane that has something to send behind those that have, so that each gets its turn.
    func list(_ lane: Int) {
        guard !isListed[lane], lanes[lane].isRunnable else { return }
        isListed[lane] = true
        runnable.append(lane)
    }

    private func release(_ now: Int64) {
        for lane in held {
            let messages = lanes[lane].release(now: now)
            if lanes[lane].holdUntil == nil { held.remove(lane) }
            if messages.isEmpty { continue }
            messages.forEach(send)
            reporter.isDirty = true
            list(lane)
        }
    }

    // MARK: Credentials

    private var problems: [CredentialProblem] { keepers.values.compactMap(\.problem) }

    private func fetchCredentials() {
        let time = Int64(Glibc.time(nil))
        for origin in keepers.keys where keepers[origin]?.isDue(at: time) == true {
            switch origin {
            case .own: fetchOwn(time)
            case .role(let role):
                guard let own = keepers[.own] else { continue }
                if let credentials = own.usable(at: time) {
                    ask(role.call, credentials, for: origin, time)
                } else if let problem = own.problem {
                    take(.failure(problem), for: origin, time)
                }
            }
        }
    }

    private func fetchOwn(_ time: Int64) {
        do throws(CredentialProblem) {
            switch source {
            case .environment: take(.success(try source.environment(surroundings)), for: .own, time)
            case .file(let path, let profile):
                guard let content = surroundings.file(path) else {
                    throw CredentialProblem(surroundings.fileProblem(path))
                }
                take(.success(try SharedFile.credentials(in: content, profile: profile)), for: .own, time)
            case .container(let endpoint): ask(try endpoint.call(surroundings), nil, for: .own, time)
            }
        } catch { take(.failure(error), for: .own, time) }
    }

    private func ask(_ call: Call, _ credentials: AWSCredentials?, for origin: CredentialOrigin, _ time: Int64) {
        keepers[origin]?.start()
        if !start(Exchange(.credentials(origin), at: Self.now()), call, credentials, time) {
            take(.failure(CredentialProblem("libcurl refused the request for credentials")), for: origin, time)
        }
    }

    private func take(_ fetched: Result<AWSCredentials, CredentialProblem>, for origin: CredentialOrigin, _ time: Int64)
    {
        keepers[origin]?.take(fetched, at: time)
        reporter.isDirty = true
    }

    private func take(_ outcome: Outcome, for origin: CredentialOrigin) {
        let time = Int64(Glibc.time(nil))
        do throws(CredentialProblem) {
            switch origin {
            case .own: take(.success(try ContainerEndpoint.credentials(of: outcome)), for: origin, time)
            case .role(let role): take(.success(try role.credentials(in: outcome)), for: origin, time)
            }
        } catch { take(.failure(error), for: origin, time) }
    }

    // MARK: Requests

    private func start(_ now: Int64) {
        guard drainUntil == nil else { return }
        let time = Int64(Glibc.time(nil))
        var unready: [Int] = []
        while eventsInFlight < inFlightLimit, let lane = runnable.popFirst() {
            isListed[lane] = false
            let keeper = keepers[CredentialOrigin(lanes[lane].target)]
            guard let credentials = keeper?.usable(at: time) else {
                if let problem = keeper?.problem {
                    lanes[lane].suspend(problem, now: now, chance: .random(in: 0..<1)).forEach(send)
                    if lanes[lane].holdUntil != nil { held.insert(lane) }
                    reporter.isDirty = true
                } else {
                    unready.append(lane)
                }
                continue
            }
            guard let jobs = lanes[lane].next() else { continue }
            post(jobs, to: lane, credentials, time)
            list(lane)
        }
        // Their credentials are on the way, which wakes this loop.
        unready.forEach(list)
    }

    private func post(_ jobs: [Job], to lane: Int, _ credentials: AWSCredentials, _ time: Int64) {
        let target = lanes[lane].target
        if target.timeout > Self.toldTimeout {
            for job in jobs { send(.working(delivery: job.delivery, ms: target.timeout + Self.toldTimeout)) }
        }
        eventsInFlight += 1
        let exchange = Exchange(.events(jobs, lane: lane), at: Self.now())
        if !start(exchange, target.call(jobs), credentials, time) {
            settle(jobs, of: lane, .failed(code: "transfer", message: "libcurl refused the request"), exchange)
        }
    }

    func start(_ exchange: Exchange, _ call: Call, _ credentials: AWSCredentials?, _ time: Int64) -> Bool {
        guard
            exchange.start(
                call, call.lines(credentials, at: time), userAgent: ExchangePurpose.userAgent, on: multi)
        else { return false }
        exchanges[ObjectIdentifier(exchange)] = exchange
        return true
    }

    private func finish() {
        while let (exchange, outcome) = Exchange.ended(on: multi) {
            exchanges[ObjectIdentifier(exchange)] = nil
            switch exchange.purpose {
            case .credentials(let origin): take(outcome, for: origin)
            case .events(let jobs, let lane): settle(jobs, of: lane, outcome, exchange)
            case .test(let job, let lane, let id): tell(id, job, of: lane, outcome, exchange)
            }
        }
    }

    private func settle(_ jobs: [Job], of lane: Int, _ outcome: Outcome, _ exchange: Exchange) {
        eventsInFlight -= 1
        let wasFailing = lanes[lane].failing > 0
        let now = Self.now()
        for (job, judgement) in zip(jobs, lanes[lane].target.judge(outcome, count: jobs.count)) {
            lanes[lane].keep(record(job, of: lane, judgement, outcome, since: exchange.startedAt, now))
        }
        let settlement = lanes[lane].settle(jobs, outcome, now: now, chance: .random(in: 0..<1))
        outbox.put(settlement)
        settlement.messages.forEach(send)
        if settlement.isUnaccepted {
            keepers[CredentialOrigin(lanes[lane].target)]?.doubt(at: Int64(Glibc.time(nil)))
        }
        if lanes[lane].holdUntil != nil { held.insert(lane) }
        reporter.isDirty = true
        if wasFailing != (lanes[lane].failing > 0) { reporter.log(lanes[lane]) }
        list(lane)
    }

    /// How long the loop may sleep, in milliseconds.
    private func pause(_ now: Int64) -> Int64 {
        var pause = Self.idleInterval
        let time = Int64(Glibc.time(nil))
        for (origin, keeper) in keepers {
            guard let due = keeper.due else { continue }
            // A role waits for the plugin's own credentials, whose fetch wakes this loop.
            if due <= time, origin != .own, !isReady(.own, time) { continue }
            pause = min(pause, (due - time) * 1000)
        }
        if drainUntil == nil, eventsInFlight < inFlightLimit,
            runnable.contains(where: { isReady(CredentialOrigin(lanes[$0].target), time) })
        {
            return 0
        }
        if let drainUntil { pause = min(pause, drainUntil - now) }
        for lane in held { if let until = lanes[lane].holdUntil { pause = min(pause, until - now) } }
        if let due = reporter.due { pause = min(pause, due - now) }
        return max(0, pause)
    }

    /// Whether there are credentials, or a reason why there are none.
    private func isReady(_ origin: CredentialOrigin, _ time: Int64) -> Bool {
        keepers[origin].map { $0.usable(at: time) != nil || $0.problem != nil } ?? false
    }

    /// Milliseconds of a clock, if not told otherwise of CLOCK_MONOTONIC.
    static func now(_ clock: clockid_t = CLOCK_MONOTONIC) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
