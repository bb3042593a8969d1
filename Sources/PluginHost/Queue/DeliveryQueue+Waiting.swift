// What the operator is shown of retries.
extension DeliveryQueue {
    /// What waits for another try.
    struct Waiting: Equatable {
        /// Events under retry, and parked lanes.
        var count = 0
        /// Parked lanes among them.
        var parked = 0
        /// Of what was tried most often: its tries, and why the last one failed.
        var deliveries: Int64 = 0
        var code = ""
        var message = ""
        /// The channel (`#general`) or user (`@ann`) whose events wait behind it; empty where no order is kept.
        var lane = ""

        /// Why it waits, in words; nil where nothing does.
        var reason: String? {
            if count == 0 { return nil }
            let tries = deliveries == 1 ? "1 try" : "\(deliveries) tries"
            let words = [code, message].filter { !$0.isEmpty }.joined(separator: ": ")
            let waits = lane.isEmpty ? "waits" : "\(lane) waits"
            return waits + (words.isEmpty ? " for another try" : " for another try after \(tries): \(words)")
        }

        /// - Parameter key: The lane's key, or that of a single event.
        mutating func add(_ attempts: Attempts?, isParked: Bool, key: String = "") {
            count += 1
            if isParked { parked += 1 }
            guard let attempts, attempts.deliveries > deliveries || code.isEmpty else { return }
            (deliveries, code, message) = (attempts.deliveries, attempts.code, attempts.message)
            lane = key.hasPrefix("=") ? "" : key
        }
    }

    /// What waits for another try now.
    var waitingForRetry: Waiting {
        var waiting = Waiting()
        for (position, index) in retries {
            guard let slot = slot(index), slot.state == .retry else { continue }
            let key = sideKeys[index] ?? (slot.lane >= 0 ? lanes[Int(slot.lane)].key : "")
            waiting.add(attempts[position], isParked: false, key: key)
        }
        for (key, strand) in strands {
            let first = strand.open.first.flatMap { side[$0]?.position } ?? strand.next
            waiting.add(attempts[first] ?? resumed.attempts[first], isParked: true, key: key)
        }
        return waiting
    }
}
