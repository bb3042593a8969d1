import JSONBytes
import PluginWire
import Testing

@testable import Webhook

/// The deliveries of one endpoint, without a socket or a clock.
@Suite struct LaneTests {
    private func makeLane(concurrency: Int64 = 2, state: JSON = .null) throws -> Lane {
        let json = endpoint("a", "https://example.org/", .init("concurrency", .int(concurrency)))
        let configuration = try WebhookConfiguration(
            .object([.init("endpoints", .array([json]))]), isCheck: false)
        return Lane(try #require(configuration.endpoints.first), state: state)
    }

    /// Takes a delivery in and out at once.
    private func taken(_ job: Job, by lane: inout Lane) throws -> Job {
        lane.admit(job)
        let next = lane.next()
        return try #require(next)
    }

    private func job(_ delivery: Int64, attempt: Int64 = 1, uncounted: Int64 = 0) -> Job {
        var job = Job(delivery: delivery, position: 7, attempt: attempt, eventId: "e", body: [])
        job.uncounted = uncounted
        return job
    }

    @Test func itTakesTurnsUpToItsConcurrency() throws {
        var lane = try makeLane()
        for delivery in Int64(1)...3 { lane.admit(job(delivery)) }
        #expect(lane.next()?.delivery == 1)
        #expect(lane.next()?.delivery == 2)
        #expect(lane.next() == nil)
        #expect(lane.settle(job(1), .answered(status: 200), now: 0, chance: 0) == .ack(1))
        #expect(lane.next()?.delivery == 3)
        #expect(lane.next() == nil)
    }

    @Test func aHoldLastsAsLongAsTheLongestThatWasAskedFor() throws {
        var lane = try makeLane()
        let (first, second) = (try taken(job(1), by: &lane), try taken(job(2), by: &lane))
        lane.admit(job(3))
        let settled = lane.settle(first, .answered(status: 429, retryAfter: 2000), now: 100, chance: 0)
        guard case .messages(let messages) = settled, case .retry(let retry)? = messages.last else {
            Issue.record("a hold is a retry: \(settled)")
            return
        }
        #expect(messages.first == .window(queue: "a", events: 0))
        #expect(retry.afterMs == 2000 && !retry.counted)
        // The second finds the window closed already.
        let again = lane.settle(second, .answered(status: 503, retryAfter: 5000), now: 200, chance: 0)
        guard case .messages(let more) = again else {
            Issue.record("a hold is a retry: \(again)")
            return
        }
        #expect(more.count == 1)
        #expect(lane.next() == nil)
        #expect(lane.release(now: 5199).isEmpty)
        #expect(lane.release(now: 5200) == [.window(queue: "a", events: 2)])
        #expect(lane.next()?.delivery == 3)
        #expect(lane.release(now: 9999).isEmpty)
    }

    @Test func waitsThatNobodySaysGrowUntilAnotherAnswer() throws {
        var lane = try makeLane()
        var now: Int64 = 0
        func wait(_ outcomes: [Outcome]) throws -> Int64? {
            let jobs = try outcomes.indices.map { try taken(job(Int64($0) + 1), by: &lane) }
            var longest: Int64?
            for (job, outcome) in zip(jobs, outcomes) {
                let settled = lane.settle(job, outcome, now: now, chance: 0.5)
                guard case .messages(let messages) = settled, case .retry(let retry)? = messages.last else { continue }
                #expect(retry.counted == (outcome != .answered(status: 429)))
                longest = max(longest ?? 0, retry.afterMs ?? 0)
            }
            now += 1_000_000
            _ = lane.release(now: now)
            return longest
        }
        let limited = Outcome.answered(status: 429)
        #expect(try wait([limited]) == 5000)
        // What was in flight together is one answer.
        #expect(try wait([limited, limited]) == 10_000)
        #expect(try wait([limited]) == 20_000)
        #expect(try wait([.answered(status: 500)]) == 5000)
        #expect(try wait([limited]) == 5000)
        #expect(try wait([.answered(status: 200)]) == nil)
        #expect(lane.delivered == 1)
    }

    @Test func triesThatDoNotCountDoNotMoveTheSchedule() throws {
        // The host counts them, so that a new process knows as well.
        var lane = try makeLane()
        let fourth = try taken(job(4, attempt: 4, uncounted: 3), by: &lane)
        let settled = lane.settle(fourth, .answered(status: 500), now: 50, chance: 0)
        guard case .messages(let messages) = settled, case .retry(let retry)? = messages.first else {
            Issue.record("a 500 is a retry: \(settled)")
            return
        }
        #expect(retry.afterMs == 4000)
        // A refusal is tried twice, also behind any number of answers that only asked to wait.
        let refusal = try taken(job(5, attempt: 9, uncounted: 8), by: &lane)
        guard case .messages(let again) = lane.settle(refusal, .answered(status: 400), now: 60, chance: 0),
            case .retry(let second)? = again.first
        else {
            Issue.record("the first 400 is a retry")
            return
        }
        #expect(second.counted)
        let last = try taken(job(6, attempt: 10, uncounted: 8), by: &lane)
        guard case .messages(let end) = lane.settle(last, .answered(status: 400), now: 70, chance: 0),
            case .reject(6, "http_400", _, true)? = end.first
        else {
            Issue.record("the second 400 is a dead letter")
            return
        }
    }

    @Test func aReceiverThatIsGoneStaysSoOnlyUnderItsConfiguration() throws {
        var lane = try makeLane()
        let first = try taken(job(1), by: &lane)
        lane.admit(job(2))
        guard case .messages(let messages) = lane.settle(first, .answered(status: 410), now: 0, chance: 0),
            case .state("a", let state) = messages.dropFirst().first, case .retry(let retry)? = messages.last
        else {
            Issue.record("410 closes the window, keeps the fact and gives the delivery back")
            return
        }
        #expect(messages.first == .window(queue: "a", events: 0))
        #expect(!retry.counted)
        #expect(lane.next() == nil)
        #expect(try makeLane(state: state).opening == [.window(queue: "a", events: 0)])
        #expect(try makeLane(concurrency: 3, state: state).opening.isEmpty)
        #expect(!String(decoding: state.bytes, as: UTF8.self).contains("whsec"))
    }

    @Test func anOperatorEndsWhatHoldsAnEndpoint() throws {
        var lane = try makeLane()
        #expect(lane.resume().isEmpty && lane.obstacle == nil)
        _ = lane.settle(try taken(job(1), by: &lane), .answered(status: 429, retryAfter: 9000), now: 0, chance: 0)
        #expect(lane.obstacle == "asked to wait")
        #expect(lane.resume() == [.window(queue: "a", events: 2)])
        _ = lane.settle(try taken(job(2), by: &lane), .answered(status: 410), now: 0, chance: 0)
        #expect(lane.obstacle == "gone")
        // The host forgets what it kept of it, so that a restart does not bring it back.
        #expect(lane.resume() == [.window(queue: "a", events: 2), .state(queue: "a", state: .null)])
        #expect(lane.obstacle == nil && lane.resume().isEmpty)
        for attempt in Int64(1)...1000 {
            _ = lane.settle(try taken(job(attempt), by: &lane), .answered(status: 500), now: attempt, chance: 0)
        }
        #expect(lane.obstacle == "paused" && lane.window == 0)
        #expect(lane.resume().first == .window(queue: "a", events: 2))
        #expect(lane.obstacle == nil && lane.wakeAt == nil && lane.failing == 0)
    }

    @Test func figuresAreKept() throws {
        var lane = try makeLane()
        for (outcome, delivered, failing, last) in [
            (Outcome.answered(status: 204), 1, 0, "204"), (.answered(status: 500), 1, 1, "500"),
            (.failed(.tls, ""), 1, 2, "tls"), (.denied, 1, 3, "address_denied"), (.answered(status: 200), 2, 0, "200"),
        ] {
            _ = lane.settle(try taken(job(1), by: &lane), outcome, now: 0, chance: 0)
            #expect(lane.delivered == delivered && lane.failing == failing && lane.last == last)
        }
        #expect(lane.inFlight == 0)
    }

    @Test func whatTheReceiverSaidStandsBehindTheReason() throws {
        var lane = try makeLane()
        let refused = lane.settle(
            try taken(job(1, attempt: 2), by: &lane), .answered(status: 400), quote: "no such field", now: 0, chance: 0)
        guard case .messages(let messages) = refused, case .reject(_, let code, let message, true)? = messages.last
        else {
            Issue.record("no dead letter: \(refused)")
            return
        }
        #expect(code == "http_400" && message == "the receiver answered 400: no such field")
    }

    @Test(arguments: [
        ("", ""), ("ok\n", "ok"), ("two\r\n  lines", "two lines"), ("\u{1B}[2Jgone", "\u{FFFD}[2Jgone"),
        (String(repeating: "x", count: 300), String(repeating: "x", count: 199) + "…"),
    ])
    func anAnswerIsQuotedOnOneLine(answer: String, quote: String) throws {
        let configuration = try WebhookConfiguration(
            .object([.init("endpoints", .array([endpoint("a", "https://example.org/")]))]), isCheck: false)
        let url = try #require(configuration.endpoints.first).url
        let record = DeliveryRecord(
            endpoint: "a", url: url, at: 0, eventId: "x", attempt: 1, outcome: .answered(status: 400), milliseconds: 1,
            answer: Array(answer.utf8))
        #expect(record.quote == quote)
    }
}
