/// A session's part in a replay: how much may go out now, and whether all of it is through. A pure value.
struct ReplayState {
    let plan: ReplayPlan
    private var bucket: TokenBucket?
    /// Every event of the part is settled.
    var isDone = false

    init(_ plan: ReplayPlan) {
        self.plan = plan
        // A quarter of a second's worth at once: smooth enough for the target, and few wake-ups.
        bucket = plan.rate.map { TokenBucket(rate: $0, burst: max(1, $0 / 4)) }
    }

    /// Events that may go out now; nil: no limit.
    mutating func allowance(now: Int64) -> Int? { bucket?.available(now: now) }

    /// Notes that events went out.
    mutating func spend(_ count: Int) { bucket?.spend(count) }

    /// Milliseconds until another event may go out.
    var wait: Int64 { bucket?.wait() ?? 0 }
}
