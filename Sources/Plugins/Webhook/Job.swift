import JSONBytes
import PluginWire

/// One delivery of an event to an endpoint.
struct Job: Equatable, Sendable {
    /// What it is settled by.
    var delivery: Int64
    /// The event's place in the log.
    var position: Int64
    /// How many-th delivery it is, from 1.
    var attempt: Int64
    /// `webhook-id`: the event's id, the same for all tries.
    var eventId: String
    /// The question that it answers; nil: it is a delivery.
    var test: MessageID?
    /// The body: the event's JSON as it was delivered.
    var body: [UInt8]

    /// Takes an event line; nil where the event has no id that can stand in a header.
    init?(_ event: HostMessage.EventDelivery) {
        guard let object = try? JSONObject(parsing: event.event), let eventId = object.string("eventId"),
            Self.isEventId(eventId)
        else { return nil }
        self.init(
            delivery: event.delivery, position: event.position, attempt: event.attempt, eventId: eventId,
            body: event.event)
    }

    init(delivery: Int64, position: Int64, attempt: Int64, eventId: String, body: [UInt8]) {
        self.delivery = delivery
        self.position = position
        self.attempt = attempt
        self.eventId = eventId
        self.body = body
    }

    /// An eventId is 1 to 128 of `A-Z a-z 0-9 . _ : ~ -`.
    private static func isEventId(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte == 0x2D || byte == 0x2E
                    || byte == 0x5F || byte == 0x7E
            }
    }
}
