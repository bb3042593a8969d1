/// When an event that failed is tried again: ten tries over about three days, as the webhook plugin's.
enum RetrySchedule {
    /// The waits before each try, in milliseconds; the first comes at once.
    static let waits: [Int64] = [
        0, 5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
    ]
    /// How many tries there are before the dead letter.
    static var maxAttempts: Int64 { Int64(waits.count) }
    /// How far a wait may lie off its figure, as a share of it.
    static let spread = 0.2
    /// The wait of a target that throttles, in milliseconds: at first, and at most.
    static let throttled: ClosedRange<Int64> = 500...30_000

    private static let second: Int64 = 1000
    private static let minute = 60 * second
    private static let hour = 60 * minute

    /// The wait after a failed try, in milliseconds.
    /// - Parameters:
    ///   - attempt: Which try failed, from 1.
    ///   - chance: A random number in 0..<1.
    static func wait(afterAttempt attempt: Int64, chance: Double) -> Int64 {
        spreadOut(waits[Int(min(max(attempt, 1), maxAttempts - 1))], chance)
    }

    /// The wait of a whole target after it throttled, or while it has no credentials, in milliseconds.
    /// - Parameter count: How many times running, from 1.
    static func hold(_ count: Int, chance: Double) -> Int64 {
        let figure = throttled.lowerBound << Int64(min(max(count, 1) - 1, 10))
        return min(spreadOut(min(figure, throttled.upperBound), chance), throttled.upperBound)
    }

    private static func spreadOut(_ figure: Int64, _ chance: Double) -> Int64 {
        Int64(Double(figure) * (1 - spread + 2 * spread * chance))
    }
}
