import PluginWire

/// One endpoint, as `[[config.endpoints]]` describes it.
struct Endpoint: Sendable {
    /// Its name, which is its queue's.
    var name: String
    /// Where it is.
    var url: EndpointURL
    /// What requests are signed with.
    var secret: SigningSecret
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
    /// Which addresses it may have.
    var filter: AddressFilter
    /// The time for one try, in milliseconds.
    var timeout: Int64
    /// CA certificates in place of the system's.
    var caFile: String?
    /// Changes with its configuration; tells nothing of it.
    var fingerprint: String

    /// Its queue, as it is declared.
    var queue: PluginMessage.Queue {
        .init(
            name: name, types: types, channels: channels, window: concurrency, order: order, start: start,
            maxAttempts: RetrySchedule.maxAttempts)
    }

    /// Whether the host takes both for the same queue: where it began and its window make none of it another.
    func isQueued(as other: Endpoint) -> Bool {
        (name, types, channels, order) == (other.name, other.types, other.channels, other.order)
    }
}
