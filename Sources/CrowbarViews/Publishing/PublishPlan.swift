/// What has to be written to a target and deleted from it, in which order, and when to retry. A pure value.
///
/// Times are milliseconds of a clock that is never set.
struct PublishPlan {
    /// The waits after failures: at first, doubling up to the last.
    static let backoff: ClosedRange<Int64> = 1_000...300_000

    /// What is to be done next.
    struct Job: Equatable {
        enum Kind: Equatable {
            case write
            case delete
        }

        var file: PublishedFile
        var kind: Kind
        /// What the target is known to have.
        var stamp: PublishStamp?
        /// What the store knows that by.
        var tag: String?
    }

    private struct Entry {
        var stamp: PublishStamp?
        var tag: String?
        var wish: Job.Kind?
        var failures = 0
    }

    /// A file that waits after a failure.
    private struct Hold {
        var until: Int64
        var reason: PublishFailure
    }

    private var entries: [PublishedFile: Entry]
    /// Deletions go first: what must not be public any more is not to wait for what is new.
    private var deletions: [PublishedFile] = []
    private var writes = Queue()
    private var holds: [PublishedFile: Hold] = [:]
    /// When the target is tried again after a failure.
    private var pausedUntil: Int64?
    private var failures = 0
    /// Why the last attempt at the target failed.
    private(set) var problem: PublishFailure?

    /// Makes a plan for a target.
    /// - Parameter known: What was published before, by a store's tags.
    init(known: [PublishedFile: (stamp: PublishStamp, tag: String?)] = [:]) {
        entries = known.mapValues { Entry(stamp: $0.stamp, tag: $0.tag) }
    }

    // MARK: What is wanted

    /// Compares what is known with what the target has.
    /// - Parameter found: The files of the target with their tags.
    mutating func reconcile(_ found: [PublishedFile: String?]) {
        for file in entries.keys where found.index(forKey: file) == nil { entries[file] = nil }
        for (file, tag) in found where entries[file] == nil || entries[file]?.tag != tag {
            // Somebody else has written it.
            entries[file] = Entry()
        }
    }

    /// A file is to have a content.
    mutating func want(_ file: PublishedFile, _ stamp: PublishStamp) {
        if let entry = entries[file], entry.wish == nil, entry.stamp == stamp { return }
        want(file)
    }

    /// A file may have changed.
    mutating func want(_ file: PublishedFile) {
        let wish = entries[file]?.wish
        entries[file, default: Entry()].wish = .write
        if wish == nil { writes.append(file) }
        // One that waits to be deleted has its place already.
        if wish == .delete, holds[file] == nil { writes.append(file) }
    }

    /// A file is not to be there. A failed write does not delay its deletion.
    mutating func drop(_ file: PublishedFile) {
        guard let entry = entries[file], entry.wish != .delete else { return }
        entries[file]?.wish = .delete
        holds[file] = nil
        deletions.append(file)
    }

    /// Drops every file for which there is no reason to be there.
    mutating func dropAll(except isWanted: (PublishedFile) -> Bool) {
        for file in entries.keys where !isWanted(file) { drop(file) }
    }

    /// The files that are there or are to be there.
    func count(_ isCounted: (PublishedFile) -> Bool) -> Int {
        entries.count { $0.value.wish != .delete && isCounted($0.key) }
    }

    /// Compares what is known with what the target has: what others changed or deleted is written again. Files that are
    /// not known are left alone.
    /// - Returns: The paths of these files, in order.
    mutating func verify(_ found: [PublishedFile: String?]) -> [String] {
        var changed: [String] = []
        for (file, entry) in entries where entry.stamp != nil && entry.wish != .delete {
            if let tag = found[file], tag == entry.tag { continue }
            changed.append(file.path)
            forget(file)
            if entry.wish == nil { want(file) }
        }
        return changed.sorted()
    }

    // MARK: Work

    /// What is to be done now; nil where there is nothing, or it has to wait.
    mutating func next(now: Int64) -> Job? {
        if let pausedUntil, now < pausedUntil { return nil }
        if !holds.isEmpty {
            for (file, hold) in holds where hold.until <= now {
                holds[file] = nil
                if entries[file]?.wish == .delete { deletions.append(file) } else { writes.append(file) }
            }
        }
        while let file = deletions.popLast() {
            if let job = job(file, .delete) { return job }
        }
        while let file = writes.popFirst() {
            if let job = job(file, .write) { return job }
        }
        return nil
    }

