import DequeModule

/// States of queues that wait until the commands emitted before them are decided, in the order in which the plugin said
/// them: a pure value.
///
/// A state tells what the plugin has done, the commands it emitted among it; stored before them, it would keep the
/// plugin from emitting again what a crash took. Commands are decided in the order emitted, so that numbers tell all.
struct HeldStates {
    /// A state, and what is settled in the same write.
    struct Held: Equatable {
        /// The queue by its index.
        var queue: Int
        /// Deliveries that the plugin has answered; none where the state came by itself.
        var deliveries: [Int64] = []
        var state: [UInt8]
        /// Commands emitted before it.
        var after: Int64
    }

    /// What one costs besides its state, about.
    static let overhead = 64

    private var waiting: Deque<Held> = []
    /// What they cost in memory.
    private(set) var bytes = 0

    /// Lets a state wait behind all that wait.
    mutating func hold(_ held: Held) {
        waiting.append(held)
        bytes += Self.cost(held)
    }

    /// Takes the first one if its time has come; a later one never overtakes it.
    /// - Parameters:
    ///   - decided: Commands decided so far.
    ///   - isOpen: Whether a delivery waits for commands that came later than its answer.
    mutating func next(decided: Int64, isOpen: (Int64) -> Bool) -> Held? {
        guard let first = waiting.first, first.after <= decided, !first.deliveries.contains(where: isOpen) else {
            return nil
        }
        waiting.removeFirst()
        bytes -= Self.cost(first)
        return first
    }

    private static func cost(_ held: Held) -> Int {
        held.state.count + held.deliveries.count * MemoryLayout<Int64>.size + overhead
    }
}
