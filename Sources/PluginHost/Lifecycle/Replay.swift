import CrowbarCore
import Logging
import PluginWire
import Synchronization

/// A plugin is given a part of the log once more, by a process of its own with a folder and bookkeeping of its own, so
/// that live work neither waits nor moves.
public final class Replay: Sendable {
    /// How a replay ended.
    public enum Outcome: Sendable, Equatable {
        /// Every event of the part is settled.
        case done
        /// It was cancelled; it can go on later from where it stands.
        case cancelled
        /// The plugin cannot go on; with the reason.
        case failed(String)
    }

    /// How far it is.
    public struct Progress: Sendable, Equatable {
        /// Where it began, as a position.
        public var from: Int64
        /// Where it ends.
        public var through: Int64
        /// All up to here is done.
        public var position: Int64
        /// Events that the plugin settled, in this run.
        public var settled: Int64
        /// Events that wait for another try.
        public var waiting: Int
        /// Events of the part that match, as far as they are counted; one that two queues get is two.
        public var matching: Int64
        /// Whether all that match are counted.
        public var isCounted: Bool
        /// Those of them that are settled, in this run and before it.
        public var done: Int64

        /// Says how far a replay is.
        public init(
            from: Int64, through: Int64, position: Int64, settled: Int64, waiting: Int, matching: Int64,
            isCounted: Bool, done: Int64
        ) {
            self.from = from
            self.through = through
            self.position = position
            self.settled = settled
            self.waiting = waiting
            self.matching = matching
            self.isCounted = isCounted
            self.done = done
        }
    }

    private struct State {
        var mailbox: Mailbox?
        var status = SessionStatus()
        var settled: Int64 = 0
        var position: Int64
        var isCancelled = false
        /// Where the queues stood before this run, by name.
        var resumed: [String: Int64] = [:]
        /// The queues of the last process that had some.
        var filters: [String: QueueFilter] = [:]
        var measure: ReplayMeasure?
    }

    let manifest: Manifest
    let plan: ReplayPlan
    let environment: HostEnvironment
    private let state: Mutex<State>
    private let stopping: AsyncStream<Never>
    private let endStopping: AsyncStream<Never>.Continuation

    /// Makes a replay.
    /// - Parameter environment: Its store and data folder must be the replay's own.
    public init(manifest: Manifest, plan: ReplayPlan, environment: HostEnvironment) {
        self.manifest = manifest
        self.plan = plan
        self.environment = environment
        state = Mutex(State(position: plan.start?.position ?? 0))
        (stopping, endStopping) = AsyncStream.makeStream(of: Never.self)
    }

    /// Lets the plugin finish what it holds and end; ``run()`` then returns.
    public func cancel() {
        let mailbox = state.withLock {
            $0.isCancelled = true
            return $0.mailbox
        }
        endStopping.finish()
        mailbox?.post(.drain(why: "the replay is cancelled"))
    }

    /// How far it is now.
    public var progress: Progress {
        state.withLock { state in
            let queues = state.status.current.queues.filter { plan.wants(queue: $0.name) }
            let position = queues.map { $0.cursor?.position ?? 0 }.min() ?? 0
            let settled = state.settled + queues.reduce(0) { $0 + $1.settlements }
            let matching = state.measure?.matching ?? 0
            return Progress(
                from: plan.start?.position ?? 0, through: plan.through,
                position: min(plan.through, max(state.position, position)),
                settled: settled, waiting: queues.reduce(0) { $0 + $1.parked }, matching: matching,
                isCounted: state.measure?.isWhole ?? false,
                // What was out when a process died is settled twice.
                done: min(matching, (state.measure?.settledBefore ?? 0) + settled))
        }
    }

