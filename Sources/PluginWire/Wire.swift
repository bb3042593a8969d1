import JSONBytes

/// Numbers and names of the plugin protocol, version 1 (docs/protocol.md).
public enum Wire {
    /// The protocol's version, as `hello` and `ready` name it.
    public static let version: Int64 = 1
    /// The longest line either side may write, in bytes, its LF not counted.
    public static let maxLine = 1 << 20
    /// Commands of one plugin that may wait for their `result` before the host stops reading from it.
    public static let commandsInFlight = 1024
    /// The largest `state` of a queue, in bytes of JSON.
    public static let maxState = 64 << 10
    /// The largest window a queue may ask for, in events.
    public static let maxWindow = 65_536
    /// The queue of a plugin whose `ready` names none.
    public static let mainQueue = "main"
    /// The longest `afterMs` of a `retry`, in milliseconds (30 days); a longer one counts as this.
    public static let maxRetry: Int64 = 30 * 86_400_000
    /// The longest `ms` of a `working`, in milliseconds (an hour); a longer one counts as this.
    public static let maxWorking: Int64 = 3_600_000
    /// Words that `ready` may list in `asks`.
    public static let maxAsks = 16
    /// Members of a status' `details`.
    public static let maxDetails = 100
    /// Exit status: stopped for want of something outside; try again later.
    public static let exitTryLater: Int32 = 75
    /// Exit status: the configuration is wrong; not restarted until it changes.
    public static let exitBadConfiguration: Int32 = 78

    /// Whether `name` can name a plugin, a queue or an endpoint: `[a-z0-9][a-z0-9_-]{0,63}`.
    public static func isName(_ name: String) -> Bool {
        let utf8 = name.utf8
        guard let first = utf8.first, utf8.count <= 64 else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        return isAlphanumeric(first) && utf8.allSatisfy { isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2D }
    }

    /// Whether a text may be repeated as a message's type: letters alone, and few.
    static func isWord(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0) }
    }
}

/// Why a line that starts with `{` is no message of the protocol. The host counts each as a strike.
public enum WireError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The line is no JSON object.
    case malformed(JSONError)
    /// A field of a known message is of the wrong type.
    case invalid(type: String, field: String, expected: String)
    /// A field that a known message must have is not there.
    case missing(type: String, field: String, expected: String)
    /// To a strict reader: there is no such message; `known` is the nearest one that there is.
    case unknownType(String, known: String?)
    /// To a strict reader: the message has no such field; `known` is the nearest one that it has.
    case unknownField(type: String, field: String, known: String?)

    public var description: String {
        switch self {
        case .malformed, .unknownType: reason
        case .invalid(let type, _, _), .missing(let type, _, _), .unknownField(let type, _, _): "\(type): \(reason)"
        }
    }

    /// What is wrong, without the message's type.
    public var reason: String {
        switch self {
        case .malformed(let error): "no JSON: \(error)"
        case .invalid(_, let field, let expected): "'\(field)' must be \(expected)"
        case .missing(_, let field, let expected): "'\(field)' is missing; it must be \(expected)"
        case .unknownType(let type, let known): "there is no message '\(type)'\(Self.hint(known))"
        case .unknownField(_, let field, let known): "there is no field '\(field)'\(Self.hint(known))"
        }
    }

    private static func hint(_ known: String?) -> String { known.map { "; did you mean '\($0)'?" } ?? "" }
}

/// The `id` of a request and its answer: a JSON string or number of the asker's choice, handed back as it came.
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    /// The JSON token, quotes included.
    public let token: String

    /// An id that is a number.
    public init(_ number: Int) { token = String(number) }

    /// An id that is a string.
    public init(_ text: String) {
        var out: [UInt8] = []
        JSONString.append(text, to: &out)
        token = String(decoding: out, as: UTF8.self)
    }

    init?(_ object: JSONObject, _ key: StaticString) {
        guard let span = object.span(key), span.kind == .string || span.kind == .number, span.end - span.start <= 256
        else { return nil }
        token = String(decoding: object.bytes[span.range], as: UTF8.self)
    }

    /// The number, where it is a whole one, however it is written: the side that asked compares by it.
    public var number: Int64? { JSONNumber.whole(token: token) }

    public var description: String { token }
}

/// Reads the fields of one message, turning what is missing into ``WireError``.
struct FieldReader {
    let object: JSONObject
    let type: String

    func fail(_ field: StaticString, _ expected: String) -> WireError {
        object.span(field) == nil
            ? .missing(type: type, field: field.description, expected: expected)
            : .invalid(type: type, field: field.description, expected: expected)
    }

    func string(_ field: StaticString) throws(WireError) -> String {
        guard let text = object.string(field) else { throw fail(field, "a string") }
        return text
    }

    func optionalString(_ field: StaticString) throws(WireError) -> String? {
        guard let span = object.span(field), span.kind != .null else { return nil }
        return try string(field)
    }

    func int(_ field: StaticString) throws(WireError) -> Int64 {
        guard let number = object.int(field), number >= 0 else { throw fail(field, "a whole number, not negative") }
        return number
    }

    func optionalInt(_ field: StaticString) throws(WireError) -> Int64? {
        guard let span = object.span(field), span.kind != .null else { return nil }
        return try int(field)
    }

    func bool(_ field: StaticString, default value: Bool? = nil) throws(WireError) -> Bool {
        if object.span(field) == nil, let value { return value }
        guard let found = object.bool(field) else { throw fail(field, "true or false") }
        return found
    }

    func id(_ field: StaticString = "id") throws(WireError) -> MessageID {
        guard let id = MessageID(object, field) else { throw fail(field, "a string or a number") }
        return id
    }

    func raw(_ field: StaticString, _ kind: JSONKind) throws(WireError) -> [UInt8] {
        guard let span = object.span(field), span.kind == kind else { throw fail(field, "\(kind)") }
        return Array(object.bytes[span.range])
    }

    func json(_ field: StaticString) throws(WireError) -> JSON? {
        guard let raw = object.raw(field) else { return nil }
        do { return try JSON(parsing: raw) } catch { throw .malformed(error) }
    }

    func optionalStrings(_ field: StaticString) throws(WireError) -> [String]? {
        guard let span = object.span(field), span.kind != .null else { return nil }
        guard let texts = object.strings(field) else { throw fail(field, "an array of strings") }
        return texts
    }

    func objects(_ field: StaticString) throws(WireError) -> [FieldReader] {
        guard let objects = object.objects(field) else { throw fail(field, "an array of objects") }
        return objects.map { FieldReader(object: $0, type: type) }
    }
}
