import PluginWire

@testable import PluginHTTP
@testable import Webhook

/// A queue whose requests carry one event each.
extension EndpointQueue {
    /// The words for webhooks.
    var obstacle: String? { obstacle(WebhookService.words) }

    mutating func nextOne() -> Delivery? { next()?.first }

    /// Ends a request, and returns what the host is told.
    mutating func settle(
        _ delivery: Delivery, _ result: PostResult, quote: String = "", now: Int64, chance: Double
    ) -> [PluginMessage] {
        _ = endRequest([delivery], [result])
        let settlement = settle(delivery, by: result, quote: quote, now: now, chance: chance)
        return (settlement.ack.map { [.ack(.one($0), state: nil)] } ?? []) + settlement.messages
    }
}

extension DeliveryVerdict {
    init(_ result: PostResult, attempt: Int64, holds: Int = 0, chance: Double) {
        self = result.verdict(attempt: attempt, holds: holds, chance: chance)
    }
}
