import PluginKit

extension RetrySchedule {
    /// The wait of a target that throttles, in milliseconds: at first, and at most.
    static let throttled: ClosedRange<Int64> = 500...30_000

    /// The wait of a whole target after it throttled, or while it has no credentials, in milliseconds.
    /// - Parameter count: How many times running, from 1.
    static func hold(_ count: Int, chance: Double) -> Int64 {
        let figure = throttled.lowerBound << Int64(min(max(count, 1) - 1, 10))
        return min(spreadOut(min(figure, throttled.upperBound), chance), throttled.upperBound)
    }
}
