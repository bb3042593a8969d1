import Testing

@testable import PluginHost

private let far: Int64 = 300_000

@Test func aFarRetryParksItsChannelAndTheCursorMovesOn() {
    let w = QueueWorld()
    w.append("a", "b", "a", "b", "a")
    #expect(w.delivered() == ["1", "2"])
    w.retry(0, after: far)
    w.ack(0)
    #expect(w.delivered() == ["4"])
    w.ack(0)
    w.turn()
    #expect(w.queue.settledThrough == 5)
    #expect(w.queue.unsettled == 0)
    let parked = w.queue.parkedStates
    #expect(parked.map(\.key) == ["#a"])
    #expect(parked.map(\.position) == [1])
    #expect(parked.map(\.due) == [far])
    #expect(parked.map(\.attempts.counted) == [1])
    #expect(w.queue.nextRetry == far)
}

@Test func aParkedChannelIsCaughtUpInOrderAndJoinsTheOthersAgain() {
    let w = QueueWorld()
    w.append("a", "a", "b", "a")
    _ = w.delivered()
    w.retry(0, after: far)
    w.ack(0)
    w.append("a", "b")
    #expect(w.delivered() == ["6"])
    w.ack(0)
    w.now = far
    #expect(w.delivered() == ["1#2"])
    w.append("a")
    for expected in [["2"], ["4"], ["5"], ["7"], []] {
        w.ack(0)
        #expect(w.delivered() == expected)
    }
    #expect(w.queue.parkedStates.isEmpty)
    #expect(w.queue.outOfOrder.isEmpty && w.queue.outOfOrderKeys.isEmpty)
    // Back in the log's order.
    w.append("a", "a")
    #expect(w.delivered() == ["8"])
    #expect(w.queue.settledThrough == 7)
}

@Test func aRetryWithinHalfAMinuteStaysInTheWindow() {
    let w = QueueWorld(window: 2)
    w.append("a", "b", "c", "d")
    #expect(w.delivered() == ["1", "2"])
    w.retry(0, after: DeliveryQueue.Limit.parkAfter)
    #expect(w.delivered() == [])
    #expect(w.queue.parkedStates.isEmpty)
    w.retry(0, after: DeliveryQueue.Limit.parkAfter + 1)
    #expect(w.delivered() == ["3"])
    #expect(w.queue.parkedStates.map(\.key) == ["#b"])
}

@Test func totalNeverParksAndNoneParksTheEventAlone() {
    let total = QueueWorld(order: .total)
    total.append("a", "b")
    #expect(total.delivered() == ["1"])
    total.retry(0, after: far)
    #expect(total.delivered() == [])
    #expect(total.queue.parkedStates.isEmpty)
    #expect(total.queue.settledThrough == 0)

    let none = QueueWorld(order: .none)
    none.append("a", "a", "a")
    #expect(none.delivered() == ["1", "2", "3"])
    none.retry(1, after: far)
    none.ack(0)
    none.ack(0)
    #expect(none.delivered() == [])
    #expect(none.queue.settledThrough == 3)
    #expect(none.queue.parkedStates.map(\.key) == ["=2"])
    none.now = far
    #expect(none.delivered() == ["2#2"])
    none.ack(0)
    none.turn()
    #expect(none.queue.parkedStates.isEmpty)
}

@Test func beyondTheLimitOfParkedLanesTheQueueWaits() {
    let limit = DeliveryQueue.Limit.parked
    let w = QueueWorld(window: 10)
    for i in 0..<limit + 30 { w.append("lane\(i)") }
    var failed = 0
    w.turn()
    while !w.held.isEmpty {
        w.retry(0, after: far)
        failed += 1
        w.turn()
    }
    #expect(w.queue.parkedStates.count == limit)
    #expect(failed == limit + 10)
    #expect(w.queue.unsettled == 10)
    #expect(w.queue.settledThrough == Int64(limit))
    // There is room again once one of them is through.
    w.now = far
    w.turn()
    while !w.held.isEmpty {
        w.ack(0)
        w.turn()
    }
    #expect(w.queue.parkedStates.isEmpty)
    #expect(w.queue.settledThrough == w.head)
}

@Test func whatAPipelinedPluginStillHoldsOfAParkedChannelCanBeSettled() {
    let w = QueueWorld(pipelined: true)
    w.append("a", "a", "a", "a", "b")
    #expect(w.delivered() == ["1", "2", "3", "4", "5"])
    // The fourth is settled before the third fails; the first two are still at work.
    w.ack(3)
    w.retry(2, after: far)
    #expect(w.queue.parkedStates.map(\.position) == [1])
    #expect(w.queue.parkedStates.map(\.settled) == [[4...4]])
    w.ack(0)
    w.ack(0)
    #expect(w.queue.parkedStates.map(\.position) == [3])
    w.ack(0)
    w.turn()
    #expect(w.queue.settledThrough == 5)
    w.now = far
    #expect(w.delivered() == ["3#2"])
    w.ack(0)
    w.turn()
    #expect(w.queue.parkedStates.isEmpty)
}

