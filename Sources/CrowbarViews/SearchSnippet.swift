/// The part of a text that shows why it was found, in pieces that are or are not a term.
struct SearchSnippet: Equatable {
    /// A piece of the text.
    struct Piece: Equatable {
        var text: String
        var isTerm: Bool
    }

    /// The characters that are shown before the first term, and in all.
    private static let (lead, length) = (40, 160)
    /// The characters in which a term is looked for.
    private static let looked = 16 << 10

    private(set) var pieces: [Piece] = []

    /// Cuts a snippet out of a text; its beginning where no term occurs as it is written.
    init(of text: String, terms: [String]) {
        let characters = Array(text.prefix(Self.looked + Self.length))
        let folded = characters.map { $0.lowercased() }
        let wanted = terms.map { $0.map { $0.lowercased() } }.filter { !$0.isEmpty }
        func term(at index: Int, upTo end: Int) -> Int? {
            wanted.filter { index + $0.count <= end && folded[index..<index + $0.count].elementsEqual($0) }
                .map(\.count).max()
        }
        let looked = Array(folded.prefix(Self.looked))
        let first = wanted.compactMap { Pattern($0).first(in: looked) }.min() ?? 0
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
