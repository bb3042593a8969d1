import JSONBytes
import PluginHTTP
import PluginWire

extension Delivery {
    /// Makes a delivery of an event line; nil where the event has no id.
    init?(_ event: HostMessage.EventDelivery) {
        guard let object = try? JSONObject(parsing: event.event), let eventId = object.string("eventId"),
            Self.isName(eventId)
        else { return nil }
        self.init(
            id: event.delivery, attempt: event.attempt, uncounted: event.uncounted, eventId: eventId, body: event.event)
        // A FIFO queue keeps the order of the event's channel, or of its user where it has none.
        let group = object.string("channelId") ?? object.string("userId")
        traceParent = EventTrace.parent(of: object)
        self.group = group.flatMap { Self.isName($0) ? $0 : nil } ?? "none"
    }

    /// What SQS and SNS take as a group or a deduplication id: 1 to 128 visible characters of ASCII.
    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
