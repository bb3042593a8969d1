import PluginKit

extension RetrySchedule {
    /// The longest wait that a receiver may ask for, in milliseconds.
    static let maxRetryAfter: Int64 = 3_600_000

    /// The wait after a failed try.
    /// - Parameters:
    ///   - attempt: Which try failed, from 1.
    ///   - retryAfter: What the receiver asked for, in milliseconds.
    ///   - chance: A random number in 0..<1.
    /// - Returns: Milliseconds; never less than the receiver asked for, up to an hour.
    static func wait(afterAttempt attempt: Int64, retryAfter: Int64?, chance: Double) -> Int64 {
        max(wait(afterAttempt: attempt, chance: chance), min(retryAfter ?? 0, maxRetryAfter))
    }
}
