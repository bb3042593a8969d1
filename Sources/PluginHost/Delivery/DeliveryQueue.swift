import CrowbarCore
import DequeModule

/// One queue of a plugin as a pure value: which events are open, in which order they may go out, and how far the cursor
/// may move. It knows positions and lanes, never bytes; time is passed in.
///
/// An event that passes the filter takes a slot, in the order of the log. A slot is waiting (its lane is busy), ready,
/// launched (held by the plugin), under retry, or settled; settled slots leave at the front, so that the first slot is
/// always the first open event. A *lane* is what order is kept in: a channel, or a user for events without a channel.
struct DeliveryQueue {
    /// The limits of a queue.
    enum Limit {
        /// Slots besides the window: events read ahead while their lanes are busy, and settled ones behind an open one.
        static let readAhead = 10_000
        /// Lanes kept without an open event before the table is swept.
        static let idleLanes = 4_096
        /// Deadlines for which one delivery may be held without `working`.
        static let heldDeadlines: Int64 = 10
        /// A retry that is further off than this, in milliseconds, parks its lane.
        static let parkAfter: Int64 = 30_000
        /// Parked lanes; beyond it retries stay in the window, so that the queue waits.
        static let parked = 1_000
        /// Events of a parked lane that are taken in ahead of their turn.
        static let parkedAhead = 256
    }

    /// How the order is kept.
    enum Order: String { case channel, total, none }

    /// What does not change while a session lasts.
    struct Settings: Equatable {
        var order: Order = .channel
        var isPipelined = false
        /// Counted attempts before the dead letter.
        var maxAttempts: Int64 = 8
        /// Milliseconds without progress after which the plugin counts as hung.
        var ackDeadline: Int64 = 60_000
    }

    enum State: UInt8 { case waiting, ready, taken, launched, retry, settled }

    struct Slot {
        var position: Int64
        var lane: Int32
        var state: State
        /// A dead letter that is tried once more.
        var isRedrive = false
    }

    /// A delivery that was written to the plugin.
    struct InFlightDelivery {
        /// Answered: the plugin settled it, and it waits for what it caused.
        enum State: UInt8 { case held, answered, retry, done, void }
        var delivery: Int64
        var slot: Int
        /// Milliseconds on the monotonic clock.
        var launched: Int64
        var state: State
        /// Commands that it caused are not decided: the plugin may be waiting for them.
        var isWaiting = false
        /// Whether it counts in the window, be it with the plugin or not.
        var isOut: Bool { state == .held || state == .answered }
    }

    struct Lane {
        var key: String
        /// Open slots.
        var open = 0
        /// Nothing of this lane goes out: one is out already, or a retry waits.
        var isBlocked = false
        /// Slots behind the one that blocks, in order.
        var waiting: Deque<Int> = []
        /// It is read apart from the log's order, as a ``ParkedLane``.
        var isParked = false
    }

    /// What is remembered of an event that was delivered more than once, or will be.
    struct Attempts: Equatable {
        var deliveries: Int64 = 0
        var counted: Int64 = 0
        /// Deliveries that were taken back as an earlier event of the lane failed: the plugin judged none of them.
        var voided: Int64 = 0
        /// Deliveries that the plugin judged, or during which its process ended.
        var tries: Int64 { max(1, deliveries - voided) }
        /// When it is due, on the monotonic clock; nil while it is not under retry.
        var due: Int64?
        /// The wait for this try was longer than ``Limit/parkAfter`` when it began, whether the lane was parked or not.
        var isLongWait = false
        var code = ""
        var message = ""
        /// Unix milliseconds of the first failure.
        var first: Int64 = 0
    }

    let settings: Settings
    /// Unsettled events the plugin wants at most; 0 holds the queue.
    var window: Int
    /// The position up to which the log was looked through.
    var scanned: Int64
    /// Deliveries that are out.
    var held = 0
    /// Those of them that the plugin has answered.
    var answered = 0
    /// Those of the others that wait for commands.
    var waiting = 0
    /// Slots taken, but not launched yet.
    var taken = 0
    /// Settlements by the plugin so far.
    var settlements: Int64 = 0
    /// From when the ack deadline runs, on the monotonic clock.
    var deadlineFrom: Int64 = 0
    /// Since when it stands still, as the plugin may be waiting for commands; nil while it runs.
    var stoppedAt: Int64?
    /// When the window was last raised from 0.
    var openSince: Int64 = 0
    var attempts: [Int64: Attempts] = [:]
    var retries: [Int64: Int] = [:]

