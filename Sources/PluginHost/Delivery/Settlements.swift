import DequeModule

/// Tracks which queue each delivery belongs to, the commands that it caused, and the settlements and states that wait
/// until those commands are decided: a value without I/O.
struct Settlements {
    /// How a delivery is settled.
    enum Settlement {
        case ack(state: [UInt8]?)
        case reject(code: String, message: String, deadLetter: Bool)

        var isAcknowledgement: Bool { if case .ack = self { true } else { false } }
        /// Whether it ends as a dead letter.
        var isDeadLetter: Bool { if case .reject(_, _, let deadLetter) = self { deadLetter } else { false } }
    }

    /// The number of the next delivery.
    private(set) var nextDelivery: Int64 = 1
    /// The queue of each delivery from `routeBase` on.
    private var route: Deque<Int32> = []
    private var routeBase: Int64 = 1
    /// Commands of a delivery: how many came, and how many are not decided.
    private(set) var causes: [Int64: (ordinal: Int, open: Int)] = [:]
    /// Settlements that wait for their commands.
    private var postponed: [Int64: Settlement] = [:]
    /// States that wait for all commands before them.
    private var states = HeldStates()
    /// Commands that came so far, and how many of them are decided.
    private var emitted: Int64 = 0
    private var decided: Int64 = 0
    /// Since when no command was decided; nil if none waits.
    private(set) var undecidedSince: Int64?

    /// Commands that are not decided.
    var unanswered: Int { Int(emitted - decided) }
    /// Bytes of the states that wait.
    var stateBytes: Int { states.bytes }

    // MARK: Deliveries

    /// Numbers deliveries of a queue.
    mutating func add(_ count: Int, of queue: Int) {
        nextDelivery += Int64(count)
        for _ in 0..<count { route.append(Int32(queue)) }
    }

    /// The queue of a delivery; nil if it was never made or has left the table.
    func queue(of delivery: Int64) -> Int? {
        let at = delivery - routeBase
        guard at >= 0, at < Int64(route.count) else { return nil }
        return Int(route[Int(at)])
    }

    /// Removes the oldest deliveries that their queues no longer know.
    mutating func trim(_ queues: [QueueRunner]) {
        while let first = route.first {
            if let oldest = queues[Int(first)].queue.firstDelivery, oldest <= routeBase { return }
            route.removeFirst()
            // Of a void delivery: what it caused is counted until it can cause nothing more.
            if !causes.isEmpty, causes[routeBase]?.open == 0 { causes[routeBase] = nil }
            routeBase += 1
        }
    }

    // MARK: Commands

    /// Notes a command that names a delivery as its cause.
    /// - Returns: How many came before it of the same cause, and whether none of them is undecided.
    mutating func addCommand(of delivery: Int64) -> (ordinal: Int, isOnlyOpen: Bool) {
        let known = causes[delivery] ?? (0, 0)
        causes[delivery] = (known.ordinal + 1, known.open + 1)
        return (known.ordinal, known.open == 0)
    }

    /// Notes that the plugin sent a command.
    mutating func emit(now: Int64) {
        if unanswered == 0 { undecidedSince = now }
        emitted += 1
    }

    /// Notes that a command was decided.
    /// - Returns: If it was the last open one of its cause, that delivery and the settlement that waited for it.
    mutating func decide(cause: Int64?) -> (delivery: Int64, settlement: Settlement?)? {
        decided += 1
        guard let delivery = cause, let known = causes[delivery] else { return nil }
        // One that left the table meanwhile is named no more.
        let isKept = known.open > 1 || delivery >= routeBase
        causes[delivery] = isKept ? (known.ordinal, known.open - 1) : nil
        return known.open == 1 ? (delivery, postponed.removeValue(forKey: delivery)) : nil
    }

    /// Restarts the wait for commands after some were decided.
    mutating func renewWait(now: Int64) { undecidedSince = unanswered > 0 ? now : nil }

    /// Whether commands of a delivery are undecided.
    func hasOpenCommands(_ delivery: Int64) -> Bool { causes[delivery].map { $0.open > 0 } ?? false }

    /// Forgets what a settled delivery caused.
    mutating func close(_ delivery: Int64) { causes[delivery] = nil }

    // MARK: What waits for commands

    /// Keeps a settlement until the delivery's commands are decided.
    mutating func postpone(_ delivery: Int64, _ settlement: Settlement) { postponed[delivery] = settlement }

    /// Keeps a state, and what is settled with it, until all commands so far are decided.
    mutating func hold(_ state: [UInt8], of queue: Int, deliveries: [Int64] = []) {
        states.hold(.init(queue: queue, deliveries: deliveries, state: state, after: emitted))
    }

    /// The next state whose commands are decided.
    mutating func nextState() -> HeldStates.Held? {
        let causes = causes
        return states.next(decided: decided, isOpen: { causes[$0].map { $0.open > 0 } ?? false })
    }
}
