import CrowbarCore
import CrowbarSQLite
import Dispatch
import GRDB
import Logging
import Synchronization

/// Keeps the views in step with the log, in `views.db`.
///
/// One loop reads the log behind the views' checkpoints and applies what it finds in batches. A batch and its
/// checkpoint are one transaction. Positions of the log have no gaps and become visible in order, so a checkpoint is
/// all that has to be remembered: there is no later event with a smaller position.
///
/// The file can be rebuilt from the log, so it is written without a sync for each commit (`synchronous=NORMAL`). After
/// a power cut the views go on from an older checkpoint.
final class ViewEngine: Sendable {
    /// Limits of batches.
    enum Limit {
        /// The events of a batch.
        static let events = 1000
        /// The bytes of JSON of a batch.
        static let bytes = 1 << 20
        /// The longest time for which a batch keeps its transaction, in milliseconds.
        static let batch = 50
        /// The pause after an error.
        static let pause = Duration.seconds(5)
    }

    /// What readers and the loop share.
    private struct Shared {
        var checkpoints: [ViewName: ViewCheckpoint] = [:]
        /// Readers that wait for a position, by number.
        var waiting: [Int: (view: ViewName, position: Int64, resume: CheckedContinuation<Bool, Never>)] = [:]
        var nextNumber = 0
        /// When each view last came further, or began to be behind.
        var moved: [ViewName: Int64] = [:]
        /// The views that had applied everything when there was nothing more to do.
        var current: Set<ViewName> = []
        /// The least position that a reader waits for; a batch that reaches it ends.
        var wanted: Int64 = .max
        /// Channels whose rows are to be recomputed, in order.
        var refolds: [Refold] = []
        /// When the loop works.
        var pace = ViewPace()
        /// Whether an operator has asked for work since the loop last worked.
        var isAsked = false

        /// Whether somebody waits for the loop.
        var isUrgent: Bool { isAsked || !waiting.isEmpty || !refolds.isEmpty }
        /// Whether ``run()`` has returned.
        var hasEnded = false
    }

    /// A channel whose rows are to be recomputed, and who waits for that.
    private struct Refold {
        var view: ViewName
        var history: ChannelHistory
        var resume: CheckedContinuation<ChannelRebuild, any Error>
    }

