import CrowbarCore
import JSONBytes
import Logging
import PluginWire
import Synchronization
import SystemPackage

/// One conversation with one plugin process, from `hello` to its end. One task owns the state and handles the mailbox's
/// inputs one after another. Reading, writing, storing and submitting run beside it.
final class PluginSession {
    /// The limits of a session besides those of its ``SessionClock``; waits in milliseconds.
    enum Limit {
        static let queues = 4_096
        /// Changes of the queues that wait for a save to end.
        static let changesOfQueues = 16
        /// Bytes of states that wait for commands, beyond which the plugin is not read from.
        static let heldStates = 1 << 20
        /// How long commands may still be decided after the process has ended.
        static let lastCommands: Int64 = 5_000
        /// How long the rest of the pipes is read after the launcher has ended.
        static let lastOutput: Int64 = 2_000
        /// Interval of polling a launcher whose end is not signalled.
        static let endLook: Int64 = 1_000
        /// Interval of polling a process that should have ended.
        static let endPoll: Int64 = 20
        /// How long commands wait for the log before the status shows it.
        static let commandsWait: Int64 = 5_000
        /// Reasons for its end that are kept of a plugin.
        static let problems = 100
    }

    /// What a session is for.
    enum Purpose {
        /// Follows the log. A held session waits after `ready` until it is released.
        case live(isHeld: Bool)
        /// Delivers a part of the log again.
        case replay(ReplayPlan)
        /// Asks the plugin for its queues before a replay, and delivers nothing.
        case survey
        /// Asks the plugin whether its configuration is correct.
        case check

        /// The purpose as `hello` names it.
        var hello: HostMessage.Hello.Purpose {
            switch self {
            case .live: .live
            case .replay, .survey: .replay
            case .check: .check
            }
        }
    }

    enum Phase {
        case awaitingReady
        /// It is ready, and another process of this plugin still works.
        case held(PluginMessage.Ready)
        case working
        case ending
    }

    /// The result of a session, for the next one and for the supervisor.
    struct Report: Sendable {
        var end: RestartPolicy.End
        var madeProgress: Bool
        /// What was open, by queue: deliveries made so far.
        var attempts: [String: [Int64: DeliveryQueue.Attempts]]
        /// What the plugin held at its end, by queue.
        var held: PoisonWatch.Events = [:]
        /// Which of the suspects it began with are left.
        var suspects: PoisonWatch.Events = [:]
        /// All reasons that the plugin gave for its end, the first being that of ``end``.
        var problems: [String] = []
        /// The channels that its queues name, by queue.
        var channels: [String: [String]] = [:]
        /// How the process ended; nil: there was none.
        var how: ProcessEnd?
    }

    let manifest: Manifest
    let environment: HostEnvironment
    let config: JSON
    let log: PluginLog
    let plan: LaunchPlan
    let purpose: HostMessage.Hello.Purpose
    var earlier: [String: [Int64: DeliveryQueue.Attempts]]
    /// Whether it waits after `ready` until it is released.
    var isHeld: Bool
    /// Reports to the plugin's supervisor.
    let tell: @Sendable (News) -> Void
    let counters: PluginCounters
    /// Passes the lines on to whoever follows this plugin.
    let trace: SessionTrace
    /// What a trial does to this session.
    var trial: SessionTrial?

    let mailbox: Mailbox
    /// Polls the pipes and runs the session.
    let poller = Poller.next()
    let outgoing: PipeWriter
    let submitter: CommandSubmitter
    let store: CursorStore
    let reader: LogReader
    let alarm: Alarm

