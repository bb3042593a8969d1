import CrowbarTesting
import JSONBytes
import Testing

@testable import PluginHTTP

/// When an endpoint is paused, probed and resumed, by a clock that the test moves.
@Suite struct EndpointHealthTests {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour

    /// Tries as `(how many, success, milliseconds between them)`, one after the other.
    private static func after(_ runs: [(Int, Bool, Int64)], _ clock: ManualClock) -> EndpointHealth {
        var health = EndpointHealth()
        for (count, isSuccess, step) in runs {
            for _ in 0..<count {
                _ = health.note(isSuccess: isSuccess, now: clock.milliseconds)
                clock.advance(by: step)
            }
        }
        return health
    }

    @Test(
        arguments: [
            // Only failed, and for how long.
            ([(10, false, 13 * hour)], nil),
            ([(11, false, 12 * hour)], .failedForDays),
            ([(2, false, 5 * day)], nil),
            ([(9, false, 0), (1, false, 5 * day)], nil),
            ([(10, false, 0), (1, false, 5 * day)], nil),
            ([(9, false, 0), (1, false, 5 * day), (1, false, 0)], .failedForDays),
            ([(9, false, 0), (1, false, 5 * day - 1), (1, false, 0)], nil),
            ([(100, false, hour), (1, true, 0), (100, false, hour)], nil),
            // Mostly failed, of the last thousand.
            ([(999, false, 0)], nil),
            ([(1000, false, 0)], .failedMostly),
            ([(50, true, 0), (949, false, 0)], nil),
            ([(50, true, 0), (950, false, 0)], .failedMostly),
            ([(51, true, 0), (949, false, 0)], nil),
            ([(51, true, 0), (950, false, 0)], .failedMostly),
            ([(3000, true, 0), (949, false, 0)], nil),
            ([(3000, true, 0), (950, false, 0)], .failedMostly),
        ] as [([(Int, Bool, Int64)], EndpointHealth.Reason?)])
    func itIsPausedWhenItFailedLongOrMostly(_ runs: [(Int, Bool, Int64)], _ reason: EndpointHealth.Reason?) {
        let health = Self.after(runs, ManualClock())
        if case .paused(let found, _) = health.phase { #expect(found == reason) } else { #expect(reason == nil) }
    }

    @Test func aProbeAnHourDecides() {
        let clock = ManualClock()
        var health = Self.after([(1000, false, 0)], clock)
        let now = clock.milliseconds
        #expect(health.nextProbe == now + Self.hour)
        // What was under way at the pause moves nothing.
        #expect(health.note(isSuccess: false, now: now + 5) == nil)
        #expect(health.wake(now: now + Self.hour - 1) == false)
        #expect(health.wake(now: now + Self.hour) == true)
        #expect(health.phase == .probing(.failedMostly))
        #expect(health.nextProbe == nil)
        #expect(health.wake(now: now + 9 * Self.hour) == false)
        #expect(health.note(isSuccess: false, now: now + 9 * Self.hour) == .paused)
        #expect(health.nextProbe == now + 10 * Self.hour)
        #expect(health.wake(now: now + 10 * Self.hour) == true)
        #expect(health.note(isSuccess: true, now: now + 10 * Self.hour) == .resumed)
        // All begins anew.
        #expect(health == EndpointHealth())
    }

    @Test func aSuccessThatWasUnderWayResumesIt() {
        let clock = ManualClock()
        var health = Self.after([(1000, false, 0)], clock)
        #expect(health.note(isSuccess: true, now: clock.milliseconds) == .resumed)
        #expect(health.phase == .open)
    }

    @Test func whatIsWorthItIsKeptOverARestart() throws {
        let clock = ManualClock()
        var health = Self.after([(9, false, 0)], clock)
        #expect(health.kept(now: clock.milliseconds + Self.hour - 1) == nil)
        let failing = try #require(health.kept(now: clock.milliseconds + Self.hour))
        clock.advance(by: 5 * Self.day)
        var again = EndpointHealth(kept: failing, now: clock.milliseconds)
        #expect(again.phase == .open)
        #expect(again.note(isSuccess: false, now: clock.milliseconds) == .paused)
        #expect(again.phase == .paused(.failedForDays, until: clock.milliseconds + Self.hour))
        // Paused: the probe is due when it was.
        let paused = try #require(again.kept(now: clock.milliseconds))
        var third = EndpointHealth(kept: paused, now: clock.milliseconds + 60_000)
        #expect(third.phase == again.phase)
        #expect(third.wake(now: clock.milliseconds + Self.hour) == true)
        // Killed during a probe: probed again at once.
        let probing = try #require(third.kept(now: clock.milliseconds))
        #expect(EndpointHealth(kept: probing, now: clock.milliseconds).nextProbe == clock.milliseconds)
        // A clock that was put back does not put it off for long, and nonsense is nothing.
        let backThen = EndpointHealth(kept: paused, now: clock.milliseconds - Self.day)
        #expect(backThen.nextProbe == clock.milliseconds - Self.day + Self.hour)
        #expect(EndpointHealth(kept: .string("x"), now: 0) == EndpointHealth())
        #expect(EndpointHealth(kept: .object([.init("since", .int(.min))]), now: 0) == EndpointHealth())
        health = EndpointHealth()
        #expect(health.kept(now: clock.milliseconds) == nil)
    }
}
