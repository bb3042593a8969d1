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

    /// The deepest nesting of a text. It is deeper than what a command may have (`Command.Limit.depth`), so that an
    /// event can be read with everything that is put around it on its way.
    public static let maxDepth = JSONScanner.maxDepth

    /// The text, as it came.
    public let bytes: [UInt8]
    /// The members of the outermost object, in their order.
    public let members: [Member]

    /// Scans a text that must be one object, with white space around it at most.
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - maxDepth: The deepest nesting, the object's own level counted.
    /// - Throws: ``JSONError`` where it is no JSON (RFC 8259), no object, nested too deep, or names a member twice;
    ///   keys are the same where they are once their escapes are resolved.
    public init(parsing bytes: [UInt8], maxDepth: Int = JSONObject.maxDepth) throws(JSONError) {
        var members: [Member] = []
        members.reserveCapacity(12)
        var failure: JSONError?
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer, maxDepth: maxDepth)
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
        if let twice = JSONKey.firstRepeated(bytes, members) {
            throw JSONError(offset: twice.start, reason: JSONError.repeatedKey)
        }
    }

    /// Scans a text that is part of a larger buffer.
    /// - Throws: As ``init(parsing:)-([UInt8])``.
    public init(parsing bytes: some Collection<UInt8>) throws(JSONError) {
        try self.init(parsing: Array(bytes))
    }

    /// The place of the value under `key`, or nil. The key may be written with escapes.
    public func span(_ key: StaticString) -> JSONSpan? {
        bytes.withUnsafeBufferPointer { buffer in
            for member in members where JSONKey.isSame(buffer, member.key, key) { return member.value }
            return nil
        }
    }

    /// Whether a member's key is `key`, however it is written.
    public func isKey(_ key: StaticString, of member: Member) -> Bool {
        bytes.withUnsafeBufferPointer { JSONKey.isSame($0, member.key, key) }
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

    /// The whole number under `key`, or nil where it is absent, no number, has a fraction, or does not fit. `1.0` and
    /// `1e0` are whole numbers.
    public func int(_ key: StaticString) -> Int64? {
        guard let span = span(key) else { return nil }
        return int(span)
    }

    /// The whole number at `span`, or nil where it is none that fits.
    public func int(_ span: JSONSpan) -> Int64? {
        guard span.kind == .number else { return nil }
        return bytes.withUnsafeBufferPointer { JSONNumber.whole($0, span.range) }
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
        return elements(at: span)
    }

    private func elements(at span: JSONSpan) -> [JSONSpan] {
        var found: [JSONSpan] = []
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            scanner.at = span.start
            // The text was scanned already, so this cannot fail.
            try? scanner.elements(depth: 0) { (element) in found.append(element) }
        }
        return found
    }

    /// Whether an object at `span` or within it names a member twice, which the scan of the text around it lets pass.
    public func repeatsKey(in span: JSONSpan) -> Bool {
        switch span.kind {
        case .object:
            guard let inner = try? JSONObject(parsing: Array(bytes[span.range])) else { return true }
            return inner.members.contains { inner.repeatsKey(in: $0.value) }
        case .array: return elements(at: span).contains { repeatsKey(in: $0) }
        case .string, .number, .bool, .null: return false
        }
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