    var phase: Phase
    var process: PluginProcess?
    var output: PipeReader?
    var shutdown: Shutdown?
    /// Why the host ends this session, or what the plugin said of its own end.
    var end: RestartPolicy.End?
    var problems: [String] = []
    /// The channels that its commands go to, as far as `ready` names them for no single queue.
    var writes: [String] = []
    /// The channels that its queues name, by queue.
    var namedChannels: [String: [String]] = [:]
    var isDraining = false
    /// The operator paused all deliveries.
    var isPaused = false
    /// Queues that the operator paused.
    var pausedQueues: Set<String> = []
    /// The queues that its `ready` asked for, and whether it named them itself.
    var requested: (queues: [Specification], isNamed: Bool)?
    /// The number of the `config` that was sent and not answered.
    var configuring: Int?
    var configurations = 0
    var outputEnded: Int64?
    /// When its process was found to have ended.
    var endedUnread: Int64?
    /// What tells of the launcher's end, and when it ended.
    var exitWatch: ExitWatch?
    var launcherEnded: Int64?
    var lastEndLook: Int64 = 0
    /// Finds what outlives the launcher.
    var remnants = Remnants()
    var pipesWereCut = false
    var view = SessionStatus.View()
    var publisher: StatusPublisher

    var splitter = LineSplitter()
    var clock: SessionClock
    var pings: Int64 = 0
    var strikes = Strikes()
    var errorBucket = TokenBucket(rate: ErrorLimit.rate, burst: ErrorLimit.burst)
    var isReadingPaused = false
    /// What the pipe had taken when reading was paused because too much waits for it, and since when it took no more.
    var deafness: (taken: Int, since: Int64)?
    var orders: [CommandSubmitter.Order] = []
    /// Command results not yet written. Sent after events, which are latency-critical.
    var answers: [UInt8] = []

    var queues: [QueueRunner] = []
    var isPipelined = false
    /// The kinds of questions that the plugin answers, and those that wait for an answer.
    var answerable: Set<String> = []
    var questions: [Int: Question] = [:]
    var asked = 0
    /// Changes of its queues that the plugin asked for and that are not applied yet.
    var askedQueues: [[PluginMessage.Queue]] = []
    var settlements = Settlements()
    var feed = LogFeed()
    var cursorWriter = CursorWriter()
    /// Its part in a replay.
    var replay: ReplayState?
    var isolation: Isolation
    /// It works in the command phase.
    var isChecker = false
    /// Checks that it answered.
    var verdicts: Int64 = 0

    /// - Parameters:
    ///   - status: Shows the operator how the session is.
    ///   - earlier: Deliveries that earlier processes made of open events, by queue.
    ///   - suspects: Events that may be what crashes the plugin.
    ///   - counters: What is counted of the plugin's sessions.
    ///   - tell: Receives what concerns the plugin's supervisor.
    init(
        manifest: Manifest, environment: HostEnvironment, config: JSON, log: PluginLog, status: SessionStatus,
        plan: LaunchPlan, purpose: Purpose, mailbox: Mailbox,
        earlier: [String: [Int64: DeliveryQueue.Attempts]], suspects: PoisonWatch.Events,
        counters: PluginCounters, tell: @escaping @Sendable (News) -> Void
    ) {
        self.manifest = manifest
        self.environment = environment
        self.config = config
        self.log = log
        self.plan = plan
        self.purpose = purpose.hello
        self.mailbox = mailbox
        self.earlier = earlier
        self.tell = tell
        self.counters = counters
        isHeld =
            switch purpose {
            case .live(let isHeld): isHeld
            case .survey: true
            case .replay, .check: false
            }
        replay = if case .replay(let plan) = purpose { ReplayState(plan) } else { nil }
        isolation = Isolation(suspects)
        publisher = StatusPublisher(status)
        trace = SessionTrace(trace: environment.traces.trace(of: manifest.name), log: log)
        outgoing = PipeWriter(poller, trace: trace)
        submitter = CommandSubmitter(policy: CommandPolicy(manifest), environment: environment) {
            mailbox.post(.decided($0))
        }
        store = CursorStore(environment: environment)
        reader = LogReader(log: environment.log)
        alarm = Alarm { mailbox.post(.alarm) }
        clock = SessionClock(limits: environment.sessionLimits, now: environment.now())
        phase = .awaitingReady
    }

