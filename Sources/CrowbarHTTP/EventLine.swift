import CrowbarCore
import JSONBytes
import NIOCore

/// The lines in which events leave: the log's own bytes with their position around them, nothing decoded.
enum EventLine {
    /// Appends `{"position":N,"event":{…}}`.
    static func append(_ entry: LogPage.Entry, of page: LogPage, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("{\"position\":")
        buffer.writeString(String(entry.position))
        buffer.writeStaticString(",\"event\":")
        buffer.writeBytes(page.json(entry))
        buffer.writeStaticString("}")
    }

    /// Appends a server-sent event whose id is the eventId.
    static func appendServerSent(_ entry: LogPage.Entry, of page: LogPage, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("id: ")
        buffer.writeBytes(eventId(page.json(entry)))
        buffer.writeStaticString("\ndata: ")
        append(entry, of: page, to: &buffer)
        buffer.writeStaticString("\n\n")
    }

    private static let start = Array("{\"eventId\":\"".utf8)

    /// The eventId in an event's JSON, of which it is the first member as the encoder writes it.
    static func eventId(_ json: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        if json.starts(with: start) {
            let rest = json.dropFirst(start.count)
            if let end = rest.firstIndex(of: 0x22) { return rest[..<end] }
        }
        return Array((try? JSONObject(parsing: json))?.string("eventId")?.utf8 ?? "".utf8)[...]
    }
}
