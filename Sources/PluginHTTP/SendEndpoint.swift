import CCurl
import HTTPClient
import JSONBytes
import OpenSSL
import PluginKit
import PluginWire

/// Limits of all plugins that send events by HTTP.
package enum SendLimits {
    /// Endpoints of one plugin at most.
    package static let maxEndpoints = 1000
}

/// How much of a queue is with its endpoint at a time.
package struct QueueSize: Equatable, Sendable {
    /// Deliveries that are wanted from the host at a time.
    package var window: Int64
    /// Requests in flight at most.
    package var requests: Int
    /// Events of one request at most.
    package var batch = 1
    /// Bytes of the events of one request together, where there are several.
    package var batchBytes = Int.max
    /// Bytes of one event at most.
    package var largestEvent = Int.max

    /// A queue whose requests carry one event each.
    package init(window: Int64) { (self.window, requests) = (window, Int(window)) }

    /// A queue with requests for batches: so many that all events of the window are in flight when each is full.
    package init(window: Int64, batch: Int, batchBytes: Int, largestEvent: Int) {
        (self.window, requests) = (window, (Int(window) + batch - 1) / batch)
        (self.batch, self.batchBytes, self.largestEvent) = (batch, batchBytes, largestEvent)
    }
}

/// How a request ended.
package enum RequestEnd {
    /// libcurl is done with it.
    case completed(ccurl_result)
    /// A part of it took too long.
    case timedOut(String)
    /// It never went out.
    case unsent(String)
}

/// One endpoint of a plugin's configuration, which is a queue of its own.
package protocol SendEndpoint: Sendable {
    /// How a try ends.
    associatedtype Result: DeliveryResult

    /// Its name, which is its queue's.
    var name: String { get }
    /// Where it is, as operators are shown it: without secrets.
    var shownAddress: String { get }
    /// Its queue, as it is declared.
    var queue: PluginMessage.Queue { get }
    /// How much of the queue it has at a time.
    var size: QueueSize { get }
    /// How often it may be asked; nil: as often as it answers.
    var rate: RequestRate? { get }
    /// How long one try and its parts may take.
    var limits: TimeLimits { get }
    /// A hash of its configuration, which tells nothing of it.
    var fingerprint: String { get }
    /// Where its requests go.
    var requestTarget: HTTPTransfer.Target { get }
    /// Whether its requests may use the connections of other endpoints of the same host.
    var sharesConnections: Bool { get }
    /// The header lines that each request carries besides its own.
    var headerLines: [String] { get }
    /// The type of an event that tests it.
    var testEventType: String { get }

    /// A text without what is secret of its address.
    func mask(_ text: String) -> String
    /// The delivery that a test of an operator is; nil: nothing can be sent of the event.
    func testDelivery(_ event: JSON, eventId: String) -> Delivery?
    /// How the tries of a request's deliveries ended.
    /// - Parameters:
    ///   - count: How many deliveries it had.
    ///   - answer: What is kept of the answer's body.
    func results(_ end: RequestEnd, count: Int, answer: @autoclosure () -> [UInt8]) -> [Result]
}

extension SendEndpoint {
    package var rate: RequestRate? { nil }
    package var sharesConnections: Bool { false }
    package func mask(_ text: String) -> String { text }

    /// Whether the host takes both for the same queue. A queue's start and window do not make another one of it.
    func isQueued(as other: Self) -> Bool {
        let (a, b) = (queue, other.queue)
        return (a.name, a.types, a.channels, a.order) == (b.name, b.types, b.channels, b.order)
    }
}

/// Hashes the configuration of an endpoint.
package enum EndpointFingerprint {
    package static func of(_ json: JSON) -> String { Base64.encode(SHA256.hash(json.bytes)) }
}

/// An endpoint as it is configured now. A request that was made under an earlier configuration has another object.
final class ConfiguredEndpoint<Endpoint: SendEndpoint>: RecordedEndpoint {
    let endpoint: Endpoint
    /// The pool of connections that its requests use; 0: the one that endpoints share.
    let pool: UInt32
    let headers: HeaderLines

    init(_ endpoint: Endpoint, pool: UInt32) {
        (self.endpoint, self.pool) = (endpoint, endpoint.sharesConnections ? 0 : pool)
        headers = HeaderLines(endpoint.headerLines)
    }

    var name: String { endpoint.name }
    var shownAddress: String { endpoint.shownAddress }
    func mask(_ text: String) -> String { endpoint.mask(text) }
}
