import Testing

@testable import PluginHost

/// A queue with its deliveries numbered from 1, as a session numbers them.
final class Driven {
    var queue: DeliveryQueue
    var next: Int64 = 1
    var now: Int64 = 0

    init(
        order: DeliveryQueue.Order = .channel, pipelined: Bool = false, window: Int = 256, maxAttempts: Int64 = 8,
        resuming: DeliveryQueue.Resumption = .init(position: 0)
    ) {
        queue = DeliveryQueue(
            settings: .init(order: order, isPipelined: pipelined, maxAttempts: maxAttempts), window: window,
            resuming: resuming)
    }

    func offer(_ events: (position: Int64, lane: String)...) {
        for event in events { queue.offer(position: event.position, lane: queue.lane(event.lane)) }
    }

    /// Everything that may go out now, as `position` or `position#attempt`.
    func deliver() -> [String] {
        var out: [String] = []
        while let taken = queue.take() {
            let attempt = queue.launch(slot: taken.slot, delivery: next, now: now)
            next += 1
            out.append(attempt == 1 ? "\(taken.position)" : "\(taken.position)#\(attempt)")
        }
        return out
    }

    func ack(_ delivery: Int64) -> Bool { queue.settle(delivery, now: now) }

    func answer(_ delivery: Int64) -> Bool { queue.answer(delivery, now: now) }

    func settle(upTo delivery: Int64) -> Int { queue.settle(upTo: delivery, now: now) }

    func retry(_ delivery: Int64, after: Int64 = 100, counted: Bool = true) -> DeliveryQueue.Failure {
        queue.fail(
            delivery, due: now + after, isCounted: counted, code: "x", message: "", now: now, unixNow: 1_000_000 + now)
    }
}

@Test func oneEventAChannelIsOutAndChannelsDoNotWaitForEachOther() {
    let q = Driven()
    q.offer((1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "b"))
    #expect(q.deliver() == ["1", "3"])
    #expect(q.ack(2))
    #expect(q.deliver() == ["5"])
    #expect(q.queue.settledThrough == 0)
    #expect(q.queue.settledRanges == [3...3])
    #expect(q.ack(1))
    #expect(q.deliver() == ["2"])
    #expect(q.queue.settledThrough == 1)
}

@Test(arguments: [(DeliveryQueue.Order.total, ["1"]), (.none, ["1", "2", "3"])])
func orderTotalHasOneOutAndNoneAll(order: DeliveryQueue.Order, expected: [String]) {
    let q = Driven(order: order)
    q.offer((1, "a"), (2, "b"), (3, "a"))
    #expect(q.deliver() == expected)
}

@Test func theWindowBoundsWhatIsUnsettledAndZeroHolds() {
    let q = Driven(pipelined: true, window: 2)
    q.offer((1, "a"), (2, "a"))
    #expect(q.deliver() == ["1", "2"])
    #expect(!q.queue.wantsEvents)
    q.offer((3, "a"))
    #expect(q.deliver() == [])
    q.queue.setWindow(0, now: 0)
    #expect(q.ack(1))
    #expect(q.deliver() == [])
    #expect(q.queue.deadline == nil)
    q.queue.setWindow(3, now: 5)
    #expect(q.deliver() == ["3"])
    #expect(q.queue.deadline == 60_005)
}

@Test func acksOfUnknownFutureSettledAndRetriedDeliveriesDoNothing() {
    let q = Driven()
    q.offer((1, "a"), (2, "b"))
    _ = q.deliver()
    #expect(!q.ack(0))
    #expect(!q.ack(3))
    #expect(q.ack(2))
    #expect(!q.ack(2))
    _ = q.retry(1)
    #expect(!q.ack(1))
    #expect(q.queue.settledThrough == 0)
}

