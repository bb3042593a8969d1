import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// The deliveries of one endpoint, without a socket or a clock.
@Suite struct EndpointQueueTests {
    private func makeQueue(concurrency: Int64 = 2, state: JSON = .null) throws -> EndpointQueue {
        let json = endpoint("a", "https://example.org/", .init("concurrency", .int(concurrency)))
        let configuration = try WebhookConfiguration(
            .object([.init("endpoints", .array([json]))]), isCheck: false)
        return EndpointQueue(try #require(configuration.endpoints.first), state: state)
    }

    /// Takes a delivery in and out at once.
    private func taken(_ delivery: Delivery, by queue: inout EndpointQueue) throws -> Delivery {
        _ = queue.enqueue(delivery)
        let next = queue.nextOne()
        return try #require(next)
    }

    private func delivery(_ id: Int64, attempt: Int64 = 1, uncounted: Int64 = 0) -> Delivery {
        Delivery(id: id, attempt: attempt, uncounted: uncounted, eventId: "e", body: [])
    }

    @Test func itTakesTurnsUpToItsConcurrency() throws {
        var queue = try makeQueue()
        for id in Int64(1)...3 { _ = queue.enqueue(delivery(id)) }
        #expect(queue.nextOne()?.id == 1)
        #expect(queue.nextOne()?.id == 2)
        #expect(queue.nextOne() == nil)
        #expect(queue.settle(delivery(1), .answered(status: 200), now: 0, chance: 0) == [.ack(.one(1), state: nil)])
        #expect(queue.nextOne()?.id == 3)
        #expect(queue.nextOne() == nil)
    }

    @Test func aHoldLastsAsLongAsTheLongestThatWasAskedFor() throws {
        var queue = try makeQueue()
        let (first, second) = (try taken(delivery(1), by: &queue), try taken(delivery(2), by: &queue))
        _ = queue.enqueue(delivery(3))
        let settled = queue.settle(first, .answered(status: 429, retryAfter: 2000), now: 100, chance: 0)
        guard case .retry(let retry)? = settled.last else {
            Issue.record("a hold is a retry: \(settled)")
            return
        }
        #expect(settled.first == .window(queue: "a", events: 0))
        #expect(retry.afterMs == 2000 && !retry.counted)
        // The second finds the window closed already.
        let again = queue.settle(second, .answered(status: 503, retryAfter: 5000), now: 200, chance: 0)
        #expect(again.count == 1)
        guard case .retry? = again.last else {
            Issue.record("a hold is a retry: \(again)")
            return
        }
        #expect(queue.nextOne() == nil)
        #expect(queue.release(now: 5199).isEmpty)
        #expect(queue.release(now: 5200) == [.window(queue: "a", events: 2)])
        #expect(queue.nextOne()?.id == 3)
        #expect(queue.release(now: 9999).isEmpty)
    }

    @Test func waitsThatNobodySaysGrowUntilAnotherAnswer() throws {
        var queue = try makeQueue()
        var now: Int64 = 0
        func wait(_ outcomes: [PostResult]) throws -> Int64? {
            let deliveries = try outcomes.indices.map { try taken(delivery(Int64($0) + 1), by: &queue) }
            var longest: Int64?
            for (delivery, outcome) in zip(deliveries, outcomes) {
                let settled = queue.settle(delivery, outcome, now: now, chance: 0.5)
                guard case .retry(let retry)? = settled.last else { continue }
                #expect(retry.counted == (outcome != .answered(status: 429)))
                longest = max(longest ?? 0, retry.afterMs ?? 0)
            }
            now += 1_000_000
            _ = queue.release(now: now)
            return longest
        }
        let limited = PostResult.answered(status: 429)
        #expect(try wait([limited]) == 5000)
        // What was in flight together is one answer.
        #expect(try wait([limited, limited]) == 10_000)
        #expect(try wait([limited]) == 20_000)
        #expect(try wait([.answered(status: 500)]) == 5000)
        #expect(try wait([limited]) == 5000)
        #expect(try wait([.answered(status: 200)]) == nil)
        #expect(queue.delivered == 1)
    }

    @Test func triesThatDoNotCountDoNotMoveTheSchedule() throws {
        // The host counts them, so that a new process knows as well.
        var queue = try makeQueue()
        let fourth = try taken(delivery(4, attempt: 4, uncounted: 3), by: &queue)
        let settled = queue.settle(fourth, .answered(status: 500), now: 50, chance: 0)
        guard case .retry(let retry)? = settled.first else {
            Issue.record("a 500 is a retry: \(settled)")
            return
        }
        #expect(retry.afterMs == 4000)
        // A refusal is tried twice, also behind any number of answers that only asked to wait.
        let refusal = try taken(delivery(5, attempt: 9, uncounted: 8), by: &queue)
        guard case .retry(let second)? = queue.settle(refusal, .answered(status: 400), now: 60, chance: 0).first else {
            Issue.record("the first 400 is a retry")
            return
        }
        #expect(second.counted)
        let last = try taken(delivery(6, attempt: 10, uncounted: 8), by: &queue)
        guard
            case .reject(6, "http_400", _, true)? = queue.settle(last, .answered(status: 400), now: 70, chance: 0).first
        else {
            Issue.record("the second 400 is a dead letter")
            return
        }
    }

    @Test func aReceiverThatIsGoneStaysSoOnlyUnderItsConfiguration() throws {
        var queue = try makeQueue()
        let first = try taken(delivery(1), by: &queue)
        _ = queue.enqueue(delivery(2))
        let messages = queue.settle(first, .answered(status: 410), now: 0, chance: 0)
        guard case .state("a", let state) = messages.dropFirst().first, case .retry(let retry)? = messages.last
        else {
            Issue.record("410 closes the window, keeps the fact and gives the delivery back")
            return
        }
        #expect(messages.first == .window(queue: "a", events: 0))
        #expect(!retry.counted)
        #expect(queue.nextOne() == nil)
        #expect(try makeQueue(state: state).opening == [.window(queue: "a", events: 0)])
        #expect(try makeQueue(concurrency: 3, state: state).opening.isEmpty)
        #expect(!String(decoding: state.bytes, as: UTF8.self).contains("whsec"))
    }

    @Test func anOperatorEndsWhatHoldsAnEndpoint() throws {
        var queue = try makeQueue()
        #expect(queue.resume().isEmpty && queue.obstacle == nil)
        _ = queue.settle(
            try taken(delivery(1), by: &queue), .answered(status: 429, retryAfter: 9000), now: 0, chance: 0)
        #expect(queue.obstacle == "asked to wait")
        #expect(queue.resume() == [.window(queue: "a", events: 2)])
        _ = queue.settle(try taken(delivery(2), by: &queue), .answered(status: 410), now: 0, chance: 0)
        #expect(queue.obstacle == "gone")
        // The host forgets what it kept of it, so that a restart does not bring it back.
        #expect(queue.resume() == [.window(queue: "a", events: 2), .state(queue: "a", state: .null)])
        #expect(queue.obstacle == nil && queue.resume().isEmpty)
        for attempt in Int64(1)...1000 {
            _ = queue.settle(try taken(delivery(attempt), by: &queue), .answered(status: 500), now: attempt, chance: 0)
        }
        #expect(queue.obstacle == "paused" && queue.window == 0)
        #expect(queue.resume().first == .window(queue: "a", events: 2))
        #expect(queue.obstacle == nil && queue.wakeAt == nil && queue.failing == 0)
    }

    @Test func figuresAreKept() throws {
        var queue = try makeQueue()
        for (outcome, delivered, failing, last) in [
            (PostResult.answered(status: 204), 1, 0, "204"), (.answered(status: 500), 1, 1, "500"),
            (.failed(.tls, ""), 1, 2, "tls"), (.denied, 1, 3, "address_denied"), (.answered(status: 200), 2, 0, "200"),
        ] {
            _ = queue.settle(try taken(delivery(1), by: &queue), outcome, now: 0, chance: 0)
            #expect(queue.delivered == delivered && queue.failing == failing && queue.last == last)
        }
        #expect(queue.inFlight == 0)
    }

    @Test func whatTheReceiverSaidStandsBehindTheReason() throws {
        var queue = try makeQueue()
        let refused = queue.settle(
            try taken(delivery(1, attempt: 2), by: &queue), .answered(status: 400), quote: "no such field", now: 0,
            chance: 0)
        guard case .reject(_, let code, let message, true)? = refused.last else {
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
        let configured = ConfiguredEndpoint(try #require(configuration.endpoints.first), pool: 1)
        let record = DeliveryRecord(
            delivery(1), to: configured, PostResult.answered(status: 400), at: 0, milliseconds: 1,
            answer: Array(answer.utf8))
        #expect(record.quote() == quote)
    }
}