    var slots: Deque<Slot> = []
    var firstSlot = 0
    var ready: Deque<Int> = []
    var inFlight: Deque<InFlightDelivery> = []
    var lanes: [Lane] = []
    var freeLanes: [Int32] = []
    var laneIDs: [String: Int32] = [:]
    var resumed: Resumption
    /// Slots that stand behind the cursor: of parked lanes that are being caught up, and of redrives. Their indices are
    /// negative and grow like the others.
    var outOfOrder: [Int: Slot] = [:]
    /// The parkedLanes of those of parked lanes.
    var outOfOrderKeys: [Int: String] = [:]
    var nextOutOfOrder = Int.min / 2
    /// Parked lanes by key.
    var parkedLanes: [String: ParkedLane] = [:]
    /// Slots of redrives by position.
    var redrives: [Int64: Int] = [:]

    /// Where a queue goes on.
    struct Resumption {
        /// All up to here is done.
        var position: Int64
        /// Settled ones above, ascending.
        var settled: [ClosedRange<Int64>] = []
        /// What is known of open events: retries, and those that were held when the last process ended.
        var attempts: [Int64: Attempts] = [:]
        /// Parked lanes by key.
        var parkedLanes: [String: ParkedLane] = [:]

        /// Adds a parked lane as it was kept; all else must be there.
        mutating func add(
            parked key: String, first: Int64, due: Int64?, attempts known: Attempts,
            settled ranges: [ClosedRange<Int64>]
        ) {
            // Events of the lane in a settled range above the cursor are its own to settle: it must be read so far.
            let last = key.hasPrefix("=") ? first : max(first, position, settled.last?.upperBound ?? 0)
            parkedLanes[key] = ParkedLane(next: first, last: last, due: due, settled: Set(ranges.flatMap(Array.init)))
            attempts[first] = known
            attempts[first]?.due = nil
        }
    }

    init(settings: Settings, window: Int, resuming resumption: Resumption) {
        self.settings = settings
        self.window = window
        self.resumed = resumption
        parkedLanes = resumption.parkedLanes
        scanned = resumption.position
    }

    // MARK: Events come in

    /// Whether another event from the log could go out, or is worth reading ahead.
    var wantsEvents: Bool {
        window > 0 && unsettled < window && slots.count < window + Limit.readAhead
    }

    /// Events that count in the window.
    var unsettled: Int { held + taken + retries.count }

    /// The lane of a key; good until ``sweepLanes()``.
    mutating func lane(_ key: String) -> Int32 {
        if settings.order == .none { return -1 }
        let key = settings.order == .total ? "" : key
        if let known = laneIDs[key] { return known }
        let id: Int32
        let lane = Lane(key: key, isParked: parkedLanes[key] != nil)
        if let free = freeLanes.popLast() {
            id = free
            lanes[Int(id)] = lane
        } else {
            id = Int32(lanes.count)
            lanes.append(lane)
        }
        laneIDs[key] = id
        return id
    }

    /// Forgets lanes without open events, where there are many. Lane ids handed out before are void.
    mutating func sweepLanes() {
        guard laneIDs.count > Limit.idleLanes else { return }
        for (key, id) in laneIDs where lanes[Int(id)].open == 0 {
            laneIDs[key] = nil
            freeLanes.append(id)
        }
    }

    /// Takes the next event of the log that passes the filter.
    mutating func offer(position: Int64, lane: Int32) {
        scanned = position
        if isParked(position, lane) { return }
        if isSettledBefore(position) {
            // Behind an open event its lane must be known: if the lane is parked, the parked lane skips it.
            if !slots.isEmpty { slots.append(Slot(position: position, lane: lane, state: .settled)) }
            return
        }
        let index = firstSlot + slots.count
        slots.append(Slot(position: position, lane: lane, state: .waiting))
        if lane >= 0 { lanes[Int(lane)].open += 1 }
        if let known = resumed.attempts.removeValue(forKey: position) {
            attempts[position] = known
            if known.due != nil {
                putUnderRetry(index)
                return
            }
        }
        enqueue(index)
    }

    /// Notes that the log was looked through up to a position without a match.
    mutating func skip(through position: Int64) { scanned = max(scanned, position) }

    mutating func isSettledBefore(_ position: Int64) -> Bool {
        while let first = resumed.settled.first {
            if position < first.lowerBound { return false }
            if position <= first.upperBound { return true }
            resumed.settled.removeFirst()
        }
        return false
    }

    mutating func enqueue(_ index: Int) {
        let lane = Int(slot(index)?.lane ?? -1)
        if lane >= 0 {
            if lanes[lane].isBlocked {
                lanes[lane].waiting.append(index)
                return
            }
            if !pipelines { lanes[lane].isBlocked = true }
        }
        mark(index, .ready)
        ready.append(index)
    }

