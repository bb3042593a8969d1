import Testing

@testable import PluginHost

/// An event that fails while its channel's others wait behind it: one that is soon tried again, and one that is not,
/// which is told of in every order, also where nothing is parked.
@Test(
    arguments: [
        (.channel, 5000, 0, "#general waits"), (.channel, 30_000, 0, "#general waits"),
        (.channel, 300_000, 1, "#general waits"), (.total, 5000, 0, "waits"), (.total, 300_000, 0, "waits"),
        (.none, 5000, 0, "waits"), (.none, 300_000, 1, "waits"),
    ] as [(DeliveryQueue.Order, Int64, Int, String)])
func whatWaitsOnAnEventIsNamed(order: DeliveryQueue.Order, after: Int64, parked: Int, reason: String) {
    let q = Driven(order: order)
    let lane = order == .none ? nil : "#general"
    if let lane { q.offer((1, lane), (2, lane)) } else { q.queue.offer(position: 1, lane: -1) }
    _ = q.deliver()
    _ = q.retry(1, after: after)
    let waiting = q.queue.waitingForRetry
    #expect(waiting.count == 1 && waiting.parked == parked)
    #expect(waiting.hasLongWait == (after > 30_000))
    #expect(waiting.due == q.now + after && waiting.nextDue == waiting.due)
    // The clock of the test began with the year 1970.
    let time = Timestamp.text(q.now + after)
    #expect(waiting.reason(clockOffset: 0) == "\(reason) for its next try at \(time) after 1 try: x")
    var health = PluginHealth(.live, reason: nil)
    health.note(waiting, clockOffset: 0)
    #expect(health.level == (after > 30_000 ? .degraded : .ok))
}

@Test func thePublicReasonOfAPluginThatReadsPrivateChannelsHasNoText() {
    let waiting = DeliveryQueue.Waiting(
        count: 1, deliveries: 2, code: "busy", message: "secret", lane: "#vault", due: 0)
    let next = "waits for its next try at \(Timestamp.text(0)) after 2 tries: busy"
    #expect(waiting.reason(clockOffset: 0) == "#vault \(next): secret")
    #expect(waiting.reason(clockOffset: 0, isPrivate: true) == next)
}
