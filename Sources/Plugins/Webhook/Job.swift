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
    /// How many of the earlier ones used up no try, as the receiver only asked to wait.
    var uncounted: Int64 = 0
    /// Which try it is, from 1, those left out.
    var countedTry: Int64 { max(1, attempt - uncounted) }
    /// `webhook-id`: the event's id, the same for all tries.
    var eventId: String
    /// Header lines of this event's own, besides the signature's.
    var headers: [String] = []
    /// The question that it answers; nil: it is a delivery.
    var test: MessageID?
    /// The body; by default the event's JSON as it was delivered.
    var body: [UInt8]

    /// Why an event is not posted.
    enum Unposted: Error, Equatable {
        /// The endpoint's body has nothing to say about it.
        case nothingToSay
        /// It has no id that can stand in a header.
        case noEventId
        /// There is no body for it.
        case unrenderable(BodyFormat.Unrenderable)
    }

    /// Makes a delivery of an event line.
    init(_ event: HostMessage.EventDelivery, as format: BodyFormat) throws(Unposted) {
        guard let object = try? JSONObject(parsing: event.event), let eventId = object.string("eventId"),
            Self.isEventId(eventId)
        else { throw .noEventId }
        let content: BodyFormat.Content?
        do throws(BodyFormat.Unrenderable) { content = try format.content(of: object) } catch {
            throw .unrenderable(error)
        }
        guard let content else { throw .nothingToSay }
        self.init(
            delivery: event.delivery, position: event.position, attempt: event.attempt, eventId: eventId,
            body: content.body)
        uncounted = event.uncounted
        headers = content.headers
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
