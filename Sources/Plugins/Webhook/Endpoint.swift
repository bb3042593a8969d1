import HTTPClient
import PluginHTTP
import PluginKit
import PluginWire

/// One endpoint, as `[[config.endpoints]]` describes it.
struct Endpoint: SendEndpoint {
    /// Its name, which is its queue's.
    var name: String
    /// Where it is.
    var url: EndpointURL
    /// What requests are signed with.
    var signer: Signer
    /// What is posted of an event.
    var body: BodyFormat
    /// Event types; nil: what the manifest lets through.
    var types: [String]?
    /// Channels or patterns ending in `*`; nil: what the manifest lets through.
    var channels: [String]?
    /// Where a new queue begins; nil: as the manifest says.
    var start: String?
    /// `channel`, `total` or `none`; nil: as the manifest says.
    var order: String?
    /// Header lines as `Name: value` that each request carries besides its own.
    var headers: [String]
    /// Deliveries in flight at most.
    var concurrency: Int64
    /// How often it may be asked; nil: as often as it answers.
    var rate: RequestRate?
    /// Which addresses it may have.
    var filter: AddressFilter
    /// How long one try and its parts may take.
    var limits: TimeLimits
    /// The proxy that it is reached through; nil: none, whatever the environment says.
    var proxy: ProxyURL?
    /// How its TLS is done.
    var tls: TLSSettings
    /// Changes with its configuration; tells nothing of it.
    var fingerprint: String

    /// Deliveries that it wants from the host at a time.
    var window: Int64 { min(concurrency, rate?.window ?? concurrency) }
    /// Whether a `traceparent` of its own is configured.
    var hasTraceParent: Bool { headers.contains { $0.lowercased().hasPrefix("traceparent:") } }
    var size: QueueSize { QueueSize(window: window) }

    var queue: PluginMessage.Queue {
        .init(
            name: name, types: types, channels: channels, window: window, order: order, start: start,
            maxAttempts: RetrySchedule.maxAttempts)
    }
}
