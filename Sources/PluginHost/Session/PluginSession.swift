import CrowbarCore
import DequeModule
import JSONBytes
import Logging
import PluginWire
import Synchronization
import SystemPackage

/// One life of a plugin's process, from `hello` to its end. One task owns all of the state here and handles what comes
/// into the mailbox, one thing after the other; reading, writing, storing and deciding run beside it.
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
        /// How long what is left in the pipes is waited for after the launcher has ended.
        static let lastOutput: Int64 = 2_000
        /// Between two looks at a launcher whose end nothing tells of.
        static let endLook: Int64 = 1_000
        /// Between two looks at a process that should have ended.
        static let endPoll: Int64 = 20
        static let publish: Int64 = 100
        /// How long commands wait for the log before the operator is shown that.
        static let commandsWait: Int64 = 5_000
        /// Reasons that a plugin gives for its end.
        static let problems = 100
    }

    enum Phase {
        case awaitingReady
        /// It is ready, and another process of this plugin is still at work.
        case held(PluginMessage.Ready)
        case working
        case ending
    }

    /// What is left of a session for the next one and for the supervisor.
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
    }

    let manifest: Manifest
    let environment: HostEnvironment
    let config: JSON
    let log: PluginLog
    let status: SessionStatus
    let plan: LaunchPlan
    let purpose: HostMessage.Hello.Purpose
    var earlier: [String: [Int64: DeliveryQueue.Attempts]]
    /// Whether it waits after `ready` until it is released.
    var isHeld = false
    /// Tells the plugin's runtime what concerns it.
    var tell: @Sendable (News) -> Void = { _ in }

    let mailbox: Mailbox
    /// Looks at the pipes and runs the session.
    let poller = Poller.next()
    let outgoing: PipeWriter
    let submitter: CommandSubmitter
    let cursorWriter: CursorWriter
    let reader: LogReader
    let alarm: Alarm

    var phase: Phase
    var process: PluginProcess?
    var output: PipeReader?
    var shutdown: Shutdown?
    /// Why the host ends this session, or what the plugin said of its own end.
    var end: RestartPolicy.End?
    var problems: [String] = []
    /// The channels that its commands go to, as its `ready` says of no single queue.
    var writes: [String] = []
    /// The channels that its queues name, by queue.
    var namedChannels: [String: [String]] = [:]
    var isDraining = false
    /// The operator holds deliveries back.
    var isPaused = false
    /// The same of single queues.
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
    var lastPublish: Int64 = 0

    var splitter = LineSplitter()
    var clock: SessionClock
    var pings: Int64 = 0
    var strikes = Strikes()
    var errorBucket = TokenBucket(rate: ErrorLimit.rate, burst: ErrorLimit.burst)
    var isReadingPaused = false
    /// What the pipe had taken when reading was paused because too much waits for it, and since when it took no more.
    var deafness: (taken: Int, since: Int64)?
    /// Commands that came so far, and how many of them are decided.
    var emitted: Int64 = 0
    var decided: Int64 = 0
    var unanswered: Int { Int(emitted - decided) }
    /// Since when none of those that are not decided was, while there are any.
    var undecidedSince: Int64?
    var orders: [CommandSubmitter.Order] = []
    /// What became of commands, until it is written: behind the events, which somebody waits for.
    var answers: [UInt8] = []

    var queues: [QueueRunner] = []
    var publishedQueues = 0
    var isPipelined = false
    /// What the plugin said last of its queues, until it is acted upon.
    /// What the plugin answers of the operator's questions, and those that wait.
    var answerable: Set<String> = []
    var questions: [Int: Question] = [:]
    var asked = 0
    var askedQueues: [[PluginMessage.Queue]] = []
    var nextDelivery: Int64 = 1
    /// Which queue each delivery from `routeBase` on belongs to.
    var route: Deque<Int32> = []
    var routeBase: Int64 = 1
    /// Commands of a delivery: how many came, and how many are not decided.
    var causes: [Int64: (ordinal: Int, open: Int)] = [:]
    /// Settlements that wait for their commands.
    var deferred: [Int64: Settlement] = [:]
    /// States that wait for all commands before them.
    var heldStates = HeldStates()
    var isReading = false
    /// A page that was read before any queue wanted it, and the position behind which it was read.
    var ahead: (page: LogPage, after: Int64)?
    /// Behind which position a page was read ahead last.
    var lastAhead: Int64 = -1
    /// The last read was, or was meant to be, of a parked lane.
    var wasLane = false
    var grewWhileReading = false
    var readRetry: Int64?
    var letters: [CursorWriter.PendingDeadLetter] = []
    var lettersUnderSave: [CursorWriter.PendingDeadLetter] = []
    var isSaving = false
    /// Nothing goes out while what is settled cannot be stored.
    var saveFailed = false
    var nextSave: Int64 = 0
    /// Its part in a replay.
    var replay: ReplayState?
    /// Events that may be what brings the plugin down: while there are any, one event at a time goes out.
    var suspects: PoisonWatch.Events = [:]
    /// The queue whose turn it is then.
    var nextIsolated = 0
    /// It is at work in the command phase.
    var isChecker = false
    /// Checks that it answered.
    var verdicts: Int64 = 0
    var rates: [(time: Int64, settlements: [Int64])] = []

    /// How a delivery is to be settled.
    enum Settlement {
        case ack(state: [UInt8]?)
        case reject(code: String, message: String, deadLetter: Bool)

        /// Whether it ends as a dead letter.
        var isDeadLetter: Bool { if case .reject(_, _, let deadLetter) = self { deadLetter } else { false } }
    }

    init(
        manifest: Manifest, environment: HostEnvironment, config: JSON, log: PluginLog, status: SessionStatus,
        plan: LaunchPlan, purpose: HostMessage.Hello.Purpose, mailbox: Mailbox,
        earlier: [String: [Int64: DeliveryQueue.Attempts]]
    ) {
        self.manifest = manifest
        self.environment = environment
        self.config = config
        self.log = log
        self.status = status
        self.plan = plan
        self.purpose = purpose
        self.mailbox = mailbox
        self.earlier = earlier
        outgoing = PipeWriter(poller)
        submitter = CommandSubmitter(policy: CommandPolicy(manifest), environment: environment) {
            mailbox.post(.decided($0))
        }
        cursorWriter = CursorWriter(environment: environment)
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
            status.clear()
            return await report(how, launcher.reason.map { log.mask($0, limit: 2048) })
        } catch {
            let reason = "cannot start '\(plan.launcher)': \(error)"
            return Report(
                end: SystemShortage.isCause(of: error.rawValue) ? .notStarted(reason) : .failed(reason),
                madeProgress: false, attempts: earlier, suspects: suspects)
        }
    }

    private func work(_ process: PluginProcess) async {
        self.process = process
        watchEnd(process)
        view.pid = process.pid
        let (mailbox, submitter, cursorWriter, reader) = (mailbox, submitter, cursorWriter, reader)
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
            group.addTask { await cursorWriter.run { mailbox.post(.saved($0)) } }
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
            cursorWriter.close()
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
            grewWhileReading = isReading
            for i in queues.indices { queues[i].isAtEnd = false }
        case .page(let page, let after):
            view.logTrouble = nil
            takePage(page, after)
        case .fetched(let page, let queue):
            view.logTrouble = nil
            takeFetched(page, queue, now)
        case .lane(let page, let key, let through, let queue):
            view.logTrouble = nil
            takeLane(page, key, through, queue)
        case .redrive(let letters): redrive(letters)
        case .readFailed(let why):
            isReading = false
            for i in queues.indices { queues[i].queue.failedToRead() }
            readRetry = now + CursorWriter.failedInterval
            view.logTrouble = "the log could not be read, trying again in a second: \(why)"
            log.note(.error, "the log could not be read, trying again in a second: \(why)")
        case .decided(let outcomes): take(outcomes, now)
        case .saved(let outcome): take(outcome, now)
        case .drain(let why): drain(why, now)
        case .exceeded(let why): kill(.failed(why), now)
        case .release(let earlier, let suspects):
            self.suspects = suspects
            await release(earlier, now)
        case .configure(let secrets): configure(secrets, now)
        case .pause(let isPaused): pause(isPaused, now)
        case .pauseQueues(let names): pause(queues: names, now)
        case .hasten(let queue): hasten(queue, now)
        case .offence(let message, let reason): strike(message, reason, now)
        case .ask(let question): ask(question)
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
            attempts: attempts, held: held, suspects: suspects, problems: problems, channels: namedChannels)
    }
}
