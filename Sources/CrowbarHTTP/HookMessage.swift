import CrowbarCore
import JSONBytes

/// What a program posts to a hook: this API's own `{"text":…,"username":…}`, or what programs post that were written
/// for Slack (`attachments`, `blocks`, or all of it in a form's `payload`) or Discord (`content`, `embeds`).
struct HookMessage: Equatable, Sendable {
    /// What it says. A NUL, which no command may hold, is replaced: such programs rarely read why they are refused.
    var text: String
    /// Who it says it is.
    var username: String?

    /// Reads a body.
    /// - Throws: `malformed` where it is neither a JSON object nor a form with one; `invalid_command` where there is
    ///   no text in it.
    init(_ body: [UInt8]) throws(APIFailure) {
        let json = try Self.json(body)
        let object: JSONObject
        do { object = try JSONObject(parsing: json) } catch {
            throw APIFailure(.malformed, "the body is not one JSON object: \(error)")
        }
        var said = try Self.string("text", of: object)
        if said == nil { said = try Self.string("content", of: object) }
        // Slack shows blocks in place of a text that only stands for them.
        let isBlank = said?.allSatisfy(\.isWhitespace) ?? true
        let blocks = isBlank ? HookBlocks.lines(Self.value("blocks", of: object)) : []
        let parts =
            [said ?? ""] + blocks + Self.attachments(of: object)
            + HookBlocks.lines(ofEmbeds: Self.value("embeds", of: object))
        let all = parts.filter { !$0.allSatisfy(\.isWhitespace) }
        guard said != nil || !all.isEmpty else {
            throw APIFailure(
                .invalidCommand,
                "there is no text: send {\"text\":\"…\"}; 'content', 'blocks', 'embeds' and the 'fallback' or 'text' "
                    + "of 'attachments' count too", field: "text")
        }
        text = JSONString.withoutNUL(all.joined(separator: "\n"))
        username = try Self.string("username", of: object).map(JSONString.withoutNUL)
    }

    private static func string(_ key: StaticString, of object: JSONObject) throws(APIFailure) -> String? {
        guard let span = object.span(key), span.kind != .null else { return nil }
        guard span.kind == .string else {
            throw APIFailure(.invalidCommand, "'\(key)' must be a string", field: key.description)
        }
        return object.string(span)
    }

    private static func value(_ key: StaticString, of object: JSONObject) -> JSON? {
        object.raw(key).flatMap { try? JSON(parsing: $0, largeNumbersAsText: true) }
    }

    /// A line for each attachment: its plain-text form, else what stands in it.
    private static func attachments(of object: JSONObject) -> [String] {
        (value("attachments", of: object)?.array ?? []).map { attachment in
            if let fallback = attachment["fallback"]?.string, !fallback.allSatisfy(\.isWhitespace) { return fallback }
            let texts = ["pretext", "title", "text"].compactMap { attachment[$0]?.string }
            return (texts + HookBlocks.fields(attachment, "title") + HookBlocks.lines(attachment["blocks"]))
                .filter { !$0.isEmpty }.joined(separator: "\n")
        }
    }

    // MARK: Forms

    /// The JSON of a body. Its type is not asked: curl's `-d` says "form" of everything.
    private static func json(_ body: [UInt8]) throws(APIFailure) -> [UInt8] {
        let key = Array("payload=".utf8)
        for field in body.split(separator: UInt8(ascii: "&")) where field.starts(with: key) {
            // A JSON text, in which such a field could stand, begins before the first `&`.
            if field.startIndex > 0, body.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") { break }
            guard let json = unescaped(field.dropFirst(key.count)) else {
                throw APIFailure(.malformed, "the form's 'payload' has a '%' without two hexadecimal digits behind it")
            }
            return json
        }
        return body
    }

    /// The value of a form's field (application/x-www-form-urlencoded).
    private static func unescaped(_ value: ArraySlice<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(value.count)
        var i = value.startIndex
        while i < value.endIndex {
            let byte = value[i]
            if byte == UInt8(ascii: "%") {
                guard i + 2 < value.endIndex, let high = digit(value[i + 1]), let low = digit(value[i + 2]) else {
                    return nil
                }
                out.append(high << 4 | low)
                i += 3
            } else {
                out.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
                i += 1
            }
        }
        return out
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
