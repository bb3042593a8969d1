import ChatMarkdown
import PluginKit

/// Takes a message apart into lines and blocks of code, for one service.
struct MarkupLines {
    /// A line, or a block between lines.
    enum Item {
        case line(MarkupLine)
        case block(MarkupBlock)
    }

    private let markup: any Markup
    private var items: [Item] = []
    private var line: MarkupLine
    /// Whether the line before is a block, whose end is also the end of its line.
    private var isBehindBlock = false
    private var hasBars = false

    /// - Parameter isInLine: Whether something stands before the first line.
    init(markup: any Markup, isInLine: Bool) {
        self.markup = markup
        line = MarkupLine(isAtStart: !isInLine)
    }

    /// Adds text, as much as there is room for.
    mutating func add(_ text: String, _ style: StyledText.Style, _ left: inout Int, _ unit: ChatText.Unit) {
        let style = markup.styles(style)
        if !style.isDisjoint(with: [.italic, .underline]) { hasBars = true }
        for character in text {
            guard left > 0 else { return }
            if character.isNewline, character != "\u{2028}", character != "\u{2029}" {
                endLine()
                continue
            }
            var begins = true
            for scalar in character.unicodeScalars where !Self.isControl(scalar) {
                line.cells.append(MarkupLine.Cell(content: .scalar(scalar), style: style, beginsCharacter: begins))
                left -= unit.count(scalar)
                begins = false
            }
        }
    }

    /// Adds a URL.
    mutating func add(url: String, _ style: StyledText.Style, _ left: inout Int, _ unit: ChatText.Unit) {
        guard markup.isURL(url) else { return add(url, style, &left, unit) }
        left -= unit.count(url)
        noteBars(url)
        line.cells.append(MarkupLine.Cell(content: .url(url), style: Self.around(url, markup.styles(style))))
    }

    /// Adds code in a line, or each of its lines.
    mutating func add(
        code: String, _ ticks: Int, _ style: StyledText.Style, _ left: inout Int, _ unit: ChatText.Unit
    ) {
        var isFirst = true
        for part in code.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            if !isFirst { endLine() }
            isFirst = false
            guard left > 0 else { return }
            let part = Self.withoutControls(String(part))
            if part.allSatisfy(\.isWhitespace) {
                add(part, style, &left, unit)
            } else if let written = markup.code(part, ticks: ticks) {
                left -= unit.count(part)
                noteBars(part)
                let style = Self.around(part, markup.styles(style))
                line.cells.append(MarkupLine.Cell(content: .code(written), style: style))
            } else {
                add(part, style, &left, unit)
            }
        }
    }

    /// Adds lines of code.
    mutating func add(block code: String, _ language: String, _ left: inout Int, _ unit: ChatText.Unit) {
        let code = Self.withoutControls(code)
        if !line.cells.isEmpty || !line.isAtStart { items.append(.line(line)) }
        line = MarkupLine()
        if code.allSatisfy(\.isWhitespace) {
            // No service takes a block of nothing.
            add(code, [], &left, unit)
            endLine()
        } else {
            left -= unit.count(code)
            noteBars(code)
            let word = language.trimming(while: \.isWhitespace)
            let isWord = word.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x60 && $0 != 0x7E }
            items.append(.block(markup.block(code, language: isWord ? word : "")))
        }
        isBehindBlock = true
    }

    private mutating func noteBars(_ text: String) {
        if !hasBars { hasBars = text.utf8.contains(UInt8(ascii: "_")) }
    }

    /// All lines.
    mutating func finish() -> [Item] {
        if !line.cells.isEmpty || !isBehindBlock { endLine() }
        guard hasBars else { return items }
        return items.map {
            guard case .line(var line) = $0 else { return $0 }
            line.hasBars = true
            return .line(line)
        }
    }

    private mutating func endLine() {
        if line.cells.isEmpty, isBehindBlock {
            isBehindBlock = false
            return
        }
        isBehindBlock = false
        if line.isAtStart, line.scalar(0) == ">", line.scalar(1) == " ", line.cells.count > 2,
            line.cells[0].style.isEmpty, line.cells[1].style.isEmpty
        {
            line.isQuote = true
            line.cells.removeFirst(2)
        }
        items.append(.line(line))
        line = MarkupLine()
    }

    /// The styles around what stands between marks itself: none where it has signs of a mark, as not all services look
    /// whether such a sign stands in code or a URL.
    private static func around(_ text: String, _ style: StyledText.Style) -> StyledText.Style {
        text.utf8.contains { $0 == 0x2A || $0 == 0x5F || $0 == 0x7E || $0 == 0x60 || $0 == 0x5C } ? [] : style
    }

    /// Control characters, which have no look and which services drop or refuse: all but tabs and ends of lines.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D: false
        case 0..<0x20, 0x7F...0x9F: true
        default: false
        }
    }

    private static func withoutControls(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.filter { !isControl($0) }))
    }
}

extension String {
    fileprivate func trimming(while isTrimmed: (Character) -> Bool) -> String {
        let head = drop(while: isTrimmed)
        return String(head[..<(head.lastIndex { !isTrimmed($0) }.map { head.index(after: $0) } ?? head.startIndex)])
    }
}
