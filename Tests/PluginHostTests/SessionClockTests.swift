import Testing

@testable import PluginHost

@Suite struct SessionClockTests {
    private static let limits = SessionLimits()
    private static let look = limits.look

    private func working(since now: Int64 = 0) -> SessionClock {
        var clock = SessionClock(limits: Self.limits, now: now)
        clock.begin(now: now)
        return clock
    }

    @Test func aMissingReadyIsSureAtTheSecondLook() {
        var clock = SessionClock(limits: Self.limits, now: 0)
        #expect(clock.next(.init()) == 10_000)
        let early = clock.judge(.init(), now: 9_999)
        let first = clock.judge(.init(), now: 10_000)
        #expect(early == nil && first == nil && clock.next(.init()) == 10_000 + Self.look)
        let soon = clock.judge(.init(), now: 10_000 + Self.look - 1)
        let second = clock.judge(.init(), now: 10_000 + Self.look)
        #expect(soon == nil && second == .ready)
    }

    @Test func workingGivesMoreTimeAndReadyEndsTheWait() {
        var clock = SessionClock(limits: Self.limits, now: 0)
        clock.extendReady(to: 30_000)
        clock.extendReady(to: 20_000)
        #expect(clock.next(.init()) == 30_000)
        clock.hold()
        #expect(clock.next(.init()) == nil)
        // Said too late to count, it brings the wait not back.
        clock.extendReady(to: 90_000)
        #expect(clock.next(.init()) == nil)
    }

    @Test("Fault 13: a host that was held up for half a minute reads before it judges") func heldUp() {
        var clock = working()
        let watch = SessionClock.Watch(pings: true, deadlines: [.init(queue: "main", time: 20_000)])
        let first = clock.judge(watch, now: 45_000)
        #expect(first == nil && clock.next(watch) == 10_000, "the ping is due, too")
        // What lay in the pipe was read meanwhile.
        clock.heard(now: 45_010)
        let quiet = SessionClock.Watch(pings: true)
        let second = clock.judge(quiet, now: 45_000 + Self.look)
        #expect(second == nil)
        // Held up between the two looks, it begins anew.
        let third = clock.judge(quiet, now: 80_000)
        let fourth = clock.judge(quiet, now: 120_000)
        let fifth = clock.judge(quiet, now: 120_000 + Self.look)
        #expect(third == nil && fourth == nil && fifth == .silence)
    }

    @Test func pingsOfPluginsThatBeganInOneSecondGoOutTogether() {
        let watch = SessionClock.Watch(pings: true)
        let times = [0, 1, 640, 999, 1_000, 12_345].map { (start: Int64) in
            var clock = SessionClock(limits: SessionLimits(), now: 0)
            clock.begin(now: start)
            return clock.next(watch)
        }
        #expect(times == [10_000, 10_000, 10_000, 10_000, 11_000, 22_000])
        var late = SessionClock(limits: SessionLimits(), now: 0)
        late.begin(now: 5)
        let isSent = late.takePing(now: 10_431)
        #expect(isSent && late.next(watch) == 20_000)
    }

    @Test func pingsGoOutByTheirIntervalAndSilenceCountsOnlyWithThem() {
        var clock = working()
        let watch = SessionClock.Watch(pings: true)
        let pings = (0...40).map { clock.takePing(now: $0 * 1_000) ? $0 : nil }.compactMap { $0 }
        #expect(pings == [10, 20, 30, 40])
        #expect(clock.next(watch) == 30_000)
        clock.heard(now: 35_000)
        #expect(clock.next(watch) == 50_000)
        #expect(clock.next(.init()) == nil)
        let unwatched = clock.judge(.init(), now: 500_000)
        #expect(unwatched == nil)
    }

    @Test func aQueueThatSettlesSomethingIsNoLongerSuspected() {
        var clock = working()
        let first = clock.judge(.init(deadlines: [.init(queue: "a", time: 60_000)]), now: 60_000)
        let moved = clock.judge(.init(deadlines: [.init(queue: "a", time: 120_100)]), now: 60_100)
        let again = clock.judge(.init(deadlines: [.init(queue: "a", time: 120_100)]), now: 120_100)
        let other = clock.judge(.init(deadlines: [.init(queue: "b", time: 120_000)]), now: 120_350)
        let sure = clock.judge(.init(deadlines: [.init(queue: "b", time: 120_000)]), now: 120_600)
        #expect(first == nil && moved == nil && again == nil && other == nil && sure == .queue("b"))
    }

    @Test func whoTakesNothingIsJudgedLikeWhoSaysNothing() {
        var clock = working()
        let watch = SessionClock.Watch(reading: 30_000)
        let early = clock.judge(watch, now: 29_999)
        #expect(early == nil && clock.next(watch) == 30_000)
        let first = clock.judge(watch, now: 30_000)
        #expect(first == nil && clock.next(watch) == 30_250)
        let sure = clock.judge(watch, now: 30_250)
        #expect(sure == .reading)
        // It takes something between the looks.
        let again = clock.judge(watch, now: 31_000)
        let moved = clock.judge(.init(reading: 61_100), now: 31_250)
        #expect(again == nil && moved == nil && clock.next(.init(reading: 61_100)) == 61_100)
    }

    @Test func anAnswerToConfigIsWaitedForBesideTheWork() {
        var clock = working()
        clock.awaitConfigured(now: 5_000)
        #expect(clock.next(.init()) == 15_000)
        let first = clock.judge(.init(), now: 15_000)
        let second = clock.judge(.init(), now: 15_000 + Self.look)
        #expect(first == nil && second == .configured)
        clock.configured()
        #expect(clock.next(.init()) == nil)
    }
}