    /// Runs the process to its end.
    func run() async -> Report {
        // Where there is no thread for it, on the shared pool.
        let executor = (try? poller.begin()).map { poller }
        return await withTaskExecutorPreference(executor) { await runProcess() }
    }

    private func runProcess() async -> Report {
        do {
            let process = try PluginProcess.start(plan)
            await work(process)
            let how = await process.reap()
            let launcher = process.takeReport()
            if !launcher.hasEndedAll { await endRemnants(how) }
            publisher.clear()
            return await report(how, launcher.reason.map { log.mask($0, limit: 2048) })
        } catch {
            let reason = "cannot start '\(plan.launcher)': \(error)"
            return Report(
                end: SystemShortage.isCause(of: error.rawValue) ? .notStarted(reason) : .failed(reason),
                madeProgress: false, attempts: earlier, suspects: isolation.suspects)
        }
    }

    private func work(_ process: PluginProcess) async {
        self.process = process
        watchEnd(process)
        view.pid = process.pid
        let (mailbox, submitter, store, reader) = (mailbox, submitter, store, reader)
        let lines = ErrorLines(log: log)
        let errors = PipeReader(process.errors, poller, isPaced: false, take: lines.feed, onEnd: lines.finish)
        let output = PipeReader(
            process.output, poller, isPaced: true, isQuick: true,
            take: { bytes in
                submitter.foresee(bytes)
                mailbox.post(.output(bytes))
            }, onEnd: { mailbox.post(.outputEnded) })
        self.output = output
        outgoing.begin(
            process.input,
            .init(onRoom: { mailbox.post(.room) }, onBroken: { mailbox.post(.inputBroken) }))
        let wake = environment.log.growth.subscribe { mailbox.post(.logGrew) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await submitter.run() }
            group.addTask { await store.run { mailbox.post(.saved($0)) } }
            group.addTask { await reader.run(mailbox) }
            send(
                .hello(
                    .init(
                        plugin: manifest.name, phase: manifest.phase.rawValue, purpose: purpose, session: plan.session,
                        config: config,
                        dataDir: plan.folder)))
            await loop()
            outgoing.cut()
            submitter.close()
            store.close()
            reader.close()
            group.cancelAll()
        }
        await output.close()
        await errors.close()
        lines.finish()
        exitWatch?.close()
        environment.log.growth.cancel(wake)
        if isChecker { environment.checks.detach(manifest.name, session: plan.session) }
        await saveAtEnd()
    }

    private func loop() async {
        while true {
            await step(environment.now())
            if hasEnded(environment.now()) { return }
            for input in await mailbox.take() { await handle(input, now: environment.now()) }
        }
    }

    func handle(_ input: Mailbox.Input, now: Int64) async {
        switch input {
        case .output(let bytes):
            clock.heard(now: now)
            await take(bytes, now)
            sendOrders()
            readOutput(now)
        case .outputEnded:
            outputEnded = now
            phase = .ending
            if shutdown == nil || !isDraining { shutdown = .awaitingExit(now: now) }
        case .launcherEnded: launcherEnded = launcherEnded ?? now
        case .inputBroken, .room: resumeReading(now)
        case .alarm: break
        case .logGrew:
            feed.logGrew(&queues)
        case .page(let page, let after):
            view.logTrouble = nil
            feed.received(page, after: after, &queues)
        case .fetched(let page, let queue):
            view.logTrouble = nil
            deliverFetched(page, queue, now)
        case .lane(let page, let key, let through, let queue):
            view.logTrouble = nil
            applyLane(page, key, through, queue)
        case .redrive(let letters): redrive(letters)
        case .readFailed(let why):
            feed.failed(retryAt: now + CursorStore.failedInterval, &queues)
            let trouble = "the log could not be read, trying again in a second: \(why)"
            view.logTrouble = trouble
            log.note(.error, trouble)
        case .decided(let outcomes): take(outcomes, now)
        case .saved(let outcome): apply(outcome, now)
        case .drain(let why): drain(why, now)
        case .exceeded(let why): kill(.failed(why), now)
        case .release(let earlier, let suspects):
            isolation = Isolation(suspects)
            await release(earlier, now)
        case .configure(let secrets): configure(secrets, now)
        case .pause(let isPaused): pause(isPaused, now)
        case .pauseQueues(let names): pause(queues: names, now)
        case .hasten(let queue): hasten(queue, now)
        case .offence(let message, let reason): strike(message, reason, now)
        case .ask(let question): ask(question)
        case .write(let line): outgoing.put(line + [0x0A])
        case .stopReading(let isStopped): stopReading(isStopped, now)
        case .kill: killPlugin()
        }
    }

    /// Queues a line for the plugin.
    func send(_ message: HostMessage) { outgoing.put(message.line + [0x0A]) }

    /// Asks the plugin to finish and go.
    func drain(_ why: String, _ now: Int64) {
        if end == nil { end = .stopped }
        guard !isDraining else { return }
        isDraining = true
        view.isDraining = true
        if case .working = phase {
            send(.drain(deadlineMs: Shutdown.Grace.drain, why: why))
            shutdown = .draining(now: now)
        } else if shutdown == nil {
            // It has nothing at work yet.
            shutdown = .awaitingExit(now: now)
            outgoing.close()
        }
    }

    /// Ends the process by force, for a reason that the operator is shown.
    func kill(_ end: RestartPolicy.End, _ now: Int64) {
        if self.end == nil || self.end == .stopped { self.end = end.mapReason { log.mask($0, limit: 2048) } }
        phase = .ending
        shutdown = .killing(now: now)
    }

    private func report(_ how: ProcessEnd, _ launchFailure: String?) async -> Report {
        giveUpQuestions()
        let reason =
            how.text + (log.lastLine.isEmpty ? "" : "; its last line: \(log.lastLine.prefix(300))")
            + LimitHint.text(manifest, how, lastLine: log.lastLine)
        let outcome: RestartPolicy.End
        if let launchFailure, launchFailure.hasPrefix(PluginProcess.limitMark) {
            outcome = .crashed("killed for a limit: \(launchFailure.dropFirst(PluginProcess.limitMark.count))")
        } else if let launchFailure {
            let reason = "cannot run '\(plan.program)': \(launchFailure)"
            outcome = SystemShortage.isCause(ofReport: launchFailure) ? .notStarted(reason) : .failed(reason)
        } else if purpose == .check, end == .stopped, how == .exited(Wire.exitBadConfiguration) {
            // It was ready, and found more behind that.
            outcome = .failed("its configuration is wrong: \(reason)")
        } else if let end {
            outcome = end
            if end == .stopped, purpose != .check, how != .exited(0) {
                log.note(.warning, "unclean exit after 'drain': \(reason)")
            }
        } else if how == .exited(Wire.exitTryLater) {
            outcome = .tryLater(reason)
        } else if how == .exited(Wire.exitBadConfiguration) {
            outcome = .failed("its configuration is wrong: \(reason)")
        } else {
            outcome = .crashed(reason)
        }
        var held: PoisonWatch.Events = [:]
        for queue in queues { held[queue.id.queue] = Set(queue.queue.heldPositions) }
        if case .crashed(let why) = outcome, await giveUp(held, why) { held = [:] }
        var attempts = earlier
        for queue in queues { attempts[queue.id.queue] = queue.queue.openAttempts }
        return Report(
            end: outcome, madeProgress: verdicts > 0 || queues.contains { $0.queue.settlements > 0 },
            attempts: attempts, held: held, suspects: isolation.suspects, problems: problems, channels: namedChannels,
            how: how)
    }
}
