/// Which endpoints wait because of their rate, and until when.
struct EndpointRateLimiter {
    private var buckets: [Int: TokenBucket] = [:]
    private var waiting: [Int: Int64] = [:]
    /// When the first of them may go on, in milliseconds; nil: none waits.
    private(set) var due: Int64?

    /// Gives the endpoint at an index a rate, or none, and forgets what it waited for.
    /// - Parameter now: Milliseconds of a clock that never goes back, as everywhere here.
    mutating func set(_ index: Int, _ rate: RequestRate?, now: Int64) {
        buckets[index] = rate.map { TokenBucket($0, now: now) }
        waiting[index] = nil
        due = waiting.values.min()
    }

    /// Whether the endpoint at this index waits.
    func isWaiting(_ index: Int) -> Bool { waiting[index] != nil }

    /// Asks for one request.
    /// - Returns: 0, or the milliseconds to wait; then the endpoint waits.
    mutating func take(_ index: Int, now: Int64) -> Int64 {
        guard let wait = buckets[index]?.take(now: now), wait > 0 else { return 0 }
        waiting[index] = now + wait
        due = min(due ?? .max, now + wait)
        return wait
    }

    /// The endpoints whose wait is over.
    mutating func release(now: Int64) -> [Int] {
        guard let due, due <= now else { return [] }
        let ready = waiting.filter { $0.value <= now }.keys.sorted()
        for index in ready { waiting[index] = nil }
        self.due = waiting.values.min()
        return ready
    }
}
