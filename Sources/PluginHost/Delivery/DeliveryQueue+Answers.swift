import CrowbarCore
import DequeModule

// What comes back from the plugin: settlements, failures, and the retries that follow.
extension DeliveryQueue {
    /// The flight of a delivery, or nil where it is unknown, of another queue, or long settled.
    func flight(_ delivery: Int64) -> Int? {
        var (low, high) = (0, inFlight.count)
        while low < high {
            let middle = (low + high) / 2
            if inFlight[middle].delivery < delivery { low = middle + 1 } else { high = middle }
        }
        return low < inFlight.count && inFlight[low].delivery == delivery ? low : nil
    }

    /// The position of an unsettled or void delivery, or nil.
    func position(of delivery: Int64) -> Int64? {
        guard let at = flight(delivery), inFlight[at].state != .done else { return nil }
        return slot(inFlight[at].slot)?.position
    }

    /// Positions of the events that the plugin holds, ascending.
    var heldPositions: [Int64] {
        inFlight.compactMap { $0.state == .held ? slot($0.slot)?.position : nil }.sorted()
    }

    /// Whether a delivery is held by the plugin.
    func holds(_ delivery: Int64) -> Bool { flight(delivery).map { inFlight[$0].state == .held } ?? false }

    /// The oldest delivery that may still be settled, or nil.
    var firstDelivery: Int64? { inFlight.first?.delivery }

    /// Held deliveries up to one, oldest first.
    func held(upTo delivery: Int64) -> [Int64] {
        var found: [Int64] = []
        for flight in inFlight {
            if flight.delivery > delivery { break }
            if flight.state == .held { found.append(flight.delivery) }
        }
        return found
    }

    /// Notes that the plugin has settled a delivery which cannot be settled yet, for what it caused is not decided: no
    /// deadline runs for it any more, and it has no part in a crash. False where it is not held.
    mutating func answer(_ delivery: Int64, now: Int64) -> Bool {
        guard let at = flight(delivery), inFlight[at].state == .held else { return false }
        endWait(at)
        inFlight[at].state = .answered
        answered += 1
        progress(now)
        return true
    }

    /// Settles one delivery; false where it is not out (settled before, void, under retry, unknown).
    mutating func settle(_ delivery: Int64, now: Int64) -> Bool {
        guard let at = flight(delivery), inFlight[at].isOut else { return false }
        settleFlight(at)
        progress(now)
        trim()
        return true
    }

    /// Settles all held deliveries up to one; returns how many.
    mutating func settle(upTo delivery: Int64, now: Int64) -> Int {
        var count = 0
        var at = 0
        while at < inFlight.count, inFlight[at].delivery <= delivery {
            if inFlight[at].state == .held {
                settleFlight(at)
                count += 1
            }
            at += 1
        }
        if count > 0 { progress(now) }
        trim()
        return count
    }

    mutating func settleFlight(_ at: Int) {
        takeBack(at, .done)
        settlements += 1
        close(inFlight[at].slot)
    }

    /// Notes that a delivery is not out any more.
    private mutating func takeBack(_ at: Int, _ state: InFlightDelivery.State) {
        endWait(at)
        if inFlight[at].state == .answered { answered -= 1 }
        inFlight[at].state = state
        held -= 1
    }

    /// Marks a slot settled and lets its lane go on.
    mutating func close(_ index: Int) {
        guard let slot = slot(index) else { return }
        if !attempts.isEmpty { attempts[slot.position] = nil }
        let lane = Int(slot.lane)
        if index < 0 {
            closeSide(index, slot)
        } else {
            slots[index - firstSlot].state = .settled
        }
        guard lane >= 0 else { return }
        lanes[lane].open -= 1
        // A pipelined lane is blocked by a retry alone, and goes on when that has gone out again.
        if pipelines || !lanes[lane].isBlocked { return }
        lanes[lane].isBlocked = false
        if let next = lanes[lane].waiting.popFirst() { enqueue(next) }
    }

    /// Settles the one event that the plugin held when it crashed.
    mutating func abandon(position: Int64) {
        guard let at = inFlight.firstIndex(where: { $0.state == .held && slot($0.slot)?.position == position })
        else { return }
        endWait(at)
        inFlight[at].state = .done
        held -= 1
        close(inFlight[at].slot)
        trim()
    }

    mutating func trim() {
        while let first = inFlight.first, first.state == .done || first.state == .void || first.state == .retry {
            inFlight.removeFirst()
        }
        while let first = slots.first, first.state == .settled {
            slots.removeFirst()
            firstSlot += 1
        }
    }

    /// What became of a failed delivery.
    enum Failure: Equatable {
        /// It is tried again; deliveries of its lane up to this number are void (pipelined queues only).
        case retrying(voidThrough: Int64?)
        /// It was tried often enough: settled, to be dead-lettered; deliveries of its lane up to this number are void.
        case exhausted(position: Int64, Attempts, voidThrough: Int64?)
        /// The delivery is not held.
        case unknown
    }

