/// When an event that failed is tried again: ten tries over about three days.
package enum RetrySchedule {
    /// The waits before each try, in milliseconds; the first comes at once.
    package static let waits: [Int64] = [
        0, 5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
    ]
    /// How many tries there are before the dead letter.
    package static var maxAttempts: Int64 { Int64(waits.count) }
    /// How far a wait may lie off its figure, as a share of it.
    package static let spread = 0.2

    private static let second: Int64 = 1000
    private static let minute = 60 * second
    private static let hour = 60 * minute

    /// The wait after a failed try, in milliseconds.
    /// - Parameters:
    ///   - attempt: Which try failed, from 1.
    ///   - chance: A random number in 0..<1.
    package static func wait(afterAttempt attempt: Int64, chance: Double) -> Int64 {
        spreadOut(waits[Int(min(max(attempt, 1), maxAttempts - 1))], chance)
    }

    /// A figure up to ``spread`` less or more, so that what failed together is not tried again together.
    package static func spreadOut(_ figure: Int64, _ chance: Double) -> Int64 {
        Int64(Double(figure) * (1 - spread + 2 * spread * chance))
    }
}