@Test func whatIsAnsweredHasNoDeadlineAndIsNoSuspectButCountsInTheWindow() {
    let q = Driven(window: 2)
    q.offer((1, "a"), (2, "b"), (3, "c"), (4, "b"))
    #expect(q.deliver() == ["1", "2"])
    q.now = 50_000
    #expect(q.answer(1))
    #expect(q.queue.heldPositions == [2])
    // It was a sign of life.
    #expect(q.queue.deadline == 110_000)
    #expect(q.answer(2))
    #expect(q.queue.deadline == nil && q.queue.heldPositions == [])
    #expect(!q.answer(1) && q.retry(1) == .unknown && q.settle(upTo: 2) == 0)
    #expect(q.deliver() == [] && q.queue.settledThrough == 0)
    #expect(q.queue.openAttempts.keys.sorted() == [1, 2])
    q.now = 500_000
    #expect(q.ack(2))
    // The first one that it holds again.
    #expect(q.deliver() == ["3"])
    #expect(q.queue.deadline == 560_000)
    #expect(q.ack(1))
    #expect(q.queue.settledThrough == 2)
}

@Test func aRetryVoidsWhatWasAnsweredBehindIt() {
    let q = Driven(pipelined: true)
    q.offer((1, "a"), (2, "a"))
    #expect(q.deliver() == ["1", "2"])
    #expect(q.answer(2))
    #expect(q.retry(1, after: 0) == .retrying(voidThrough: 2))
    #expect(!q.ack(2))
    #expect(q.queue.deadline == nil && q.queue.unsettled == 1)
    q.queue.wakeRetries(now: 0)
    #expect(q.deliver() == ["1#2", "2#2"])
}

@Test func anAckUpToSettlesAllButWhatIsUnderRetry() {
    let q = Driven(order: .none)
    q.offer((1, "a"), (2, "b"), (3, "c"), (4, "d"))
    _ = q.deliver()
    _ = q.retry(2)
    #expect(q.settle(upTo: 3) == 2)
    #expect(q.queue.settledThrough == 1)
    #expect(q.queue.settledRanges == [3...3])
    #expect(q.queue.unsettled == 2)
}

@Test func aRetryHoldsItsOwnChannelAndComesAgainWhenDue() {
    let q = Driven()
    q.offer((1, "a"), (2, "a"), (3, "b"))
    #expect(q.deliver() == ["1", "3"])
    #expect(q.retry(1, after: 100) == .retrying(voidThrough: nil))
    #expect(q.ack(2))
    #expect(q.queue.nextRetry == 100)
    q.now = 99
    q.queue.wakeRetries(now: 99)
    #expect(q.deliver() == [])
    q.now = 100
    q.queue.wakeRetries(now: 100)
    #expect(q.deliver() == ["1#2"])
    #expect(q.ack(3))
    #expect(q.deliver() == ["2"])
}

@Test func onlyCountedRetriesUseUpAttempts() {
    let q = Driven(maxAttempts: 2)
    q.offer((1, "a"), (2, "a"))
    #expect(q.deliver() == ["1"])
    for delivery in 1...3 {
        #expect(q.retry(Int64(delivery), after: 0, counted: false) == .retrying(voidThrough: nil))
        q.queue.wakeRetries(now: 0)
        #expect(q.deliver() == ["1#\(delivery + 1)"])
    }
    #expect(q.retry(4, after: 0) == .retrying(voidThrough: nil))
    q.queue.wakeRetries(now: 0)
    _ = q.deliver()
    guard case .exhausted(position: 1, let attempts, voidThrough: nil) = q.retry(5) else {
        Issue.record("the second counted failure must be the last")
        return
    }
    #expect(attempts.deliveries == 5)
    #expect(attempts.counted == 2)
    #expect(q.deliver() == ["2"])
    #expect(q.queue.settledThrough == 1)
}

@Test func aPipelinedRetryVoidsWhatWentOutBehindItAndNothingElse() {
    let q = Driven(pipelined: true)
    q.offer((1, "a"), (2, "a"), (3, "b"), (4, "a"))
    #expect(q.deliver() == ["1", "2", "3", "4"])
    #expect(q.ack(1))
    #expect(q.retry(2, after: 50) == .retrying(voidThrough: 4))
    // Void: the acks of 2 and 4 say nothing any more; the other channel's count.
    #expect(!q.ack(4))
    #expect(q.ack(3))
    q.offer((5, "a"), (6, "b"))
    #expect(q.deliver() == ["6"])
    q.now = 50
    q.queue.wakeRetries(now: 50)
    #expect(q.deliver() == ["2#2", "4#2", "5"])
    #expect(q.queue.settledThrough == 1)
    #expect(q.settle(upTo: 20) == 4)
    #expect(q.queue.settledThrough == 6)
}

