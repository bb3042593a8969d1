import HTTPClient
import JSONBytes
import PluginWire
import Testing

@testable import AWS

/// One target's events: what goes out together, and what becomes of it.
@Suite struct LaneTests {
    private static func lane(
        _ resource: String, _ jobs: ClosedRange<Int64>, concurrency: Int64 = 64
    ) throws -> Lane {
        var lane = Lane(try DeliveryTests.target(resource, concurrency: concurrency))
        for n in jobs { _ = lane.admit(DeliveryTests.job(n)) }
        return lane
    }

    private static func next(_ lane: inout Lane) throws -> [Job] {
        let jobs = lane.next()
        return try #require(jobs)
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
        var lane = try Self.lane(DeliveryTests.queue, 1...25, concurrency: 20)
        #expect(lane.requestLimit == 2)
        let first = try Self.next(&lane)
        #expect(first.map(\.delivery) == Array(1...10))
        let second = lane.next()
        #expect(second?.map(\.delivery) == Array(11...20))
        #expect(!lane.isRunnable && lane.next() == nil)
        let settlement = lane.settle(first, Self.sent(0..<10), now: 0, chance: 0.5)
        #expect(settlement.acks == Array(1...10) && settlement.messages.isEmpty)
        let third = lane.next()
        #expect(third?.map(\.delivery) == Array(21...25))
    }

    @Test func aFunctionGetsOneAtATimeAndABatchIsNotTooLarge() throws {
        var functions = try Self.lane(DeliveryTests.function, 1...3)
        let one = functions.next()
        #expect(one?.count == 1)
        var lane = Lane(try DeliveryTests.target(DeliveryTests.queue))
        for n in Int64(1)...3 { _ = lane.admit(DeliveryTests.job(n, bytes: 100 << 10)) }
        let two = lane.next()
        #expect(two?.count == 2)
    }

    @Test func whatIsTooLargeForATopicIsADeadLetter() throws {
        var lane = Lane(try DeliveryTests.target(DeliveryTests.topic))
        let refusal = lane.admit(DeliveryTests.job(7, bytes: (256 << 10) + 1))
        guard case .reject(7, "too_large", _, true)? = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(!lane.hasWaiting)
    }

