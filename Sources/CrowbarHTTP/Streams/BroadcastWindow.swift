/// What was broadcast last, and up to where: how a reader of pages becomes a follower without a gap. A value without
/// I/O.
struct BroadcastWindow<Batch: Sendable>: Sendable {
    /// How much is kept for those who join.
    struct Limits: Sendable {
        /// Bytes.
        var bytes = 1 << 20
        /// Milliseconds. An event that was erased from the log stays no longer in memory.
        var age: Int64 = 2_000
    }

    private struct Kept: Sendable {
        var batch: Batch
        var after: Int64
        var through: Int64
        var count: Int
        var time: Int64
    }

    private let limits: Limits
    private var kept: [Kept] = []
    private var bytes = 0
    /// The position up to which events were broadcast; nil while nobody follows.
    private(set) var position: Int64?
    /// Those who follow.
    private(set) var followers = 0

    init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Joins a reader who has everything up to a position.
    /// - Parameter isAtHead: Whether little or nothing of the log is behind it: the broadcast begins there if nobody
    ///   follows yet.
    /// - Returns: The batches that it has to be given first; nil where they are not kept, so that it has to read on. A
    ///   batch can begin before the position, and later ones can too: the reader skips what it has.
    mutating func join(at position: Int64, isAtHead: Bool, now: Int64) -> [Batch]? {
        drop(now: now)
        guard let end = self.position else {
            guard isAtHead else { return nil }
            self.position = position
            followers = 1
            return []
        }
        if position < end {
            guard let oldest = kept.first, oldest.after <= position else { return nil }
        }
        followers += 1
        return kept.filter { $0.through > position }.map(\.batch)
    }

    /// Notes that a follower has gone.
    mutating func leave() {
        followers -= 1
        if followers == 0 { reset() }
    }

    /// Notes a batch that is about to be broadcast.
    /// - Returns: Whether it is the next one; false where those who followed have gone meanwhile.
    mutating func append(_ batch: Batch, after: Int64, through: Int64, count: Int, now: Int64) -> Bool {
        guard position == after else { return false }
        kept.append(Kept(batch: batch, after: after, through: through, count: count, time: now))
        bytes += count
        position = through
        drop(now: now)
        return true
    }

    private mutating func drop(now: Int64) {
        // A clock that was set back drops everything: it only costs a reader another page.
        let isOver = { [limits] (kept: Kept) in now < kept.time || now - kept.time > limits.age }
        var count = 0
        while count < kept.count, bytes > limits.bytes || isOver(kept[count]) {
            bytes -= kept[count].count
            count += 1
        }
        kept.removeFirst(count)
    }

    private mutating func reset() {
        kept = []
        bytes = 0
        position = nil
    }
}
