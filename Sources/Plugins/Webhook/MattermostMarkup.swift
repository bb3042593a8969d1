import ChatMarkdown

/// Mattermost's Markdown: `**bold**`, `_italic_` or `*italic*`, `~~strike~~`, code, quotations. A backslash takes the
/// meaning from most signs.
///
/// It calls by `@all` and the like, also where the `@` is written as an entity, and by Slack's `<!all>`. It shows
/// `~town-square` by that channel's title. It reads
/// Markdown links, `[text](url)` and `[text]` with `[text]: url` on another line, and Slack's `<url|text>`.
struct MattermostMarkup: Markup {
    /// The longest name of an HTML entity, in letters; the longest of the standard has 31.
    private static let longestEntity = 40
    /// How far a word is looked at, in signs.
    private static let longestToken = 200
    /// What a backslash takes the meaning from, besides itself.
    private static let escapable = Set("`*{}[]()#+-.!_>|~".unicodeScalars)
    /// ASCII's punctuation, beside which `_` is a mark.
    private static let punctuation = Set("!\"#$%&'()*+,-./:;<=>?@[\\^{|}~".unicodeScalars)

    let endsQuotes = false
    let quote = "> "

    func styles(_ styles: StyledText.Style) -> StyledText.Style {
        styles.contains(.underline) ? styles.subtracting(.underline).union(.italic) : styles
    }

    func literal(_ line: MarkupLine, _ i: Int) -> String {
        guard let scalar = line.scalar(i) else { return "" }
        if line.isAtStart, line.bullet == i || i == line.indent && (line.isHeading || scalar == ">") {
            return "\\\(scalar)"
        }
        if isParted(scalar, line, i) || scalar == "~" && isChannel(line, i) { return "\(scalar)\(Parting.space)" }
        guard !line.cells[i].isTail, means(scalar, line, i) else { return String(scalar) }
        // Nor does a mark in italics look at the backslash before it; but it does not count before what is no sign.
        return scalar == "_" && line.cells[i].style.contains(.italic) ? "\\_\(Parting.space)" : "\\\(scalar)"
    }

    /// Whether `~` begins the name of a channel.
    private func isChannel(_ line: MarkupLine, _ i: Int) -> Bool {
        guard !line.cells[i].isTail, !line.isWordOfASCII(i - 1), line.scalar(i - 1) != "~" else { return false }
        var (end, hasLetter) = (i + 1, false)
        while end - i < Self.longestToken, let scalar = line.scalar(end),
            MarkupLine.isWordOfASCII(scalar) || "._-".unicodeScalars.contains(scalar)
        {
            hasLetter = hasLetter || scalar.properties.isAlphabetic
            end += 1
        }
        return hasLetter && end - i > 2
    }

    private func isParted(_ scalar: Unicode.Scalar, _ line: MarkupLine, _ i: Int) -> Bool {
        switch scalar {
        case "@": true
        case "&": isEntity(line, i)
        case "<": line.scalar(i + 1) == "!"
        case ":": isScheme(line, i)
        // A mark follows. `\\_` would be read as `\` and `\_`.
        case "\\": !line.isSameStyle(i, i + 1) && !(line.cells[i].style.isEmpty && i + 1 == line.cells.count)
        default: Parting.isLink(line, i, "(", ":")
        }
    }

    private func means(_ scalar: Unicode.Scalar, _ line: MarkupLine, _ i: Int) -> Bool {
        switch scalar {
        case "\\":
            guard let next = line.scalar(i + 1) else { return false }
            return next == "\\" || Self.escapable.contains(next)
        case "`": return true
        case "*":
            return !(i > 0 && line.isBlank(i - 1) && line.isBlank(i + 1) && line.cells[i].style.isEmpty)
        case "_":
            let isInWord = line.isWordOfASCII(i - 1) && line.isWordOfASCII(i + 1)
            return line.hasBars || !(isInWord && line.isSameStyle(i - 1, i) && line.isSameStyle(i, i + 1))
        case "~": return line.cells[i].style.contains(.strike) || line.scalar(i - 1) == "~" || line.scalar(i + 1) == "~"
        default: return false
        }
    }

