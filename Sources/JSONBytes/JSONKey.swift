/// The rule for the keys of objects, the same wherever JSON comes in: two keys are the same key where they are the same
/// characters after their escapes are resolved (RFC 8259, section 8.3), compared by code point and never by look.
enum JSONKey {
    /// Whether the key at `key` is `name`, which holds neither a quote nor a backslash.
    ///
    /// A key without escapes is compared as it stands; only one with a backslash is decoded, and only as far as it
    /// agrees.
    @inline(__always)
    static func isSame(_ bytes: UnsafeBufferPointer<UInt8>, _ key: JSONSpan, _ name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        let length = key.end - key.start - 2
        if length == count {
            for i in 0..<count where bytes[key.start + 1 + i] != name.utf8Start[i] { return false }
            return true
        }
        // An escape is longer than what it stands for, by six to one at most.
        if key.isPlain || length < count || length > 6 * count { return false }
        return isSameDecoded(bytes, key, name)
    }

    private static func isSameDecoded(
        _ bytes: UnsafeBufferPointer<UInt8>, _ key: JSONSpan, _ name: StaticString
    ) -> Bool {
        let count = name.utf8CodeUnitCount
        var at = 0
        let agrees = JSONString.decode(bytes, key.start + 1..<key.end - 1) { byte in
            guard at < count, name.utf8Start[at] == byte else { return false }
            at += 1
            return true
        }
        return agrees && at == count
    }

    /// The first key of `members` that was there before, or nil.
    static func firstRepeated(_ bytes: [UInt8], _ members: [JSONObject.Member]) -> JSONSpan? {
        // Quadratic, but for the few members of honest texts; a long list, and one with escapes, goes through a set.
        if members.count > 32 || members.contains(where: { !$0.key.isPlain }) {
            var seen: Set<ArraySlice<UInt8>> = []
            seen.reserveCapacity(members.count)
            for member in members where !seen.insert(decoded(bytes, member.key)).inserted { return member.key }
            return nil
        }
        for i in members.indices.dropFirst() {
            for j in 0..<i {
                let (a, b) = (members[i].key, members[j].key)
                if a.end - a.start == b.end - b.start, bytes[a.range] == bytes[b.range] { return a }
            }
        }
        return nil
    }

    private static func decoded(_ bytes: [UInt8], _ key: JSONSpan) -> ArraySlice<UInt8> {
        let inner = key.start + 1..<key.end - 1
        if key.isPlain { return bytes[inner] }
        var out: [UInt8] = []
        out.reserveCapacity(inner.count)
        bytes.withUnsafeBufferPointer { buffer in
            _ = JSONString.decode(buffer, inner) { byte in
                out.append(byte)
                return true
            }
        }
        return out[...]
    }
}
