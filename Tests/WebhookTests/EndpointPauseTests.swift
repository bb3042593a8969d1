import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// What a pause means for an endpoint's queue, and for the process.
@Suite struct EndpointPauseTests {
    private static let hour: Int64 = 3_600_000

    // MARK: In a queue

    private func makeQueue(state: JSON = .null, now: Int64 = 0) throws -> EndpointQueue {
        let json = JSON.object([.init("endpoints", .array([endpoint("a", "https://example.org/")]))])
        let found = try WebhookConfiguration(json, isCheck: false).endpoints.first
        return EndpointQueue(try #require(found), state: state, offset: 1_000_000_000, now: now)
    }

    private func settle(_ queue: inout EndpointQueue, _ outcome: PostResult, now: Int64, attempt: Int64 = 2)
        -> [PluginMessage]
    {
        _ = queue.enqueue(Delivery(id: 1, attempt: attempt, eventId: "e", body: []))
        guard let delivery = queue.nextOne() else { return [] }
        return queue.settle(delivery, outcome, now: now, chance: 0)
    }

    @Test func aLaneOpensForOneProbeAndForAllAfterIt() throws {
        var queue = try makeQueue()
        for _ in 0..<999 { _ = settle(&queue, .answered(status: 500), now: 0) }
        let last = settle(&queue, .answered(status: 500), now: 0)
        #expect(last.first == .window(queue: "a", events: 0))
        guard case .state("a", let state)? = last.dropFirst().first, case .retry(let retry)? = last.last else {
            Issue.record("a pause is kept, and its last try was one as usual: \(last)")
            return
        }
        #expect(retry.counted)
        #expect(queue.wakeAt == Self.hour)
        #expect(queue.release(now: Self.hour - 1).isEmpty)
        #expect(queue.release(now: Self.hour) == [.window(queue: "a", events: 1)])
        // A probe that fails costs the event nothing.
        let probe = settle(&queue, .failed(.unconnected, ""), now: Self.hour)
        guard case .retry(let given)? = probe.last else {
            Issue.record("a failed probe is given back: \(probe)")
            return
        }
        #expect(probe.first == .window(queue: "a", events: 0) && !given.counted)
        // An event that the receiver refuses is no reason to offer it for ever.
        _ = queue.release(now: 2 * Self.hour)
        guard case .reject? = settle(&queue, .answered(status: 400), now: 2 * Self.hour, attempt: 4).last else {
            Issue.record("a refused event is a dead letter")
            return
        }
        _ = queue.release(now: 3 * Self.hour)
        let resumed = settle(&queue, .answered(status: 200), now: 3 * Self.hour)
        #expect(
            resumed == [
                .ack(.one(1), state: nil), .window(queue: "a", events: 64), .state(queue: "a", state: .null),
            ])
        // The next process is paused too, and so is none under another configuration.
        let next = try makeQueue(state: state, now: 60_000)
        #expect(next.opening == [.window(queue: "a", events: 0)])
        #expect(next.wakeAt == Self.hour)
        #expect(!String(decoding: state.bytes, as: UTF8.self).contains("whsec"))
    }

    @Test func aHoldAndAPauseEndEachInItsTime() throws {
        var queue = try makeQueue()
        _ = queue.enqueue(Delivery(id: 2, eventId: "f", body: []))
        let next = queue.nextOne()
        let underWay = try #require(next)
        for _ in 0..<1000 { _ = settle(&queue, .answered(status: 500), now: 0) }
        _ = queue.settle(underWay, .answered(status: 429, retryAfter: 60_000), now: 0, chance: 0)
        #expect(queue.wakeAt == 60_000)
        #expect(queue.release(now: 60_000).isEmpty)
        #expect(queue.wakeAt == Self.hour)
        #expect(queue.release(now: Self.hour) == [.window(queue: "a", events: 1)])
        // A receiver that asks to wait is alive, but has taken nothing.
        let asked = settle(&queue, .answered(status: 503, retryAfter: 5000), now: Self.hour)
        #expect(asked.first == .window(queue: "a", events: 0))
        #expect(queue.release(now: Self.hour + 5000) == [.window(queue: "a", events: 1)])
    }

    // MARK: In the process

    @Test func anEndpointThatFailsIsPausedAndProbedAfterARestart() async throws {
        let receiver = try await Receiver()
        let failing = endpoint("bad", receiver.url("/codes/404"))
        let webhook = try await WebhookProcess([failing, endpoint("good", receiver.url("/in"))])
        try await webhook.start()
        for delivery in Int64(1)...1000 { try await webhook.deliver(delivery, to: "bad", attempt: 2) }
        #expect(try await webhook.window("bad") == 0)
        try await webhook.status(.degraded, saying: "paused, tried once an hour: bad (404)")
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
