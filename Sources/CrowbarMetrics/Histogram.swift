/// Counts durations by fixed bounds. Recording one is two atomic additions.
public final class Histogram: Sendable {
    /// What a histogram has counted.
    public struct Snapshot: Sendable, Equatable {
        /// The upper bounds of the buckets, in seconds, without the last one, which has none.
        public var bounds: [Double]
        /// Durations in each bucket and all below it; the last is the number of all.
        public var cumulative: [Int]
        /// The sum of all durations, in seconds.
        public var sum: Double

        /// The number of all durations.
        public var count: Int { cumulative.last ?? 0 }
    }

    /// The upper bounds in nanoseconds: from 100 µs, which is less than a write to a fast disk, to 10 s, which is more
    /// than anybody waits.
    private static let bounds: [UInt64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 1_000_000_000, 2_500_000_000, 10_000_000_000,
    ]

    private let buckets: [Counter]
    private let sum = Counter()

    /// Makes an empty histogram.
    public init() { buckets = (0...Self.bounds.count).map { _ in Counter() } }

    /// Records a duration.
    public func record(nanoseconds: UInt64) {
        var index = 0
        while index < Self.bounds.count, nanoseconds > Self.bounds[index] { index += 1 }
        buckets[index].add()
        sum.add(Int(clamping: nanoseconds))
    }

    /// What was recorded until now.
    public var snapshot: Snapshot {
        var total = 0
        let cumulative = buckets.map { bucket in
            total += bucket.value
            return total
        }
        return Snapshot(
            bounds: Self.bounds.map { Double($0) / 1e9 }, cumulative: cumulative, sum: Double(sum.value) / 1e9)
    }
}
