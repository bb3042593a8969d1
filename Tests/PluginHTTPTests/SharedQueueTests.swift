import JSONBytes
import PluginKit
import PluginWire
import Testing

@testable import PluginHTTP

/// What every plugin's queue does, by the results that the plugin gives it.
@Suite struct SharedQueueTests {
    private static let hour: Int64 = 3_600_000

    private func makeQueue(
        _ size: QueueSize = QueueSize(window: 4), _ deliveries: Int64 = 0, state: JSON = .null
    ) -> EndpointQueue {
        var endpoint = TestEndpoint()
        endpoint.size = size
        var queue = EndpointQueue(endpoint, state: state)
        for id in 0..<deliveries { _ = queue.enqueue(Delivery(id: id + 1, eventId: "e", body: [1, 2])) }
        return queue
    }

    private func retries(_ messages: [PluginMessage]) -> [PluginMessage.Retry] {
        messages.compactMap { if case .retry(let retry) = $0 { retry } else { nil } }
    }

    /// Each row: the size, what waits, and the batches that go out at once.
    @Test(
        arguments: [
            (QueueSize(window: 2), 3, [[1], [2]]), (QueueSize(window: 1), 2, [[1]]),
            (
                QueueSize(window: 20, batch: 10, batchBytes: 1000, largestEvent: 10), 25,
                [Array(1...10), Array(11...20)]
            ),
            (QueueSize(window: 9, batch: 3, batchBytes: 4, largestEvent: 10), 5, [[1, 2], [3, 4], [5]]),
        ] as [(QueueSize, Int64, [[Int64]])])
    func batchesGoOutAsTheSizeAllows(_ size: QueueSize, _ count: Int64, _ batches: [[Int64]]) {
        var queue = makeQueue(size, count)
        var found: [[Int64]] = []
        while let batch = queue.next() { found.append(batch.map(\.id)) }
        #expect(found == batches)
        #expect(queue.inFlight == batches.count)
    }

    @Test func aBatchThatIsRefusedAsAWholeIsTakenApart() {
        var queue = makeQueue(QueueSize(window: 10, batch: 10, batchBytes: 1000, largestEvent: 10), 3)
        #expect(queue.exchange([.refusal, .refusal, .refusal], now: 0).isEmpty)
        // Each is tried by itself then; the refused one costs the others nothing.
        let first = queue.exchange([.refusal], now: 0)
        #expect(first.flatMap { retries($0.messages) }.map(\.delivery) == [1])
        #expect(queue.exchange([.success()], now: 0).map(\.ack) == [2])
        #expect(queue.failing == 0 && queue.delivered == 1)
        // Results that differ are each settled.
        var mixed = makeQueue(QueueSize(window: 10, batch: 10, batchBytes: 1000, largestEvent: 10), 2)
        let settled = mixed.exchange([.success(), .refusal], now: 0)
        #expect(settled.map(\.ack) == [1, nil])
    }

    /// Else the events would go to an endpoint that is no longer configured.
    @Test func aBatchOfARemovedEndpointDoesNotWaitAgain() throws {
        for (isVoid, waits) in [(false, true), (true, false)] {
            var queue = makeQueue(QueueSize(window: 10, batch: 10, batchBytes: 1000, largestEvent: 10), 3)
            let next = queue.next()
            let batch = try #require(next)
            let results: [TestResult] = [.refusal, .refusal, .refusal]
            #expect(queue.endRequest(batch, results, isVoid: isVoid) == waits)
            #expect(queue.inFlight == 0 && queue.isRunnable == waits)
        }
    }