    private func job(_ file: PublishedFile, _ kind: Job.Kind) -> Job? {
        guard holds[file] == nil, let entry = entries[file], entry.wish == kind else { return nil }
        return Job(file: file, kind: kind, stamp: entry.stamp, tag: entry.tag)
    }

    /// Whether the target is left alone after a failure.
    func isPaused(now: Int64) -> Bool { pausedUntil.map { $0 > now } ?? false }

    /// When there is something to do again; nil where nothing waits for a time.
    var due: Int64? {
        let isWaiting = !deletions.isEmpty || !writes.isEmpty
        guard let first = isWaiting ? .min : holds.values.map(\.until).min() else { return pausedUntil }
        return max(first, pausedUntil ?? .min)
    }

    /// Takes what came of a job.
    /// - Parameter stamp: What was written.
    mutating func end(_ job: Job, _ stamp: PublishStamp?, _ result: PublishResult, now: Int64) {
        let isCurrent = entries[job.file]?.wish == job.kind
        switch result {
        case .written(let tag):
            succeed()
            entries[job.file]?.stamp = stamp
            entries[job.file]?.tag = tag
            entries[job.file]?.failures = 0
            if isCurrent { entries[job.file]?.wish = nil }
        case .gone:
            succeed()
            if isCurrent { entries[job.file] = nil }
        case .newer(let position):
            succeed()
            forget(job.file)
            hold(
                job.file,
                PublishFailure(
                    """
                    the target has '\(job.file.path)' of position \(position), which is later than this log's; it was \
                    published from another log or from before a restore: delete the target's files, or set another \
                    target
                    """, code: "newer"), now)
        case .fileFailed(let reason):
            succeed()
            forget(job.file)
            hold(job.file, reason, now)
        case .targetFailed(let reason):
            problem = reason
            pausedUntil = now + Self.wait(after: failures)
            failures += 1
            forget(job.file)
            if job.kind == .delete { deletions.append(job.file) } else { writes.append(job.file) }
        }
    }

    /// The target cannot even be listed.
    mutating func fail(_ reason: PublishFailure, now: Int64) {
        problem = reason
        pausedUntil = now + Self.wait(after: failures)
        failures += 1
    }

    /// The target answers.
    mutating func succeed() { (problem, pausedUntil, failures) = (nil, nil, 0) }

    private mutating func hold(_ file: PublishedFile, _ reason: PublishFailure, _ now: Int64) {
        let failures = entries[file]?.failures ?? 0
        holds[file] = Hold(until: now + Self.wait(after: failures), reason: reason)
        entries[file]?.failures = failures + 1
    }

    /// What the store has is not certain any more.
    private mutating func forget(_ file: PublishedFile) {
        entries[file]?.tag = nil
        entries[file]?.stamp = nil
    }

    private static func wait(after failures: Int) -> Int64 {
        min(backoff.upperBound, backoff.lowerBound << Int64(min(failures, 20)))
    }

    // MARK: What others see

    /// Files whose last attempt failed, and why the first of them did.
    var heldFiles: (count: Int, reason: PublishFailure?) {
        (holds.count, holds.min { $0.key.path < $1.key.path }?.value.reason)
    }

    /// The files of a projection that are published, and those that are not yet as they should be.
    func counts(of projection: ViewName) -> (files: Int, pending: Int) {
        var (files, pending) = (0, 0)
        for (file, entry) in entries where file.projection == projection {
            if entry.stamp != nil { files += 1 }
            if entry.wish != nil { pending += 1 }
        }
        return (files, pending)
    }

    /// Whether everything is as it should be.
    var isDone: Bool { deletions.isEmpty && writes.isEmpty && holds.isEmpty }

    /// Files in order, taken from the front.
    private struct Queue {
        private var files: [PublishedFile] = []
        private var first = 0

        var isEmpty: Bool { first == files.count }

        mutating func append(_ file: PublishedFile) { files.append(file) }

        mutating func popFirst() -> PublishedFile? {
            guard first < files.count else { return nil }
            defer { first += 1 }
            if first >= 1024, first * 2 >= files.count {
                files.removeFirst(first)
                first = 0
            }
            return files[first]
        }
    }
}