    @Test func aRefusedBatchIsTakenApart() throws {
        var lane = try Self.lane(DeliveryTests.queue, 1...3)
        let batch = try Self.next(&lane)
        let settlement = lane.settle(batch, Self.answer(400, #"{"__type":"a#BatchRequestTooLong"}"#), now: 0, chance: 0)
        #expect(settlement == Lane.Settlement())
        let first = try Self.next(&lane)
        #expect(first.map(\.delivery) == [1])
        let refused = lane.settle(first, Self.answer(400, #"{"__type":"a#InvalidMessageContents"}"#), now: 0, chance: 0)
        #expect(Self.retries(refused.messages).map(\.delivery) == [1])
        let others = [lane.next(), lane.next()].compactMap { jobs in jobs?.map(\.delivery) }
        #expect(others == [[2], [3]])
    }

    @Test func whatIsRefusedTwiceIsADeadLetter() throws {
        var lane = try Self.lane(DeliveryTests.queue, 1...1)
        var job = try Self.next(&lane)
        let first = lane.settle(job, Self.answer(400), now: 0, chance: 0.5)
        #expect(Self.retries(first.messages).map(\.afterMs) == [5000])
        job[0].attempt = 2
        job[0].delivery = 2
        _ = lane.admit(job[0])
        job = try Self.next(&lane)
        let second = lane.settle(job, Self.answer(400), now: 0, chance: 0.5)
        guard case .reject(2, "refused", _, true)? = second.messages.first else {
            Issue.record("\(second)")
            return
        }
    }

    @Test func throttlingHoldsTheTargetAndCostsNoTry() throws {
        var lane = try Self.lane(DeliveryTests.function, 1...2)
        let throttled = Self.answer(429)
        var now: Int64 = 0
        var attempt: Int64 = 1
        for wait in [500, 1000, 2000] as [Int64] {
            var job = try Self.next(&lane)
            job[0].attempt = attempt
            let settlement = lane.settle(job, throttled, now: now, chance: 0.5)
            #expect(settlement.messages.first == .window(queue: "t", events: 0))
            let retry = Self.retries(settlement.messages).first
            #expect(retry?.counted == false && retry?.afterMs == wait)
            #expect(!lane.isRunnable)
            let early = lane.release(now: now + wait - 1)
            #expect(early.isEmpty)
            let late = lane.release(now: now + wait)
            #expect(late == [.window(queue: "t", events: 64)])
            now += wait
            attempt += 1
            _ = lane.admit(job[0])
        }
        // The tries that did not count are not held against the event afterwards, also by a new process: the host
        // counts them.
        var fresh = try Self.lane(DeliveryTests.function, 1...1)
        var job = try Self.next(&fresh)
        (job[0].attempt, job[0].uncounted) = (attempt, attempt - 1)
        let failed = fresh.settle(job, Self.answer(500), now: now, chance: 0.5)
        #expect(Self.retries(failed.messages).first?.afterMs == 5000)
    }

    /// 2026-11-30T14:00:00Z on a clock that began 1,000 s before.
    private static let (now, offset): (Int64, Int64) = (1_000_000, 1_796_047_200_000 - 1_000_000)

    @Test(
        arguments: [
            (429, "throttled, next try at 2026-11-30T14:00:00Z"), (403, "failing (denied)"), (200, ""),
        ] as [(Int, String)])
    func aTargetThatIsHeldBackSaysUntilWhen(status: Int, message: String) throws {
        var lane = try Self.lane(DeliveryTests.function, 1...1)
        let job = try Self.next(&lane)
        let answer = status == 403 ? #"{"__type":"AccessDeniedException"}"# : "{}"
        _ = lane.settle(job, Self.answer(status, answer), now: Self.now, chance: 0.5)
        guard case .status(_, _, let details) = StatusReport.make([lane], [], offset: Self.offset) else {
            Issue.record("this is no status")
            return
        }
        #expect(details?["t"]?["message"]?.string == message)
    }

    @Test func whatUsedUpNoTryIsNoneOfADeliverysTries() throws {
        let json = Array(#"{"eventId":"e1","channelId":"general"}"#.utf8)
        let event = HostMessage.EventDelivery(
            queue: "t", delivery: 9, position: 1, attempt: 7, uncounted: 5, event: json)
        #expect(Job(event)?.countedTry == 2)
    }

    @Test func anOperatorEndsAHold() throws {
        var lane = try Self.lane(DeliveryTests.function, 1...3)
        #expect(lane.obstacle == nil && lane.resume().isEmpty)
        let job = try Self.next(&lane)
        _ = lane.settle(job, Self.answer(429), now: 0, chance: 0.5)
        #expect(lane.obstacle == "throttled" && !lane.isRunnable)
        let resumed = lane.resume()
        #expect(resumed == [.window(queue: "t", events: 64)])
        #expect(lane.obstacle == nil && lane.isRunnable && lane.release(now: 10_000).isEmpty)
        _ = lane.suspend(CredentialProblem("none"), now: 0, chance: 0.5)
        #expect(lane.obstacle == "waiting for credentials")
        let again = lane.resume()
        #expect(again == [.window(queue: "t", events: 64)] && lane.obstacle == nil)
    }

    @Test func credentialsThatAreNotAcceptedAreDoubted() throws {
        var lane = try Self.lane(DeliveryTests.queue, 1...1)
        let job = try Self.next(&lane)
        let settlement = lane.settle(job, Self.answer(403, #"{"__type":"a#ExpiredToken"}"#), now: 0, chance: 0.5)
        #expect(settlement.isUnaccepted)
        #expect(Self.retries(settlement.messages).first?.counted == false)
    }

    @Test func withoutCredentialsAllThatWaitsIsGivenBack() throws {
        var lane = try Self.lane(DeliveryTests.queue, 1...3)
        let messages = lane.suspend(CredentialProblem("none"), now: 0, chance: 0.5)
        #expect(messages.first == .window(queue: "t", events: 0))
        let retries = Self.retries(messages)
        #expect(retries.map(\.delivery) == [1, 2, 3])
        #expect(retries.allSatisfy { !$0.counted && $0.code == "credentials" && $0.message == "none" })
        #expect(!lane.hasWaiting)
    }

    @Test func commandsGoBeforeTheirAcknowledgementAndNotTooMany() {
        var outbox = CommandOutbox(limit: 2)
        let command = Array("{}".utf8)
        outbox.put(.init(commands: Array(repeating: (cause: 7, command: command), count: 3), acks: [7]))
        outbox.put(.init(acks: [8]))
        func emitted(_ id: Int) -> PluginMessage { .command(.init(id: MessageID(id), command: command, cause: 7)) }
        let first = outbox.next()
        #expect(first == [emitted(1), emitted(2)])
        let none = outbox.next()
        #expect(none.isEmpty && !outbox.isEmpty)
        let line = outbox.answer(.init(id: MessageID(1), outcome: .refused(code: "no_such_channel", message: "m")))
        guard case .log("warning", let text, _)? = line else {
            Issue.record("a refused command is told")
            return
        }
        #expect(text.contains("no_such_channel"))
        let last = outbox.next()
        #expect(last == [emitted(3), .ack(.many([7, 8]), state: nil)])
    }
}
