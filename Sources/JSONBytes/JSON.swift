/// A JSON value as a tree, for what is read once: configuration, state, status details. Not for the delivery path.
public indirect enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    /// Members in their order; keys are unique.
    case object([Member])

    /// A key and its value.
    public struct Member: Sendable, Equatable {
        /// The key.
        public var key: String
        /// The value.
        public var value: JSON

        /// Makes a member.
        public init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// Reads a text that must be one value.
    /// - Parameter largeNumbersAsText: Whether a number beyond a `Double`, such as `1e400`, becomes a string. For
    ///   events, whose `meta` may hold one: nobody should have an event left out by it.
    /// - Throws: ``JSONError`` where it is no JSON (RFC 8259) or nested deeper than ``JSONObject/maxDepth``.
    public init(parsing bytes: some Collection<UInt8>, largeNumbersAsText: Bool = false) throws(JSONError) {
        let bytes = Array(bytes)
        var span: JSONSpan?
        var failure: JSONError?
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            do throws(JSONError) {
                span = try scanner.value()
                try scanner.expectEnd()
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        guard let span else { throw JSONError(offset: 0, reason: "a value is missing") }
        self = try JSON(bytes, span, largeNumbersAsText)
    }

    private init(_ bytes: [UInt8], _ span: JSONSpan, _ largeNumbersAsText: Bool) throws(JSONError) {
        switch span.kind {
        case .null: self = .null
        case .bool: self = .bool(bytes[span.start] == 0x74)
        case .string: self = .string(JSONString.decode(bytes, span))
        case .number:
            if let whole = bytes.withUnsafeBufferPointer({ JSONNumber.whole($0, span.range) }) {
                self = .int(whole)
            } else if let number = Double(String(decoding: bytes[span.range], as: UTF8.self)), number.isFinite {
                self = .double(number)
            } else if largeNumbersAsText {
                self = .string(String(decoding: bytes[span.range], as: UTF8.self))
            } else {
                throw JSONError(offset: span.start, reason: "a number out of range")
            }
        case .array:
            var spans: [JSONSpan] = []
            bytes.withUnsafeBufferPointer { buffer in
                var scanner = JSONScanner(buffer)
                scanner.at = span.start
                try? scanner.elements(depth: 0) { (element) in spans.append(element) }
            }
            var elements: [JSON] = []
            for span in spans { elements.append(try JSON(bytes, span, largeNumbersAsText)) }
            self = .array(elements)
        case .object:
            let object = try JSONObject(parsing: Array(bytes[span.range]))
            var members: [Member] = []
            for member in object.members {
                let value = try JSON(object.bytes, member.value, largeNumbersAsText)
                members.append(Member(object.key(member), value))
            }
            self = .object(members)
        }
    }

    /// The value of an object's member, or nil.
    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        // By code point: Swift's strings are equal where they look the same.
        return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }

    /// The text, where this is a string.
    public var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// The number, where this is a whole one; in a text it may be written `1.0` or `1e0`.
    public var int: Int64? {
        if case .int(let number) = self { return number }
        return nil
    }

    /// The number, where this is one.
    public var double: Double? {
        switch self {
        case .int(let number): return Double(number)
        case .double(let number): return number
        default: return nil
        }
    }

    /// The truth value, where this is one.
    public var bool: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    /// The elements, where this is an array.
    public var array: [JSON]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// The members, where this is an object.
    public var members: [Member]? {
        if case .object(let members) = self { return members }
        return nil
    }

    /// The value as one compact line of JSON.
    public var bytes: [UInt8] {
        var out: [UInt8] = []
        append(to: &out)
        return out
    }

    /// Appends the value as compact JSON.
    public func append(to out: inout [UInt8]) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: value ? "true".utf8 : "false".utf8)
        case .int(let number): out.appendDecimal(number)
        case .double(let number):
            // JSON knows no infinity and no NaN.
            out.append(contentsOf: number.isFinite ? "\(number)".utf8 : "null".utf8)
        case .string(let text): JSONString.append(text, to: &out)
        case .array(let elements):
            out.append(0x5B)
            for (i, element) in elements.enumerated() {
                if i > 0 { out.append(0x2C) }
                element.append(to: &out)
            }
            out.append(0x5D)
        case .object(let members):
            out.append(0x7B)
            for (i, member) in members.enumerated() {
                if i > 0 { out.append(0x2C) }
                JSONString.append(member.key, to: &out)
                out.append(0x3A)
                member.value.append(to: &out)
            }
            out.append(0x7D)
        }
    }
}
