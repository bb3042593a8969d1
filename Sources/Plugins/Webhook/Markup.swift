import ChatMarkdown

/// How one chat service writes styles, code and URLs, and what it would take for those.
protocol Markup: Sendable {
    /// The styles as the service has them: what it lacks is another one, or none.
    func styles(_ styles: StyledText.Style) -> StyledText.Style
    /// A sign of a line so that it means itself.
    func literal(_ line: MarkupLine, _ i: Int) -> String
    /// What stands in front of a line so that it is no heading, table or the like.
    func prefix(_ line: MarkupLine) -> String
    /// A mark on both sides of a stretch of one style; nil where the service could not read it.
    func mark(_ stretch: MarkupStretch, _ line: MarkupLine) -> String?
    /// What parts a mark from what stands beside it.
    func separator(_ neighbours: MarkupNeighbours) -> String
    /// Whether the service reads a URL as one. Else it is text as any other.
    func isURL(_ url: String) -> Bool
    func url(_ url: String) -> String
    /// Code in a line; nil where the service cannot say it.
    func code(_ code: String, ticks: Int) -> String?
    /// Where the text ends that the service takes for the end of a URL in front of a place; the place itself where it
    /// takes none.
    func tail(_ line: MarkupLine, _ i: Int) -> Int
    /// A character within lines of code.
    func inBlock(_ character: Character) -> String
    /// Lines of code.
    func block(_ code: String, language: String) -> MarkupBlock
    /// The message without what the service looks for before it reads anything.
    func prepared(_ segments: [MarkdownParser.Segment]) -> [MarkdownParser.Segment]
    /// Whether a quotation ends with its line. Else it goes on up to a blank one.
    var endsQuotes: Bool { get }
    /// The sign in front of a quotation.
    var quote: String { get }
}

extension Markup {
    func prefix(_ line: MarkupLine) -> String { "" }
    func isURL(_ url: String) -> Bool { true }
    func inBlock(_ character: Character) -> String { String(character) }
    func prepared(_ segments: [MarkdownParser.Segment]) -> [MarkdownParser.Segment] { segments }
}

/// Cells of one style between marks.
struct MarkupStretch: Sendable {
    var style: StyledText.Style
    var range: Range<Int>
    /// Whether another mark stands before its own, and behind it.
    var isInnerAtStart = false
    var isInnerAtEnd = false
}

/// What stands beside the marks between two cells.
struct MarkupNeighbours: Sendable {
    /// What is in front of the marks and behind them; nil at the ends of a line.
    var before: Unicode.Scalar?
    var after: Unicode.Scalar?
    /// The marks that close, and those that open.
    var closing = ""
    var opening = ""

    /// Whether a mark closes and one of the same sign opens, which would be read as one.
    var isAmbiguous: Bool { !closing.isEmpty && closing.last == opening.first }
}

/// Lines of code as a service writes them: the code, cut where it is too long, between fences.
struct MarkupBlock: Sendable {
    var opening: String
    var code: String
    var closing: String
}

/// What is parted so that it means itself.
enum Parting {
    /// A space without width: no mention and no link goes through it.
    static let space: Unicode.Scalar = "\u{200B}"

    /// Fences within code, which would end it.
    static func fences(_ code: String) -> String {
        guard code.utf8.contains(UInt8(ascii: "`")) else { return code }
        var out = String.UnicodeScalarView()
        var ticks = 0
        for scalar in code.unicodeScalars {
            ticks = scalar == "`" ? ticks + 1 : 0
            if ticks == 3 {
                out.append(space)
                ticks = 1
            }
            out.append(scalar)
        }
        return String(out)
    }

    /// Code between as many backticks as it needs.
    static func ticked(_ code: String, _ ticks: Int) -> String {
        let marks = String(repeating: "`", count: ticks)
        let pad = code.hasPrefix("`") || code.hasSuffix("`") ? " " : ""
        return marks + pad + code + pad + marks
    }

    /// The fewest backticks that do not stand in code; those that were typed where there are one or two.
    static func ticks(_ code: String, _ typed: Int) -> Int {
        if typed < 3 { return typed }
        var lengths: Set<Int> = []
        var length = 0
        for byte in code.utf8 {
            if byte == UInt8(ascii: "`") {
                length += 1
            } else {
                lengths.insert(length)
                length = 0
            }
        }
        lengths.insert(length)
        var ticks = 1
        while lengths.contains(ticks) { ticks += 1 }
        return ticks
    }

    /// Whether a `]` is followed by what makes a link of the brackets.
    static func isLink(_ line: MarkupLine, _ i: Int, _ signs: Unicode.Scalar...) -> Bool {
        line.scalar(i) == "]" && signs.contains { line.scalar(i + 1) == $0 }
    }
}
