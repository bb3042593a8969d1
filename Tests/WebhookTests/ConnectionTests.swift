import CrowbarTesting
import JSONBytes
import PluginWire
import Testing

/// Connections and lanes of the real executable: reuse, addresses, concurrency.
@Suite struct ConnectionTests {
    @Test func connectionsAreKeptAndReplacedWhenTheReceiverClosesThem() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("kept", receiver.url("/in"), .init("concurrency", .int(1))),
            endpoint("closed", receiver.url("/close"), .init("concurrency", .int(1))),
        ])
        try await webhook.start()
        for delivery in Int64(1)...20 { try await webhook.deliver(delivery, to: "kept") }
        try await webhook.acks(Set(1...20))
        let clients = Set(try await receiver.requests(20).map(\.client))
        #expect(clients.count == 1)
        for delivery in Int64(21)...25 {
            try await webhook.deliver(delivery, to: "closed")
            try await webhook.acks([delivery])
        }
    }

    @Test func anOpenConnectionOfAnotherEndpointIsNoWayAroundTheFilter() async throws {
        let receiver = try await Receiver()
        let url = "http://localhost:\(receiver.port)"
        let webhook = try await WebhookProcess([
            endpoint("allowed", url + "/allowed"),
            endpoint("denied", url + "/denied", allowPrivate: .array([.string("10.0.0.0/8")])),
        ])
        try await webhook.start()
        try await webhook.deliver(1, to: "denied")
        #expect(try await webhook.reject(1).code == "address_denied")
        for round in Int64(1)...3 {
            try await webhook.deliver(round * 2, to: "allowed")
            try await webhook.acks([round * 2])
            try await webhook.deliver(round * 2 + 1, to: "denied")
            let rejected = try await webhook.reject(round * 2 + 1)
            #expect(rejected.code == "address_denied" && rejected.deadLetter)
        }
        // A last request behind all that could have come before it.
        try await webhook.deliver(9, to: "allowed")
        try await webhook.acks([9])
        let paths = try await receiver.requests(4).map(\.path)
        #expect(paths == Array(repeating: "/allowed", count: 4))
    }

    @Test func anAddressBlockGivesLeaveForItsAddressesOnly() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint(
                "near", "http://localhost:\(receiver.port)/", allowPrivate: .array([.string("127.0.0.0/8")])),
            endpoint("far", "http://127.0.0.1:\(receiver.port)/", allowPrivate: .array([.string("10.0.0.0/8")])),
        ])
        let ready = try await webhook.start()
        #expect(ready.queues?.map(\.name) == ["near"])
        try await webhook.deliver(1, to: "near")
        try await webhook.acks([1])
        let message = try await webhook.status(.degraded).message
        #expect(message.contains("endpoints[1].url") && message.contains("'far'"))
    }

    @Test func noMoreThanTheConcurrencyIsInFlight() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess([
            endpoint("three", receiver.url("/slow/0.05"), .init("concurrency", .int(3)))
        ])
        try await webhook.start()
        for delivery in Int64(1)...12 { try await webhook.deliver(delivery, to: "three") }
        try await webhook.acks(Set(1...12))
        let most = try await receiver.requests(12).map(\.most)
        #expect(most.max() == 3)
    }

    @Test func anEndpointThatHangsDelaysNobody() async throws {
        let (dead, alive) = (try await Receiver(), try await Receiver())
        let webhook = try await WebhookProcess([
            endpoint("dead", dead.url("/silent")), endpoint("alive", alive.url("/in")),
        ])
        try await webhook.start()
        for delivery in Int64(1)...64 { try await webhook.deliver(delivery, to: "dead") }
        for delivery in Int64(101)...400 { try await webhook.deliver(delivery, to: "alive") }
        try await webhook.plugin.send(.ping(n: 7))
        let pong = try await webhook.plugin.first("a pong") { message in
            if case .pong(let n) = message { n } else { nil }
        }
        #expect(pong == 7)
        try await webhook.acks(Set(101...400))
        let unsettled = try webhook.plugin.unread().contains { message in
            if case .retry = message { true } else { false }
        }
        #expect(!unsettled)
    }

    @Test func manyEndpointsShareOneProcess() async throws {
        let receiver = try await Receiver()
        let webhook = try await WebhookProcess((1...200).map { endpoint("n\($0)", receiver.url("/n\($0)")) })
        try await webhook.start()
        for delivery in Int64(1)...400 { try await webhook.deliver(delivery, to: "n\((delivery - 1) % 200 + 1)") }
        try await webhook.acks(Set(1...400))
        let requests = try await receiver.requests(400)
        #expect(Set(requests.map(\.path)).count == 200)
        #expect(requests.filter(\.isVerified).count == 400)
    }
}