@Test func anEarlierRetryOfAPipelinedChannelGoesBeforeALaterOne() {
    let q = Driven(pipelined: true)
    q.offer((1, "a"), (2, "a"), (3, "a"))
    _ = q.deliver()
    #expect(q.retry(2, after: 10) == .retrying(voidThrough: 3))
    #expect(q.retry(1, after: 20) == .retrying(voidThrough: 3))
    q.queue.wakeRetries(now: 10)
    #expect(q.deliver() == [])
    q.queue.wakeRetries(now: 20)
    #expect(q.deliver() == ["1#2", "2#2", "3#2"])
}

@Test func anExhaustedPipelinedDeliveryLetsTheVoidedOnesGoOn() {
    let q = Driven(pipelined: true, maxAttempts: 1)
    q.offer((1, "a"), (2, "a"))
    _ = q.deliver()
    guard case .exhausted(position: 1, _, voidThrough: 2) = q.retry(1) else {
        Issue.record("one attempt is all it has")
        return
    }
    #expect(q.deliver() == ["2#2"])
    guard case .exhausted(position: 2, let attempts, _) = q.retry(3) else {
        Issue.record("one attempt is all the second one has")
        return
    }
    // The plugin judged only the second delivery.
    #expect(attempts.deliveries == 2 && attempts.tries == 1)
}

@Test func anEarlierSettlementDoesNotLetAPipelinedRetryGoEarly() {
    let q = Driven(pipelined: true)
    q.offer((1, "a"), (2, "a"), (3, "a"))
    _ = q.deliver()
    _ = q.retry(2, after: 1_000)
    #expect(q.ack(1))
    #expect(q.deliver() == [])
}

