/// A JSON object as raw bytes with the places of its members: checked as a whole, decoded only where asked.
///
/// Members are found by a linear look, which for the dozen members of a command or a protocol line beats hashing.
public struct JSONObject: Sendable {
    /// A member: where its key and its value stand in ``JSONObject/bytes``.
    public struct Member: Sendable {
        /// The key, quotes included.
        public var key: JSONSpan
        /// The value.
        public var value: JSONSpan
    }

    /// The text, as it came.
    public let bytes: [UInt8]
    /// The members of the outermost object, in their order.
    public let members: [Member]

    /// Scans a text that must be one object, with white space around it at most.
    /// - Parameter bytes: The text in UTF-8.
    /// - Throws: ``JSONError`` where it is no JSON (RFC 8259), no object, nested deeper than 64, or names a member
    ///   twice.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var members: [Member] = []
        members.reserveCapacity(12)
        var failure: JSONError?
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            do throws(JSONError) {
                scanner.skipSpace()
                guard scanner.at < buffer.count, buffer[scanner.at] == 0x7B else {
                    throw scanner.fail("an object is expected")
                }
                try scanner.members(depth: 0) { (key, value) in
                    members.append(Member(key: key, value: value))
                }
                try scanner.expectEnd()
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        self.bytes = bytes
        self.members = members
        if let twice = firstDuplicate() {
            throw JSONError(offset: twice.start, reason: "a key that was there before")
        }
    }

    /// Scans a text that is part of a larger buffer.
    /// - Throws: As ``init(parsing:)-([UInt8])``.
    public init(parsing bytes: some Collection<UInt8>) throws(JSONError) {
        try self.init(parsing: Array(bytes))
    }

    private func firstDuplicate() -> JSONSpan? {
        // Quadratic, but for the few members of honest texts; a long list goes through a set.
        if members.count > 32 {
            var seen: Set<String> = []
            for member in members where !seen.insert(string(member.key)).inserted { return member.key }
            return nil
        }
        for i in members.indices.dropFirst() {
            for j in 0..<i {
                let (a, b) = (members[i].key, members[j].key)
                if a.isPlain && b.isPlain {
                    if a.end - a.start == b.end - b.start, bytes[a.range] == bytes[b.range] { return a }
                } else if string(a) == string(b) {
                    return a
                }
            }
        }
        return nil
    }

    /// The place of the value under `key`, or nil.
    public func span(_ key: StaticString) -> JSONSpan? {
        let count = key.utf8CodeUnitCount
        return bytes.withUnsafeBufferPointer { buffer in
            for member in members where member.key.isPlain && member.key.end - member.key.start == count + 2 {
                var same = true
                for i in 0..<count where buffer[member.key.start + 1 + i] != key.utf8Start[i] {
                    same = false
                    break
                }
                if same { return member.value }
            }
            return nil
        }
    }

    /// The key's text, decoded.
    public func key(_ member: Member) -> String { string(member.key) }

    /// The text of the string value at `span`, decoded. The span must be one of this object's strings.
    public func string(_ span: JSONSpan) -> String {
        JSONString.decode(bytes, span)
    }

    /// The string under `key`, or nil where it is absent or no string.
    public func string(_ key: StaticString) -> String? {
        guard let span = span(key), span.kind == .string else { return nil }
        return string(span)
    }

    /// The whole number under `key`, or nil where it is absent, no number, has a fraction or exponent, or does not fit.
    public func int(_ key: StaticString) -> Int64? {
        guard let span = span(key) else { return nil }
        return int(span)
    }

    /// The whole number at `span`, or nil where it is none that fits.
    public func int(_ span: JSONSpan) -> Int64? {
        guard span.kind == .number else { return nil }
        var magnitude: UInt64 = 0
        var at = span.start
        let negative = bytes[at] == 0x2D
        if negative { at += 1 }
        while at < span.end {
            guard bytes[at] >= 0x30, bytes[at] <= 0x39 else { return nil }
            let (product, tooBig) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, over) = product.addingReportingOverflow(UInt64(bytes[at] - 0x30))
            if tooBig || over { return nil }
            magnitude = sum
            at += 1
        }
        if negative { return magnitude <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int64(exactly: magnitude)
    }

    /// The truth value under `key`, or nil where it is absent or none.
    public func bool(_ key: StaticString) -> Bool? {
        guard let span = span(key), span.kind == .bool else { return nil }
        return bytes[span.start] == 0x74
    }

    /// The bytes of the value under `key` as they stand, or nil.
    public func raw(_ key: StaticString) -> ArraySlice<UInt8>? {
        guard let span = span(key) else { return nil }
        return bytes[span.range]
    }

    /// The object under `key`, or nil where it is absent or no object.
    public func object(_ key: StaticString) -> JSONObject? {
        guard let span = span(key), span.kind == .object else { return nil }
        return try? JSONObject(parsing: Array(bytes[span.range]))
    }

    /// The elements of the array under `key`, or nil where it is absent or no array.
    public func elements(_ key: StaticString) -> [JSONSpan]? {
        guard let span = span(key), span.kind == .array else { return nil }
        var found: [JSONSpan] = []
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            scanner.at = span.start
            // The text was scanned already, so this cannot fail.
            try? scanner.elements(depth: 0) { (element) in found.append(element) }
        }
        return found
    }

    /// The strings of the array under `key`, or nil where it is absent, no array, or has an element that is no string.
    public func strings(_ key: StaticString) -> [String]? {
        guard let elements = elements(key) else { return nil }
        var texts: [String] = []
        for element in elements {
            guard element.kind == .string else { return nil }
            texts.append(string(element))
        }
        return texts
    }

    /// The objects of the array under `key`, or nil where it is absent, no array, or has an element that is no object.
    public func objects(_ key: StaticString) -> [JSONObject]? {
        guard let elements = elements(key) else { return nil }
        var objects: [JSONObject] = []
        for element in elements {
            guard element.kind == .object, let object = try? JSONObject(parsing: Array(bytes[element.range])) else {
                return nil
            }
            objects.append(object)
        }
        return objects
    }
}
