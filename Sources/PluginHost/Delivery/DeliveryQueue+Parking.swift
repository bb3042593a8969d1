import DequeModule

// Lanes whose next try is far off leave the log's order, so that the cursor can move on, and come back by the index.
extension DeliveryQueue {
    /// The key of a single event where no order is kept.
    static func key(ofEvent position: Int64) -> String { "=\(position)" }

    /// The key of a slot's lane.
    private func key(_ slot: Slot) -> String {
        slot.lane >= 0 ? lanes[Int(slot.lane)].key : Self.key(ofEvent: slot.position)
    }

    private mutating func addSide(_ slot: Slot, _ key: String) -> Int {
        let index = nextOutOfOrder
        nextOutOfOrder += 1
        outOfOrder[index] = slot
        outOfOrderKeys[index] = key
        return index
    }

    private mutating func removeSide(_ index: Int) {
        outOfOrder[index] = nil
        outOfOrderKeys[index] = nil
    }

    /// Whether an event of the log is a parked lane's, which is told of it.
    mutating func isParked(_ position: Int64, _ lane: Int32) -> Bool {
        if parkedLanes.isEmpty { return false }
        if lane >= 0 {
            guard lanes[Int(lane)].isParked else { return false }
            parkedLanes[lanes[Int(lane)].key]?.last = position
        } else if parkedLanes[Self.key(ofEvent: position)] == nil {
            return false
        }
        // Behind an open event its place is kept, so that what the parked lane settles is remembered above the cursor.
        if !slots.isEmpty { slots.append(Slot(position: position, lane: -1, state: .settled)) }
        return true
    }

    /// Whether a failed event's lane is to be parked.
    func parks(_ slot: Slot, due: Int64, now: Int64) -> Bool {
        guard due - now > Limit.parkAfter, settings.order != .total else { return false }
        return parkedLanes.count < Limit.parked || parkedLanes[key(slot)] != nil
    }

    /// Parks the lane of an event; what of it is held by the plugin stays with the plugin.
    mutating func park(_ index: Int, _ slot: Slot, due: Int64) {
        let key = outOfOrderKeys[index] ?? key(slot)
        var parkedLane =
            parkedLanes[key] ?? ParkedLane(next: slot.position, last: slot.lane >= 0 ? scanned : slot.position)
        parkedLane.next = slot.position
        parkedLane.due = due
        parkedLane.isReading = false
        if index < 0 {
            for open in parkedLane.open where open == index || outOfOrder[open]?.state != .launched { drop(open) }
            parkedLane.open.removeAll { outOfOrder[$0] == nil }
        } else {
            move(index, slot, key, to: &parkedLane)
        }
        let first = parkedLane.open.first.flatMap { outOfOrder[$0]?.position } ?? parkedLane.next
        parkedLane.settled = parkedLane.settled.filter { $0 > first }
        if slot.lane >= 0 {
            lanes[Int(slot.lane)].isParked = true
            lanes[Int(slot.lane)].isBlocked = false
            lanes[Int(slot.lane)].waiting = []
            lanes[Int(slot.lane)].open = parkedLane.open.count
        }
        parkedLanes[key] = parkedLane
    }

    private mutating func drop(_ index: Int) {
        if outOfOrder[index]?.state == .taken { taken -= 1 }
        if let position = outOfOrder[index]?.position, retries[position] == index { retries[position] = nil }
        removeSide(index)
    }

    /// Takes a lane's slots out of the log's order.
    private mutating func move(_ index: Int, _ slot: Slot, _ key: String, to parkedLane: inout ParkedLane) {
        slots[index - firstSlot].state = .settled
        guard slot.lane >= 0 else { return }
        var moved: [Int: Int] = [:]
        for at in slots.indices where slots[at].lane == slot.lane && slots[at].position != slot.position {
            switch slots[at].state {
            case .launched:
                let index = addSide(slots[at], key)
                moved[firstSlot + at] = index
                parkedLane.open.append(index)
            case .settled: parkedLane.settled.insert(slots[at].position)
            case .taken: taken -= 1
            case .retry: retries[slots[at].position] = nil
            case .waiting, .ready: break
            }
            slots[at].state = .settled
        }
        if moved.isEmpty { return }
        for at in inFlight.indices where inFlight[at].isOut {
            if let now = moved[inFlight[at].slot] { inFlight[at].slot = now }
        }
    }

    // MARK: Catching up

    /// A part of a parked lane that should be read now, from `from` to `through`; ``takeIn(_:_:through:)`` must follow,
    /// or ``failedToRead(_:)``.
    mutating func revival() -> (key: String, from: Int64, through: Int64)? {
        if parkedLanes.isEmpty || window == 0 || unsettled >= window { return nil }
        var best: (key: String, parkedLane: ParkedLane)?
        for (key, parkedLane) in parkedLanes {
            guard parkedLane.due == nil, !parkedLane.isReading, parkedLane.next <= parkedLane.last,
                parkedLane.open.count < Limit.parkedAhead
            else { continue }
            if parkedLane.next < best?.parkedLane.next ?? .max { best = (key, parkedLane) }
        }
        guard let (key, parkedLane) = best else { return nil }
        parkedLanes[key]?.isReading = true
        return (key, parkedLane.next, parkedLane.last)
    }

