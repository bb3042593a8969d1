import CrowbarCore

/// How many events of a replay's part its queues want: counted ahead, a bounded piece of the log at a time, while the
/// plugin is at work already. A pure value.
struct ReplayMeasure {
    /// Positions that are counted at once.
    static let piece: Int64 = 100_000

    /// A queue as far as it decides what is delivered.
    struct Queue: Equatable {
        var name: String
        var filter: QueueFilter
        /// All up to here was settled before this run.
        var resumed: Int64
    }

    let plan: ReplayPlan
    let plugin: String
    let ownEvents: Bool
    let queues: [Queue]
    /// All up to this position is counted.
    private(set) var counted: Int64
    /// Events that match, so far: one that two queues want is two.
    private(set) var matching: Int64 = 0
    /// Those of them that were settled before this run.
    private(set) var settledBefore: Int64 = 0

    init(plan: ReplayPlan, plugin: String, ownEvents: Bool, queues: [Queue]) {
        self.plan = plan
        self.plugin = plugin
        self.ownEvents = ownEvents
        self.queues = queues
        counted = plan.start?.position ?? 0
    }

    /// Whether all of the part is counted.
    var isWhole: Bool { counted >= plan.through }

    /// The piece to be counted next; nil where all is.
    var next: (after: Int64, through: Int64)? {
        if isWhole { return nil }
        // A queue's own place is a border, so that a piece is before it or behind it.
        let borders = queues.map(\.resumed).filter { $0 > counted }
        return (counted, min(plan.through, counted + Self.piece, borders.min() ?? .max))
    }

    /// Takes what was counted in a piece.
    mutating func add(_ tallies: [LogTally], through end: Int64) {
        let kinds = LogCount(plugin: plugin, ownEvents: ownEvents, channels: plan.channels)
        for queue in queues {
            let count = tallies.reduce(0) { $0 + (kinds.wants($1, queue.filter) ? $1.count : 0) }
            matching += count
            if end <= queue.resumed { settledBefore += count }
        }
        counted = end
    }
}
