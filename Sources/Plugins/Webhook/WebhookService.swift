import PluginHTTP
import PluginWire

/// What is specific to webhooks' requests: they are signed. Belongs to the sender's thread.
final class WebhookService: SendService {
    typealias Endpoint = Webhook.Endpoint
    typealias Preparation = Never

    /// Endpoints that are left out and named in the log at once.
    static let maxNamed = 20

    static let words: EndpointWords = {
        var words = EndpointWords(noun: "endpoint", obstacle: { _ in "asked to wait" })
        words.unsendable = (
            PostResult.keysExpired, "without a signing key that is still valid (add one to 'keys')",
            "no signing key is still valid; add one to 'keys'"
        )
        return words
    }()

    private var leftOut: [WebhookConfiguration.LeftOut] = []
    private var lines: [PluginMessage] = []

    init(_ configuration: WebhookConfiguration) { adopt(configuration) }

    /// Notes which endpoints are left out, and logs those that are so for a new reason.
    func adopt(_ configuration: WebhookConfiguration) {
        let new = configuration.leftOut
        let fresh = new.filter { !leftOut.contains($0) }
        for one in fresh.prefix(Self.maxNamed) {
            let text = "\(one.problem.message); it is left out and gets nothing until \(one.problem.path) is corrected"
            lines.append(.log(level: "error", message: text, fields: nil))
        }
        if fresh.count > Self.maxNamed {
            let text = "\(fresh.count - Self.maxNamed) more endpoints are left out; 'crowbar check' names them"
            lines.append(.log(level: "error", message: text, fields: nil))
        }
        leftOut = new
    }

    func takeLogLines() -> [PluginMessage] {
        defer { lines = [] }
        return lines
    }

    var notes: [StatusNote] {
        [StatusNote("left out", leftOut.map { "\($0.problem.path): \($0.problem.message)" })]
    }

    func readiness(of endpoint: Endpoint, at time: Int64) -> Readiness<PostResult> {
        endpoint.signer.isExpired(at: time) ? .blocked(.unsigned) : .ready
    }

    func request(for deliveries: [Delivery], to endpoint: Endpoint, at time: Int64) -> (lines: [String], body: [UInt8])
    {
        // Each request carries one event.
        guard let delivery = deliveries.first else { return ([], []) }
        var lines = ["webhook-id: \(delivery.eventId)", "webhook-timestamp: \(time)"]
        lines += delivery.headers
        // A header that is configured goes before.
        if let traceParent = delivery.traceParent, !endpoint.hasTraceParent {
            lines.append("traceparent: \(traceParent)")
        }
        let signatures = endpoint.signer.signatures(id: delivery.eventId, timestamp: time, body: delivery.body)
        if let signatures { lines.append("webhook-signature: \(signatures)") }
        return (lines, delivery.body)
    }
}
