/// Which changes are committed together, and when: a pure value.
///
/// Each commit waits for the disk, and so does whoever writes to the same disk meanwhile: the event log above all. A
/// few commits at once are made as they come. After these there is one an interval, with all that has come meanwhile.
struct SharedCommits<Change> {
    /// What to do.
    enum Action {
        /// Commit these, then call ``ended(now:)``.
        case commit([Change])
        /// Call ``due(now:)`` after so many milliseconds.
        case wait(Int64)
    }

    private enum Phase {
        case idle, waiting, committing
    }

    private let interval: Int64
    private let burst: Int64
    private var changes: [Change] = []
    private var phase = Phase.idle
    /// When commits in turn, one an interval, would have come to their end. It is in the past where there were fewer.
    private var paidUntil = Int64.min

    /// Makes one without changes.
    /// - Parameters:
    ///   - interval: Milliseconds between commits in the long run; 0 for no limit.
    ///   - burst: Commits that need not wait where there was none for so many intervals; 1 at least.
    init(interval: Int64, burst: Int64) {
        self.interval = interval
        self.burst = max(1, burst)
    }

    /// Adds a change.
    /// - Parameter now: Milliseconds of a clock that never goes back.
    /// - Returns: nil where an action that was returned before leads to its commit.
    mutating func add(_ change: Change, now: Int64) -> Action? {
        changes.append(change)
        return phase == .idle ? next(now) : nil
    }

    /// A wait has ended.
    mutating func due(now: Int64) -> Action? { phase == .waiting ? next(now) : nil }

    /// A commit has ended, whether it succeeded or not.
    mutating func ended(now: Int64) -> Action? {
        guard phase == .committing else { return nil }
        phase = .idle
        return changes.isEmpty ? nil : next(now)
    }

    private mutating func next(_ now: Int64) -> Action {
        let earliest = paidUntil == .min ? now : paidUntil - (burst - 1) * interval
        if earliest > now {
            phase = .waiting
            return .wait(earliest - now)
        }
        paidUntil = max(paidUntil, now) + interval
        phase = .committing
        defer { changes = [] }
        return .commit(changes)
    }
}
