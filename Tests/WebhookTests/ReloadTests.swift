import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

/// A new configuration for the real executable while it works, with the test as its host.
@Suite struct ReloadTests {
    @Test func anEndpointComesAndOneGoesAndTheOthersNoticeNothing() async throws {
        let receiver = try await Receiver()
        let (slow, gone, new) = (
            endpoint("slow", receiver.url("/slow/0.5")), endpoint("gone", receiver.url("/gone")),
            endpoint("new", receiver.url("/new"))
        )
        let webhook = try await WebhookProcess([slow, gone])
        #expect(try await webhook.start().reload)
        try await webhook.deliver(1, to: "slow")
        let before = try await receiver.request("/slow/0.5")
        let queues = try await webhook.reload([new, slow])
        #expect(queues.map(\.name) == ["new", "slow"])
        #expect(queues.map(\.window) == [64, 64])
        // What was on its way to the one that went is void: nothing is to be said of it.
        try await webhook.deliver(2, to: "gone")
        try await webhook.begin("new")
        try await webhook.deliver(3, to: "new")
        try await webhook.acks([1, 3])
        try await webhook.deliver(4, to: "slow")
        try await webhook.acks([4])
        #expect(try await receiver.request("/slow/0.5").client == before.client)
        #expect(try await receiver.request("/new").isVerified)
        #expect(try receiver.unread().isEmpty)
        let settled = try webhook.plugin.unread().contains { message in
            if case .reject = message { true } else { false }
        }
        #expect(!settled)
        // It comes back, with its state.
        try await webhook.reload([new, slow, gone])
        try await webhook.begin("gone")
        try await webhook.deliver(5, to: "gone")
        try await webhook.acks([5])
    }

    @Test func aReceiverThatIsGoneIsTriedAgainUnderItsNewURL() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("a", receiver.url("/codes/410")), endpoint("held", receiver.url("/wait/429/60")),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        #expect(try await webhook.window("a") == 0)
        try await webhook.deliver(2, to: "held")
        #expect(try await webhook.window("held") == 0)
        let queues = try await webhook.reload([
            endpoint("a", receiver.url("/in"), .init("concurrency", .int(7))),
            endpoint("held", receiver.url("/wait/429/60")),
        ])
        // The one that was told to wait still waits.
        #expect(queues.map(\.window) == [7, 0])
        let state = try await webhook.plugin.first("the state of none") { message in
            if case .state("a", .null) = message { true } else { nil }
        }
        #expect(state)
        try await webhook.deliver(3, to: "a")
        try await webhook.acks([3])
    }

    @Test func aTryUnderTheOldConfigurationSaysNothingOfTheNewOne() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/late/0.4/410"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        _ = try await receiver.request()
        try await webhook.reload([endpoint("a", receiver.url("/in"))])
        let retry = try await webhook.retry(1)
        #expect(retry.code == "changed" && !retry.counted && retry.afterMs == 0)
        try await webhook.deliver(2, to: "a", attempt: 2)
        try await webhook.acks([2])
    }

    @Test func aQueueThatChangesBeginsWhenTheHostSaysSo() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/slow/0.3"))])
        try await webhook.start()
        try await webhook.deliver(1, to: "a")
        _ = try await receiver.request()
        let queues = try await webhook.reload([
            endpoint("a", receiver.url("/in"), .init("order", .string("total")))
        ])
        #expect(queues.map(\.order) == ["total"])
        try await webhook.deliver(2, to: "a")
        // Its try goes on to its end, and is told in case the host has not changed the queue yet.
        try await webhook.acks([1])
        try await webhook.begin("a")
        try await webhook.deliver(3, to: "a")
        try await webhook.acks([3])
        #expect(try await receiver.request().id == "e3")
        #expect(try receiver.unread().isEmpty)
    }

    @Test func aWrongConfigurationIsRefusedAndTheOldOneGoesOn() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([endpoint("a", receiver.url("/in"))])
        try await webhook.start()
        let problem = try await webhook.refusal(of: [
            endpoint("a", receiver.url("/in")), endpoint("b", receiver.url("/in"), .init("concurrency", .int(0))),
        ])
        #expect(problem.path == "endpoints[1].concurrency")
        #expect(problem.message.contains("from 1 to 1024"))
        #expect(try await webhook.refusal(of: []).path == "endpoints")
        try await webhook.deliver(1, to: "a")
        try await webhook.acks([1])
    }
}

extension WebhookProcess {
    private func configure(_ endpoints: [JSON]) async throws {
        let config = JSON.object([.init("endpoints", .array(endpoints))])
        try await plugin.send(.config(id: MessageID(7), config: config))
    }

    /// Sends a new configuration and waits until it is taken; returns the queues it declares.
    @discardableResult
    func reload(_ endpoints: [JSON]) async throws -> [PluginMessage.Queue] {
        try await configure(endpoints)
        let queues = try await plugin.first("queues") { message in
            if case .queues(let queues) = message { queues } else { nil }
        }
        _ = try await plugin.first("configured") { message in
            if case .configured(MessageID(7), nil) = message { true } else { nil }
        }
        return queues
    }

    /// Sends a new configuration and waits until it is refused.
    func refusal(of endpoints: [JSON]) async throws -> PluginMessage.Problem {
        try await configure(endpoints)
        return try await plugin.first("a refusal") { message in
            if case .configured(MessageID(7), let problem) = message { problem } else { nil }
        }
    }

    /// Says that a queue begins.
    func begin(_ queue: String, state: JSON = .null) async throws {
        try await plugin.send(.start([.init(name: queue, cursor: nil, state: state)]))
    }
}
