import JSONBytes
import PluginWire

/// One delivery of an event to a target.
struct Job: Equatable, Sendable {
    /// What it is settled by.
    var delivery: Int64
    /// The event's place in the log.
    var position: Int64
    /// How many-th delivery it is, from 1.
    var attempt: Int64
    /// How many of the earlier ones used up no try, as the receiver only asked to wait.
    var uncounted: Int64 = 0
    /// Which try it is, from 1, those left out.
    var countedTry: Int64 { max(1, attempt - uncounted) }
    /// The event's id, the same for all tries: a FIFO queue drops by it what it has seen.
    var eventId: String
    /// What is in order among itself: the event's channel, or its user where it has none.
    var group: String
    /// The event's JSON as it was delivered.
    var body: [UInt8]
    /// Whether it goes out in a request of its own, as one with others was refused.
    var isAlone = false

    /// Takes an event line; nil where the event has no id.
    init?(_ event: HostMessage.EventDelivery) {
        guard let object = try? JSONObject(parsing: event.event), let eventId = object.string("eventId"),
            Self.isName(eventId)
        else { return nil }
        let group = object.string("channelId") ?? object.string("userId")
        self.init(
            delivery: event.delivery, position: event.position, attempt: event.attempt, eventId: eventId,
            group: group.flatMap { Self.isName($0) ? $0 : nil } ?? "none", body: event.event)
        uncounted = event.uncounted
    }

    init(delivery: Int64, position: Int64, attempt: Int64 = 1, eventId: String, group: String, body: [UInt8]) {
        self.delivery = delivery
        self.position = position
        self.attempt = attempt
        self.eventId = eventId
        self.group = group
        self.body = body
    }

    /// What SQS and SNS take as a group or a deduplication id: 1 to 128 visible characters of ASCII.
    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
