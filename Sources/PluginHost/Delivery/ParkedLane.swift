/// A lane that is read apart from the log's order: it was parked because its next try is far off, and once its time has
/// come it is read by the log's index until it has caught up. The cursor moves on meanwhile.
struct ParkedLane: Equatable {
    /// The first position of the lane that has not been taken in.
    var next: Int64
    /// The last position at which the lane is known to have an event, at most.
    var last: Int64
    /// When it is tried again, on the monotonic clock; nil while it is being caught up.
    var due: Int64?
    /// A part of it is being read.
    var isReading = false
    /// Its open slots, by position.
    var open: [Int] = []
    /// Settled positions behind the first open one.
    var settled: Set<Int64> = []
}
