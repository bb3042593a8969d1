import CrowbarCore
import DequeModule

// What comes back from the plugin: settlements, failures, and the retries that follow.
extension DeliveryQueue {
    /// The flight of a delivery, or nil where it is unknown, of another queue, or long settled.
    func flight(_ delivery: Int64) -> Int? {
        var (low, high) = (0, flights.count)
        while low < high {
            let middle = (low + high) / 2
            if flights[middle].delivery < delivery { low = middle + 1 } else { high = middle }
        }
        return low < flights.count && flights[low].delivery == delivery ? low : nil
    }

    /// The position of an unsettled or void delivery, or nil.
    func position(of delivery: Int64) -> Int64? {
        guard let at = flight(delivery), flights[at].state != .done else { return nil }
        let index = flights[at].slot
        return index >= firstSlot ? slots[index - firstSlot].position : nil
    }

    /// Whether a delivery is held by the plugin.
    func holds(_ delivery: Int64) -> Bool { flight(delivery).map { flights[$0].state == .held } ?? false }

    /// The oldest delivery that may still be settled, or nil.
    var firstDelivery: Int64? { flights.first?.delivery }

    /// Held deliveries up to one, oldest first.
    func held(upTo delivery: Int64) -> [Int64] {
        var found: [Int64] = []
        for flight in flights {
            if flight.delivery > delivery { break }
            if flight.state == .held { found.append(flight.delivery) }
        }
        return found
    }

    /// Settles one delivery; false where it is not held (settled before, void, under retry, unknown).
    mutating func settle(_ delivery: Int64, now: Int64) -> Bool {
        guard let at = flight(delivery), flights[at].state == .held else { return false }
        settleFlight(at)
        deadlineFrom = now
        trim()
        return true
    }

    /// Settles all held deliveries up to one; returns how many.
    mutating func settle(upTo delivery: Int64, now: Int64) -> Int {
        var count = 0
        var at = 0
        while at < flights.count, flights[at].delivery <= delivery {
            if flights[at].state == .held {
                settleFlight(at)
                count += 1
            }
            at += 1
        }
        if count > 0 { deadlineFrom = now }
        trim()
        return count
    }

    mutating func settleFlight(_ at: Int) {
        flights[at].state = .done
        held -= 1
        settlements += 1
        close(flights[at].slot)
    }

    /// Marks a slot settled and lets its lane go on.
    mutating func close(_ index: Int) {
        let at = index - firstSlot
        slots[at].state = .settled
        if !attempts.isEmpty { attempts[slots[at].position] = nil }
        let lane = Int(slots[at].lane)
        guard lane >= 0 else { return }
        lanes[lane].open -= 1
        // A pipelined lane is blocked by a retry alone, and goes on when that has gone out again.
        if pipelines || !lanes[lane].isBlocked { return }
        lanes[lane].isBlocked = false
        if let next = lanes[lane].waiting.popFirst() { enqueue(next) }
    }

    mutating func trim() {
        while let first = flights.first, first.state == .done || first.state == .void || first.state == .retry {
            flights.removeFirst()
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
        guard let at = flight(delivery), flights[at].state == .held else { return .unknown }
        let index = flights[at].slot
        let position = slots[index - firstSlot].position
        var record = attempts[position] ?? Attempts(deliveries: 1, first: unixNow)
        if record.first == 0 { record.first = unixNow }
        if isCounted { record.counted += 1 }
        record.code = code
        record.message = message
        deadlineFrom = now
        let through = pipelines ? void(lane: slots[index - firstSlot].lane, above: at) : nil
        if record.counted >= settings.maxAttempts {
            settleFlight(at)
            if pipelines { unblock(Int(slots[index - firstSlot].lane)) }
            trim()
            return .exhausted(position: position, record, voidThrough: through)
        }
        record.due = due
        attempts[position] = record
        flights[at].state = .retry
        held -= 1
        putUnderRetry(index)
        trim()
        return .retrying(voidThrough: through)
    }

    /// How many-th counted attempt a failure of this delivery would be, from 1.
    func countedAttempts(_ delivery: Int64) -> Int64 {
        guard let position = position(of: delivery) else { return 1 }
        return (attempts[position]?.counted ?? 0) + 1
    }

    mutating func putUnderRetry(_ index: Int) {
        slots[index - firstSlot].state = .retry
        retries[slots[index - firstSlot].position] = index
        let lane = Int(slots[index - firstSlot].lane)
        if lane >= 0 { lanes[lane].isBlocked = true }
    }

    /// Takes back what went out on a lane behind a flight; it waits until that one has gone out again.
    mutating func void(lane: Int32, above at: Int) -> Int64? {
        guard lane >= 0 else { return nil }
        var back: [Int] = []
        let through = flights.last?.delivery
        for other in (at + 1)..<max(at + 1, flights.count) where flights[other].state == .held {
            let index = flights[other].slot
            guard slots[index - firstSlot].lane == lane else { continue }
            flights[other].state = .void
            held -= 1
            slots[index - firstSlot].state = .waiting
            let position = slots[index - firstSlot].position
            // Delivered once more under a new number, which must say so.
            if attempts[position] == nil { attempts[position] = Attempts(deliveries: 1) }
            back.append(index)
        }
        // A retry further on in the lane waits for this one.
        for (position, index) in retries where index > flights[at].slot {
            guard slots[index - firstSlot].lane == lane else { continue }
            slots[index - firstSlot].state = .waiting
            retries[position] = nil
            attempts[position]?.due = nil
            back.append(index)
        }
        for index in ready where index >= firstSlot && slots[index - firstSlot].lane == lane {
            guard slots[index - firstSlot].state == .ready else { continue }
            slots[index - firstSlot].state = .waiting
            back.append(index)
        }
        lanes[Int(lane)].waiting = Deque((back + Array(lanes[Int(lane)].waiting)).sorted())
        return through
    }

    /// Makes retries ready whose time has come.
    mutating func wakeRetries(now: Int64) {
        guard !retries.isEmpty else { return }
        for (position, index) in retries.sorted(by: { $0.key < $1.key })
        where slots[index - firstSlot].state == .retry && (attempts[position]?.due ?? 0) <= now {
            slots[index - firstSlot].state = .ready
            ready.append(index)
        }
    }

    /// When the next retry is due, on the monotonic clock.
    var nextRetry: Int64? {
        var next: Int64?
        for (position, index) in retries where slots[index - firstSlot].state == .retry {
            let due = attempts[position]?.due ?? 0
            next = min(next ?? due, due)
        }
        return next
    }
}
