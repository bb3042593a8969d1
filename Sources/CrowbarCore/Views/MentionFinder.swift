import ChatMarkdown

/// The names and ids of a channel's members, folded, in the order of their bytes.
public protocol MemberNames {
    /// The greatest folded name or id of a member that is not greater than `bound`, as UTF-8; nil where there is none.
    func greatest(atMost bound: [UInt8], in channel: String) throws -> [UInt8]?
    /// The members whose name or id is `folded`, by id.
    func users(named folded: [UInt8], in channel: String) throws -> [String]
}

/// Finds who a message mentions: `@`, at the start or after a character that is no letter, digit or `@`, and the name
/// or id of a member, outside code and URLs.
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
    ///   - folding: Makes texts the same that people take for the same (NFKC, then lower case).
    public static func users(
        in text: String, channel: String, names: some MemberNames, folding: (String) -> String
    ) throws -> [String] {
        // Most messages have no `@`.
        guard text.utf8.contains(0x40) else { return [] }
        var found: [String] = []
        var looked = 0
        for stretch in stretches(of: text) {
            var before = stretch.before
            for (index, character) in stretch.text.enumerated() {
                defer { before = character }
                guard character == "@", before != "@", !URLScanner.isWord(before) else { continue }
                looked += 1
                if looked > maxMarks { return found }
                let rest = String(stretch.text[(index + 1)...].prefix(maxName + 1))
                for user in try longest(Array(folding(rest).utf8), channel, names) where !found.contains(user) {
                    found.append(user)
                    if found.count == limit { return found }
                }
            }
        }
        return found
    }

    /// The text outside code and URLs, as it is shown, with the character before each stretch of it.
    private static func stretches(of text: String) -> [(text: [Character], before: Character?)] {
        var stretches: [(text: [Character], before: Character?)] = []
        var (current, before): ([Character], Character?) = ([], nil)
        func end(with last: Character?) {
            if !current.isEmpty { stretches.append((current, before)) }
            (current, before) = ([], last)
        }
        for segment in MarkdownParser.segments(text) {
            switch segment {
            case .text(let part, _): current += part
            case .url(let url, _): end(with: url.last)
            case .code, .block: end(with: "`")
            }
        }
        end(with: nil)
        return stretches
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
}
