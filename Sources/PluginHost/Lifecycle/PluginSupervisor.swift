import CrowbarCore
import Glibc
import JSONBytes
import Logging
import PluginWire
import Synchronization

/// Supervises one plugin: runs the processes that its ``PluginLifecycle`` asks for.
///
/// One lock guards the lifecycle and all state that belongs to it. A change signals ``run()``, and only ``run()`` asks
/// for steps and executes them, so a caller never waits for a process.
final class PluginSupervisor: Sendable {
    private struct Shared {
        var lifecycle: PluginLifecycle
        var mailboxes: [Int: Mailbox] = [:]
        var statuses: [Int: SessionStatus] = [:]
        /// The status of the working process, or of the one that worked last.
        var status = SessionStatus()
        /// What was open at the last end, by queue.
        var attempts: [String: [Int64: DeliveryQueue.Attempts]] = [:]
        /// Events that may be what crashes the plugin.
        var poison = PoisonWatch()
        /// Cursors that the operator set and that are not stored yet; nil for the beginning of the log.
        var rewinds: [String: LogEntryID?] = [:]
        /// The size of the plugin's folder.
        var folder: FolderSize?
    }

    let name: String
    let lines: LogRing
    let counters = PluginCounters()
    private let environment: HostEnvironment
    private let factory: SessionFactory
    private let shared: Mutex<Shared>
    private let wake = WakeSignal()

    init(name: String, environment: HostEnvironment) {
        self.name = name
        self.environment = environment
        lines = LogRing(unixNow: environment.unixNow)
        factory = SessionFactory(name: name, environment: environment, lines: lines, counters: counters)
        shared = Mutex(Shared(lifecycle: PluginLifecycle(name: name)))
        wake.signal()
    }

    /// Applies an operator's command or an observation to the lifecycle.
    func tell<Result>(_ change: (inout PluginLifecycle) throws(ControlRefusal) -> Result) throws(ControlRefusal)
        -> Result
    {
        defer { wake.signal() }
        return try shared.withLock { shared throws(ControlRefusal) in
            defer { enroll(shared.lifecycle) }
            return try change(&shared.lifecycle)
        }
    }

    /// As ``tell(_:)-(_)``, for a change that cannot be refused.
    func note(_ change: (inout PluginLifecycle) -> Void) {
        shared.withLock {
            change(&$0.lifecycle)
            enroll($0.lifecycle)
        }
        wake.signal()
    }

    /// Registers the plugin as a checker, or removes it. The caller holds the lock, so that the latest change wins.
    private func enroll(_ lifecycle: PluginLifecycle) {
        guard let checker = lifecycle.checker else { return environment.checks.dismiss(name) }
        environment.checks.enroll(checker) { [weak self] news in
            self?.say(news.change == .opened ? .error : .notice, news.text)
        }
    }

    /// A consistent snapshot for listings.
    var snapshot: (lifecycle: PluginLifecycle, view: SessionStatus.View) {
        shared.withLock { ($0.lifecycle, $0.status.current) }
    }

    // MARK: Running

    /// Runs the plugin until the host stops or the plugin is forgotten. Cancellation alone does not stop it: the caller
    /// also ends the lifecycle, and the processes still shut down gracefully.
    func run() async {
        let wake = wake
        let alarm = Alarm { wake.signal() }
        await withDiscardingTaskGroup { group in
            while true {
                await wake.wait()
                let now = environment.now()
                let (steps, due, isOver) = shared.withLock {
                    ($0.lifecycle.steps(now: now), $0.lifecycle.due, $0.lifecycle.isOver)
                }
                for step in steps { take(step, &group) }
                if isOver { return }
                alarm.ring(at: due, now: now)
            }
        }
    }

