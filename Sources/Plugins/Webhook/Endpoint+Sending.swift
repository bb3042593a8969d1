import HTTPClient
import JSONBytes
import PluginHTTP
import PluginWire

/// Requests to an endpoint.
extension Endpoint {
    /// The bytes of an answer that are read; the connection of a longer one is closed.
    static let maxAnswer = 16 << 10
    /// What the plugin calls itself.
    static let userAgent = "crowbar-webhook/1"

    var shownAddress: String { url.masked }

    func mask(_ text: String) -> String { url.mask(text) }

    var requestTarget: HTTPTransfer.Target {
        var target = HTTPTransfer.Target(
            url: url.text, userAgent: Self.userAgent, timeout: limits.all, answerLimit: Self.maxAnswer)
        target.proxy = proxy.map { ($0.text, $0.port) }
        (target.caFile, target.clientCert, target.clientKey) = (tls.caFile, tls.clientCert, tls.clientKey)
        target.requiresTLS13 = tls.minimum == .tls13
        target.connectTimeout = limits.connect + limits.secure
        target.addresses = filter
        return target
    }

    var headerLines: [String] { ["content-type: \(body.contentType)", "expect:"] + headers }

    /// A chat service is told what somebody said, as it has no words for anything else of this kind.
    var testEventType: String { body.isChat ? "MESSAGE_SENT" : "WEBHOOK_TEST" }

    func testDelivery(_ event: JSON, eventId: String) -> Delivery? {
        guard let object = try? JSONObject(parsing: event.bytes), let content = try? body.content(of: object) else {
            return nil
        }
        var delivery = Delivery(id: 0, eventId: eventId, body: content.body)
        delivery.headers = content.headers
        return delivery
    }

    func results(_ end: RequestEnd, count: Int, answer: @autoclosure () -> [UInt8]) -> [PostResult] {
        switch end {
        case .completed(let result): [PostResult(result, of: self, answer: answer())]
        case .timedOut(let message): [.failed(.timedOut, message)]
        case .unsent(let message): [.failed(.broken, message)]
        }
    }
}
