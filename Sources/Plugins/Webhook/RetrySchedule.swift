/// When a delivery that failed is tried again: ten tries over about three days.
enum RetrySchedule {
    /// The waits before each try, in milliseconds; the first comes at once.
    static let waits: [Int64] = [
        0, 5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
    ]
    /// How many tries there are before the dead letter.
    static var maxAttempts: Int64 { Int64(waits.count) }
    /// How far a wait may lie off its figure, as a share of it.
    static let spread = 0.2
    /// The longest wait that a receiver may ask for, in milliseconds.
    static let maxRetryAfter = hour

    private static let second: Int64 = 1000
    private static let minute = 60 * second
    private static let hour = 60 * minute

    /// The wait after a failed try.
    /// - Parameters:
    ///   - attempt: Which try failed, from 1.
    ///   - retryAfter: What the receiver asked for, in milliseconds.
    ///   - chance: A random number in 0..<1.
    /// - Returns: Milliseconds; never less than the receiver asked for, up to an hour.
    static func wait(afterAttempt attempt: Int64, retryAfter: Int64?, chance: Double) -> Int64 {
        let figure = Double(waits[Int(min(max(attempt, 1), maxAttempts - 1))])
        let spreadOut = Int64(figure * (1 - spread + 2 * spread * chance))
        return max(spreadOut, min(retryAfter ?? 0, maxRetryAfter))
    }
}
