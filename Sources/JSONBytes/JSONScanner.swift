/// What is wrong with a text that should be JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The byte offset at which the text stops being JSON, from 0.
    public var offset: Int
    /// What was found or missed there, for a person to read.
    public var reason: String

    /// Makes an error.
    public init(offset: Int, reason: String) {
        self.offset = offset
        self.reason = reason
    }

    public var description: String { "\(reason) at byte \(offset)" }

    static let repeatedKey = "a key that was there before"
    /// Whether all is well with the text but for a key that an object names twice.
    public var isRepeatedKey: Bool { reason == Self.repeatedKey }
}

/// The kinds of JSON value (RFC 8259, section 3).
public enum JSONKind: UInt8, Sendable {
    case object, array, string, number, bool, null
}

/// Where a value stands in its text.
public struct JSONSpan: Equatable, Sendable {
    /// What the value is.
    public var kind: JSONKind
    /// The value's first byte, quotes and brackets included.
    public var start: Int
    /// The byte behind the value's last one.
    public var end: Int
    /// For a string: it can be copied between quotes as it stands, without a look at its characters (no escape, and
    /// none of the line separators that Crowbar escapes).
    public var isPlain: Bool

    /// The value's bytes as a range of offsets.
    public var range: Range<Int> { start..<end }
}

/// A strict scanner of RFC 8259 texts over raw bytes: grammar, UTF-8, surrogate pairs and depth are checked, nothing
/// is decoded and nothing allocated.
///
/// It exists because the delivery path and ingest touch every event: a scan runs at memory speed, where decoding into
/// values costs microseconds an event.
struct JSONScanner {
    /// The deepest nesting that is taken; deeper is an error, so that no input can exhaust the stack.
    static let maxDepth = 80