    /// Whether `word:more` is a URL to Mattermost, and has backslashes or marks, which would mean nothing in it.
    private func isScheme(_ line: MarkupLine, _ i: Int) -> Bool {
        guard !line.cells[i].isTail, line.isWordOfASCII(i - 1), let next = line.scalar(i + 1),
            next == "/" || next == "%" || MarkupLine.isWord(next)
        else { return false }
        var at = i + 1
        while let scalar = line.scalar(at), !scalar.properties.isWhitespace, at < i + Self.longestToken {
            if "*_~`\\".unicodeScalars.contains(scalar) || !line.isSameStyle(i, at) { return true }
            at += 1
        }
        return !line.isBlank(at)
    }

    /// Where a URL ends for Mattermost that has no white space behind it.
    func tail(_ line: MarkupLine, _ i: Int) -> Int {
        var end = i
        while let scalar = line.scalar(end), !scalar.properties.isWhitespace, end < i + Self.longestToken {
            switch scalar {
            case "(", ")": return end
            case "`", "!", "[", "]", "{", ";", ":", "'", "\"", "<", ">", "?", ",", "«", "»", "“", "”", "‘", "’":
                guard let next = line.scalar(end + 1), !next.properties.isWhitespace,
                    !"()<>".unicodeScalars.contains(next)
                else { return end }
            default: break
            }
            end += 1
        }
        return end
    }

    /// Whether `&` begins an entity: a number, with or without its semicolon, or a name with one.
    private func isEntity(_ line: MarkupLine, _ i: Int) -> Bool {
        if line.scalar(i + 1) == "#" { return true }
        var end = i + 1
        while end - i <= Self.longestEntity, line.isWordOfASCII(end) { end += 1 }
        return end > i + 1 && line.scalar(end) == ";"
    }

    /// Lines that make a heading of the line before, a rule or a table, and those that are code by their spaces.
    func prefix(_ line: MarkupLine) -> String {
        guard line.isAtStart, !line.cells.indices.allSatisfy({ line.isBlank($0) }) else { return "" }
        var spaces = 0
        for i in line.cells.indices {
            guard let scalar = line.scalar(i), scalar == " " || scalar == "\t" || scalar == "\u{A0}" else { break }
            spaces += scalar == "\t" ? 4 : 1
        }
        let isRule =
            line.cells.count > 1
            && line.cells.indices.allSatisfy { i in
                line.scalar(i).map { " -=:|".unicodeScalars.contains($0) } ?? false
            }
        return spaces >= 4 || isRule ? "\(Parting.space)" : ""
    }

    func mark(_ stretch: MarkupStretch, _ line: MarkupLine) -> String? {
        let range = stretch.range
        func contains(_ sign: Unicode.Scalar) -> Bool { range.contains { line.scalar($0) == sign } }
        switch stretch.style {
        case .bold: return "**"
        // It ends at the next mark, whether a backslash stands before that or not.
        case .strike: return contains("~") ? nil : "~~"
        default:
            let canBegin = stretch.isInnerAtStart || isEdge(line, range.lowerBound - 1)
            if canBegin, stretch.isInnerAtEnd || isEdge(line, range.upperBound) { return "_" }
            let first = line.scalar(range.lowerBound)
            let bold = range.count { line.cells[$0].style.contains(.bold) }
            let isReadable = !contains("*") && first != "\"" && first != "<" && (bold == 0 || bold == range.count)
            return isReadable ? "*" : nil
        }
    }

    /// Whether `_` is a mark beside a place: not in a word.
    private func isEdge(_ line: MarkupLine, _ i: Int) -> Bool {
        if line.isBlank(i) { return true }
        return line.scalar(i).map { Self.punctuation.contains($0) } ?? false
    }

