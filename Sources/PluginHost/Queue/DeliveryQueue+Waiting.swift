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

        /// Why it waits, in words; nil where nothing does.
        var reason: String? {
            if count == 0 { return nil }
            let tries = deliveries == 1 ? "1 try" : "\(deliveries) tries"
            let words = [code, message].filter { !$0.isEmpty }.joined(separator: ": ")
            return words.isEmpty ? "waits for another try" : "waits for another try after \(tries): \(words)"
        }

        mutating func add(_ attempts: Attempts?, isParked: Bool) {
            count += 1
            if isParked { parked += 1 }
            guard let attempts, attempts.deliveries > deliveries || code.isEmpty else { return }
            (deliveries, code, message) = (attempts.deliveries, attempts.code, attempts.message)
        }
    }

    /// What waits for another try now.
    var waitingForRetry: Waiting {
        var waiting = Waiting()
        for (position, index) in retries where slot(index)?.state == .retry {
            waiting.add(attempts[position], isParked: false)
        }
        for strand in strands.values {
            let first = strand.open.first.flatMap { side[$0]?.position } ?? strand.next
            waiting.add(attempts[first] ?? resumed.attempts[first], isParked: true)
        }
        return waiting
    }
}