    /// Puts what was read of a lane behind its open events.
    /// - Parameters:
    ///   - positions: Those that pass the filter, ascending.
    ///   - through: The position up to which the lane was looked through.
    mutating func takeIn(_ key: String, _ positions: [Int64], through: Int64) {
        // It may have been parked again while it was read.
        guard var parkedLane = parkedLanes[key], parkedLane.isReading else { return }
        parkedLane.isReading = false
        let lane = settings.order == .none ? -1 : lane(key)
        for position in positions where position >= parkedLane.next && !parkedLane.settled.contains(position) {
            let index = addSide(Slot(position: position, lane: lane, state: .waiting), key)
            parkedLane.open.append(index)
            if lane >= 0 { lanes[Int(lane)].open += 1 }
            if let known = resumed.attempts.removeValue(forKey: position) { attempts[position] = known }
            attempts[position]?.due = nil
            enqueue(index)
        }
        parkedLane.next = max(parkedLane.next, through + 1)
        parkedLanes[key] = parkedLane
        finish(key)
    }

    /// Lets a part be asked for again that could not be read.
    mutating func failedToRead() {
        for key in parkedLanes.keys { parkedLanes[key]?.isReading = false }
    }

    /// Removes a settled slot from its parked lane.
    mutating func closeSide(_ index: Int, _ slot: Slot) {
        let key = outOfOrderKeys[index] ?? ""
        removeSide(index)
        if slot.isRedrive {
            redrives[slot.position] = nil
            return
        }
        guard var parkedLane = parkedLanes[key] else { return }
        parkedLane.open.removeAll { $0 == index }
        parkedLane.settled.insert(slot.position)
        let first = parkedLane.open.first.flatMap { outOfOrder[$0]?.position } ?? parkedLane.next
        parkedLane.settled = parkedLane.settled.filter { $0 > first }
        parkedLanes[key] = parkedLane
        finish(key)
    }

    /// Gives a lane back to the log's order once nothing of it is open or unread.
    private mutating func finish(_ key: String) {
        guard let parkedLane = parkedLanes[key], parkedLane.due == nil, !parkedLane.isReading, parkedLane.open.isEmpty,
            parkedLane.next > parkedLane.last
        else { return }
        parkedLanes[key] = nil
        if let id = laneIDs[key] { lanes[Int(id)].isParked = false }
    }

    /// A parked lane as it is kept.
    struct ParkedState: Equatable {
        var key: String
        /// Its first open event.
        var position: Int64
        /// When it is tried again, on the monotonic clock; nil where it is being caught up.
        var due: Int64?
        var attempts: Attempts
        /// Settled positions behind the first.
        var settled: [ClosedRange<Int64>]
    }

    /// The parked lanes, by key.
    var parkedStates: [ParkedState] {
        parkedLanes.sorted { $0.key < $1.key }.map { key, parkedLane in
            let first = parkedLane.open.first.flatMap { outOfOrder[$0]?.position } ?? parkedLane.next
            var ranges: [ClosedRange<Int64>] = []
            for position in parkedLane.settled.sorted() where position > first {
                if let last = ranges.last, last.upperBound + 1 == position {
                    ranges[ranges.count - 1] = last.lowerBound...position
                } else {
                    ranges.append(position...position)
                }
            }
            let known =
                attempts[first] ?? resumed.attempts[first] ?? Attempts(deliveries: parkedLane.open.isEmpty ? 0 : 1)
            // Its first event may be under a near retry of its own.
            return ParkedState(
                key: key, position: first, due: parkedLane.due ?? known.due, attempts: known, settled: ranges)
        }
    }

    // MARK: Redrives

    /// Delivers a dead letter once more, outside the order.
    mutating func redrive(_ position: Int64) {
        guard redrives[position] == nil else { return }
        let index = addSide(Slot(position: position, lane: -1, state: .ready, isRedrive: true), "")
        redrives[position] = index
        ready.append(index)
    }

    /// Whether a redrive is open.
    var hasRedrives: Bool { !redrives.isEmpty }

    /// Whether a slot is a redrive's.
    func isRedrive(slot index: Int) -> Bool { index < 0 && outOfOrder[index]?.isRedrive ?? false }

    /// Whether a delivery is a redrive's.
    func isRedrive(delivery: Int64) -> Bool { flight(delivery).map { isRedrive(slot: inFlight[$0].slot) } ?? false }

    /// Whether an event is not settled, as far as is known: one that was never looked at counts as open.
    func isOpen(_ position: Int64) -> Bool {
        if scanned < position || redrives[position] != nil { return true }
        if slots.contains(where: { $0.position == position && $0.state != .settled }) { return true }
        if outOfOrder.values.contains(where: { $0.position == position }) { return true }
        return parkedLanes.values.contains {
            $0.next <= position && position <= $0.last && !$0.settled.contains(position)
        }
    }
}