@Test func anEarlierFailureMovesTheParkedChannelsPlaceBack() {
    let w = QueueWorld(pipelined: true)
    w.append("a", "a")
    _ = w.delivered()
    w.retry(1, after: far)
    w.retry(0, after: far * 2)
    #expect(w.queue.parkedStates.map(\.position) == [1])
    w.now = far
    #expect(w.delivered() == [])
    w.now = far * 2
    #expect(w.delivered() == ["1#2", "2#2"])
}

@Test func aRestartKeepsParkedChannelsAndWhatTheySettled() {
    let w = QueueWorld()
    w.append("b", "a", "a", "a")
    #expect(w.delivered() == ["1", "2"])
    w.retry(1, after: far)
    // The first event is still open: what the parked lane settles stands above the cursor.
    w.now = far
    #expect(w.delivered() == ["2#2"])
    w.ack(1)
    #expect(w.delivered() == ["3"])
    w.ack(1)
    #expect(w.delivered() == ["4"])
    w.crash()
    #expect(w.delivered() == ["1#2", "4#2"])
    w.ack(0)
    w.ack(0)
    w.turn()
    #expect(w.queue.settledThrough == 4)
}

@Test func aRedriveGoesOutBesideTheOrderAndLeavesTheCursorAlone() {
    let w = QueueWorld()
    w.append("a", "a")
    _ = w.delivered()
    w.ack(0)
    w.turn()
    w.queue.redrive(1)
    w.queue.redrive(1)
    var taken: [Int64] = []
    while let next = w.queue.take() {
        #expect(w.queue.isRedrive(slot: next.slot))
        #expect(w.queue.launch(slot: next.slot, delivery: 100, now: 0) == 1)
        taken.append(next.position)
    }
    #expect(taken == [1])
    #expect(w.queue.unsettled == 2)
    #expect(w.queue.isRedrive(delivery: 100))
    let failure = w.queue.fail(100, due: 5, isCounted: false, code: "x", message: "", now: 0, unixNow: 7)
    #expect(
        failure == .exhausted(position: 1, .init(deliveries: 1, code: "x", first: 7), voidThrough: nil))
    #expect(!w.queue.hasRedrives)
    #expect(w.queue.settledThrough == 1)
    #expect(w.queue.parkedStates.isEmpty)
}

/// Whatever is done in whatever order (acks, near and far retries, crashes, restarts, an ever growing log), nothing is
/// lost, nothing settled comes again, order is kept and the cursor passes no open event.
@Test(
    arguments: [(DeliveryQueue.Order.channel, false), (.channel, true), (.none, false), (.total, false)], 0..<60)
func randomPlaysWithParkedLanesAndCrashes(kind: (order: DeliveryQueue.Order, pipelined: Bool), seed: Int) {
    var random = SplitMix(state: UInt64(seed) &* 104_729 &+ 11)
    let w = QueueWorld(order: kind.order, pipelined: kind.pipelined, window: Int.random(in: 1...12, using: &random))
    for _ in 0..<400 {
        w.now += Int64.random(in: 0...20_000, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0...7: w.append(["a", "b", "c", "d"][Int.random(in: 0..<4, using: &random)])
        case 8...13 where !w.held.isEmpty: w.ack(Int.random(in: 0..<w.held.count, using: &random))
        case 14...15 where !w.held.isEmpty:
            w.retry(
                Int.random(in: 0..<w.held.count, using: &random), after: Int64.random(in: 0...20_000, using: &random))
        case 16...17 where !w.held.isEmpty:
            w.retry(
                Int.random(in: 0..<w.held.count, using: &random),
                after: Int64.random(in: 30_001...400_000, using: &random))
        case 18 where Int.random(in: 0..<4, using: &random) == 0: w.crash()
        case 19 where !w.held.isEmpty: w.answer(Int.random(in: 0..<w.held.count, using: &random))
        default: break
        }
        w.turn()
    }
    for _ in 0..<5_000 where w.settled.count < w.lanes.count {
        w.now += 10_000
        w.turn()
        if !w.held.isEmpty { w.ack(0) }
    }
    w.turn()
    #expect(w.settled.count == w.lanes.count)
    #expect(w.queue.settledThrough == w.head)
    #expect(w.queue.parkedStates.isEmpty && w.queue.outOfOrder.isEmpty && w.queue.attempts.isEmpty)
}