    /// Puts a delivery under retry, or gives it up.
    /// - Parameters:
    ///   - due: When, on the monotonic clock.
    ///   - isCounted: Whether it uses up an attempt.
    ///   - unixNow: Unix milliseconds, for the dead letter.
    mutating func fail(
        _ delivery: Int64, due: Int64, isCounted: Bool, code: String, message: String, now: Int64, unixNow: Int64
    ) -> Failure {
        guard let at = flight(delivery), inFlight[at].state == .held else { return .unknown }
        let index = inFlight[at].slot
        guard let slot = slot(index) else { return .unknown }
        let position = slot.position
        var record = attempts[position] ?? Attempts(deliveries: 1, first: unixNow)
        if record.first == 0 { record.first = unixNow }
        if isCounted { record.counted += 1 }
        record.code = code
        record.message = message
        record.isLongWait = due - now > Limit.parkAfter
        if slot.isRedrive {
            settleFlight(at)
            progress(now)
            trim()
            return .exhausted(position: position, record, voidThrough: nil)
        }
        let through = pipelines ? void(lane: slot.lane, above: at) : nil
        if record.counted >= settings.maxAttempts {
            settleFlight(at)
            progress(now)
            if pipelines { unblock(Int(slot.lane)) }
            trim()
            return .exhausted(position: position, record, voidThrough: through)
        }
        endWait(at)
        inFlight[at].state = .retry
        held -= 1
        progress(now)
        if parks(slot, due: due, now: now) {
            attempts[position] = record
            park(index, slot, due: due)
        } else {
            record.due = due
            attempts[position] = record
            putUnderRetry(index)
        }
        trim()
        return .retrying(voidThrough: through)
    }

    /// How many-th counted attempt a failure of this delivery would be, from 1.
    func countedAttempts(_ delivery: Int64) -> Int64 {
        guard let position = position(of: delivery) else { return 1 }
        return (attempts[position]?.counted ?? 0) + 1
    }

    /// How many of the earlier deliveries of an event used up no attempt.
    /// - Parameter attempt: How many-th delivery this one is.
    func uncountedDeliveries(slot index: Int, before attempt: Int64) -> Int64 {
        guard attempt > 1, let slot = slot(index), let record = attempts[slot.position] else { return 0 }
        return max(0, attempt - 1 - record.counted)
    }

    mutating func putUnderRetry(_ index: Int) {
        guard let slot = slot(index) else { return }
        mark(index, .retry)
        retries[slot.position] = index
        if slot.lane >= 0 { lanes[Int(slot.lane)].isBlocked = true }
    }

    /// Takes back what went out on a lane behind a flight; it waits until that one has gone out again.
    mutating func void(lane: Int32, above at: Int) -> Int64? {
        guard lane >= 0 else { return nil }
        var back: [Int] = []
        let through = inFlight.last?.delivery
        for other in (at + 1)..<max(at + 1, inFlight.count) where inFlight[other].isOut {
            let index = inFlight[other].slot
            guard let slot = slot(index), slot.lane == lane else { continue }
            takeBack(other, .void)
            mark(index, .waiting)
            // Delivered once more under a new number, which must say so.
            if attempts[slot.position] == nil { attempts[slot.position] = Attempts(deliveries: 1) }
            attempts[slot.position]?.voided += 1
            back.append(index)
        }
        // A retry further on in the lane waits for this one.
        for (position, index) in retries where index > inFlight[at].slot {
            guard slot(index)?.lane == lane else { continue }
            mark(index, .waiting)
            retries[position] = nil
            attempts[position]?.due = nil
            back.append(index)
        }
        back += callBack(lane)
        lanes[Int(lane)].waiting = Deque((back + Array(lanes[Int(lane)].waiting)).sorted())
        return through
    }

    /// Takes back what of a lane was about to go out.
    private mutating func callBack(_ lane: Int32) -> [Int] {
        var back: [Int] = []
        for index in ready where slot(index).map({ $0.lane == lane && $0.state == .ready }) ?? false {
            mark(index, .waiting)
            back.append(index)
        }
        // It will stand there again, in its turn.
        if !back.isEmpty { ready = Deque(ready.filter { slot($0)?.state == .ready }) }
        // Those whose bytes are being read again: few, and only while there are any.
        if taken > 0 {
            for index in firstSlot..<firstSlot + slots.count where isTaken(index) && slot(index)?.lane == lane {
                mark(index, .waiting)
                taken -= 1
                back.append(index)
            }
            for index in outOfOrder.keys where isTaken(index) && slot(index)?.lane == lane {
                mark(index, .waiting)
                taken -= 1
                back.append(index)
            }
        }
        return back
    }

    /// Makes retries ready, and parked lanes, whose time has come.
    mutating func wakeRetries(now: Int64) {
        for (key, parkedLane) in parkedLanes where parkedLane.due.map({ $0 <= now }) ?? false {
            parkedLanes[key]?.due = nil
        }
        guard !retries.isEmpty else { return }
        // In front of all others: they count in the window already, so that others may wait for them.
        for (position, index) in retries.sorted(by: { $0.key > $1.key })
        where slot(index)?.state == .retry && (attempts[position]?.due ?? 0) <= now {
            mark(index, .ready)
            ready.prepend(index)
        }
    }

    /// Makes due what waits for another try.
    mutating func hasten(now: Int64) {
        for (key, parkedLane) in parkedLanes { parkedLanes[key]?.due = parkedLane.due.map { min($0, now) } }
        for position in retries.keys {
            guard let due = attempts[position]?.due else { continue }
            attempts[position]?.due = min(due, now)
        }
        resumed.attempts = resumed.attempts.mapValues { known in
            var known = known
            known.due = known.due.map { min($0, now) }
            return known
        }
    }

    /// When the next retry or parked lane is due, on the monotonic clock.
    var nextRetry: Int64? {
        var next: Int64?
        for (position, index) in retries where slot(index)?.state == .retry {
            let due = attempts[position]?.due ?? 0
            next = min(next ?? due, due)
        }
        for parkedLane in parkedLanes.values {
            if let due = parkedLane.due { next = min(next ?? due, due) }
        }
        return next
    }
}
