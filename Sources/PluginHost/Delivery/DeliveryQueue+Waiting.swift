// What the operator is shown of retries.
extension DeliveryQueue {
    /// What waits for another try.
    struct Waiting: Equatable {
        /// Events under retry, and parked lanes.
        var count = 0
        /// Parked lanes among them.
        var parked = 0
        /// One of them waits for longer than ``Limit/parkAfter``; queues with the order `total` park nothing.
        var hasLongWait = false
        /// Of what was tried most often: its tries, and why the last one failed.
        var deliveries: Int64 = 0
        var code = ""
        var message = ""
        /// The channel (`#general`) or user (`@ann`) whose events wait behind it; empty where no order is kept.
        var lane = ""
        /// When it is tried again, on the monotonic clock.
        var due: Int64?
        /// When the first of all of them is tried again, on the monotonic clock.
        var nextDue: Int64?

        /// Why it waits and until when, in words; nil where nothing does.
        /// - Parameters:
        ///   - clockOffset: What to add to the monotonic clock for Unix time, in milliseconds.
        ///   - isPrivate: Whether the plugin reads private channels: then neither the channel nor the plugin's message,
        ///     which may repeat a text, is said.
        func reason(clockOffset: Int64, isPrivate: Bool = false) -> String? {
            if count == 0 { return nil }
            let tries = deliveries == 1 ? "1 try" : "\(deliveries) tries"
            let words = [code, isPrivate ? "" : message].filter { !$0.isEmpty }.joined(separator: ": ")
            let waits = lane.isEmpty || isPrivate ? "waits" : "\(lane) waits"
            let next = due.map { "its next try at \(Timestamp.text($0 + clockOffset))" } ?? "another try"
            return "\(waits) for \(next)" + (words.isEmpty ? "" : " after \(tries): \(words)")
        }

        /// - Parameters:
        ///   - due: When it is tried again, on the monotonic clock.
        ///   - key: The lane's key, or that of a single event.
        mutating func add(_ attempts: Attempts?, isParked: Bool, due: Int64? = nil, key: String = "") {
            count += 1
            if isParked { parked += 1 }
            if let due { nextDue = min(nextDue ?? due, due) }
            if isParked || attempts?.isLongWait == true { hasLongWait = true }
            guard let attempts, attempts.tries > deliveries || code.isEmpty else { return }
            (deliveries, code, message) = (attempts.tries, attempts.code, attempts.message)
            lane = key.hasPrefix("=") ? "" : key
            self.due = due
        }
    }

    /// What waits for another try now.
    var waitingForRetry: Waiting {
        var waiting = Waiting()
        for (position, index) in retries {
            guard let slot = slot(index), slot.state == .retry else { continue }
            let key = outOfOrderKeys[index] ?? (slot.lane >= 0 ? lanes[Int(slot.lane)].key : "")
            let known = attempts[position]
            waiting.add(known, isParked: false, due: known?.due, key: key)
        }
        for (key, parkedLane) in parkedLanes {
            let first = parkedLane.open.first.flatMap { outOfOrder[$0]?.position } ?? parkedLane.next
            waiting.add(attempts[first] ?? resumed.attempts[first], isParked: true, due: parkedLane.due, key: key)
        }
        return waiting
    }
}
