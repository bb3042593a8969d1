import CrowbarTesting
import JSONBytes
import PluginHTTP
import PluginWire
import Testing

@testable import Webhook

/// How often an endpoint is asked.
@Suite struct RateTests {
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
