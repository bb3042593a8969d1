/// Cuts a text into pieces of so many bytes: between words where it can, else between what a reader sees as one
/// character (grapheme cluster), and inside one only where it alone is too long.
enum MessageSplitter {
    /// Cuts `text`. Joined again, with a space where it was cut between words, the pieces are the text.
    /// - Parameters:
    ///   - budget: The most bytes of a piece; at least 4, so that any code point fits.
    ///   - keepsSpaces: Whether a space between words stays at the end of its piece, beyond the budget, so that the
    ///     pieces are the text without anything between them.
    static func split(_ text: String, budget: Int, keepsSpaces: Bool = false) -> [String] {
        let budget = max(budget, 4)
        if text.utf8.count <= budget { return text.isEmpty ? [] : [text] }
        var pieces: [String] = []
        var start = text.startIndex
        var at = start
        var size = 0
        // The last space in the piece that has text before it.
        var space: String.Index?
        func cut(_ end: String.Index) {
            if start < end { pieces.append(String(text[start..<end])) }
        }
        while at < text.endIndex {
            let next = text.index(after: at)
            let length = text[at..<next].utf8.count
            if size + length <= budget {
                if text[at] == " ", at > start { space = at }
                size += length
                at = next
            } else if text[at] == " ", at > start {
                cut(keepsSpaces ? next : at)
                (start, at, size, space) = (next, next, 0, nil)
            } else if let found = space {
                cut(keepsSpaces ? text.index(after: found) : found)
                start = text.index(after: found)
                size = text[start..<at].utf8.count
                space = nil
            } else if at > start {
                cut(at)
                (start, size) = (at, 0)
            } else {
                pieces += scalars(text[at..<next], budget)
                (start, at, size) = (next, next, 0)
            }
        }
        cut(text.endIndex)
        return pieces
    }

    private static func scalars(_ cluster: Substring, _ budget: Int) -> [String] {
        var pieces: [String] = []
        var piece = ""
        for scalar in cluster.unicodeScalars {
            if piece.utf8.count + UTF8.width(scalar) > budget {
                pieces.append(piece)
                piece = ""
            }
            piece.unicodeScalars.append(scalar)
        }
        return pieces + (piece.isEmpty ? [] : [piece])
    }
}
