import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// How often an endpoint is asked.
@Suite struct RateTests {
    @Test(
        arguments: [
            ("5/s", 5, 5), ("0.5/s", 0.5, 1), ("30/m", 0.5, 1), ("1/m", 1.0 / 60, 1), ("90/m", 1.5, 2),
            ("10000/s", 10_000, 10_000),
        ] as [(String, Double, Int64)])
    func aRateIsRead(text: String, perSecond: Double, burst: Int64) throws {
        let rate = try #require(Rate(text))
        #expect(abs(rate.perSecond - perSecond) < 1e-9 && rate.burst == burst)
        #expect(Rate(text, burst: 7)?.burst == 7)
    }

    @Test(arguments: [
        "", "5", "/s", "5/", "5/h", "5/s/s", "-1/s", "0/s", "0.9/m", "10001/s", "1e2/s", "nan/s", "inf/s", "١/s",
    ])
    func otherTextsAreNoRate(text: String) { #expect(Rate(text) == nil) }

    /// Each row: when a token is asked for, and what the answer is: 0, or the wait.
    @Test(
        arguments: [
            ("1/s", 1, [(0, 0), (0, 1000), (400, 600), (999, 1), (1000, 0), (1000, 1000)]),
            (
                "1/s", 3,
                [(0, 0), (0, 0), (0, 0), (0, 1000), (1500, 0), (1500, 500), (100_000, 0), (100_000, 0), (100_000, 0)]
            ),
            ("2/s", 1, [(0, 0), (1, 499), (500, 0), (501, 499), (1000, 0)]),
            ("30/m", 1, [(0, 0), (0, 2000), (1999, 1), (2000, 0)]), ("1/m", 1, [(0, 0), (0, 60_000), (60_000, 0)]),
            ("10000/s", 2, [(0, 0), (0, 0), (0, 1), (1, 0)]),
            // A clock that stands still, or was read out of turn, gives nothing.
            ("1/s", 1, [(5000, 0), (5000, 1000), (0, 1000), (5000, 1000)]),
        ] as [(String, Int64, [(Int64, Int64)])])
    func tokensDripIn(rate: String, burst: Int64, steps: [(now: Int64, wait: Int64)]) throws {
        var bucket = TokenBucket(try #require(Rate(rate, burst: burst)), now: steps[0].now)
        for (i, step) in steps.enumerated() {
            let wait = bucket.take(now: step.now)
            #expect(wait == step.wait, "step \(i)")
        }
    }

    @Test(arguments: ["3/s", "7/m", "0.7/s", "333/s", "10000/s"])
    func inTheLongRunARateIsKeptToTheMillisecond(text: String) throws {
        let rate = try #require(Rate(text, burst: 1))
        var bucket = TokenBucket(rate, now: 0)
        var (now, taken): (Int64, Int64) = (0, 0)
        while taken < 2000 {
            let wait = bucket.take(now: now)
            if wait == 0 { taken += 1 } else { now += wait }
        }
        // A wait ends up to a millisecond late, and what drips in meanwhile fills a bucket of one only.
        let least = Double(taken - 1) / rate.perSecond * 1000
        #expect(Double(now) >= least - 1)
        #expect(Double(now) <= least + Double(taken))
    }

    @Test func eachEndpointWaitsForItself() throws {
        let rates = [Rate("1/s"), nil, Rate("2/s")]
        var pacer = Pacer()
        for (lane, rate) in rates.enumerated() { pacer.set(lane, rate, now: 0) }
        func take(_ lane: Int, _ now: Int64) -> Int64 { pacer.take(lane, now: now) }
        #expect([take(0, 0), take(2, 0), take(2, 0)] == [0, 0, 0])
        for _ in 0..<100 { #expect(take(1, 0) == 0) }
        #expect(pacer.due == nil)
        #expect(take(0, 100) == 900 && take(2, 100) == 400)
        #expect(pacer.isWaiting(0) && !pacer.isWaiting(1) && pacer.isWaiting(2))
        #expect(pacer.due == 500)
        let (early, first) = (pacer.release(now: 499), pacer.release(now: 500))
        #expect(early == [] && first == [2])
        #expect(pacer.due == 1000 && !pacer.isWaiting(2))
        let second = pacer.release(now: 2000)
        #expect(second == [0] && pacer.due == nil)
    }

    @Test(
        arguments: [("1/m", 64, 1), ("30/m", 64, 5), ("3/s", 64, 30), ("100/s", 64, 64), ("100/s", 1024, 1000)]
            as [(String, Int64, Int64)])
    func aSlowEndpointAsksTheHostForLess(rate: String, concurrency: Int64, window: Int64) throws {
        let json = endpoint(
            "a", "https://example.org/", .init("rate", .string(rate)), .init("concurrency", .int(concurrency)))
        let configuration = try WebhookConfiguration(.object([.init("endpoints", .array([json]))]), isCheck: false)
        #expect(configuration.queues.first?.window == window)
    }

    // MARK: As a process

    @Test func aRateIsKept() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("slow", receiver.url("/slow-lane"), .init("rate", .int(10)), .init("burst", .int(2))),
            endpoint("quick", receiver.url("/quick-lane")),
        ])
        try await webhook.start()
        let begin = ContinuousClock.now
        for delivery in Int64(1)...7 { try await webhook.deliver(delivery, to: "slow") }
        for delivery in Int64(8)...40 { try await webhook.deliver(delivery, to: "quick") }
        try await webhook.acks(Set(1...40))
        let took = ContinuousClock.now - begin
        let slow = try await receiver.requests(40).count { $0.path == "/slow-lane" }
        #expect(slow == 7)
        // Two at once, then one in 100 ms each: none is early, whoever is slow to note it.
        #expect(took >= .milliseconds(490))
    }

    @Test func theHostIsToldOfALongWaitAndNobodyElseWaits() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("a", receiver.url("/in"), .init("rate", .string("1/m"))),
            endpoint("quick", receiver.url("/quick")),
        ])
        #expect(try await webhook.start().queues?.map(\.window) == [1, 64])
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
        try await webhook.deliver(2, to: "a")
        let ms: Int64 = try await webhook.plugin.first("working") { message in
            if case .working(2, let ms) = message { ms } else { nil }
        }
        #expect((30_000...60_000).contains(ms))
        // Meanwhile nobody else waits.
        for delivery in Int64(3)...20 { try await webhook.deliver(delivery, to: "quick") }
        try await webhook.acks(Set(3...20))
    }
}