    /// The slot of an index, or nil where it has left.
    func slot(_ index: Int) -> Slot? {
        if index < 0 { return outOfOrder[index] }
        return index >= firstSlot ? slots[index - firstSlot] : nil
    }

    mutating func mark(_ index: Int, _ state: State) {
        if index < 0 {
            outOfOrder[index]?.state = state
        } else if index >= firstSlot {
            slots[index - firstSlot].state = state
        }
    }

    var pipelines: Bool { settings.isPipelined && settings.order == .channel }

    // MARK: Events go out

    /// The next event that may go out now, or nil. It must be launched or the queue dropped.
    mutating func take() -> (slot: Int, position: Int64)? {
        while let index = ready.first {
            guard let slot = slot(index), slot.state == .ready else {
                ready.removeFirst()
                continue
            }
            guard take(index, slot) else { return nil }
            ready.removeFirst()
            return (index, slot.position)
        }
        return nil
    }

    /// The next of these events that may go out now, before all others; nil where none may.
    mutating func take(oneOf suspects: Set<Int64>) -> (slot: Int, position: Int64)? {
        for at in ready.indices {
            guard let slot = slot(ready[at]), slot.state == .ready, suspects.contains(slot.position) else { continue }
            let index = ready[at]
            guard take(index, slot) else { return nil }
            ready.remove(at: at)
            return (index, slot.position)
        }
        return nil
    }

    private mutating func take(_ index: Int, _ slot: Slot) -> Bool {
        // A retry counts in the window already; a redrive never does so before it is taken.
        let isRetry = retries[slot.position] == index
        guard window > 0, isRetry || unsettled < window else { return false }
        if isRetry { retries[slot.position] = nil }
        mark(index, .taken)
        taken += 1
        return true
    }

    /// Notes that a taken event was written under a delivery number; returns how many-th delivery of it this is.
    mutating func launch(slot index: Int, delivery: Int64, now: Int64) -> Int64 {
        mark(index, .launched)
        taken -= 1
        if held == answered + waiting { (deadlineFrom, stoppedAt) = (now, waiting > 0 ? now : nil) }
        held += 1
        inFlight.append(InFlightDelivery(delivery: delivery, slot: index, launched: now, state: .held))
        guard !attempts.isEmpty, let slot = slot(index), attempts[slot.position] != nil else { return 1 }
        attempts[slot.position]?.due = nil
        attempts[slot.position]?.deliveries += 1
        let count = attempts[slot.position]?.deliveries ?? 1
        let lane = Int(slot.lane)
        if pipelines, lane >= 0, lanes[lane].isBlocked { unblock(lane) }
        return count
    }

    /// Whether a taken event may still be written: a retry in its lane may have called it back meanwhile.
    func isTaken(_ index: Int) -> Bool { slot(index)?.state == .taken }

    /// Lets go what waited behind a lane's first event.
    mutating func unblock(_ lane: Int) {
        lanes[lane].isBlocked = false
        let waiting = lanes[lane].waiting
        lanes[lane].waiting = []
        for index in waiting { enqueue(index) }
    }

    // MARK: What is kept

    /// The position before the first open event: the cursor may stand at the last entry up to it.
    var settledThrough: Int64 { slots.first.map { $0.position - 1 } ?? scanned }

    /// Whether an event up to a position has not gone out yet.
    func hasUndelivered(through position: Int64) -> Bool {
        if scanned < position { return true }
        for slot in slots {
            if slot.position > position { return false }
            if slot.state == .waiting || slot.state == .ready || slot.state == .taken { return true }
        }
        return false
    }

    /// Settled events above the cursor, as ranges of positions without an open one between.
    var settledRanges: [ClosedRange<Int64>] {
        var ranges: [ClosedRange<Int64>] = []
        var start: Int64?
        var last: Int64 = 0
        for slot in slots {
            if slot.state == .settled {
                start = start ?? slot.position
                last = slot.position
            } else if let from = start {
                ranges.append(from...last)
                start = nil
            }
        }
        if let start { ranges.append(start...last) }
        return ranges + resumed.settled.filter { $0.lowerBound > scanned }
    }

    /// What the next session of this host should know of the open events: retries, and what the plugin held at its end.
    var openAttempts: [Int64: Attempts] {
        var open = attempts.merging(resumed.attempts) { mine, _ in mine }
        for flight in inFlight where flight.isOut {
            guard let position = slot(flight.slot)?.position else { continue }
            if open[position] == nil { open[position] = Attempts(deliveries: 1) }
        }
        return open
    }
}
