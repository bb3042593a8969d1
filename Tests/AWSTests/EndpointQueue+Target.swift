import HTTPClient
import PluginWire

@testable import AWS
@testable import PluginHTTP

/// A queue of a target, as the send loop uses it.
extension EndpointQueue {
    /// What a request of several deliveries came to.
    struct Settled: Equatable {
        var commands: [[UInt8]] = []
        var acks: [Int64] = []
        var messages: [PluginMessage] = []
    }

    /// The words for targets.
    var obstacle: String? { obstacle(AWSService.words) }
    /// Whether deliveries wait here.
    var hasWaiting: Bool { firstWaiting != nil }

    /// Ends a request, and returns what becomes of its deliveries.
    mutating func settle(
        _ deliveries: [Delivery], _ target: Target, _ outcome: Outcome, now: Int64, chance: Double
    ) -> Settled {
        let results = target.judge(outcome, count: deliveries.count)
        var settled = Settled()
        if endRequest(deliveries, results) { return settled }
        for (delivery, result) in zip(deliveries, results) {
            let one = settle(delivery, by: result, now: now, chance: chance)
            settled.commands += one.commands
            settled.acks += one.ack.map { [$0] } ?? []
            settled.messages += one.messages
        }
        return settled
    }

    /// Gives back all that waits, as there are no credentials.
    mutating func suspend(_ problem: CredentialProblem, now: Int64, chance: Double) -> [PluginMessage] {
        suspend(
            for: ServiceVerdict.unaccepted(code: ServiceVerdict.credentials, message: problem.message), now: now,
            chance: chance
        ).messages
    }
}
