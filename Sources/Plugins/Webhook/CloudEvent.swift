import Basics
import JSONBytes
import PluginKit

/// The attributes of an event as CloudEvents 1.0 has them (github.com/cloudevents/spec).
struct CloudEvent: Equatable, Sendable {
    /// What stands before an event's type in `type`.
    static let typePrefix = "crowbar."

    /// `id`: the eventId.
    var id: String
    /// `source`: which server it is of.
    var source: String
    /// `type`: `crowbar.MESSAGE_SENT` and the like.
    var type: String
    /// `time`: when it was stored (RFC 3339).
    var time: String
    /// `subject`: the channel, where the event is of one.
    var subject: String?

    /// Takes the attributes of an event; nil where it lacks what every event has.
    init?(_ event: JSONObject, source: String) {
        guard let id = event.string("eventId"), let type = event.string("type"), let time = event.int("timestamp")
        else { return nil }
        self.id = id
        self.source = source
        self.type = Self.typePrefix + type
        self.time = Timestamp.rfc3339(time)
        subject = event.string("channelId")
    }

    /// The header lines of binary mode (HTTP protocol binding, section 3.1.3).
    var headers: [String] {
        [
            "ce-specversion: 1.0", "ce-id: \(Self.encoded(id))", "ce-source: \(Self.encoded(source))",
            "ce-type: \(Self.encoded(type))", "ce-time: \(time)",
        ] + (subject.map { ["ce-subject: \(Self.encoded($0))"] } ?? [])
    }

    /// The body of structured mode, with the event's JSON as `data`.
    func structured(_ data: [UInt8]) -> [UInt8] {
        var json = JSONWriter(capacity: data.count + 256)
        json.beginObject()
        json.member("specversion", "1.0")
        json.member("id", id)
        json.member("source", source)
        json.member("type", type)
        json.member("time", time)
        json.member("subject", ifPresent: subject)
        json.member("datacontenttype", "application/json")
        json.key("data")
        json.raw(data[...])
        json.endObject()
        return json.bytes
    }

    /// Percent-encodes what may not stand in a header (HTTP protocol binding, section 3.1.3.2).
    private static func encoded(_ text: String) -> String {
        var out: [UInt8] = []
        let hex = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if byte > 0x20, byte < 0x7F, byte != 0x22, byte != 0x25 {
                out.append(byte)
            } else {
                out += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