    @Test func whatCannotBeSentIsGivenBackAndTheEndpointIsHeldLongerEachTime() {
        var queue = makeQueue(QueueSize(window: 4), 3)
        let (messages, deliveries) = queue.suspend(for: TestResult.locked, now: 0, chance: 0.5)
        #expect(messages.first == .window(queue: "a", events: 0))
        #expect(deliveries.map(\.id) == [1, 2, 3])
        #expect(retries(messages).allSatisfy { !$0.counted && $0.afterMs == 1000 && $0.message == "no key" })
        #expect(queue.window == 0 && !queue.isRunnable)
        #expect(queue.release(now: 1000) == [.window(queue: "a", events: 4)])
        for (now, wait) in [(2000, 2000), (9000, 4000), (20_000, 8000), (40_000, 8000)] as [(Int64, Int64)] {
            // Also where nothing waits.
            let (again, none) = queue.suspend(for: TestResult.locked, now: now, chance: 0.5)
            #expect(again == [.window(queue: "a", events: 0)] && none.isEmpty)
            #expect(queue.release(now: now + wait - 1).isEmpty)
            #expect(queue.release(now: now + wait) == [.window(queue: "a", events: 4)])
        }
        // What holds no endpoint changes nothing.
        let (nothing, nobody) = queue.suspend(for: TestResult.failure(), now: 0, chance: 0.5)
        #expect(nothing.isEmpty && nobody.isEmpty && queue.window == 4)
    }

    @Test func aPausedQueueLetsOneRequestThroughAnHour() {
        var queue = makeQueue(QueueSize(window: 20, batch: 10, batchBytes: 1000, largestEvent: 10))
        func fail(_ count: Int64, now: Int64) -> [PluginMessage] {
            for id in 0..<count { _ = queue.enqueue(Delivery(id: id, eventId: "e", body: [1])) }
            return queue.exchange(Array(repeating: .failure(), count: Int(count)), now: now).flatMap(\.messages)
        }
        for _ in 0..<99 { #expect(fail(10, now: 0).count == 10) }
        let last = fail(10, now: 0)
        #expect(last.contains(.window(queue: "a", events: 0)))
        #expect(retries(last).map(\.counted) == Array(repeating: true, count: 10))
        #expect(queue.window == 0 && queue.obstacle(TestEndpoint.words) == "paused")
        #expect(queue.release(now: Self.hour) == [.window(queue: "a", events: 1)])
        let probe = fail(1, now: Self.hour)
        #expect(retries(probe).map(\.counted) == [false])
        #expect(queue.release(now: 2 * Self.hour) == [.window(queue: "a", events: 1)])
        _ = queue.enqueue(Delivery(id: 1, eventId: "e", body: [1]))
        let resumed = queue.exchange([.success()], now: 2 * Self.hour)
        #expect(resumed.first?.messages.contains(.window(queue: "a", events: 20)) == true)
        #expect(queue.obstacle(TestEndpoint.words) == nil)
    }

    @Test func whatIsTooLargeIsRefusedAtOnce() {
        var queue = makeQueue(QueueSize(window: 4, batch: 2, batchBytes: 10, largestEvent: 2))
        #expect(queue.enqueue(Delivery(id: 1, eventId: "e", body: [1, 2])) == nil)
        guard case .reject(2, "too_large", _, true)? = queue.enqueue(Delivery(id: 2, eventId: "e", body: [1, 2, 3]))
        else {
            Issue.record("an event over the limit is a dead letter")
            return
        }
    }

    /// Each row: the results one after the other, and the status that they lead to.
    @Test(
        arguments: [
            ([.success()], .ok, "1 endpoints", ""), ([.failure()], .ok, "1 endpoints", ""),
            (
                [.failure(), .failure(), .failure()], .degraded, "failing: a (broken)", "failing (broken)"
            ),
            ([.failure("missing")], .degraded, "failing: a (missing)", "failing (missing)"),
            (
                [.wait(60_000)], .degraded, "busy: a (wait)",
                "busy, next try at 1970-01-01T00:01:00Z (wait)"
            ),
            (
                [.end], .down,
                "gone (410) until their configuration changes or 'crowbar plugins resume p/NAME': a",
                "gone (410): it gets nothing until its configuration changes or 'crowbar plugins resume p/a'"
            ),
            ([.locked], .down, "without a key: a", "there is no key"),
        ] as [([TestResult], PluginMessage.Level, String, String)])
    func aStatusNamesTheWorst(
        _ results: [TestResult], _ level: PluginMessage.Level, _ text: String, _ entry: String
    ) {
        var queue = makeQueue()
        for result in results {
            _ = queue.enqueue(Delivery(id: 1, eventId: "e", body: []))
            _ = queue.exchange([result], now: 0)
        }
        let report = StatusReport(plugin: "p", words: TestEndpoint.words)
        guard case .status(level, text, let details) = report.message([queue], notes: []) else {
            Issue.record("\(report.message([queue], notes: []))")
            return
        }
        #expect(details?["a"]?["message"]?.string == entry)
    }

    @Test func aStatusSaysWhatElseIsWrong() {
        let report = StatusReport(plugin: "p", words: TestEndpoint.words)
        let names = (1...7).map { "n\($0)" }
        guard case .status(.degraded, let text, _) = report.message([makeQueue()], notes: [.init("keys", names)]) else {
            Issue.record("a note is a reason to be degraded")
            return
        }
        #expect(text == "keys: n1, n2, n3, n4, n5 and 2 more")
    }

    @Test func aRecordMasksWhatTheEndpointQuotes() {
        let configured = ConfiguredEndpoint(TestEndpoint(), pool: 1)
        let delivery = Delivery(id: 1, attempt: 5, uncounted: 2, eventId: "e1", body: [])
        let record = DeliveryRecord(
            delivery, to: configured, TestResult.failure(), at: 7, milliseconds: 3,
            answer: Array("so hush\u{1B}[2J".utf8) + [UInt8](repeating: 0x61, count: 2000))
        let json = record.json
        #expect(json["endpoint"]?.string == "a" && json["url"]?.string == "test:…")
        #expect(json["attempt"]?.int == 3 && json["delivered"]?.bool == false && json["reason"]?.string == "why")
        #expect(json["answer"]?.string?.hasPrefix("so …\u{FFFD}[2Jaaa") == true)
        #expect(record.answer.count == DeliveryRecord.maxAnswer && record.quote().count == DeliveryRecord.maxQuote)
    }

    @Test(arguments: [(nil, true), ("total", false)] as [(String?, Bool)])
    func anOrderMakesAnotherQueue(_ order: String?, _ isSame: Bool) {
        let before = TestEndpoint()
        var after = before
        (after.order, after.size) = (order, QueueSize(window: 9))
        #expect(after.isQueued(as: before) == isSame)
    }
}

/// Commands of answers, and the acknowledgements behind them.
@Suite struct SettlementOutboxTests {
    private let command = Array("{}".utf8)