    private func take(_ step: PluginLifecycle.Step, _ group: inout DiscardingTaskGroup) {
        switch step {
        case .launch(let id, let manifest, let isHeld): launch(id, manifest, isHeld, &group)
        case .release(let id):
            let (mailbox, attempts, suspects) = shared.withLock {
                if let status = $0.statuses[id] { $0.status = status }
                return ($0.mailboxes[id], $0.attempts, $0.poison.suspects)
            }
            mailbox?.post(.release(earlier: attempts, suspects: suspects))
        case .drain(let id, let why):
            if shared.withLock({ $0.lifecycle.current?.id == id }) { environment.checks.leave(name) }
            mailbox(id)?.post(.drain(why: why))
        case .configure(let id, let manifest): configure(id, manifest)
        case .pause(let id, let isPaused): mailbox(id)?.post(.pause(isPaused))
        case .pauseQueues(let id, let queues): mailbox(id)?.post(.pauseQueues(queues))
        case .rewind: group.addTask { await self.rewind() }
        case .note(let text): say(.notice, text)
        }
    }

    private func mailbox(_ id: Int) -> Mailbox? { shared.withLock { $0.mailboxes[id] } }

    private func launch(_ id: Int, _ manifest: Manifest, _ isHeld: Bool, _ group: inout DiscardingTaskGroup) {
        let mailbox = Mailbox()
        let status = SessionStatus()
        let (earlier, suspects) = shared.withLock {
            $0.mailboxes[id] = mailbox
            $0.statuses[id] = status
            if !isHeld { $0.status = status }
            return ($0.attempts, isHeld ? [:] : $0.poison.suspects)
        }
        group.addTask {
            let report = await self.session(id, manifest, isHeld, status, mailbox, earlier, suspects)
            self.finish(id, report)
        }
    }

    private func session(
        _ id: Int, _ manifest: Manifest, _ isHeld: Bool, _ status: SessionStatus, _ mailbox: Mailbox,
        _ earlier: [String: [Int64: DeliveryQueue.Attempts]], _ suspects: PoisonWatch.Events
    ) async -> PluginSession.Report {
        do {
            let session = try await factory.make(
                manifest, purpose: .live(isHeld: isHeld), status: status, mailbox: mailbox, earlier: earlier,
                suspects: suspects, tell: { [weak self] in self?.heard(id, $0, manifest) })
            return await session.run()
        } catch {
            return .init(
                end: error.isTransient ? .notStarted(error.reason) : .failed(error.reason), madeProgress: false,
                attempts: earlier, suspects: suspects)
        }
    }

    private func heard(_ id: Int, _ news: PluginSession.News, _ manifest: Manifest) {
        switch news {
        case .ready(let takesConfig): note { $0.heardReady(id, takesConfig: takesConfig) }
        case .configured(nil):
            say(.notice, "it took its new configuration")
            note { $0.heardConfigured(id, .taken) }
        case .configured(let problem?):
            refuse(id, problem.path, problem.message, manifest)
        case .notConfigured:
            say(
                .warning, "no 'configured' within \(environment.sessionLimits.ready / 1000) s; a new process takes over"
            )
            note { $0.heardConfigured(id, .silent) }
        }
    }

    private func refuse(_ id: Int, _ path: String, _ message: String, _ manifest: Manifest) {
        let place = path.isEmpty ? manifest.file : ManifestReader.place(ofConfig: path, in: manifest.file)
        say(.error, "the changed configuration was refused: \(place): \(message)")
        note { $0.heardConfigured(id, .refused("\(place): \(message)")) }
    }

    private func configure(_ id: Int, _ manifest: Manifest) {
        do {
            mailbox(id)?.post(.configure(try factory.secrets(manifest)))
        } catch {
            say(.error, "the changed configuration was refused: \(error.reason)")
            note { $0.heardConfigured(id, .refused(error.reason)) }
        }
    }

    private func finish(_ id: Int, _ report: PluginSession.Report) {
        let (now, unixNow, random) = (environment.now(), environment.unixNow(), environment.random())
        let told = shared.withLock { shared in
            shared.mailboxes[id] = nil
            shared.statuses[id] = nil
            // A process that never worked has no newer attempts.
            if shared.lifecycle.current?.id == id {
                shared.attempts = report.attempts
                shared.poison.keep(report.suspects)
                if case .crashed = report.end { shared.poison.crashed(holding: report.held) }
            }
            defer { enroll(shared.lifecycle) }
            let restarts = shared.lifecycle.restartPolicy.restarts
            defer {
                if shared.lifecycle.restartPolicy.restarts > restarts { counters.noteRestart(after: report.end) }
            }
            return shared.lifecycle.heardEnd(
                id, report.end, madeProgress: report.madeProgress, now: now, unixNow: unixNow, random: random)
        }
        if let told { say(told.isError ? .error : .warning, told.text) }
        wake.signal()
    }

