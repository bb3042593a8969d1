import Testing

@testable import CrowbarHTTP

/// Shares, paces and a connection's times, as values.
@Suite struct ShareTests {
    private static let limits: StreamShares.Limits = {
        var limits = StreamShares.Limits()
        (limits.all, limits.anonymous, limits.user, limits.address) = (10, 5, 2, 4)
        return limits
    }()

    @Test func streamsAreSharedByUserAndAddress() {
        var shares = StreamShares(Self.limits)
        #expect(shares.take(user: "ann", address: "a") == nil && shares.take(user: "ann", address: "b") == nil)
        #expect(shares.take(user: "ann", address: "c") == .user)
        for _ in 0..<3 { #expect(shares.take(user: nil, address: "a") == nil) }
        #expect(shares.take(user: nil, address: "a") == .address)
        for address in ["c", "d"] { #expect(shares.take(user: nil, address: address) == nil) }
        // Those without a token hold half; a user still finds a place.
        #expect(shares.take(user: nil, address: "e") == .anonymous)
        for user in ["bob", "eve", "joe"] { #expect(shares.take(user: user, address: user) == nil) }
        #expect(shares.take(user: "kim", address: "k") == .all)
        shares.give(user: "ann", address: "a")
        #expect(shares.take(user: "ann", address: "z") == nil)
        for (user, address) in [
            ("ann", "b"), ("ann", "z"), (nil, "a"), (nil, "a"), (nil, "a"), (nil, "c"), (nil, "d"), ("bob", "bob"),
            ("eve", "eve"), ("joe", "joe"),
        ] { shares.give(user: user, address: address) }
        #expect(shares.isEmpty)
    }

    @Test func aListenerGivesHalfOfItsConnectionsToStreams() {
        let usual = StreamShares.Limits(.people, connections: 4_096)
        #expect((usual.all, usual.anonymous, usual.user, usual.address) == (2_000, 1_000, 16, 64))
        let few = StreamShares.Limits(.people, connections: 100)
        #expect((few.all, few.anonymous) == (50, 25))
    }

    @Test func bodiesAreSharedByCaller() {
        var shares = BodyShares(all: 100, each: 40)
        #expect(shares.take(40, for: "ann") == nil && shares.take(1, for: "ann") == .holder)
        #expect(shares.take(0, for: "ann") == nil)
        #expect(shares.take(40, for: "bob") == nil && shares.take(21, for: "eve") == .all)
        #expect(shares.take(20, for: nil) == nil && shares.take(1, for: nil) == .all)
        shares.give(10, for: "ann")
        #expect(shares.take(11, for: "ann") == .all || shares.take(10, for: "ann") == nil)
        shares.give(20, for: nil)
        shares.give(40, for: "bob")
        shares.give(30, for: "ann")
        #expect(shares.isEmpty || shares.take(40, for: "ann") == nil)
    }

    /// Bytes that come each second, and after how many seconds the body is refused; nil: never within a minute.
    static let bodies: [(rate: Int, isWanted: Bool, refusedAfter: Int64?)] = [
        (0, true, 5), (1_000, true, 5), (1_024, true, 30), (1 << 20, true, 30), (0, false, nil),
    ]

    @Test(arguments: bodies) func bodiesHaveADeadlineAndARate(_ rate: Int, _ isWanted: Bool, _ refused: Int64?) {
        var pace = BodyPace(.init(), now: 1_000)
        var found: Int64?
        for second in Int64(1)...60 where found == nil {
            pace.receive(rate)
            if pace.isTooSlow(now: 1_000 + second * 1_000, isWanted: isWanted) { found = second }
        }
        #expect(found == refused)
    }

    @Test func timeInWhichTheServerStoodStillDoesNotCount() {
        var body = BodyPace(.init(), now: 0)
        let isBodyTooSlow = body.isTooSlow(now: 3_600_000, isWanted: true)
        #expect(!isBodyTooSlow)
        var reader = ReadPace(.init(), pending: 100_000, now: 0)
        let isTooSlow = reader.isTooSlow(pending: 100_000, at: 3_600_000)
        #expect(!isTooSlow)
    }

    /// Bytes that are read each second, and after how many seconds the reader is dropped.
    @Test(arguments: [(0, 10), (1_000, 10), (1_100, nil), (100_000, nil)] as [(Int, Int64?)])
    func aReaderHasToRead(_ rate: Int, _ dropped: Int64?) {
        var pending = 10_000_000
        var pace = ReadPace(.init(), pending: pending, now: 0)
        var found: Int64?
        for second in Int64(1)...60 where found == nil {
            pending -= rate
            if pace.isTooSlow(pending: pending, at: second * 1_000) { found = second }
        }
        #expect(found == dropped)
    }

    @Test func aConnectionHasTimesForItsParts() {
        let times = ListenerRules.Times()
        func verdict(_ watch: inout ConnectionWatch, _ now: Int64) -> ConnectionWatch.Verdict {
            watch.check(now: now, pending: 0, isWanted: true)
        }
        var watch = ConnectionWatch(times, now: 0)
        #expect(watch.isIdle && watch.nextCheck(now: 0) == times.head)
        #expect(verdict(&watch, times.head - 1) == .fine && verdict(&watch, times.head) == .closeIdle)
        // A body that does not come.
        watch.receiveHead(now: 0)
        #expect(!watch.isIdle && watch.nextCheck(now: 0) == times.tick)
        var found: [ConnectionWatch.Verdict] = []
        for second in Int64(1)...15 { found.append(verdict(&watch, second * 1_000)) }
        #expect(found.firstIndex(of: .refuseBody) == 4 && found.last == .closeSlowBody)
        // An answer that takes long, as a stream, is nobody's fault.
        watch = ConnectionWatch(times, now: 0)
        watch.receiveHead(now: 0)
        watch.receiveEnd(now: 0)
        #expect(watch.nextCheck(now: 0) == nil && verdict(&watch, 3_600_000) == .fine)
        // Then it may be idle for a while.
        watch.answered(now: 3_600_000)
        #expect(watch.isIdle && watch.nextCheck(now: 3_600_000) == times.idle)
        #expect(verdict(&watch, 3_600_000 + times.idle) == .closeIdle)
        // Two requests at once: idle only after both answers.
        watch.receiveHead(now: 0)
        watch.receiveEnd(now: 0)
        watch.receiveHead(now: 0)
        watch.receiveEnd(now: 0)
        watch.answered(now: 1)
        #expect(!watch.isIdle)
        watch.answered(now: 2)
        #expect(watch.isIdle)
    }

    @Test(arguments: [
        (1 << 40, 4_096, 128), (1 << 20, 4_096, 128), (8_192, 4_096, 128), (4_096, 2_560, 128), (1_024, 640, 64),
        (256, 128, 21), (64, 8, 21),
    ]) func descriptorsAreReserved(_ limit: Int, _ connections: Int, _ control: Int) {
        let budget = DescriptorBudget(limit: limit)
        #expect(budget.connections == connections && budget.control == control)
    }
}
