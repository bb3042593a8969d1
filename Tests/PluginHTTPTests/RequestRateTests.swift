import Testing

@testable import PluginHTTP

/// How often an endpoint is asked.
@Suite struct RequestRateTests {
    @Test(
        arguments: [
            ("5/s", 5, 5), ("0.5/s", 0.5, 1), ("30/m", 0.5, 1), ("1/m", 1.0 / 60, 1), ("90/m", 1.5, 2),
            ("10000/s", 10_000, 10_000),
        ] as [(String, Double, Int64)])
    func aRateIsRead(text: String, perSecond: Double, burst: Int64) throws {
        let rate = try #require(RequestRate(text))
        #expect(abs(rate.perSecond - perSecond) < 1e-9 && rate.burst == burst)
        #expect(RequestRate(text, burst: 7)?.burst == 7)
    }

    @Test(arguments: [
        "", "5", "/s", "5/", "5/h", "5/s/s", "-1/s", "0/s", "0.9/m", "10001/s", "1e2/s", "nan/s", "inf/s", "١/s",
    ])
    func otherTextsAreNoRate(text: String) { #expect(RequestRate(text) == nil) }

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
        var bucket = TokenBucket(try #require(RequestRate(rate, burst: burst)), now: steps[0].now)
        for (i, step) in steps.enumerated() {
            let wait = bucket.take(now: step.now)
            #expect(wait == step.wait, "step \(i)")
        }
    }

    @Test(arguments: ["3/s", "7/m", "0.7/s", "333/s", "10000/s"])
    func inTheLongRunARateIsKeptToTheMillisecond(text: String) throws {
        let rate = try #require(RequestRate(text, burst: 1))
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
        let rates = [RequestRate("1/s"), nil, RequestRate("2/s")]
        var limiter = EndpointRateLimiter()
        for (lane, rate) in rates.enumerated() { limiter.set(lane, rate, now: 0) }
        func take(_ lane: Int, _ now: Int64) -> Int64 { limiter.take(lane, now: now) }
        #expect([take(0, 0), take(2, 0), take(2, 0)] == [0, 0, 0])
        for _ in 0..<100 { #expect(take(1, 0) == 0) }
        #expect(limiter.due == nil)
        #expect(take(0, 100) == 900 && take(2, 100) == 400)
        #expect(limiter.isWaiting(0) && !limiter.isWaiting(1) && limiter.isWaiting(2))
        #expect(limiter.due == 500)
        let (early, first) = (limiter.release(now: 499), limiter.release(now: 500))
        #expect(early == [] && first == [2])
        #expect(limiter.due == 1000 && !limiter.isWaiting(2))
        let second = limiter.release(now: 2000)
        #expect(second == [0] && limiter.due == nil)
    }
}
