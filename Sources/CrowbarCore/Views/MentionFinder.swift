/// The names and ids of a channel's members, folded, in the order of their bytes.
public protocol MemberNames {
    /// The greatest folded name or id of a member that is not greater than `bound`, as UTF-8; nil where there is none.
    func greatest(atMost bound: [UInt8], in channel: String) throws -> [UInt8]?
    /// The members whose name or id is `folded`, by id.
    func users(named folded: [UInt8], in channel: String) throws -> [String]
}

/// Finds who a message mentions: `@` and the name or id of a member, outside code and URLs.
public enum MentionFinder {
    /// The users that a message mentions at most.
    public static let limit = 50
    /// The `@` of a message that are looked at, at most: each costs some index lookups.
    static let maxMarks = 500
    /// The characters that a name has at most; one more is looked at, which must not go on with the word.
    static let maxName = 256

    /// The users that a text mentions, each once, in order of mention; the author is not left out.
    /// - Parameters:
    ///   - channel: The id of the message's channel.
    ///   - folding: Makes texts that people take for the same the same (NFKC, then case folding).
    public static func users(
        in text: String, channel: String, names: some MemberNames, folding: (String) -> String
    ) throws -> [String] {
        // Most messages have no `@`.
        guard text.utf8.contains(0x40) else { return [] }
        var found: [String] = []
        for start in marks(in: text).prefix(maxMarks) {
            let rest = text.unicodeScalars[start...].prefix(maxName + 1)
            let tail = Array(folding(String(String.UnicodeScalarView(rest))).utf8)
            for user in try longest(tail, channel, names) where !found.contains(user) {
                found.append(user)
                if found.count == limit { return found }
            }
        }
        return found
    }

    /// The members whose folded name is the longest that `tail` begins with, and ends there at the end of a word.
    private static func longest(_ tail: [UInt8], _ channel: String, _ names: some MemberNames) throws -> [String] {
        var bound = tail
        // Each round shortens the bound; a text of a few hundred bytes ends it in any case.
        while !bound.isEmpty, let candidate = try names.greatest(atMost: bound, in: channel) {
            let common = zip(candidate, tail).prefix { $0 == $1 }.count
            if common == candidate.count, common > 0 {
                if endsWord(tail, at: common) { return try names.users(named: candidate, in: channel) }
                bound = Array(candidate.dropLast())
            } else {
                // Nothing between the candidate and the bound is a prefix of the tail; a shorter one may be.
                bound = Array(tail.prefix(common))
            }
        }
        return []
    }

    /// Whether a name that ends at an offset is not merely the beginning of a longer word.
    private static func endsWord(_ tail: [UInt8], at end: Int) -> Bool {
        guard end < tail.count else { return true }
        guard let next = String(decoding: tail[end...].prefix(8), as: UTF8.self).unicodeScalars.first,
            let last = String(decoding: tail[..<end].suffix(8), as: UTF8.self).unicodeScalars.last
        else { return true }
        return !(joinsWords(last) && joinsWords(next))
    }

    /// Whether a scalar is part of a word in a script that sets spaces between words.
    private static func joinsWords(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal else { return false }
        if scalar.properties.isIdeographic { return false }
        switch scalar.value {
        // Thai, Lao, Myanmar, Khmer; kana with their marks.
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1780...0x17FF, 0x3040...0x30FF, 0x31F0...0x31FF: return false
        default: return true
        }
    }

    /// Where names may begin: behind each `@` at the start or after a character that is no letter, digit or `@`,
    /// outside code spans, code blocks and URLs.
    static func marks(in text: String) -> [String.UnicodeScalarView.Index] {
        let scalars = text.unicodeScalars
        var marks: [String.UnicodeScalarView.Index] = []
        var quiet = QuietRanges(text)
        var before: Unicode.Scalar?
        var at = scalars.startIndex
        while at < scalars.endIndex {
            if let end = quiet.end(at: at) {
                before = end > scalars.startIndex ? scalars[scalars.index(before: end)] : nil
                at = end
                continue
            }
            let scalar = scalars[at]
            let next = scalars.index(after: at)
            if scalar == "@", before.map({ !isWord($0) && $0 != "@" }) ?? true { marks.append(next) }
            before = scalar
            at = next
        }
        return marks
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal
    }
}
