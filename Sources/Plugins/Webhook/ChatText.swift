/// Text for a chat service, which counts it and takes so much of it at most.
struct ChatText: Sendable {
    /// What a service counts.
    enum Unit: Sendable {
        /// Units of UTF-16, as JavaScript counts; never fewer than code points.
        case utf16
        /// Code points, which Go calls runes.
        case runes

        /// How many of them a code point has.
        func count(_ scalar: Unicode.Scalar) -> Int { self == .utf16 ? UTF16.width(scalar) : 1 }

        /// How many of them a text has.
        func count(_ text: some StringProtocol) -> Int {
            switch self {
            case .utf16: text.utf16.count
            case .runes: text.unicodeScalars.count
            }
        }
    }

    /// What shows that a text was cut.
    static let mark = "…"

    /// How much the service takes.
    var limit: Int
    /// What it counts.
    var unit: Unit
    /// How a character is written so that it means itself.
    var escape: @Sendable (Character) -> String = { String($0) }

    /// A head that stands as it is, then a text, which is escaped and where it is too long cut between two characters
    /// as people see them, with a mark.
    func fit(_ head: String, _ text: String, _ tail: String = "") -> String {
        var out = head
        var left = limit - unit.count(head) - unit.count(tail)
        let markCount = unit.count(Self.mark)
        // Where the mark would go: the last place that has room for it.
        var (cut, isWhole) = (out.endIndex, true)
        for character in text {
            let piece = escape(character)
            let count = unit.count(piece)
            if left >= markCount { cut = out.endIndex }
            guard count <= left else {
                isWhole = false
                break
            }
            left -= count
            out += piece
        }
        if !isWhole { out = out[..<cut] + Self.mark }
        return out + tail
    }
}
