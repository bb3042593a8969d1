import JSONBytes
import PluginWire
import Testing

@testable import PluginHTTP
@testable import Webhook

/// What the plugin says of its endpoints, by what their last tries came to.
@Suite struct StatusReportTests {
    /// 2026-11-30T14:00:00Z on a clock that began 1,000 s before.
    private static let (now, offset): (Int64, Int64) = (1_000_000, 1_796_047_200_000 - 1_000_000)

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// How the tries ended, one after the other.
        var outcomes: [PostResult]
        var message: String
        var level = PluginMessage.Level.degraded
    }

    @Test(arguments: [
        Case(testDescription: "well", outcomes: [.answered(status: 200)], message: "", level: .ok),
        Case(
            testDescription: "asked to wait", outcomes: [.answered(status: 429, retryAfter: 131_000)],
            message: "asked to wait, next try at 2026-11-30T14:02:11Z (429)"),
        Case(
            testDescription: "failing", outcomes: Array(repeating: .answered(status: 503), count: 3),
            message: "failing (503)"),
        Case(
            testDescription: "failing, and asked to wait",
            outcomes: Array(repeating: .answered(status: 503), count: 3) + [
                .answered(status: 503, retryAfter: 60_000)
            ], message: "failing, next try at 2026-11-30T14:01:00Z (503)"),
        Case(
            testDescription: "paused", outcomes: Array(repeating: .answered(status: 500), count: 1000),
            message: "paused, tried once an hour, next try at 2026-11-30T15:00:00Z (500)"),
        Case(
            testDescription: "gone", outcomes: [.answered(status: 410)],
            message: """
                gone (410): it gets nothing until its configuration changes or 'crowbar plugins resume webhook/a'
                """, level: .down),
    ])
    func anEndpointThatIsHeldBackSaysUntilWhen(_ example: Case) throws {
        let json = JSON.object([.init("endpoints", .array([endpoint("a", "https://example.org/")]))])
        let found = try WebhookConfiguration(json, isCheck: false).endpoints.first
        var queue = EndpointQueue(try #require(found), state: .null, offset: Self.offset, now: Self.now)
        for outcome in example.outcomes {
            _ = queue.enqueue(Delivery(id: 1, eventId: "e", body: []))
            let delivery = queue.nextOne()
            _ = queue.settle(try #require(delivery), outcome, now: Self.now, chance: 0)
        }
        let report = StatusReport(plugin: "webhook", words: WebhookService.words)
        guard case .status(let level, _, let details) = report.message([queue], notes: []) else {
            Issue.record("this is no status")
            return
        }
        #expect(level == example.level)
        #expect(details?["a"]?["message"]?.string == example.message)
    }

    @Test func aNewTimeOfTheNextTryIsToldAtOnce() throws {
        let json = JSON.object([.init("endpoints", .array([endpoint("a", "https://example.org/")]))])
        let found = try WebhookConfiguration(json, isCheck: false).endpoints.first
        var queue = EndpointQueue(try #require(found), state: .null, offset: Self.offset, now: Self.now)
        var reporter = StatusReporter(plugin: "webhook", words: WebhookService.words)
        var told: [String?] = []
        for step in Int64(0)..<3 {
            let now = Self.now + step * StatusReporter.interval
            // Whoever runs an endpoint that asks to wait again and again reads a time that is not over.
            _ = queue.resume()
            _ = queue.enqueue(Delivery(id: 1, eventId: "e", body: []))
            let delivery = queue.nextOne()
            _ = queue.settle(try #require(delivery), .answered(status: 429, retryAfter: 60_000), now: now, chance: 0)
            reporter.isDirty = true
            for case .status(_, _, let details) in reporter.report([queue], now: now) ?? [] {
                told.append(details?["a"]?["message"]?.string)
            }
        }
        let times = ["14:01:00Z", "14:01:01Z", "14:01:02Z"]
        #expect(told == times.map { "asked to wait, next try at 2026-11-30T\($0) (429)" })
    }
}
