import Testing

@testable import CrowbarHTTP

/// The buckets of callers, as values.
@Suite struct CallerLimitTests {
    private typealias Caller = CallerLimits.Caller
    private typealias Call = CallerLimits.Call

    private static let session = Caller.session("ann")
    private static let token = Caller.machineToken([1])
    private static let address = Caller.address("203.0.113.9")
    private static let limited = MachineTokenRates(
        commands: CallRate(perSecond: 3, burst: 5), views: CallRate(perSecond: 1, burst: 1),
        events: CallRate(perSecond: 2, burst: 4))

    /// Who calls what, and the rate that docs/api.md promises.
    private static let rates: [(Caller, Call, perSecond: Int, burst: Int)] = [
        (session, .command, 20, 200), (session, .view, 50, 200), (address, .view, 20, 100), (address, .events, 20, 100),
        (token, .command, 3, 5), (token, .view, 1, 1), (token, .events, 2, 4), (session, .events, 50, 200),
        (session, .account, 20, 100), (token, .account, 20, 100),
    ]

    @Test(arguments: rates.indices) func aCallerHasABurstAndThenARate(_ row: Int) {
        let (caller, call, perSecond, burst) = Self.rates[row]
        var limits = CallerLimits(machineTokens: Self.limited)
        let rate = CallRate(perSecond: perSecond, burst: burst)
        for _ in 0..<burst {
            let grant = limits.take(1, call, by: caller, now: 5_000)
            guard grant == .init(count: 1, excess: nil) else { return #expect(Bool(false), "\(grant)") }
        }
        let refused = limits.take(1, call, by: caller, now: 5_000)
        #expect(refused == .init(count: 0, excess: .init(rate: rate, retryAfter: 1)))
        // In ten seconds, a call a millisecond: exactly the rate, and a burst that is not full before its time.
        var granted = 0
        for millisecond in Int64(5_001)...15_000 {
            granted += limits.take(1, call, by: caller, now: millisecond).count
        }
        #expect((10 * perSecond - 1...10 * perSecond).contains(granted), "\(granted)")
        let all = limits.take(10_000, call, by: caller, now: 15_000 + Int64(burst) * 1_000 / Int64(perSecond) + 1)
        #expect(all.count == burst)
    }

    @Test(
        arguments: [
            (Caller.machineToken([2]), .events), (token, .events), (token, .command), (token, .view),
        ] as [(Caller, Call)])
    private func whatHasNoRateHasNoLimit(_ caller: Caller, _ call: Call) {
        var limits = CallerLimits()
        for _ in 0..<10 {
            let grant = limits.take(1_000_000, call, by: caller, now: 0)
            #expect(grant == .init(count: 1_000_000, excess: nil))
            let excess = limits.excess(call, by: caller, now: 0)
            #expect(excess == nil)
        }
        #expect(limits.count == 0)
    }

    @Test func callersAndCallsHaveBucketsOfTheirOwn() {
        var limits = CallerLimits(machineTokens: Self.limited)
        let all = limits.take(1_000, .command, by: Self.session, now: 0).count
        #expect(all == 200)
        let view = limits.take(1_000, .view, by: Self.session, now: 0).count
        #expect(view == 200)
        let other = limits.take(1, .command, by: .session("bob"), now: 0).count
        #expect(other == 1)
        // The same hash as another kind of token is not the same caller.
        let token = limits.take(1, .command, by: .machineToken([1]), now: 0).count
        #expect(token == 1)
        // An address reads events and views out of one bucket.
        let reads = limits.take(1_000, .events, by: Self.address, now: 0).count
        let more = limits.take(1, .view, by: Self.address, now: 0).count
        #expect(reads == 100 && more == 0)
    }

    @Test func lookingTakesNothing() {
        var limits = CallerLimits()
        for _ in 0..<300 {
            let excess = limits.excess(.command, by: Self.session, now: 0)
            #expect(excess == nil)
        }
        let count = limits.take(1_000, .command, by: Self.session, now: 0).count
        #expect(count == 200)
        let soon = limits.excess(.command, by: Self.session, now: 49)
        let later = limits.excess(.command, by: Self.session, now: 50)
        #expect(soon?.retryAfter == 1 && later == nil)
    }

    /// Calls that are refused, and the whole seconds after which one is accepted.
    @Test func retryAfterIsWhenTheNextCallIsAccepted() {
        var limits = CallerLimits(machineTokens: Self.limited)
        for now in [0, 400, 999] as [Int64] {
            _ = limits.take(1, .view, by: Self.token, now: now)
            let wait = Int64(limits.excess(.view, by: Self.token, now: now)?.retryAfter ?? 0)
            #expect(wait == 1)
            let after = limits.excess(.view, by: Self.token, now: now + wait * 1_000)
            #expect(after == nil)
        }
    }

    @Test func aClockThatIsSetBackNeitherLocksOutNorGives() {
        var limits = CallerLimits()
        _ = limits.take(200, .command, by: Self.session, now: 3_600_000)
        let before = limits.take(1, .command, by: Self.session, now: 0).count
        #expect(before == 0)
        let after = limits.take(1_000, .command, by: Self.session, now: 10_000).count
        #expect(after == 200, "full after the usual ten seconds")
        // Forward: nothing but a full bucket.
        let later = limits.take(1_000, .command, by: Self.session, now: .max / 2_000_000).count
        #expect(later == 200)
    }

    @Test func aChangedRateHoldsForTheNextCall() {
        var limits = CallerLimits(machineTokens: Self.limited)
        _ = limits.take(5, .command, by: Self.token, now: 0)
        limits.machineTokens.commands = CallRate(perSecond: 1, burst: 2)
        let lower = limits.take(1, .command, by: Self.token, now: 0).count
        #expect(lower == 0, "an empty bucket stays empty")
        let second = limits.take(5, .command, by: Self.token, now: 2_000).count
        #expect(second == 2)
        limits.machineTokens.commands = nil
        let free = limits.take(500, .command, by: Self.token, now: 2_000).count
        #expect(free == 500)
    }

    @Test func manyCallersNeitherFillTheMemoryNorFreeAGreedyOne() {
        var limits = CallerLimits()
        let greedy = limits.take(1_000, .events, by: Self.address, now: 0).count
        #expect(greedy == 100)
        // Each of them calls once, all at the same moment: none of their buckets is full again.
        var (refused, most) = (0, 0)
        for number in 0..<2 * CallerLimits.maxBuckets {
            refused += 1 - limits.take(1, .events, by: .address("a\(number)"), now: 0).count
            most = max(most, limits.count)
        }
        #expect(refused == 0, "a new caller is never refused for others")
        #expect(most == CallerLimits.maxBuckets)
        let excess = limits.excess(.events, by: Self.address, now: 0)
        #expect(excess != nil, "the greedy one is not forgotten")
        // Later all are full, and the next round forgets them.
        for number in 0..<CallerLimits.maxBuckets {
            _ = limits.take(1, .events, by: .address("b\(number)"), now: 60_000)
        }
        #expect(limits.count <= CallerLimits.maxBuckets)
        let later = limits.excess(.events, by: Self.address, now: 60_000)
        #expect(later == nil)
    }

    @Test(arguments: [(0, 0), (-1, -5)]) func aRateIsAtLeastOne(_ perSecond: Int, _ burst: Int) {
        let rate = CallRate(perSecond: perSecond, burst: burst)
        #expect(rate.perSecond == 1 && rate.burst == 1)
    }
}
