import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

/// The life of the real executable: check, start, drain, end.
@Suite struct LifeTests {
    @Test func aCheckAnswersAndTouchesNothing() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/in"))], purpose: .check)
        guard case .ready = try await webhook.plugin.next() else {
            Issue.record("a check of a good configuration answers ready")
            return
        }
        #expect(try await webhook.plugin.end() == .exited(0))
        #expect(try receiver.unread().isEmpty)
    }

    @Test func aCheckNamesEachEndpointThatIsDenied() async throws {
        let webhook = try await WebhookProcess(
            [
                endpoint("good", "https://hooks.example.org/T/secret"),
                endpoint("meta", "http://169.254.169.254/latest/secret", allowPrivate: nil),
                endpoint("local", "http://localhost./secret", allowPrivate: nil),
            ], purpose: .check)
        let problem = try await webhook.fatal()
        #expect(problem.path == "endpoints[1].url")
        #expect(problem.message.contains("'meta'") && problem.message.contains("169.254.169.254"))
        // Each by itself, so that the host can show the line of each.
        let other = try await webhook.fatal()
        #expect(other.path == "endpoints[2].url" && other.message.contains("'local'"))
        #expect(!problem.message.contains("secret") && !other.message.contains("secret"))
        #expect(try await webhook.plugin.end() == .exited(78))
    }

    @Test func anUnknownKeyStopsItWithItsPathAndTheNearestName() async throws {
        let json = endpoint("a", "https://hooks.example.org/", .init("ulr", .string("x")))
        let webhook = try await WebhookProcess([json])
        let problem = try await webhook.fatal()
        #expect(problem.path == "endpoints[0].ulr")
        #expect(problem.message.contains("did you mean 'url'?"))
        #expect(try await webhook.plugin.end() == .exited(78))
    }

    @Test func aDrainFinishesWhatIsInFlight() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("slow", receiver.url("/slow/0.3"), .init("concurrency", .int(2)))
        ])
        try await webhook.start()
        for delivery in Int64(1)...5 { try await webhook.deliver(delivery, to: "slow") }
        _ = try await receiver.request()
        _ = try await receiver.request()
        try await webhook.plugin.send(.drain(deadlineMs: 10_000, why: "test"))
        try await webhook.acks([1, 2])
        #expect(try await webhook.plugin.nextWord() == .drained)
        #expect(try await webhook.plugin.end() == .exited(0))
        #expect(try receiver.unread().isEmpty)
    }

    @Test func aDrainEndsAtItsDeadlineWhateverHangs() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("dead", receiver.url("/silent"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "dead")
        _ = try await receiver.request()
        try await webhook.plugin.send(.drain(deadlineMs: 500, why: "test"))
        #expect(try await webhook.plugin.nextWord() == .drained)
        #expect(try await webhook.plugin.end() == .exited(0))
    }

    @Test func aDrainBeforeTheStartAndAHostThatGoesEndIt() async throws {
        let endpoints = [endpoint("a", "https://hooks.example.org/")]
        let drained = try await WebhookProcess(endpoints)
        try await drained.plugin.send(.drain(deadlineMs: 500, why: "test"))
        #expect(try await drained.plugin.end() == .exited(0))
        let orphan = try await WebhookProcess(endpoints)
        try await orphan.start()
        orphan.plugin.closeInput()
        #expect(try await orphan.plugin.end() == .exited(0))
    }

    @Test func anEventThatCannotBeNamedInAHeaderIsADeadLetter() async throws {
        let webhook = try await WebhookProcess([endpoint("a", "https://hooks.example.org/")])
        try await webhook.start()
        try await webhook.deliver(1, to: "a", event: #"{"eventId":"a\r\nx: y"}"#)
        let rejected = try await webhook.reject(1)
        #expect(rejected.code == "invalid_event" && rejected.deadLetter)
        try await webhook.deliver(2, to: "nobody")
        #expect(try await webhook.reject(2).code == "unknown_queue")
    }
}

extension PluginProcess {
    /// Takes the next message that is neither a status nor a log line, which come at their own times.
    func nextWord() async throws -> PluginMessage {
        try await first("a message") { message in
            switch message {
            case .status, .log: nil
            default: message
            }
        }
    }
}