    /// Counts another piece of the part's events that match, for ``Progress/matching``.
    /// - Returns: Whether there may be more to count now.
    public func measure() async -> Bool {
        let piece = state.withLock { state -> (after: Int64, through: Int64)? in
            let shown = state.status.current.queues.filter { plan.wants(queue: $0.name) }
            // A plugin may change its queues; between two processes there are none.
            if !shown.isEmpty { state.filters = .init(shown.map { ($0.name, $0.filter) }, uniquingKeysWith: { $1 }) }
            let queues = state.filters.sorted { $0.key < $1.key }.map { name, filter in
                ReplayMeasure.Queue(name: name, filter: filter, resumed: state.resumed[name] ?? 0)
            }
            if !queues.isEmpty, state.measure?.queues != queues {
                state.measure = ReplayMeasure(
                    plan: plan, plugin: manifest.name, ownEvents: manifest.ownEvents, queues: queues)
            }
            return state.measure?.next
        }
        guard let piece else { return false }
        guard let tallies = try? await environment.log.tally(after: piece.after, through: piece.through) else {
            // It is for a percentage; what reads the log for the plugin reports what is wrong.
            return false
        }
        return state.withLock { state in
            // It may have restarted meanwhile.
            if state.measure?.counted == piece.after { state.measure?.add(tallies, through: piece.through) }
            return state.measure?.isWhole == false
        }
    }

    /// Runs to the end of the part, starting the plugin again after crashes as the host does.
    public func run() async -> Outcome {
        var restartPolicy = RestartPolicy()
        var poison = PoisonWatch()
        var attempts: [String: [Int64: DeliveryQueue.Attempts]] = [:]
        let stored = (try? await environment.store.queues(of: manifest.name)) ?? [:]
        state.withLock { $0.resumed = stored.compactMapValues { $0.cursor?.position } }
        while true {
            let started = environment.now()
            let mailbox = Mailbox()
            let status = SessionStatus()
            let isCancelled = state.withLock {
                $0.mailbox = mailbox
                $0.status = status
                return $0.isCancelled
            }
            if isCancelled { return .cancelled }
            let session: PluginSession
            do {
                session = try await SessionFactory(name: manifest.name, environment: environment, lines: nil).make(
                    manifest, purpose: .replay(plan), status: status, mailbox: mailbox, earlier: attempts,
                    suspects: poison.suspects)
            } catch {
                return .failed(error.reason)
            }
            async let _ = watchFolder(mailbox)
            let report = await session.run()
            settle(session)
            if session.replay?.isDone ?? false { return .done }
            if state.withLock({ $0.isCancelled }) { return .cancelled }
            attempts = report.attempts
            poison.keep(report.suspects)
            if case .crashed = report.end { poison.crashed(holding: report.held) }
            switch restartPolicy.next(
                report.end, started: started, madeProgress: report.madeProgress, now: environment.now(),
                random: environment.random())
            {
            case .stop: return .failed("it ended before the part was through")
            case .fail(let reason), .diverge(let reason): return .failed(reason)
            case .restart(let wait, let reason):
                environment.logger.warning("starts again in \(wait) ms: \(reason)")
                if !(await pause(wait)) { return .cancelled }
            }
        }
    }

    /// Looks at what the plugin's folder takes of the disk until cancelled; over its limit the process is killed.
    private func watchFolder(_ mailbox: Mailbox) async {
        let folder = SessionFactory.dataFolder(of: manifest.name, environment)
        while (try? await Task.sleep(for: .milliseconds(environment.sessionLimits.folder))) != nil {
            guard let size = await FolderSize.measured(folder),
                let reason = size.refusal(manifest, folder: folder, isReplay: true)
            else { continue }
            mailbox.post(.exceeded(reason))
        }
    }

    /// Adds up what a process did.
    private func settle(_ session: PluginSession) {
        state.withLock { state in
            state.mailbox = nil
            let queues = session.queues.filter { $0.droppedAt == nil && plan.wants(queue: $0.id.queue) }.map {
                ($0.id.queue, $0.filter)
            }
            if !queues.isEmpty { state.filters = .init(queues, uniquingKeysWith: { $1 }) }
            state.settled += session.queues.reduce(0) { $0 + $1.queue.settlements }
            let position = session.queues.map { min($0.queue.settledThrough, plan.through) }.min() ?? 0
            state.position = max(state.position, position)
            state.status = SessionStatus()
        }
    }

    /// Waits; false when cancelled meanwhile.
    private func pause(_ milliseconds: Int64) async -> Bool {
        let stopping = stopping
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .milliseconds(milliseconds)) }
            group.addTask { for await _ in stopping {} }
            await group.next()
            group.cancelAll()
        }
        return state.withLock { !$0.isCancelled }
    }
}