    /// Writes a line about this plugin to the host's log and to the plugin's recent lines.
    func say(_ level: Logger.Level, _ text: String) {
        var logger = environment.logger
        logger[metadataKey: "plugin"] = .string(name)
        // A reason may quote the plugin.
        let shown = PluginLog.printable(text)
        logger.log(level: level, "\(shown)")
        lines.keep(level.rawValue, "host", shown)
    }

    /// Asks the working process to redrive dead letters. A later process finds them in the store.
    func redrive(_ letters: [String: [Int64]]) {
        let mailbox = shared.withLock { shared in shared.lifecycle.current.flatMap { shared.mailboxes[$0.id] } }
        mailbox?.post(.redrive(letters))
    }

    /// Asks the working process to retry a queue's waiting events at once.
    func hasten(_ queue: String) {
        let mailbox = shared.withLock { shared in shared.lifecycle.current.flatMap { shared.mailboxes[$0.id] } }
        mailbox?.post(.hasten(queue: queue))
    }

    /// Sends a question to the working process.
    /// - Returns: Whether there is one.
    func ask(_ question: Question) -> Bool {
        let mailbox = shared.withLock { shared in shared.lifecycle.current.flatMap { shared.mailboxes[$0.id] } }
        mailbox?.post(.ask(question))
        return mailbox != nil
    }

    // MARK: Its folder

    /// The size of the plugin's folder; nil until it was measured.
    var folder: FolderSize? { shared.withLock { $0.folder } }

    /// Measures the plugin's folder. If it exceeds its limit, every process is killed and the plugin stays down.
    func measureFolder() async {
        let path = SessionFactory.dataFolder(of: name, environment)
        guard let size = await FolderSize.measured(path) else { return }
        let (manifest, mailboxes) = shared.withLock { shared in
            shared.folder = size
            return (shared.lifecycle.manifest, Array(shared.mailboxes.values))
        }
        guard let manifest, let reason = size.refusal(manifest, folder: path) else { return }
        for mailbox in mailboxes { mailbox.post(.exceeded(reason)) }
    }

    // MARK: Cursors

    /// Sets queues' cursors once no process of the plugin runs.
    func rewind(_ queues: [String], to place: LogEntryID?) {
        shared.withLock {
            for queue in queues { $0.rewinds.updateValue(place, forKey: queue) }
            $0.lifecycle.askRewind()
        }
        wake.signal()
    }

    private func rewind() async {
        let rewinds = shared.withLock { shared in
            for queue in shared.rewinds.keys { shared.attempts[queue] = nil }
            // With other cursors, events that were settled long ago may come before the suspects.
            shared.poison = PoisonWatch()
            defer { shared.rewinds = [:] }
            return shared.rewinds
        }
        var problem: String?
        do {
            var records: [QueueID: QueueRecord] = [:]
            for (queue, record) in try await environment.store.queues(of: name) {
                guard let place = rewinds[queue] else { continue }
                // A record of its own: what is not named here is what the new place makes void.
                records[QueueID(plugin: name, queue: queue)] = QueueRecord(
                    cursor: place, bornAt: record.bornAt, state: record.state)
            }
            try await environment.store.save(records, deadLetters: [])
            say(.notice, "cursors set: \(rewinds.keys.sorted().joined(separator: ", "))")
        } catch {
            let reason = "its cursors could not be set: \(error)"
            say(.error, reason)
            problem = reason
        }
        note { $0.heardRewound(problem: problem) }
    }

    /// Forgets the place of a queue that was deleted from the store.
    func forget(queue: String) {
        shared.withLock {
            $0.attempts[queue] = nil
            $0.lifecycle.pausedQueues.remove(queue)
            // That of a process that is there has only queues that are in use.
            if $0.lifecycle.current == nil { $0.status = SessionStatus() }
        }
    }

    /// Forgets the places of all queues after they were deleted from the store.
    func forgetQueues() {
        shared.withLock {
            $0.attempts = [:]
            $0.status = SessionStatus()
        }
    }
}
