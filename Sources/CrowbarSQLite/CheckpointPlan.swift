/// When the pages of the WAL are moved into the database, and by whom.
///
/// A checkpoint in the way of appends holds up those who wait for them: moving 2,000 pages takes as long as 20 commits.
/// So most is moved beside the appends, in steps; what is left when the WAL has become long enough to start again is
/// moved between two appends, since it can start again only where nothing is left (https://sqlite.org/wal.html,
/// "Checkpointing").
///
/// No step waits for readers. While one holds the WAL, however long it grows, steps are made aside only: once the
/// reader is gone there may be much to be moved, and no append is to wait for that.
struct CheckpointPlan: Sendable {
    /// What is to be done after a commit.
    enum Step: Sendable, Equatable {
        case nothing
        /// Move pages beside the appends; tell ``copied(_:of:)`` or ``failed()``.
        case aside
        /// Move pages now, before the next append; tell ``copied(_:of:)`` or ``failed()``.
        case now
    }

    /// Pages of the WAL.
    enum Limit {
        /// Pages after which a further step is made.
        static let step = 500
        /// Pages from which on the WAL should start again.
        static let length = 2_000
        /// Pages that may be left for a step between two appends.
        static let rest = 100
        /// Pages after which what was appended since the last step is moved between two appends however much it is, so
        /// that the WAL cannot grow for ever where appends are faster than the steps.
        static let bound = 4_000
    }

    private var pages = 0
    private var moved = 0
    private var isUnderWay = false
    /// A reader kept the last step from moving all that was there.
    private(set) var isHeldUp = false
    /// Pages when the last step of each kind was begun: where readers hold it up, it is not tried at each commit.
    private var tried = (aside: 0, now: 0)

    /// What a commit asks for.
    /// - Parameter pages: Pages in the WAL behind it.
    mutating func committed(_ pages: Int) -> Step {
        if pages < self.pages {
            moved = 0
            tried = (0, 0)
            isHeldUp = false
        }
        self.pages = pages
        if isUnderWay { return .nothing }
        let isAlmostDone = pages - moved <= Limit.rest && pages > moved
        let isOverdue = pages >= Limit.bound && !isHeldUp && pages - tried.now >= Limit.step
        if pages >= Limit.length, isAlmostDone || isOverdue {
            (tried.now, isUnderWay) = (pages, true)
            return .now
        }
        // Near the end once more, so that little is left.
        if pages - tried.aside >= Limit.step || pages >= Limit.length && tried.aside < Limit.length {
            (tried.aside, isUnderWay) = (pages, true)
            return .aside
        }
        return .nothing
    }

    /// A step ended: so many pages of the WAL are in the database.
    mutating func copied(_ moved: Int, of pages: Int) {
        isUnderWay = false
        // It may have started again since.
        guard pages <= self.pages else { return }
        self.moved = max(self.moved, moved)
        // The shortest readers are behind by a few pages.
        isHeldUp = pages - moved > Limit.rest
    }

    /// A step could not be made; a later one will.
    mutating func failed() { isUnderWay = false }
}
