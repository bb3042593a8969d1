/// Keeps what is not reported any more for a while, so that the last values of a removed plugin are still seen, and
/// then forgets it. A value: the time is passed in.
public struct Retained<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let lifetime: Int64
    private let most: Int
    private var known: [Key: (value: Value, seen: Int64)] = [:]

    /// - Parameters:
    ///   - lifetime: How long something is kept after it was last reported, in milliseconds.
    ///   - most: How much of what is not reported any more is kept; the oldest is forgotten first. A plugin chooses the
    ///     names of its queues, and can have new ones at any time.
    public init(lifetime: Int64, most: Int = 1_000) { (self.lifetime, self.most) = (lifetime, most) }

    /// Notes what is reported now.
    /// - Returns: That, and what was last reported no longer ago than ``lifetime``.
    public mutating func update(_ current: [Key: Value], now: Int64) -> [Key: Value] {
        for (key, value) in current { known[key] = (value, now) }
        known = known.filter { now - $0.value.seen <= lifetime }
        let gone = known.filter { current[$0.key] == nil }
        if gone.count > most {
            for (key, _) in gone.sorted(by: { $0.value.seen < $1.value.seen }).prefix(gone.count - most) {
                known[key] = nil
            }
        }
        return known.mapValues(\.value)
    }
}