    private func emitted(_ id: Int, cause: Int64) -> PluginMessage {
        .command(.init(id: MessageID(id), command: command, cause: cause))
    }

    @Test func acksGoTogether() {
        var outbox = SettlementOutbox(limit: 1)
        #expect(outbox.isEmpty && outbox.flush().isEmpty)
        outbox.enqueue(.init(ack: 1))
        outbox.enqueue(.init())
        #expect(!outbox.isEmpty && outbox.flush() == [.ack(.one(1), state: nil)])
        outbox.enqueue(.init(ack: 2))
        outbox.enqueue(.init(ack: 3))
        #expect(outbox.flush() == [.ack(.many([2, 3]), state: nil)] && outbox.isEmpty)
    }

    @Test func anAckWaitsForTheCommandsBeforeIt() {
        var outbox = SettlementOutbox(limit: 1)
        outbox.enqueue(.init(ack: 6))
        outbox.enqueue(.init(commands: [command, command], ack: 7))
        outbox.enqueue(.init(ack: 8))
        #expect(outbox.flush() == [.ack(.one(6), state: nil), emitted(1, cause: 7)])
        #expect(outbox.flush().isEmpty && !outbox.isEmpty)
        #expect(outbox.note(.init(id: MessageID(9), outcome: .refused(code: "c", message: "m"))) == nil)
        let stored = HostMessage.CommandResult(
            id: MessageID(1), outcome: .stored(eventId: "e", position: 1, duplicate: false))
        #expect(outbox.note(stored) == nil)
        #expect(outbox.flush() == [emitted(2, cause: 7), .ack(.many([7, 8]), state: nil)])
    }
}
