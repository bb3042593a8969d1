/// Reads the chat's Markdown (see ``StyledText/init(markdown:)``). A mark without its counterpart is text.
///
/// Pairs need not be nested: each kind of mark opens and closes for itself. Takes time linear in the text.
struct MarkdownReader {
    private enum Kind: Hashable { case bold, italic, barItalic, underline, strike }

    private enum Token {
        case text(String)
        case code(String)
        case mark(Kind, String, canOpen: Bool, canClose: Bool)
    }

    private let text: [Character]
    private var at = 0
    private var tokens: [Token] = []
    private var literal = ""
    /// For each number of backticks from where on the text has no more runs of so many, so that none is sought twice.
    private var noMoreTicks: [Int: Int] = [:]

    init(_ text: String) { self.text = Array(text) }

    /// The stretches of the text.
    mutating func read() -> [StyledText.Run] {
        while at < text.count { step() }
        flush()
        return paired()
    }

    private mutating func step() {
        let character = text[at]
        switch character {
        case "\\" where at + 1 < text.count && "\\*_~`".contains(text[at + 1]):
            literal.append(text[at + 1])
            at += 2
        case "`": code()
        case "*", "_", "~": mark(character)
        default:
            let end = Self.addressEnd(text, at)
            literal += String(text[at..<max(end, at + 1)])
            at = max(end, at + 1)
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
        if ticks > 2, let line = inner.firstIndex(where: \.isNewline) {
            // A block: the rest of its first line names the language.
            inner = inner[(line + 1)...]
            if inner.last?.isNewline == true { inner.removeLast() }
        } else if ticks > 1, inner.count > 2, inner.first == " ", inner.last == " " {
            inner = inner.dropFirst().dropLast()
        }
        flush()
        if !inner.isEmpty { tokens.append(.code(String(inner))) }
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
        for kind in kinds {
            // snake_case is no mark.
            let opens = canOpen && (kind != .barItalic || !Self.isWord(before))
            let closes = canClose && (kind != .barItalic || !Self.isWord(after))
            let length = kind == .italic || kind == .barItalic ? 1 : 2
            tokens.append(.mark(kind, String(run.prefix(length)), canOpen: opens, canClose: closes))
        }
    }

    private static func isWord(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber } ?? false
    }

    private func paired() -> [StyledText.Run] {
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
        var runs: [StyledText.Run] = []
        var active: Set<Kind> = []
        for (i, token) in tokens.enumerated() {
            let style = Self.style(active)
            switch token {
            case .text(let text): runs.append(StyledText.Run(text: text, style: style))
            case .code(let text): runs.append(StyledText.Run(text: text, style: style.union(.code)))
            case .mark(let kind, let text, _, _):
                if !isPaired[i] {
                    runs.append(StyledText.Run(text: text, style: style))
                } else if active.remove(kind) == nil {
                    active.insert(kind)
                }
            }
        }
        return runs
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

    /// Where an address that begins here ends; the place itself where none does. Marks other than `_` end it.
    static func addressEnd(_ text: [Character], _ start: Int) -> Int {
        guard text[start] == "h", start == 0 || !isWord(text[start - 1]) else { return start }
        let rest = text[start...]
        guard rest.starts(with: "https://") || rest.starts(with: "http://") else { return start }
        var end = start
        while end < text.count, !text[end].isWhitespace, !"*`~\\<>".contains(text[end]) { end += 1 }
        while text[end - 1] == "_" { end -= 1 }
        return end
    }
}
