import Testing

@testable import PluginHost

/// What a delivery says of the earlier ones.
@Suite struct CountedAttemptTests {
    /// What each delivery that may go out now says of itself, as `position#attempt-uncounted`.
    private func deliver(_ queue: inout DeliveryQueue, from first: Int64) -> [String] {
        var out: [String] = []
        while let taken = queue.take() {
            let attempt = queue.launch(slot: taken.slot, delivery: first + Int64(out.count), now: 0)
            let uncounted = queue.uncountedDeliveries(slot: taken.slot, before: attempt)
            out.append("\(taken.position)#\(attempt)-\(uncounted)")
        }
        return out
    }

    private func queue(_ resumption: DeliveryQueue.Resumption = .init(position: 0)) -> DeliveryQueue {
        DeliveryQueue(
            settings: .init(order: .channel, isPipelined: false, maxAttempts: 8), window: 256, resuming: resumption)
    }

    /// Whatever process of the plugin they went to, it knows which of them used up an attempt.
    @Test func aDeliverySaysHowManyUsedUpNoAttempt() {
        var queue = queue()
        queue.offer(position: 1, lane: queue.lane("a"))
        #expect(deliver(&queue, from: 1) == ["1#1-0"])
        let outcomes = [(false, "1#2-1"), (true, "1#3-1"), (false, "1#4-2"), (false, "1#5-3"), (true, "1#6-3")]
        for (i, (isCounted, text)) in outcomes.enumerated() {
            let failure = queue.fail(
                Int64(i) + 1, due: 0, isCounted: isCounted, code: "x", message: "", now: 0, unixNow: 0)
            #expect(failure == .retrying(voidThrough: nil))
            queue.wakeRetries(now: 0)
            #expect(deliver(&queue, from: Int64(i) + 2) == [text])
        }
        // Another process of the host goes on from what was stored.
        var later = self.queue(.init(position: 0, settled: [], attempts: queue.openAttempts))
        later.offer(position: 1, lane: later.lane("a"))
        later.wakeRetries(now: 0)
        #expect(deliver(&later, from: 1) == ["1#7-4"])
    }
}