    let bytes: UnsafeBufferPointer<UInt8>
    let maxDepth: Int
    var at: Int = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int = JSONScanner.maxDepth) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

    @inline(__always)
    mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    func fail(_ reason: String) -> JSONError { JSONError(offset: at, reason: reason) }

    mutating func expectEnd() throws(JSONError) {
        skipSpace()
        if at != bytes.count { throw fail("text after the value") }
    }

    mutating func value(depth: Int = 0) throws(JSONError) -> JSONSpan {
        skipSpace()
        guard at < bytes.count else { throw fail("a value is missing") }
        let start = at
        switch bytes[at] {
        case 0x22:
            let plain = try string()
            return JSONSpan(kind: .string, start: start, end: at, isPlain: plain)
        case 0x7B:
            try members(depth: depth) { (_, _) in }
            return JSONSpan(kind: .object, start: start, end: at, isPlain: false)
        case 0x5B:
            try elements(depth: depth) { _ in }
            return JSONSpan(kind: .array, start: start, end: at, isPlain: false)
        case 0x74:
            try word("true")
            return JSONSpan(kind: .bool, start: start, end: at, isPlain: false)
        case 0x66:
            try word("false")
            return JSONSpan(kind: .bool, start: start, end: at, isPlain: false)
        case 0x6E:
            try word("null")
            return JSONSpan(kind: .null, start: start, end: at, isPlain: false)
        case 0x2D, 0x30...0x39:
            try number()
            return JSONSpan(kind: .number, start: start, end: at, isPlain: false)
        default:
            throw fail("no JSON value starts like this")
        }
    }

    /// Scans an object; the body gets the key's span and the value's.
    mutating func members(depth: Int, _ body: (JSONSpan, JSONSpan) throws(JSONError) -> Void) throws(JSONError) {
        guard depth < maxDepth else { throw fail("nested deeper than \(maxDepth)") }
        at += 1
        skipSpace()
        if at < bytes.count, bytes[at] == 0x7D {
            at += 1
            return
        }
        while true {
            skipSpace()
            guard at < bytes.count, bytes[at] == 0x22 else { throw fail("a key in quotes is missing") }
            let keyStart = at
            let plain = try string()
            let key = JSONSpan(kind: .string, start: keyStart, end: at, isPlain: plain)
            skipSpace()
            guard at < bytes.count, bytes[at] == 0x3A else { throw fail("a colon is missing") }
            at += 1
            let value = try value(depth: depth + 1)
            try body(key, value)
            skipSpace()
            guard at < bytes.count else { throw fail("the object is not closed") }
            if bytes[at] == 0x2C {
                at += 1
            } else if bytes[at] == 0x7D {
                at += 1
                return
            } else {
                throw fail("a comma or a closing brace is missing")
            }
        }
    }

    /// Scans an array; the body gets each element's span.
    mutating func elements(depth: Int, _ body: (JSONSpan) throws(JSONError) -> Void) throws(JSONError) {
        guard depth < maxDepth else { throw fail("nested deeper than \(maxDepth)") }
        at += 1
        skipSpace()
        if at < bytes.count, bytes[at] == 0x5D {
            at += 1
            return
        }
        while true {
            try body(try value(depth: depth + 1))
            skipSpace()
            guard at < bytes.count else { throw fail("the array is not closed") }
            if bytes[at] == 0x2C {
                at += 1
            } else if bytes[at] == 0x5D {
                at += 1
                return
            } else {
                throw fail("a comma or a closing bracket is missing")
            }
        }
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let count = word.utf8CodeUnitCount
        guard at + count <= bytes.count else { throw fail("no JSON value starts like this") }
        for i in 0..<count where bytes[at + i] != word.utf8Start[i] { throw fail("no JSON value starts like this") }
        at += count
    }

    private mutating func digits() throws(JSONError) {
        let start = at
        while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
        if at == start { throw fail("a digit is missing") }
    }

    private mutating func number() throws(JSONError) {
        if bytes[at] == 0x2D { at += 1 }
        if at < bytes.count, bytes[at] == 0x30 {
            at += 1
        } else {
            try digits()
        }
        if at < bytes.count, bytes[at] == 0x2E {
            at += 1
            try digits()
        }
        if at < bytes.count, bytes[at] | 0x20 == 0x65 {
            at += 1
            if at < bytes.count, bytes[at] == 0x2B || bytes[at] == 0x2D { at += 1 }
            try digits()
        }
    }

    /// Scans a string and says whether it is plain (see ``JSONSpan/isPlain``).
    private mutating func string() throws(JSONError) -> Bool {
        at += 1
        var plain = true
        while at < bytes.count {
            let byte = bytes[at]
            if byte == 0x22 {
                at += 1
                return plain
            }
            if byte == 0x5C {
                plain = false
                try escape()
            } else if byte < 0x20 {
                throw fail("a control character that is not escaped")
            } else if byte < 0x80 {
                at += 1
            } else {
                let length = UTF8Sequence.length(bytes, at)
                guard length > 0 else { throw fail("invalid UTF-8") }
                if UTF8Sequence.isLineSeparator(bytes, at) { plain = false }
                at += length
            }
        }
        throw fail("the string is not closed")
    }

    private mutating func escape() throws(JSONError) {
        guard at + 1 < bytes.count else { throw fail("the string is not closed") }
        switch bytes[at + 1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: at += 2
        case 0x75:
            let unit = try hex4(at + 2)
            if unit & 0xFC00 == 0xDC00 { throw fail("half of a surrogate pair") }
            if unit & 0xFC00 == 0xD800 {
                guard at + 7 < bytes.count, bytes[at + 6] == 0x5C, bytes[at + 7] == 0x75,
                    try hex4(at + 8) & 0xFC00 == 0xDC00
                else { throw fail("half of a surrogate pair") }
                at += 12
            } else {
                at += 6
            }
        default: throw fail("an unknown escape")
        }
    }

    func hex4(_ start: Int) throws(JSONError) -> UInt16 {
        guard start + 4 <= bytes.count else { throw fail("the string is not closed") }
        var unit: UInt16 = 0
        for i in start..<start + 4 {
            let digit: UInt8
            switch bytes[i] {
            case 0x30...0x39: digit = bytes[i] - 0x30
            case 0x41...0x46: digit = bytes[i] - 0x41 + 10
            case 0x61...0x66: digit = bytes[i] - 0x61 + 10
            default: throw fail("an unknown escape")
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}

/// Single characters of UTF-8 (RFC 3629) in raw bytes.
enum UTF8Sequence {
    /// The length in bytes of the well-formed multi-byte character at `at`, or 0 where there is none.
    @inline(__always)
    static func length(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Int {
        let left = bytes.count - at
        func tail(_ i: Int) -> Bool { bytes[at + i] & 0xC0 == 0x80 }
        switch bytes[at] {
        case 0xC2...0xDF: return left >= 2 && tail(1) ? 2 : 0
        case 0xE0...0xEF:
            guard left >= 3, tail(1), tail(2) else { return 0 }
            if bytes[at] == 0xE0, bytes[at + 1] < 0xA0 { return 0 }
            if bytes[at] == 0xED, bytes[at + 1] > 0x9F { return 0 }
            return 3
        case 0xF0...0xF4:
            guard left >= 4, tail(1), tail(2), tail(3) else { return 0 }
            if bytes[at] == 0xF0, bytes[at + 1] < 0x90 { return 0 }
            if bytes[at] == 0xF4, bytes[at + 1] > 0x8F { return 0 }
            return 4
        default: return 0
        }
    }

    /// Whether a character that some line readers break at stands at `at`: U+0085, U+2028 or U+2029.
    @inline(__always)
    static func isLineSeparator(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Bool {
        if bytes[at] == 0xC2 { return bytes[at + 1] == 0x85 }
        if bytes[at] == 0xE2 { return bytes[at + 1] == 0x80 && bytes[at + 2] & 0xFE == 0xA8 }
        return false
    }
}
