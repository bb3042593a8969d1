import CrowbarCore
import Logging
import Synchronization

/// Copies views to one target as they change.
///
/// It reads what every caller without a token reads, one file at a time, and waits for nothing that the rest of the
/// server needs. Failures are logged and tried again; nothing ends it but its task.
public final class Publisher: Sendable {
    /// The pause after an error of the database, and while views are not built yet, in milliseconds.
    private static let pause: Int64 = 1_000
    /// How long a target may take to answer before the status says so, in milliseconds. A folder on a network can take
    /// for ever; a request to a bucket is given up after 30 s.
    private static let patience: Int64 = 10_000

    private let target: PublishTarget
    private let store: any PublishStore
    private let views: Views
    private let rights: ReadAccess
    private let table: PublishedTable
    private let logger: Logger
    private let counters = PublishCounters()
    private let status: Mutex<PublishStatus>
    private let flags = Flags()
    private let verifyInterval: Int64
    private let patience: Int64

    private final class Flags: Sendable {
        /// Whether the log has grown since the last look at what changed.
        let hasGrown = Atomic(true)
        /// Whether what changed is being looked for, and the status does not have it yet.
        let isScanning = Atomic(false)
        /// Whether the target's files have to be looked at again.
        let isVerificationDue = Atomic(false)
        /// Since when the target is being asked for something, by the clock of the views; ``nobody`` while it is not.
        let askingSince = Atomic(Flags.nobody)

        static let nobody = Int64.max
    }

    /// Makes a publisher of a store.
    /// - Parameters:
    ///   - verifyInterval: The time between two looks at the target's files, in milliseconds; nil: the store's.
    ///   - patience: How long the target may take to answer before the status says so, in milliseconds.
    init(
        _ target: PublishTarget, _ store: any PublishStore, of views: Views, logger: Logger,
        verifyInterval: Int64? = nil, patience: Int64 = Publisher.patience
    ) {
        self.target = target
        self.store = store
        self.verifyInterval = verifyInterval ?? store.verifyInterval
        self.views = views
        self.logger = logger
        self.patience = patience
        // Before the first answer: it may take long.
        let counts = Set(target.views.map(\.projection)).map { ($0, (files: 0, pending: 0)) }
        status = Mutex(
            PublishStatus(
                to: target.name, word: "starting", counts: Dictionary(uniqueKeysWithValues: counts), position: 0))
        rights = ReadAccess(views.log)
        table = PublishedTable(target: target.name)
        views.publishing.add(target.name, counters) { [weak self] in self?.currentStatus }
    }

    /// What one run of the loop knows.
    private struct Run {
        /// The projections that the target's views come from.
        var views: [ViewName]
        var plan: PublishPlan
        /// Up to where changes were seen.
        var seen: [ViewName: PublishedTable.Mark]
        /// Up to where changes are published, as `views.db` has it.
        var noted: [ViewName: PublishedTable.Mark]
        /// Whether the target's own files were looked at.
        var isListed = false
        /// Whether the last look at them failed.
        var isListFailing = false
        /// The projections of which every channel was looked at once.
        var whole: Set<ViewName> = []
        /// The files that were deleted since the last line about that.
        var deleted: [String] = []
        var nextScan: Int64 = .min
        var nextStatus: Int64 = .min
    }

