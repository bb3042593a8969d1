import PluginHTTP
import PluginKit

extension RetrySchedule {
    /// The longest wait that a receiver may ask for, in milliseconds.
    static let maxRetryAfter: Int64 = 3_600_000

    /// The wait of an endpoint whose receiver answers 429 and does not say for how long, in milliseconds: at first, and
    /// at most.
    static let untoldWaits: ClosedRange<Int64> = 5000...300_000

    /// Such a wait, which doubles.
    /// - Parameters:
    ///   - count: How many times running the receiver asked to wait, from 1.
    ///   - chance: A random number in 0..<1.
    static func untoldWait(_ count: Int, chance: Double) -> Int64 {
        doubling(untoldWaits, count, chance: chance)
    }

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