    private let log: any EventLog
    let pool: DatabasePool
    private let writer: ViewWriter
    private let logger: Logger
    /// Milliseconds of a clock that is never set.
    private let clock: @Sendable () -> Int64
    private let shared = Mutex(Shared())
    /// The list of public channels, for all readers.
    let publicChannels = PublicChannelsCache()
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// Opens `views.db`, or makes it, and begins to build what is missing.
    /// - Parameters:
    ///   - path: The database file; its folder must be there.
    ///   - clock: Milliseconds of a clock that is never set.
    /// - Throws: ``StoreError``.
    init(
        path: String, log: any EventLog, logger: Logger, versions: ViewVersions = .current,
        clock: @escaping @Sendable () -> Int64
    ) throws {
        self.log = log
        self.logger = logger
        self.clock = clock
        (pool, writer) = try ViewsDatabase.open(path: path, versions: versions, logger: logger)
        (wake, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Why ``run()`` returned.
    enum End: Sendable, Equatable {
        /// The task was cancelled.
        case cancelled
        /// The file is damaged. It has to be replaced by a new one.
        case damaged
    }

    /// Applies events until the task is cancelled or the file turns out to be damaged. Once only.
    @discardableResult
    func run() async -> End {
        let token = log.growth.subscribe { [weak self] in self?.logHasGrown() }
        defer {
            log.growth.cancel(token)
            failRefolds()
        }
        await verify()
        waker.yield()
        for await _ in wake {
            guard mayWork() else { continue }
            do {
                while try await step() { if Task.isCancelled { return .cancelled } }
                rest()
            } catch {
                // Whatever a database answers to a cancelled task, it is no failure.
                if Task.isCancelled { return .cancelled }
                if ViewsDatabase.isDamaged(error) { return .damaged }
                logger.error(
                    "views could not be updated; the server tries again in \(Limit.pause)",
                    metadata: ["error": "\(error)"])
                // A log that does not grow would not try again.
                try? await Task.sleep(for: Limit.pause)
                waker.yield()
            }
        }
        return .cancelled
    }

    /// Wakes the loop unless it rests, as waking a task costs more than looking.
    private func logHasGrown() {
        if shared.withLock({ $0.pace.grown(isUrgent: $0.isUrgent) }) { waker.yield() }
    }

    private func mayWork() -> Bool {
        shared.withLock { shared in
            defer { shared.isAsked = false }
            return shared.pace.woken(isUrgent: shared.isUrgent)
        }
    }

    /// Begins a rest, at the end of which the loop is woken if it has missed anything.
    private func rest() {
        guard let rest = shared.withLock({ $0.pace.worked() }) else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(rest)) { [weak self] in
            guard let self, shared.withLock({ $0.pace.rested() }) else { return }
            waker.yield()
        }
    }

    /// Rebuilds every view whose checkpoint is not in the log, as after the log was restored from a backup.
    private func verify() async {
        do {
            var lost: Set<ViewName> = []
            for state in try await states() {
                guard state.name != .search, let checkpoint = state.live ?? state.build, checkpoint.position > 0 else {
                    continue
                }
                if try await log.position(of: checkpoint.eventId) != checkpoint.position {
                    lost.insert(state.name)
                    logger.warning(
                        "view does not fit the log, which was probably restored; the view is rebuilt",
                        metadata: ["view": "\(state.name.rawValue)", "position": "\(checkpoint.position)"])
                }
            }
            if lost.isEmpty { return }
            let views = lost
            try await pool.writeWithoutTransaction { [writer] db in try writer.replace(db, views) }
        } catch {
            if Task.isCancelled { return }
            logger.error("views could not be compared with the log", metadata: ["error": "\(error)"])
        }
    }

    /// Does one batch of each kind of work.
    /// - Returns: Whether there is more.
    private func step() async throws -> Bool {
        // First, as a view that had stopped goes on then.
        try await refoldNext()
        let (positions, before) = try await pool.writeWithoutTransaction { [writer] _ in
            (writer.positions, writer.states)
        }
        shared.withLock { [clock] shared in
            // What these lack has just come.
            for name in shared.current { shared.moved[name] = clock() }
        }
        var isMore = false
        for position in positions where try await advance(from: position) { isMore = true }
        let head = try await log.head()?.position ?? 0
        let (isMoreAside, after) = try await pool.writeWithoutTransaction { [writer] db in
            let isMore = try writer.workAside(db, head: head)
            try writer.swap(db, head: head)
            return (isMore, writer.states)
        }
        publish(after)
        shared.withLock { shared in
            shared.current = Set(after.filter { $0.live.map { $0.position >= head } ?? false }.map(\.name))
        }
        report(before, after)
        return isMore || isMoreAside || shared.withLock { !$0.refolds.isEmpty }
    }

    /// Applies the page behind a position to the views that wait there.
    private func advance(from position: Int64) async throws -> Bool {
        let page: LogPage
        if let recent = log.recent(after: position) {
            page = recent
        } else {
            page = try await log.read(after: position, limit: Limit.events, maxBytes: Limit.bytes)
        }
        if page.entries.isEmpty { return false }
        let end = clock() + Int64(Limit.batch)
        let wanted = shared.withLock(\.wanted)
        let states = try await pool.writeWithoutTransaction { [writer, clock] db in
            try writer.apply(page, after: position, db) { clock() >= end || $0 == wanted }
            return writer.states
        }
        publish(states)
        shared.withLock { $0.pace.applied(page.entries.count) }
        return true
    }

    // MARK: Single channels

    /// Recomputes the rows of one channel from the log, while the views go on to follow it.
    /// - Throws: ``RebuildRefusal``, ``ViewRefusal/notOpen``, the database's or the log's error.
    func refold(_ view: ViewName, channel: String) async throws -> ChannelRebuild {
        var history = ChannelHistory(of: channel, hasNames: view == .messages)
        // Most of it is read here, so that the loop waits for what is new only.
        try await history.extend(from: log, through: try await log.head()?.position ?? 0)
        if history.isEmpty { throw RebuildRefusal.noChannel }
        return try await withCheckedThrowingContinuation { continuation in
            let hasEnded = shared.withLock { shared in
                if !shared.hasEnded {
                    shared.refolds.append(Refold(view: view, history: history, resume: continuation))
                }
                return shared.hasEnded
            }
            if hasEnded { continuation.resume(throwing: ViewRefusal.notOpen) } else { waker.yield() }
        }
    }

    /// Does the next one, between two batches: no checkpoint moves meanwhile.
    private func refoldNext() async throws {
        guard let next = shared.withLock({ $0.refolds.isEmpty ? nil : $0.refolds.removeFirst() }) else { return }
        do {
            var history = next.history
            let applied = try await states().filter { $0.name == next.view }.flatMap { [$0.live, $0.build] }
            try await history.extend(from: log, through: applied.compactMap { $0?.position }.max() ?? 0)
            let isIndexOutdated = try await pool.writeWithoutTransaction { [writer, history] db in
                try writer.refold(db, next.view, history)
            }
            guard let isIndexOutdated else { throw ViewRefusal.notBuilt(next.view) }
            publicChannels.forget()
            let rebuild = ChannelRebuild(events: history.count, isSearchRebuilt: isIndexOutdated)
            logger.notice(
                "rebuilt one channel of a view",
                metadata: ["view": "\(next.view.rawValue)", "events": "\(rebuild.events)"])
            next.resume.resume(returning: rebuild)
        } catch {
            next.resume.resume(throwing: (error as? ViewError).map { RebuildRefusal.doesNotFit("\($0)") } ?? error)
            if ViewsDatabase.isDamaged(error) { throw error }
        }
    }

    private func failRefolds() {
        let refolds = shared.withLock { shared in
            defer { shared.refolds = [] }
            shared.hasEnded = true
            return shared.refolds
        }
        for refold in refolds { refold.resume.resume(throwing: ViewRefusal.notOpen) }
    }

    // MARK: What readers see

    /// Makes checkpoints known and wakes the readers that waited for them.
    private func publish(_ states: [ViewState]) {
        let ready = shared.withLock { shared in
            for state in states {
                let known = shared.checkpoints[state.name]
                if known == nil || known != state.live { shared.moved[state.name] = clock() }
                shared.checkpoints[state.name] = state.live
            }
            var ready: [CheckedContinuation<Bool, Never>] = []
            for (number, waiter) in shared.waiting {
                guard let found = shared.checkpoints[waiter.view], found.position >= waiter.position else { continue }
                ready.append(waiter.resume)
                shared.waiting[number] = nil
            }
            shared.wanted = shared.waiting.values.map(\.position).min() ?? .max
            return ready
        }
        for waiter in ready { waiter.resume(returning: true) }
    }

    private func report(_ before: [ViewState], _ after: [ViewState]) {
        for (old, new) in zip(before, after) {
            let name: Logger.Metadata = ["view": "\(new.name.rawValue)"]
            if let reason = new.stopped, old.stopped == nil {
                logger.error(
                    "view stopped at an event that it cannot apply; the server tries again when it starts",
                    metadata: name.merging(["reason": "\(reason)"]) { $1 })
            }
            if old.live == nil, new.live != nil { logger.info("view is complete", metadata: name) }
        }
    }

    /// The state of each view.
    func states() async throws -> [ViewState] {
        try await pool.writeWithoutTransaction { [writer] _ in writer.states }
    }

    /// Closes the file, once nothing reads it any more.
    func close() {
        do { try pool.close() } catch {
            logger.debug("views.db is still read while it is closed", metadata: ["error": "\(error)"])
        }
    }

    /// Rebuilds views beside the ones that are served, which they replace once they have caught up.
    func rebuild(_ names: Set<ViewName>) async throws {
        try await pool.writeWithoutTransaction { [writer] db in try writer.rebuild(db, names) }
        shared.withLock { $0.isAsked = true }
        waker.yield()
    }

    /// Removes what is left of texts that are erased in the log up to a position. It works in parts, so that events are
    /// applied meanwhile.
    /// - Returns: Whether nothing is left; false while views are behind or readers hold on to the file.
    func purgeErased(through position: Int64) async throws -> Bool {
        let isApplied = try await pool.writeWithoutTransaction { [writer] _ in writer.hasApplied(position) }
        if !isApplied { return false }
        var isFirst = true
        while true {
            let first = isFirst
            let isDone = try await pool.writeWithoutTransaction { [writer] db in
                try writer.purgePart(db, isFirst: first)
            }
            if isDone { break }
            try Task.checkCancellation()
            isFirst = false
        }
        return try await pool.writeWithoutTransaction { db in
            do {
                return try db.checkpoint(.truncate).walFrameCount == 0
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                return false
            }
        }
    }

    /// Milliseconds since a view came further, or began to be behind.
    func stalled(_ view: ViewName) -> Int64 {
        shared.withLock { shared in
            shared.current.contains(view) ? 0 : shared.moved[view].map { max(0, clock() - $0) } ?? 0
        }
    }

    /// Waits until a view has applied the event at a position, or the task is cancelled.
    /// - Returns: Whether it has.
    func arrival(of view: ViewName, at position: Int64) async -> Bool {
        let number = shared.withLock { shared in
            shared.nextNumber += 1
            return shared.nextNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = shared.withLock { shared in
                    if let found = shared.checkpoints[view], found.position >= position { return true }
                    if Task.isCancelled { return false }
                    shared.waiting[number] = (view, position, continuation)
                    shared.wanted = min(shared.wanted, position)
                    return nil
                }
                // The loop may be resting.
                if let answer { continuation.resume(returning: answer) } else { waker.yield() }
            }
        } onCancel: {
            let waiter = shared.withLock { $0.waiting.removeValue(forKey: number) }
            waiter?.resume.resume(returning: false)
        }
    }
}