@Test func aRestartDeliversOnlyWhatWasOpen() {
    let first = Driven(order: .none)
    first.offer((1, "a"), (2, "b"), (3, "c"), (4, "d"))
    _ = first.deliver()
    for delivery in [1, 3] { #expect(first.ack(Int64(delivery))) }
    _ = first.retry(4, after: 500)
    let resumption = DeliveryQueue.Resumption(
        position: first.queue.settledThrough, settled: first.queue.settledRanges,
        attempts: first.queue.openAttempts)
    #expect(resumption.position == 1)
    let second = Driven(order: .none, resuming: resumption)
    second.offer((2, "b"), (3, "c"), (4, "d"), (5, "e"))
    #expect(second.deliver() == ["2#2", "5"])
    second.queue.wakeRetries(now: 500)
    #expect(second.deliver() == ["4#2"])
}

@Test func theDeadlineRunsFromTheLastProgressAndNotForeverForOneDelivery() {
    let q = Driven(order: .none)
    q.offer((1, "a"), (2, "b"))
    #expect(q.queue.deadline == nil)
    _ = q.deliver()
    #expect(q.queue.deadline == 60_000)
    q.now = 50_000
    #expect(q.ack(2))
    #expect(q.queue.deadline == 110_000)
    q.queue.extendDeadline(to: 200_000)
    #expect(q.queue.deadline == 260_000)
    // Others' progress does not excuse one that is held over ten deadlines.
    q.now = 599_000
    q.offer((3, "c"))
    _ = q.deliver()
    #expect(q.ack(3))
    #expect(q.queue.deadline == 600_000)
    // A time at window 0 is not counted: the plugin was told to hold.
    q.queue.setWindow(0, now: 599_000)
    #expect(q.queue.deadline == nil)
    q.queue.setWindow(2, now: 5_000_000)
    #expect(q.queue.deadline == 5_060_000)
}

@Test func progressWithOthersDoesNotTakeBackThatThePluginNeedsLonger() {
    let q = Driven(order: .none)
    q.offer((1, "a"), (2, "b"))
    _ = q.deliver()
    q.now = 700_000
    q.queue.extendDeadline(to: 760_000)
    #expect(q.ack(2))
    #expect(q.queue.deadline == 760_000)
}

@Test func filteredEventsMoveTheCursor() {
    let q = Driven()
    q.queue.skip(through: 900)
    #expect(q.queue.settledThrough == 900)
    q.offer((901, "a"))
    q.queue.skip(through: 950)
    #expect(q.queue.settledThrough == 900)
    _ = q.deliver()
    #expect(q.ack(1))
    #expect(q.queue.settledThrough == 950)
}

@Test func readAheadIsBounded() {
    let q = Driven(window: 1)
    var position: Int64 = 0
    while q.queue.wantsEvents {
        position += 1
        q.offer((position, "a"))
        if position == 1 { _ = q.deliver() }
        if position > 100_000 { break }
    }
    #expect(position <= Int64(DeliveryQueue.Limit.readAhead) + 1)
}

/// Random plays against the simplest model there is: whatever happens, each channel's events settle in order, none is
/// lost, and the cursor never passes an open event.
@Test(arguments: [false, true], 0..<40) func randomPlays(pipelined: Bool, seed: Int) {
    var random = SplitMix(state: UInt64(seed) &* 7919 &+ (pipelined ? 1 : 0))
    let q = Driven(pipelined: pipelined, window: Int.random(in: 1...20, using: &random), maxAttempts: 1_000)
    let channels = ["a", "b", "c"]
    var channelOf: [Int64: String] = [:]
    var settled: [String: [Int64]] = [:]
    var held: [(delivery: Int64, position: Int64)] = []
    var position: Int64 = 0
    func deliver() {
        while let taken = q.queue.take() {
            _ = q.queue.launch(slot: taken.slot, delivery: q.next, now: q.now)
            held.append((q.next, taken.position))
            q.next += 1
        }
    }
    func settle(_ at: Int) {
        // A pipelined plugin acknowledges each channel in its order; the first of a channel's is always allowed.
        let chosen = held[at]
        let first = held.firstIndex { channelOf[$0.position] == channelOf[chosen.position] } ?? at
        let (delivery, position) = held.remove(at: first)
        if q.ack(delivery) { settled[channelOf[position] ?? "", default: []].append(position) }
    }
    for _ in 0..<600 {
        q.now += Int64.random(in: 0...30, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0...3 where q.queue.wantsEvents:
            position += 1
            let channel = channels[Int.random(in: 0..<3, using: &random)]
            channelOf[position] = channel
            q.offer((position, channel))
        case 4...6 where !held.isEmpty: settle(Int.random(in: 0..<held.count, using: &random))
        case 7 where !held.isEmpty:
            let (delivery, position) = held.remove(at: Int.random(in: 0..<held.count, using: &random))
            if case .retrying(let through) = q.retry(delivery, after: Int64.random(in: 0...60, using: &random)),
                let through
            {
                held.removeAll {
                    channelOf[$0.position] == channelOf[position] && $0.delivery > delivery && $0.delivery <= through
                }
            }
        default: q.queue.wakeRetries(now: q.now)
        }
        deliver()
        let open = Set(1...max(position, 1)).subtracting(settled.values.joined()).intersection(channelOf.keys)
        if let first = open.min() { #expect(q.queue.settledThrough < first) }
    }
    q.queue.setWindow(1_000, now: q.now)
    for _ in 0..<2_000 where settled.values.map(\.count).reduce(0, +) < channelOf.count {
        q.now += 100
        q.queue.wakeRetries(now: q.now)
        deliver()
        if !held.isEmpty { settle(0) }
    }
    for channel in channels {
        let expected = channelOf.filter { $0.value == channel }.keys.sorted()
        #expect(settled[channel, default: []] == expected)
    }
    #expect(q.queue.settledThrough == position)
}

/// A small generator that is the same on every machine (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators").
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
