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

    /// The term that the index is asked for, the longest one; nil where it knows none of them.
    ///
    /// The others are looked for in texts that the caller may read. Were the index asked for several, one that costs
    /// much could be combined with a guessed word: how long that takes, and so whether the time ends, tells whether the
    /// word stands anywhere.
    private var asked: Int? { indexed.indices.max { indexed[$0].utf8.count < indexed[$1].utf8.count } }

    /// The term that the index is asked for, in FTS5's language; nil where it knows none of them.
    var match: String? {
        asked.map {
            "\"" + indexed[$0].split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        }
    }

    /// Whether the terms that the index is not asked for all occur in a text.
    func otherTermsOccur(in text: String) -> Bool {
        var others = indexed
        if let asked { others.remove(at: asked) }
        return Self.occur(others + short, in: text)
    }

    /// Whether every term occurs in a text.
    func termsOccur(in text: String) -> Bool { Self.occur(indexed + short, in: text) }

    private static func occur(_ terms: [String], in text: String) -> Bool {
        if terms.isEmpty { return true }
        let folded = Array(text.lowercased().utf8)
        return terms.allSatisfy { Pattern(Array($0.lowercased().utf8)).first(in: folded) != nil }
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
