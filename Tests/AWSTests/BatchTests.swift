import HTTPClient
import JSONBytes
import PluginWire
import Testing

@testable import AWS
@testable import PluginHTTP

/// One target's events: what goes out together, and what becomes of it.
@Suite struct BatchTests {
    private static func makeQueue(
        _ resource: String, _ deliveries: ClosedRange<Int64>, concurrency: Int64 = 64
    ) throws -> EndpointQueue {
        var queue = EndpointQueue(try DeliveryTests.target(resource, concurrency: concurrency), state: .null)
        for n in deliveries { _ = queue.enqueue(DeliveryTests.job(n)) }
        return queue
    }

    private static func next(_ queue: inout EndpointQueue) throws -> [Delivery] {
        let deliveries = queue.next()
        return try #require(deliveries)
    }

    private static func answer(_ status: Int, _ body: String = "{}") -> Outcome {
        .answered(.init(status: status, body: Array(body.utf8)))
    }

    private static func sent(_ ids: Range<Int>) -> Outcome {
        answer(200, #"{"Successful":[\#(ids.map { #"{"Id":"\#($0)"}"# }.joined(separator: ","))]}"#)
    }

    private static func retries(_ messages: [PluginMessage]) -> [PluginMessage.Retry] {
        messages.compactMap { if case .retry(let retry) = $0 { retry } else { nil } }
    }

    @Test func tenGoTogetherAndRequestsAreLimited() throws {
        var queue = try Self.makeQueue(DeliveryTests.queue, 1...25, concurrency: 20)
        #expect(try DeliveryTests.target(DeliveryTests.queue, concurrency: 20).size.requests == 2)
        let first = try Self.next(&queue)
        #expect(first.map(\.id) == Array(1...10))
        let second = queue.next()
        #expect(second?.map(\.id) == Array(11...20))
        #expect(!queue.isRunnable && queue.next() == nil)
        let settlement = try queue.settle(
            first, DeliveryTests.target(DeliveryTests.queue), Self.sent(0..<10), now: 0, chance: 0.5)
        #expect(settlement.acks == Array(1...10) && settlement.messages.isEmpty)
        let third = queue.next()
        #expect(third?.map(\.id) == Array(21...25))
    }

    @Test func aFunctionGetsOneAtATimeAndABatchIsNotTooLarge() throws {
        var functions = try Self.makeQueue(DeliveryTests.function, 1...3)
        let one = functions.next()
        #expect(one?.count == 1)
        var queue = EndpointQueue(try DeliveryTests.target(DeliveryTests.queue), state: .null)
        for n in Int64(1)...3 { _ = queue.enqueue(DeliveryTests.job(n, bytes: 100 << 10)) }
        let two = queue.next()
        #expect(two?.count == 2)
    }

    @Test func whatIsTooLargeForATopicIsADeadLetter() throws {
        var queue = EndpointQueue(try DeliveryTests.target(DeliveryTests.topic), state: .null)
        let refusal = queue.enqueue(DeliveryTests.job(7, bytes: (256 << 10) + 1))
        guard case .reject(7, "too_large", _, true)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(!queue.hasWaiting)
    }

    @Test func aRefusedBatchIsTakenApart() throws {
        var queue = try Self.makeQueue(DeliveryTests.queue, 1...3)
        let batch = try Self.next(&queue)
        let settlement = try queue.settle(
            batch, DeliveryTests.target(DeliveryTests.queue), Self.answer(400, #"{"__type":"a#BatchRequestTooLong"}"#),
            now: 0, chance: 0)
        #expect(settlement == EndpointQueue.Settled())
        let first = try Self.next(&queue)
        #expect(first.map(\.id) == [1])
        let refused = try queue.settle(
            first, DeliveryTests.target(DeliveryTests.queue),
            Self.answer(400, #"{"__type":"a#InvalidMessageContents"}"#), now: 0, chance: 0)
        #expect(Self.retries(refused.messages).map(\.delivery) == [1])
        let others = [queue.next(), queue.next()].compactMap { deliveries in deliveries?.map(\.id) }
        #expect(others == [[2], [3]])
    }

    @Test func whatIsRefusedTwiceIsADeadLetter() throws {
        var queue = try Self.makeQueue(DeliveryTests.queue, 1...1)
        var job = try Self.next(&queue)
        let first = try queue.settle(
            job, DeliveryTests.target(DeliveryTests.queue), Self.answer(400), now: 0, chance: 0.5)
        #expect(Self.retries(first.messages).map(\.afterMs) == [5000])
        job[0].attempt = 2
        job[0].id = 2
        _ = queue.enqueue(job[0])
        job = try Self.next(&queue)
        let second = try queue.settle(
            job, DeliveryTests.target(DeliveryTests.queue), Self.answer(400), now: 0, chance: 0.5)
        guard case .reject(2, "refused", _, true)? = second.messages.first else {
            Issue.record("\(second)")
            return
        }
    }

    @Test func throttlingHoldsTheTargetAndCostsNoTry() throws {
        var queue = try Self.makeQueue(DeliveryTests.function, 1...2)
        let throttled = Self.answer(429)
        var now: Int64 = 0
        var attempt: Int64 = 1
        for wait in [500, 1000, 2000] as [Int64] {
            var job = try Self.next(&queue)
            job[0].attempt = attempt
            let settlement = try queue.settle(
                job, DeliveryTests.target(DeliveryTests.function), throttled, now: now, chance: 0.5)
            #expect(settlement.messages.first == .window(queue: "t", events: 0))
            let retry = Self.retries(settlement.messages).first
            #expect(retry?.counted == false && retry?.afterMs == wait)
            #expect(!queue.isRunnable)
            let early = queue.release(now: now + wait - 1)
            #expect(early.isEmpty)
            let late = queue.release(now: now + wait)
            #expect(late == [.window(queue: "t", events: 64)])
            now += wait
            attempt += 1
            _ = queue.enqueue(job[0])
        }
        // The tries that did not count are not held against the event afterwards, also by a new process: the host
        // counts them.
        var fresh = try Self.makeQueue(DeliveryTests.function, 1...1)
        var job = try Self.next(&fresh)
        (job[0].attempt, job[0].uncounted) = (attempt, attempt - 1)
        let failed = try fresh.settle(
            job, DeliveryTests.target(DeliveryTests.function), Self.answer(500), now: now, chance: 0.5)
        #expect(Self.retries(failed.messages).first?.afterMs == 5000)
    }

    /// 2026-11-30T14:00:00Z on a clock that began 1,000 s before.
    private static let (now, offset): (Int64, Int64) = (1_000_000, 1_796_047_200_000 - 1_000_000)

    @Test(
        arguments: [
            (429, "throttled, next try at 2026-11-30T14:00:00Z"), (403, "failing (denied)"), (200, ""),
        ] as [(Int, String)])
    func aTargetThatIsHeldBackSaysUntilWhen(status: Int, message: String) throws {
        var queue = EndpointQueue(
            try DeliveryTests.target(DeliveryTests.function), state: .null, offset: Self.offset, now: Self.now)
        _ = queue.enqueue(DeliveryTests.job(1))
        let job = try Self.next(&queue)
        let answer = status == 403 ? #"{"__type":"AccessDeniedException"}"# : "{}"
        _ = try queue.settle(
            job, DeliveryTests.target(DeliveryTests.function), Self.answer(status, answer), now: Self.now, chance: 0.5)
        guard
            case .status(_, _, let details) = StatusReport(plugin: "aws", words: AWSService.words).message(
                [queue], notes: [])
        else {
            Issue.record("this is no status")
            return
        }
        #expect(details?["t"]?["message"]?.string == message)
    }

    @Test func whatUsedUpNoTryIsNoneOfADeliverysTries() throws {
        let json = Array(#"{"eventId":"e1","channelId":"general"}"#.utf8)
        let event = HostMessage.EventDelivery(
            queue: "t", delivery: 9, position: 1, attempt: 7, uncounted: 5, event: json)
        #expect(Delivery(event)?.countedTry == 2)
    }

    @Test func anOperatorEndsAHold() throws {
        var queue = try Self.makeQueue(DeliveryTests.function, 1...3)
        #expect(queue.obstacle == nil && queue.resume().isEmpty)
        let job = try Self.next(&queue)
        _ = try queue.settle(job, DeliveryTests.target(DeliveryTests.function), Self.answer(429), now: 0, chance: 0.5)
        #expect(queue.obstacle == "throttled" && !queue.isRunnable)
        let resumed = queue.resume()
        #expect(resumed == [.window(queue: "t", events: 64)])
        #expect(queue.obstacle == nil && queue.isRunnable && queue.release(now: 10_000).isEmpty)
        _ = queue.suspend(CredentialProblem("none"), now: 0, chance: 0.5)
        #expect(queue.obstacle == "waiting for credentials")
        let again = queue.resume()
        #expect(again == [.window(queue: "t", events: 64)] && queue.obstacle == nil)
    }

    @Test func credentialsThatAreNotAcceptedAreDoubted() throws {
        var queue = try Self.makeQueue(DeliveryTests.queue, 1...1)
        let job = try Self.next(&queue)
        let settlement = try queue.settle(
            job, DeliveryTests.target(DeliveryTests.queue), Self.answer(403, #"{"__type":"a#ExpiredToken"}"#), now: 0,
            chance: 0.5)
        let target = try DeliveryTests.target(DeliveryTests.queue)
        let verdicts = target.judge(Self.answer(403, #"{"__type":"a#ExpiredToken"}"#), count: 1)
        #expect(verdicts.map(\.isUnaccepted) == [true])
        #expect(Self.retries(settlement.messages).first?.counted == false)
    }

    @Test func withoutCredentialsAllThatWaitsIsGivenBack() throws {
        var queue = try Self.makeQueue(DeliveryTests.queue, 1...3)
        let messages = queue.suspend(CredentialProblem("none"), now: 0, chance: 0.5)
        #expect(messages.first == .window(queue: "t", events: 0))
        let retries = Self.retries(messages)
        #expect(retries.map(\.delivery) == [1, 2, 3])
        #expect(retries.allSatisfy { !$0.counted && $0.code == "credentials" && $0.message == "none" })
        #expect(!queue.hasWaiting)
    }

    @Test func commandsGoBeforeTheirAcknowledgementAndNotTooMany() {
        var outbox = SettlementOutbox(limit: 2)
        let command = Array("{}".utf8)
        outbox.enqueue(.init(commands: Array(repeating: command, count: 3), ack: 7))
        outbox.enqueue(.init(ack: 8))
        func emitted(_ id: Int) -> PluginMessage { .command(.init(id: MessageID(id), command: command, cause: 7)) }
        let first = outbox.flush()
        #expect(first == [emitted(1), emitted(2)])
        let none = outbox.flush()
        #expect(none.isEmpty && !outbox.isEmpty)
        let line = outbox.note(.init(id: MessageID(1), outcome: .refused(code: "no_such_channel", message: "m")))
        guard case .log("warning", let text, _)? = line else {
            Issue.record("a refused command is told")
            return
        }
        #expect(text.contains("no_such_channel"))
        let last = outbox.flush()
        #expect(last == [emitted(3), .ack(.many([7, 8]), state: nil)])
    }
}
