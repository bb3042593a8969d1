/// Writes one compact line of JSON, members in the order of the calls.
public struct JSONWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8]
    private var needsComma = false

    /// Makes an empty writer.
    /// - Parameter capacity: The bytes to set aside at first.
    public init(capacity: Int = 256) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    private mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }

    /// Opens an object, as the whole text or as an element of an array.
    public mutating func beginObject() {
        separate()
        bytes.append(0x7B)
        needsComma = false
    }

    /// Closes the innermost object.
    public mutating func endObject() {
        bytes.append(0x7D)
        needsComma = true
    }

    /// Opens an array, as the whole text or as an element.
    public mutating func beginArray() {
        separate()
        bytes.append(0x5B)
        needsComma = false
    }

    /// Closes the innermost array.
    public mutating func endArray() {
        bytes.append(0x5D)
        needsComma = true
    }

    /// Writes a key; its value must follow.
    public mutating func key(_ key: StaticString) {
        separate()
        bytes.append(0x22)
        bytes.append(contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        bytes.append(0x22)
        bytes.append(0x3A)
        needsComma = false
    }

    /// Writes a key that is known only at run time; its value must follow.
    public mutating func key(_ key: String) {
        separate()
        JSONString.append(key, to: &bytes)
        bytes.append(0x3A)
        needsComma = false
    }

    /// Writes a string.
    public mutating func string(_ text: String) {
        separate()
        JSONString.append(text, to: &bytes)
    }

    /// Writes a whole number.
    public mutating func int(_ number: some BinaryInteger) {
        separate()
        bytes.appendDecimal(Int64(number))
    }

    /// Writes a whole number.
    public mutating func int(_ number: Int64) {
        separate()
        bytes.appendDecimal(number)
    }

    /// Writes a truth value.
    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: value ? "true".utf8 : "false".utf8)
    }

    /// Writes null.
    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// Writes bytes that are one JSON value already.
    public mutating func raw(_ json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes bytes that are one JSON value already.
    public mutating func raw(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes a key and a string.
    public mutating func member(_ key: StaticString, _ text: String) {
        self.key(key)
        string(text)
    }

    /// Writes a key and a string, or nothing where there is none.
    public mutating func member(_ key: StaticString, ifPresent text: String?) {
        if let text { member(key, text) }
    }

    /// Writes a key and a whole number.
    public mutating func member(_ key: StaticString, _ number: some BinaryInteger) {
        self.key(key)
        int(number)
    }

    /// Writes a key and a whole number.
    public mutating func member(_ key: StaticString, _ number: Int64) {
        self.key(key)
        int(number)
    }

    /// Writes a key and a truth value.
    public mutating func member(_ key: StaticString, _ value: Bool) {
        self.key(key)
        bool(value)
    }
}

extension [UInt8] {
    /// Appends a number in decimal digits.
    public mutating func appendDecimal(_ number: Int64) {
        if number < 0 { append(0x2D) }
        var magnitude = number.magnitude
        let start = count
        repeat {
            append(0x30 + UInt8(truncatingIfNeeded: magnitude % 10))
            magnitude /= 10
        } while magnitude > 0
        self[start...].reverse()
    }
}
