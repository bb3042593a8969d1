/// Parses the chat's Markdown (docs/domain.md). A mark without its counterpart is text.
///
/// Pairs need not be nested: each kind of mark opens and closes for itself. Takes time linear in the text.
package struct MarkdownParser {
    /// A part of a message.
    package enum Segment: Equatable, Sendable {
        /// Text without its escapes.
        case text(String, StyledText.Style)
        /// A URL, exactly as it was typed.
        case url(String, StyledText.Style)
        /// Code between backticks in a line, and how many there were on each side.
        case code(String, ticks: Int, StyledText.Style)
        /// Lines of code between fences, and the language that the first fence names.
        case block(String, language: String, StyledText.Style)
    }

    private enum Kind: Hashable { case bold, italic, barItalic, underline, strike }

    private enum Token {
        case text(String)
        case url(String)
        case code(String, ticks: Int)
        case block(String, language: String)
        case mark(Kind, String, canOpen: Bool, canClose: Bool)
    }

    /// Characters that mean something.
    static let marks: Set<Character> = ["*", "_", "~", "`", "\\"]

    private let text: [Character]
    private let mayContainURL: Bool
    private var at = 0
    private var tokens: [Token] = []
    private var literal = ""
    /// The marks that wait for their counterpart.
    private var open: Set<Kind> = []
    /// For each number of backticks from where on the text has no more runs of so many, so that none is sought twice.
    private var noMoreTicks: [Int: Int] = [:]

    private init(_ text: String) {
        self.text = Array(text)
        mayContainURL = URLScanner.mayContainURL(text)
    }

    /// The parts of a message, in order.
    package static func segments(_ text: String) -> [Segment] {
        guard mayContainMarks(text) || URLScanner.mayContainURL(text) else {
            return text.isEmpty ? [] : [.text(text, [])]
        }
        var parser = MarkdownParser(text)
        while parser.at < parser.text.count { parser.step() }
        parser.flush()
        return parser.paired()
    }

    /// Whether a text may contain ``marks``: a check of its bytes, as most texts contain none.
    static func mayContainMarks(_ text: String) -> Bool {
        text.utf8.contains {
            switch $0 {
            case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "`"), UInt8(ascii: "\\"): true
            default: false
            }
        }
    }

    private mutating func step() {
        let character = text[at]
        switch character {
        case "\\" where at + 1 < text.count && Self.marks.contains(text[at + 1]):
            literal.append(text[at + 1])
            at += 2
        case "`": code()
        case "*", "_", "~": mark(character)
        default:
            let end = mayContainURL ? URLScanner.end(text, at, closes: closes) : at
            if end > at {
                flush()
                tokens.append(.url(String(text[at..<end])))
                at = end
            } else {
                literal.append(character)
                at += 1
            }
        }
    }

    private mutating func flush() {
        if !literal.isEmpty { tokens.append(.text(literal)) }
        literal = ""
    }

    private func runLength(_ start: Int) -> Int {
        var end = start
        while end < text.count, text[end] == text[start] { end += 1 }
        return end - start
    }

    private mutating func code() {
        let ticks = runLength(at)
        guard let end = closingTicks(ticks, from: at + ticks), end > at + ticks else {
            literal += String(repeating: "`", count: ticks)
            at += ticks
            return
        }
        var inner = text[(at + ticks)..<end]
        flush()
        if ticks > 2, let line = inner.firstIndex(where: \.isNewline) {
            // A block: the rest of its first line names the language.
            let language = String(inner[..<line])
            inner = inner[(line + 1)...]
            if inner.last?.isNewline == true { inner.removeLast() }
            if !inner.isEmpty { tokens.append(.block(String(inner), language: language)) }
        } else {
            if ticks > 1, inner.count > 2, inner.first == " ", inner.last == " " {
                inner = inner.dropFirst().dropLast()
            }
            tokens.append(.code(String(inner), ticks: ticks))
        }
        at = end + ticks
    }

    private mutating func closingTicks(_ ticks: Int, from start: Int) -> Int? {
        if let none = noMoreTicks[ticks], start >= none { return nil }
        var next = start
        while next < text.count {
            guard text[next] == "`" else {
                next += 1
                continue
            }
            let length = runLength(next)
            if length == ticks { return next }
            next += length
        }
        noMoreTicks[ticks] = start
        return nil
    }

    private mutating func mark(_ character: Character) {
        let length = runLength(at)
        let before: Character? = at > 0 ? text[at - 1] : nil
        let after: Character? = at + length < text.count ? text[at + length] : nil
        let run = String(repeating: character, count: length)
        at += length
        let kinds: [Kind]
        switch (character, length) {
        case ("*", 1): kinds = [.italic]
        case ("*", 2): kinds = [.bold]
        case ("*", 3): kinds = [.bold, .italic]
        case ("_", 1): kinds = [.barItalic]
        case ("_", 2): kinds = [.underline]
        case ("_", 3): kinds = [.underline, .barItalic]
        case ("~", 2): kinds = [.strike]
        default:
            literal += run
            return
        }
        let canOpen = after.map { !$0.isWhitespace } ?? false
        let canClose = before.map { !$0.isWhitespace } ?? false
        flush()
        // Of three that close, the last two are those of bold, as the first two are where three open.
        for kind in canClose && !canOpen ? kinds.reversed() : kinds {
            // snake_case is no mark.
            let opens = canOpen && (kind != .barItalic || !URLScanner.isWord(before))
            let closes = canClose && (kind != .barItalic || !URLScanner.isWord(after))
            let length = kind == .italic || kind == .barItalic ? 1 : 2
            tokens.append(.mark(kind, String(run.prefix(length)), canOpen: opens, canClose: closes))
            if closes, open.remove(kind) != nil { continue }
            if opens { open.insert(kind) }
        }
    }

    /// Whether so many of a sign close a style that is open.
    private func closes(_ sign: Character, _ count: Int) -> Bool {
        switch (sign, count) {
        case ("*", 1): open.contains(.italic)
        case ("*", 2): open.contains(.bold)
        case ("*", 3): open.contains(.bold) || open.contains(.italic)
        case ("_", 1): open.contains(.barItalic)
        case ("_", 2): open.contains(.underline)
        case ("_", 3): open.contains(.underline) || open.contains(.barItalic)
        case ("~", 2): open.contains(.strike)
        default: false
        }
    }

    /// Which tokens are marks that have a counterpart.
    private func pairs() -> [Bool] {
        var isPaired = [Bool](repeating: false, count: tokens.count)
        var open: [Kind: Int] = [:]
        for (i, token) in tokens.enumerated() {
            guard case .mark(let kind, _, let canOpen, let canClose) = token else { continue }
            if let start = open[kind], canClose, start + 1 < i {
                (isPaired[start], isPaired[i]) = (true, true)
                open[kind] = nil
            } else if canOpen {
                open[kind] = i
            }
        }
        return isPaired
    }

    private func paired() -> [Segment] {
        let isPaired = pairs()
        var segments: [Segment] = []
        var active: Set<Kind> = []
        // Whether nothing stands between the last segment, a URL, and the token.
        var isBehindURL = false
        for (i, token) in tokens.enumerated() {
            let style = Self.style(active)
            var isURL = false
            switch token {
            case .text(let text): segments.append(.text(text, style))
            case .url(let url):
                segments.append(.url(url, style))
                isURL = true
            case .code(let code, let ticks): segments.append(.code(code, ticks: ticks, style))
            case .block(let code, let language): segments.append(.block(code, language: language, style))
            case .mark(let kind, let text, _, _):
                if isPaired[i] {
                    if active.remove(kind) == nil { active.insert(kind) }
                } else if isBehindURL, case .url(let url, _)? = segments.last {
                    // It closes nothing, so it is the URL's own.
                    segments[segments.count - 1] = .url(url + text, style)
                    isURL = true
                } else {
                    segments.append(.text(text, style))
                }
            }
            isBehindURL = isURL
        }
        return segments
    }

    private static func style(_ kinds: Set<Kind>) -> StyledText.Style {
        var style: StyledText.Style = []
        for kind in kinds {
            switch kind {
            case .bold: style.insert(.bold)
            case .italic, .barItalic: style.insert(.italic)
            case .underline: style.insert(.underline)
            case .strike: style.insert(.strike)
            }
        }
        return style
    }
}
