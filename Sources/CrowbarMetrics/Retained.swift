/// Keeps what is not reported any more for a while, so that the last values of a removed plugin are still seen, and
/// then forgets it. A value: the time is passed in.
public struct Retained<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let lifetime: Int64
    private var known: [Key: (value: Value, seen: Int64)] = [:]

    /// - Parameter lifetime: How long something is kept after it was last reported, in milliseconds.
    public init(lifetime: Int64) { self.lifetime = lifetime }

    /// Notes what is reported now.
    /// - Returns: That, and what was last reported no longer ago than ``lifetime``.
    public mutating func update(_ current: [Key: Value], now: Int64) -> [Key: Value] {
        for (key, value) in current { known[key] = (value, now) }
        known = known.filter { now - $0.value.seen <= lifetime }
        return known.mapValues(\.value)
    }
}
