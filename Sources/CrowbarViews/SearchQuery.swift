/// What somebody looks for: words and phrases that must all occur. White space separates words, `"` begins and ends a
/// phrase; nothing else is syntax, so no query is malformed.
public struct SearchQuery: Sendable, Equatable {
    /// The characters below which the index, which is of trigrams, knows no word.
    static let indexedLength = 3
    /// The words and phrases of a query at most; the others are ignored.
    static let maxTerms = 16

    /// The words and phrases that the index finds.
    public private(set) var indexed: [String] = []
    /// The ones that are too short for the index: they are looked for in texts.
    public private(set) var short: [String] = []

    /// Reads a query.
    public init(_ text: String) {
        var terms: [String] = []
        // Every other part stands between quotation marks; the last may lack its end.
        for (index, part) in text.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
            if index.isMultiple(of: 2) {
                terms += part.split(whereSeparator: \.isWhitespace).map(String.init)
            } else {
                let phrase = part.trimmingWhiteSpace
                if !phrase.isEmpty { terms.append(phrase) }
            }
        }
        for term in terms.prefix(Self.maxTerms) {
            if term.unicodeScalars.count < Self.indexedLength { short.append(term) } else { indexed.append(term) }
        }
    }

    /// Whether nothing is looked for.
    public var isEmpty: Bool { indexed.isEmpty && short.isEmpty }

    /// The query in FTS5's language; nil where the index can find none of its terms.
    var match: String? {
        if indexed.isEmpty { return nil }
        return indexed.map {
            "\"" + $0.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        }
        .joined(separator: " AND ")
    }

    /// Whether every short term occurs in a text.
    func shortTermsOccur(in text: String) -> Bool {
        if short.isEmpty { return true }
        let folded = text.lowercased()
        return short.allSatisfy { folded.contains($0.lowercased()) }
    }
}

extension Substring {
    fileprivate var trimmingWhiteSpace: String {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}

/// The part of a text that shows why it was found, in pieces that are or are not a term.
struct SearchSnippet: Equatable {
    /// A piece of the text.
    struct Piece: Equatable {
        var text: String
        var isTerm: Bool
    }

    /// The characters that are shown before the first term, and in all.
    private static let (lead, length) = (40, 160)

    private(set) var pieces: [Piece] = []

    /// Cuts a snippet out of a text; its beginning where no term occurs as it is written.
    init(of text: String, terms: [String]) {
        let characters = Array(text)
        let folded = characters.map { $0.lowercased() }
        let wanted = terms.map { $0.map { $0.lowercased() } }.filter { !$0.isEmpty }
        func term(at index: Int, upTo end: Int) -> Int? {
            wanted.filter { index + $0.count <= end && folded[index..<index + $0.count].elementsEqual($0) }
                .map(\.count).max()
        }
        let first = characters.indices.first { term(at: $0, upTo: characters.count) != nil } ?? 0
        let start = max(0, first - Self.lead)
        let end = min(characters.count, start + Self.length)
        var plain = start > 0 ? "…" : ""
        var index = start
        while index < end {
            guard let count = term(at: index, upTo: end) else {
                plain.append(characters[index])
                index += 1
                continue
            }
            if !plain.isEmpty { pieces.append(Piece(text: plain, isTerm: false)) }
            plain = ""
            pieces.append(Piece(text: String(characters[index..<index + count]), isTerm: true))
            index += count
        }
        if end < characters.count { plain.append("…") }
        if !plain.isEmpty { pieces.append(Piece(text: plain, isTerm: false)) }
    }
}
