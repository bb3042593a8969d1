import JSONBytes
import Logging
import PluginHost

/// One line of the log, as text or as JSON: a pure value.
///
/// Messages and fields quote plugins, callers and other servers. So nothing in a line can break it, move a terminal's
/// cursor or change the order in which text is shown: such characters are written as escapes. A line is never longer
/// than ``maxBytes``.
struct LogLine {
    /// The longest line with its line break, in bytes.
    static let maxBytes = 32 << 10
    /// The longest message after escaping, in bytes.
    static let maxMessage = 16 << 10
    /// Fields of a line; further ones are counted in `droppedFields`.
    static let maxFields = 64
    /// What stands where a message or a value was cut.
    private static let ellipsis = Array("…".utf8)
    /// Bytes that are left free for the end of a line: `droppedFields` and the brackets.
    private static let reserve = 64

    /// Unix time in milliseconds.
    var time: Int64
    var level: Logger.Level
    var message: String
    /// The fields in the order in which they are written.
    var fields: [(name: String, value: Logger.MetadataValue)]

    /// The line with its line break.
    func bytes(_ format: LogSettings.Format) -> [UInt8] {
        switch format {
        case .text: text
        case .json: json
        }
    }

    // MARK: Text

    /// `2026-11-01T09:30:12.345Z info message name=value name="two words"`
    private var text: [UInt8] {
        var line = Array("\(ISO8601.text(time)) \(level.rawValue) ".utf8)
        Self.append(message, to: &line, limit: Self.maxMessage, quoting: false)
        var dropped = max(0, fields.count - Self.maxFields)
        for field in fields.prefix(Self.maxFields) {
            var piece: [UInt8] = [0x20]
            Self.append(field.name, to: &piece, limit: 128, quoting: false)
            piece.append(0x3D)
            let value = Self.text(field.value)
            let needsQuotes =
                value.isEmpty || value.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }
            let room = Self.maxBytes - Self.reserve - line.count - piece.count - 2
            guard room > 16 else {
                dropped += 1
                continue
            }
            if needsQuotes { piece.append(0x22) }
            Self.append(value, to: &piece, limit: room, quoting: needsQuotes)
            if needsQuotes { piece.append(0x22) }
            line += piece
        }
        if dropped > 0 { line += Array(" droppedFields=\(dropped)".utf8) }
        return line + [0x0A]
    }

    /// A value as text: JSON where it is an object or an array.
    private static func text(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .array, .dictionary: String(decoding: tree(value, depth: 0).bytes, as: UTF8.self)
        }
    }

    // MARK: JSON

    /// `{"time":"2026-11-01T09:30:12.345Z","level":"info","message":"…","name":"value"}`
    private var json: [UInt8] {
        var line = Array("{\"time\":\"\(ISO8601.text(time))\",\"level\":\"\(level.rawValue)\",\"message\":\"".utf8)
        Self.append(message, to: &line, limit: Self.maxMessage, quoting: true)
        line.append(0x22)
        var dropped = max(0, fields.count - Self.maxFields)
        for field in fields.prefix(Self.maxFields) {
            var piece: [UInt8] = [0x2C, 0x22]
            // The line's own members cannot be written over by a field of that name.
            let isTaken = ["time", "level", "message", "droppedFields"].contains(field.name)
            Self.append(isTaken ? "field." + field.name : field.name, to: &piece, limit: 128, quoting: true)
            piece += [0x22, 0x3A]
            let room = Self.maxBytes - Self.reserve - line.count - piece.count - 2
            guard room > 16 else {
                dropped += 1
                continue
            }
            let value = Self.tree(field.value, depth: 0)
            var whole = Self.escaped(value.bytes)
            if whole.count > room {
                // What does not fit is no JSON when it is cut; as a text it stays readable.
                whole = [0x22]
                Self.append(value.string ?? Self.text(field.value), to: &whole, limit: room, quoting: true)
                whole.append(0x22)
            }
            line += piece + whole
        }
        if dropped > 0 { line += Array(",\"droppedFields\":\(dropped)".utf8) }
        return line + [0x7D, 0x0A]
    }

    /// A value as JSON. Numbers and truth values stay what they are.
    private static func tree(_ value: Logger.MetadataValue, depth: Int) -> JSON {
        if depth > 16 { return .string("…") }
        switch value {
        case .string(let text): return .string(text)
        case .stringConvertible(let value):
            return switch value {
            case let value as LoggedJSON: value.json
            case let value as any FixedWidthInteger: Int64(exactly: value).map { .int($0) } ?? .string("\(value)")
            case let value as Double where value.isFinite: .double(value)
            case let value as Bool: .bool(value)
            default: .string(value.description)
            }
        case .array(let elements): return .array(elements.map { tree($0, depth: depth + 1) })
        case .dictionary(let members):
            return .object(
                members.sorted { $0.key < $1.key }.map { JSON.Member($0.key, tree($0.value, depth: depth + 1)) })
        }
    }

    /// JSON in which characters that no line may show stand as escapes. Such characters stand within strings alone.
    private static func escaped(_ json: [UInt8]) -> [UInt8] {
        let text = String(decoding: json, as: UTF8.self)
        guard text.unicodeScalars.contains(where: isHidden) else { return json }
        var out: [UInt8] = []
        for scalar in text.unicodeScalars {
            if isHidden(scalar) { appendEscape(scalar, to: &out) } else { out += Array(String(scalar).utf8) }
        }
        return out
    }

    // MARK: Escaping

    /// Appends a text, cut where it is longer than `limit` once escaped.
    /// - Parameter quoting: Escapes quotes and backslashes too, as within a string of JSON.
    private static func append(_ text: String, to out: inout [UInt8], limit: Int, quoting: Bool) {
        let end = out.count + limit - ellipsis.count
        for scalar in text.unicodeScalars {
            let before = out.count
            if isHidden(scalar) {
                appendEscape(scalar, to: &out)
            } else if quoting, scalar == "\"" || scalar == "\\" {
                out += [0x5C, UInt8(scalar.value)]
            } else {
                out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
            if out.count > end {
                out.removeSubrange(before...)
                out += ellipsis
                return
            }
        }
    }

    /// As JSON has it, which people know too: `\n`, `\u001b`, `\u202e`, and two of them for characters past U+FFFF.
    private static func appendEscape(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        switch scalar {
        case "\n": out += Array("\\n".utf8)
        case "\r": out += Array("\\r".utf8)
        case "\t": out += Array("\\t".utf8)
        default:
            for unit in String(scalar).utf16 {
                let digits = Array(String(unit, radix: 16).utf8)
                out += Array("\\u".utf8) + Array(repeating: 0x30, count: 4 - digits.count) + digits
            }
        }
    }

    /// Whether a character breaks a line, moves a cursor, changes the direction of text, or cannot be seen at all
    /// where it could hide a difference between two names. The joiners U+200C and U+200D stay: scripts and emoji need
    /// them.
    static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: true
        case 0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB:
            true
        case 0xE0000...0xE0FFF: true
        default: false
        }
    }
}