    /// Publishes until the task is cancelled.
    public func run() async {
        let (wake, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let token = views.log.growth.subscribe { [flags] in
            flags.hasGrown.store(true, ordering: .releasing)
            waker.yield()
        }
        defer { views.log.growth.cancel(token) }
        await withDiscardingTaskGroup { group in
            group.addTask { [flags, verifyInterval] in
                while (try? await Task.sleep(for: .milliseconds(verifyInterval))) != nil {
                    flags.isVerificationDue.store(true, ordering: .releasing)
                    waker.yield()
                }
            }
            await publish(wake)
            group.cancelAll()
        }
    }

    private func publish(_ wake: AsyncStream<Void>) async {
        var iterator = wake.makeAsyncIterator()
        var run: Run?
        var problem: String?
        while !Task.isCancelled {
            do {
                // Taken, so that the plan is not copied by each change.
                var current = if let current = run.take() { current } else { try await begin() }
                let wait = try await step(&current)
                show(&current, isIdle: wait != .none, &problem)
                run = current
                switch wait {
                case .none: continue
                case .milliseconds(let time): try await Task.sleep(for: .milliseconds(time))
                case .growth: _ = await iterator.next()
                }
            } catch {
                if Task.isCancelled { return }
                // The file of the views is closed, replaced or busy. What was published is known again from it.
                logger.debug("publishing waits for the views", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(Self.pause))
            }
        }
    }

    private enum Wait: Equatable {
        case none
        case milliseconds(Int64)
        case growth
    }

    private func begin() async throws -> Run {
        let known = try await table.load(try views.current().engine.pool)
        flags.hasGrown.store(true, ordering: .releasing)
        let wanted = Set(target.views.map(\.projection))
        return Run(
            views: [.channels, .messages].filter(wanted.contains), plan: PublishPlan(known: known.files),
            seen: known.marks, noted: known.marks)
    }

    /// Does one thing.
    /// - Returns: How long nothing has to be done.
    private func step(_ run: inout Run) async throws -> Wait {
        let now = views.clock()
        if !run.isListed || flags.isVerificationDue.load(ordering: .acquiring) {
            if !run.plan.isPaused(now: now), try await list(&run) { return .none }
            if !run.isListed { return run.plan.due.map { .milliseconds(max(1, $0 - now)) } ?? .growth }
        }
        if flags.hasGrown.load(ordering: .acquiring), now >= run.nextScan {
            // First, so that there is no moment in which neither says that something may be left.
            flags.isScanning.store(true, ordering: .sequentiallyConsistent)
            flags.hasGrown.store(false, ordering: .sequentiallyConsistent)
            try await scan(&run)
            run.nextScan = views.clock() + target.every
        }
        if let job = run.plan.next(now: now) {
            if job.kind == .write { logDeletions(&run) }
            showWork(&run)
            try await perform(job, &run)
            return .none
        }
        logDeletions(&run)
        if run.plan.isDone, run.seen != run.noted {
            try await table.note(run.seen, try views.current().engine.pool)
            run.noted = run.seen
        }
        let isDue = flags.hasGrown.load(ordering: .acquiring)
        guard let due = [run.plan.due, isDue ? run.nextScan : nil].compactMap({ $0 }).min() else { return .growth }
        // While something waits for a time, the log's growth is looked at in between.
        return .milliseconds(max(1, min(due - min(now, due), max(target.every, Self.pause))))
    }

    /// Looks at the target's files: the first time at all, then at those that were published.
    /// - Returns: false if there is nothing to publish yet.
    private func list(_ run: inout Run) async throws -> Bool {
        // A log without events has nothing to publish, and nothing that tells it from another log.
        guard let first = try await views.log.entry(atOrBefore: 1) else { return false }
        do {
            let found = try await asking { try await store.list(of: first.eventId) }
            if !run.isListed || run.isListFailing { run.plan.succeed() }
            run.isListFailing = false
            flags.isVerificationDue.store(false, ordering: .releasing)
            if run.isListed {
                let changed = run.plan.verify(found)
                if changed.isEmpty { return true }
                logger.notice(
                    "published files were changed or deleted by others; the server writes them again",
                    metadata: ["to": "\(target.name)", "count": "\(changed.count)", "files": "\(Self.some(changed))"])
            } else {
                run.plan.reconcile(found)
                // Of a view that is published no more, nothing is left.
                run.plan.dropAll { target.views.contains($0.view) }
                run.isListed = true
            }
        } catch {
            try Task.checkCancellation()
            run.isListFailing = true
            run.plan.fail(error as? PublishFailure ?? PublishFailure("\(error)"), now: views.clock())
        }
        return true
    }

    private func asking<Answer>(_ ask: () async throws -> Answer) async rethrows -> Answer {
        flags.askingSince.store(views.clock(), ordering: .releasing)
        defer { flags.askingSince.store(Flags.nobody, ordering: .releasing) }
        return try await ask()
    }

    // MARK: What changed

    private func scan(_ run: inout Run) async throws {
        let pool = try views.current().engine.pool
        let head = try await views.log.head()?.position ?? 0
        var isBehind = false
        for view in run.views {
            // The first time every channel is looked at: what the target has beyond them is deleted.
            let (seen, isFirst) = (run.seen[view], !run.whole.contains(view))
            guard let scan = try await PublishScan.read(view, since: isFirst ? nil : seen, names: seen, pool) else {
                isBehind = true
                continue
            }
            apply(scan, of: view, &run)
            if !scan.isWhole, hasCount(other: scan.count, of: view, run.plan),
                // A channel was destroyed, and no row tells which.
                let whole = try await PublishScan.read(view, since: nil, names: scan.mark, pool)
            {
                apply(whole, of: view, &run)
            }
            run.seen[view] = scan.mark
            run.whole.insert(view)
            if scan.mark.position < head { isBehind = true }
        }
        if isBehind { flags.hasGrown.store(true, ordering: .releasing) }
    }

    private func apply(_ scan: PublishScan, of view: ViewName, _ run: inout Run) {
        let isChannels = view == .channels
        if target.views.contains(isChannels ? .allChannels : .allMessages) {
            run.plan.want(
                isChannels ? .allChannels : .allMessages, PublishStamp(version: scan.version, position: scan.all))
        }
        let wanted: PublishTarget.View = isChannels ? .channel : .messages
        guard target.views.contains(wanted) else { return }
        if scan.isWhole {
            let alive = Set(scan.changed.map(\.id))
            run.plan.dropAll { file in file.view != wanted || file.channel.map { alive.contains($0) } ?? true }
        }
        func file(_ id: String) -> PublishedFile? {
            Identifier.isChannel(id) ? isChannels ? .channel(id) : .messages(id) : nil
        }
        for (id, position) in scan.changed {
            guard let file = file(id) else { continue }
            run.plan.want(file, PublishStamp(version: scan.version, position: position))
        }
        for file in scan.renamed.compactMap(file) { run.plan.want(file) }
    }

    /// Whether there are more or fewer public channels than the plan knows.
    private func hasCount(other count: Int, of view: ViewName, _ plan: PublishPlan) -> Bool {
        let wanted: PublishTarget.View = view == .channels ? .channel : .messages
        return target.views.contains(wanted) && plan.count { $0.view == wanted } != count
    }

    // MARK: Files

    private func perform(_ job: PublishPlan.Job, _ run: inout Run) async throws {
        let pool = try views.current().engine.pool
        switch job.kind {
        case .delete:
            let position = run.seen[job.file.projection]?.position ?? 0
            let result = await asking { await store.delete(job.file, position: position) }
            try Task.checkCancellation()
            counters.note(result)
            run.plan.end(job, nil, result, now: views.clock())
            guard result == .gone else { return }
            run.deleted.append(job.file.path)
            try await table.note(job.file, nil, tag: nil, pool)
        case .write:
            guard let answer = try await answer(job) else {
                // The channel is gone, or private now.
                run.plan.drop(job.file)
                return
            }
            let stamp = PublishStamp(version: answer.version, position: answer.changed)
            if stamp == job.stamp {
                run.plan.end(job, stamp, .written(tag: job.tag), now: views.clock())
                return
            }
            // Answers over HTTP end with a line break.
            let body = answer.body + [0x0A]
            let result = await asking {
                await store.write(job.file, body, position: stamp.position, replacing: job.tag)
            }
            try Task.checkCancellation()
            counters.note(result)
            run.plan.end(job, stamp, result, now: views.clock())
            if case .written(let tag) = result {
                try await table.note(job.file, stamp, tag: tag, pool)
            } else if job.stamp != nil {
                try await table.note(job.file, nil, tag: nil, pool)
            }
        }
    }

    /// What a caller without a token gets; nil where they are told that there is no such channel.
    private func answer(_ job: PublishPlan.Job) async throws -> ViewAnswer? {
        let access = try await rights.access(for: .anonymous)
        var reader = try views.reader()
        reader.isKnown = { job.stamp == PublishStamp(version: $0, position: $1) }
        do {
            switch job.file {
            case .allChannels: return try await reader.channels(for: access)
            case .allMessages: return try await reader.allMessages(limit: ViewReader.usualMessages, for: access)
            case .channel(let id):
                return try await reader.channel(id, after: nil, limit: ViewReader.usualMembers, for: access)
            case .messages(let id):
                return try await reader.messages(id, .newest, limit: ViewReader.usualMessages, for: access)
            }
        } catch ViewRefusal.channelNotFound { return nil }
    }

    // MARK: What others see

    /// The status now: the log may have changes that nobody has looked at yet, and the target may answer slowly.
    private var currentStatus: PublishStatus {
        // Before the status: what is looked for meanwhile is in it then.
        let isChanged = isChanged
        var shown = status.withLock { $0 }
        let since = flags.askingSince.load(ordering: .acquiring)
        let waited = since == Flags.nobody ? 0 : views.clock() - since
        let isLate = since != Flags.nobody && waited >= patience
        if shown.word == "current", isLate || isChanged { shown.word = "publishing" }
        if isLate, shown.reason == nil { shown.reason = "the target has not answered for \(waited / 1_000) s" }
        return shown
    }

    /// Whether the log has grown since the status was made known.
    private var isChanged: Bool {
        // ``step(_:)`` sets the second before it clears the first, so that this cannot miss both.
        flags.hasGrown.load(ordering: .sequentiallyConsistent)
            || flags.isScanning.load(ordering: .sequentiallyConsistent)
    }

    /// Makes known that files are written or deleted, before the first of them: the target may take long to answer.
    private func showWork(_ run: inout Run) {
        if status.withLock({ $0.word == "current" }) { run.nextStatus = .min }
        share(&run, isIdle: false)
    }

    /// Makes the status known, not after each file, and logs what changed in it.
    private func show(_ run: inout Run, isIdle: Bool, _ lastProblem: inout String?) {
        guard share(&run, isIdle: isIdle) else { return }
        let reason = run.plan.problem ?? run.plan.heldFiles.reason
        guard reason?.code != lastProblem else { return }
        if let reason {
            logger.warning(
                "views cannot be published; the server tries again",
                metadata: ["to": "\(target.name)", "reason": "\(reason)"])
        } else {
            logger.notice("views are published again", metadata: ["to": "\(target.name)"])
        }
        lastProblem = reason?.code
    }

    /// - Returns: Whether the status was made known.
    @discardableResult
    private func share(_ run: inout Run, isIdle: Bool) -> Bool {
        let now = views.clock()
        guard isIdle || now >= run.nextStatus else { return false }
        run.nextStatus = now + Self.pause / 4
        let reason = run.plan.problem ?? run.plan.heldFiles.reason
        let counts = run.views.map { ($0, run.plan.counts(of: $0)) }
        let hasBegun = run.isListed && run.whole.count == run.views.count
        let isDone = counts.allSatisfy { $1.pending == 0 }
        let word = reason != nil ? "failing" : !hasBegun ? "starting" : isDone ? "current" : "publishing"
        let retry = reason == nil ? nil : run.plan.due.map { max(0, $0 - min($0, now)) }
        status.withLock {
            $0 = PublishStatus(
                to: target.name, word: word, counts: Dictionary(uniqueKeysWithValues: counts),
                position: run.views.map { run.noted[$0]?.position ?? 0 }.min() ?? 0, reason: reason?.description,
                retryIn: retry)
        }
        flags.isScanning.store(false, ordering: .sequentiallyConsistent)
        return true
    }

    /// Logs which files were deleted, in one line for those that went together.
    private func logDeletions(_ run: inout Run) {
        if run.deleted.isEmpty { return }
        logger.notice(
            "published files were deleted: their channels or views are not published any more",
            metadata: [
                "to": "\(target.name)", "count": "\(run.deleted.count)", "files": "\(Self.some(run.deleted))",
            ])
        run.deleted = []
    }

    /// The first files of a list, for a log line.
    private static func some(_ files: [String]) -> String {
        files.prefix(5).joined(separator: " ") + (files.count > 5 ? " …" : "")
    }
}

extension ViewReader {
    /// The members of a page of `channel/ID`, and the messages of each channel in `messages/ID` and `allmessages`,
    /// where the caller does not say.
    static let (usualMembers, usualMessages) = (500, 100)
}

extension PublishTarget.View {
    /// The projection that it is read from.
    var projection: ViewName {
        switch self {
        case .allChannels, .channel: .channels
        case .messages, .allMessages: .messages
        }
    }
}
