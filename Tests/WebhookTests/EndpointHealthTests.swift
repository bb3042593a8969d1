import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import Webhook

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

    // MARK: In a lane

    private func lane(state: JSON = .null, now: Int64 = 0) throws -> Lane {
        let json = JSON.object([.init("endpoints", .array([endpoint("a", "https://example.org/")]))])
        let found = try WebhookConfiguration(json, isCheck: false).endpoints.first
        return Lane(try #require(found), state: state, offset: 1_000_000_000, now: now)
    }

    private func settle(_ lane: inout Lane, _ outcome: Outcome, now: Int64, attempt: Int64 = 2) -> [PluginMessage] {
        lane.admit(Job(delivery: 1, position: 7, attempt: attempt, eventId: "e", body: []))
        guard let job = lane.next() else { return [] }
        switch lane.settle(job, outcome, now: now, chance: 0) {
        case .ack(let delivery): return [.ack(.one(delivery), state: nil)]
        case .messages(let messages): return messages
        }
    }

    @Test func aLaneOpensForOneProbeAndForAllAfterIt() throws {
        var lane = try lane()
        for _ in 0..<999 { _ = settle(&lane, .answered(status: 500), now: 0) }
        let last = settle(&lane, .answered(status: 500), now: 0)
        #expect(last.first == .window(queue: "a", events: 0))
        guard case .state("a", let state)? = last.dropFirst().first, case .retry(let retry)? = last.last else {
            Issue.record("a pause is kept, and its last try was one as usual: \(last)")
            return
        }
        #expect(retry.counted)
        #expect(lane.wakeAt == Self.hour)
        #expect(lane.release(now: Self.hour - 1).isEmpty)
        #expect(lane.release(now: Self.hour) == [.window(queue: "a", events: 1)])
        // A probe that fails costs the event nothing.
        let probe = settle(&lane, .failed(.unconnected, ""), now: Self.hour)
        guard case .retry(let given)? = probe.last else {
            Issue.record("a failed probe is given back: \(probe)")
            return
        }
        #expect(probe.first == .window(queue: "a", events: 0) && !given.counted)
        // An event that the receiver refuses is no reason to offer it for ever.
        _ = lane.release(now: 2 * Self.hour)
        guard case .reject? = settle(&lane, .answered(status: 400), now: 2 * Self.hour, attempt: 4).last else {
            Issue.record("a refused event is a dead letter")
            return
        }
        _ = lane.release(now: 3 * Self.hour)
        let resumed = settle(&lane, .answered(status: 200), now: 3 * Self.hour)
        #expect(
            resumed == [
                .ack(.one(1), state: nil), .window(queue: "a", events: 64), .state(queue: "a", state: .null),
            ])
        // The next process is paused too, and so is none under another configuration.
        let next = try self.lane(state: state, now: 60_000)
        #expect(next.opening == [.window(queue: "a", events: 0)])
        #expect(next.wakeAt == Self.hour)
        #expect(!String(decoding: state.bytes, as: UTF8.self).contains("whsec"))
    }

    @Test func aHoldAndAPauseEndEachInItsTime() throws {
        var lane = try lane()
        lane.admit(Job(delivery: 2, position: 8, attempt: 1, eventId: "f", body: []))
        let next = lane.next()
        let underWay = try #require(next)
        for _ in 0..<1000 { _ = settle(&lane, .answered(status: 500), now: 0) }
        _ = lane.settle(underWay, .answered(status: 429, retryAfter: 60_000), now: 0, chance: 0)
        #expect(lane.wakeAt == 60_000)
        #expect(lane.release(now: 60_000).isEmpty)
        #expect(lane.wakeAt == Self.hour)
        #expect(lane.release(now: Self.hour) == [.window(queue: "a", events: 1)])
        // A receiver that asks to wait is alive, but has taken nothing.
        let asked = settle(&lane, .answered(status: 503, retryAfter: 5000), now: Self.hour)
        #expect(asked.first == .window(queue: "a", events: 0))
        #expect(lane.release(now: Self.hour + 5000) == [.window(queue: "a", events: 1)])
    }

    // MARK: In the process

    @Test func anEndpointThatFailsIsPausedAndProbedAfterARestart() async throws {
        let receiver = try await Receiver()
        let failing = endpoint("bad", receiver.url("/codes/404"))
        let webhook = try await WebhookProcess([failing, endpoint("good", receiver.url("/in"))])
        try await webhook.start()
        for delivery in Int64(1)...1000 { try await webhook.deliver(delivery, to: "bad", attempt: 2) }
        #expect(try await webhook.window("bad") == 0)
        let message = try await webhook.status(.degraded).message
        #expect(message == "paused, tried once an hour: bad (404)")
        try await webhook.deliver(2000, to: "good")
        try await webhook.acks([2000])
        let state = try await webhook.plugin.first("a state") { message in
            if case .state("bad", let state) = message { state } else { nil }
        }
        // The same under the same configuration; here the hour is over.
        var health = try #require(state["health"]?.members)
        health = health.map { $0.key == "probe" ? .init("probe", .int(0)) : $0 }
        let again = try await WebhookProcess([failing])
        try await again.start(states: [
            "bad": .object([.init("of", state["of"] ?? .null), .init("health", .object(health))])
        ])
        #expect(try await again.window("bad") == 0)
        #expect(try await again.window("bad") == 1)
        try await again.deliver(1, to: "bad", attempt: 2)
        #expect(try await again.reject(1).code == "http_404")
        #expect(try await again.window("bad") == 0)
        // Another configuration is another endpoint.
        let changed = try await WebhookProcess([endpoint("bad", receiver.url("/in"))])
        try await changed.start(states: ["bad": state])
        try await changed.deliver(1, to: "bad")
        try await changed.acks([1])
    }
}
