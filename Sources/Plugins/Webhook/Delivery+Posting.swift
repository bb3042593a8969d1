import JSONBytes
import PluginHTTP
import PluginWire

extension Delivery {
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
            id: event.delivery, attempt: event.attempt, uncounted: event.uncounted, eventId: eventId, body: content.body
        )
        headers = content.headers
        traceParent = EventTrace.parent(of: object)
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