    func separator(_ neighbours: MarkupNeighbours) -> String {
        neighbours.isAmbiguous ? "\(Parting.space)" : ""
    }

    /// A URL as it is, if Mattermost reads it as one, so that it looks for no mention in it.
    func url(_ url: String) -> String {
        guard url.utf8.contains(UInt8(ascii: "@")) else { return url }
        let scalars = Array(url.unicodeScalars)
        var path = 0
        for scheme in ["https://", "http://"] where url.lowercased().hasPrefix(scheme) {
            var end = scheme.utf8.count
            guard scalars.indices.contains(end), MarkupLine.isWordOfASCII(scalars[end]) else { continue }
            while end < scalars.count,
                MarkupLine.isWordOfASCII(scalars[end]) || ".-:".unicodeScalars.contains(scalars[end])
            { end += 1 }
            if end < scalars.count, "/?#".unicodeScalars.contains(scalars[end]) { path = end }
        }
        if path > 0 { return url }
        return Self.parted(url)
    }

    func code(_ code: String, ticks: Int) -> String? { Self.parted(Parting.ticked(code, Parting.ticks(code, ticks))) }

    func block(_ code: String, language: String) -> MarkupBlock {
        var (longest, ticks) = (2, 0)
        for byte in code.utf8 {
            ticks = byte == UInt8(ascii: "`") ? ticks + 1 : 0
            longest = max(longest, ticks)
        }
        let fence = String(repeating: "`", count: longest + 1)
        return MarkupBlock(opening: "\(fence)\(language)\n", code: Self.parted(code), closing: "\n\(fence)")
    }

    /// Code, in which the server looks for mentions as well.
    static func parted(_ code: String) -> String {
        guard code.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x40 }) else { return code }
        let line = MarkupLine(cells: code.unicodeScalars.map { MarkupLine.Cell(content: .scalar($0), style: []) })
        let markup = MattermostMarkup()
        var out = String.UnicodeScalarView()
        for (i, scalar) in code.unicodeScalars.enumerated() {
            out.append(scalar)
            if scalar != "]", markup.isParted(scalar, line, i) { out.append(Parting.space) }
        }
        return String(out)
    }

    /// The message with `│` for each `|` that would make a link: the first behind a `<` with a `>` behind it, also
    /// on another line and in code, as the server looks for links before it reads anything else.
    func prepared(_ segments: [MarkdownParser.Segment]) -> [MarkdownParser.Segment] {
        func contains(_ segment: MarkdownParser.Segment, _ sign: Unicode.Scalar) -> Bool {
            switch segment {
            case .text(let text, _), .code(let text, _, _), .block(let text, _, _): text.unicodeScalars.contains(sign)
            case .url: false
            }
        }
        guard var last = segments.lastIndex(where: { contains($0, ">") }),
            segments.contains(where: { contains($0, "|") })
        else { return segments }
        var isOpen = false
        func withoutBars(_ text: String, isLast: Bool) -> String {
            let scalars = Array(text.unicodeScalars)
            let end = isLast ? scalars.lastIndex(of: ">") ?? 0 : scalars.count
            var out = String.UnicodeScalarView()
            for (i, scalar) in scalars.enumerated() {
                let isBar = isOpen && scalar == "|" && i < end
                if scalar == "<" { isOpen = true } else if isBar { isOpen = false }
                out.append(isBar ? "\u{2502}" : scalar)
            }
            return String(out)
        }
        last += 1
        return segments.prefix(last).enumerated().map { i, segment in
            let isLast = i + 1 == last
            switch segment {
            case .text(let text, let style): return .text(withoutBars(text, isLast: isLast), style)
            case .code(let code, let ticks, let style):
                return .code(withoutBars(code, isLast: isLast), ticks: ticks, style)
            case .block(let code, let language, let style):
                return .block(withoutBars(code, isLast: isLast), language: language, style)
            case .url: return segment
            }
        } + segments.dropFirst(last)
    }
}
