import ChatMarkdown

/// Discord's Markdown: `**bold**`, `_italic_` or `*italic*`, `__underline__`, `~~strike~~`, code, quotations. A
/// backslash takes the meaning from the next sign. Discord is told to call nobody (`allowed_mentions`), but would still
/// show `<@1>`, `<#1>`, `<t:1>` and the like as a name, a channel or a time.
struct DiscordMarkup: Markup {
    private static let longestScheme = 200

    let endsQuotes = true
    let quote = "> "

    func styles(_ styles: StyledText.Style) -> StyledText.Style { styles }

    func literal(_ line: MarkupLine, _ i: Int) -> String {
        guard let scalar = line.scalar(i) else { return "" }
        if line.isAtStart, isLineSign(line, i) { return "\\\(scalar)" }
        if Parting.isLink(line, i, "(") { return "\(scalar)\(Parting.space)" }
        return !line.cells[i].isTail && means(scalar, line, i) ? "\\\(scalar)" : String(scalar)
    }

    private func means(_ scalar: Unicode.Scalar, _ line: MarkupLine, _ i: Int) -> Bool {
        switch scalar {
        case "\\", "`": return true
        case "*":
            // `2 * 3` is no mark.
            return !(i > 0 && line.isBlank(i - 1) && line.isBlank(i + 1) && line.cells[i].style.isEmpty)
        case "_":
            // `snake_case` is no mark.
            let isInWord = line.isWordOfASCII(i - 1) && line.isWordOfASCII(i + 1)
            return line.hasBars || !(isInWord && line.isSameStyle(i - 1, i) && line.isSameStyle(i, i + 1))
        case "~": return line.cells[i].style.contains(.strike) || line.scalar(i - 1) == "~" || line.scalar(i + 1) == "~"
        case "<": return isScheme(line, i) || isReference(line, i)
        case "|": return line.scalar(i - 1) == "|" || line.scalar(i + 1) == "|"
        default: return false
        }
    }

    /// Whether `<` begins what Discord shows as something else (discord.com/developers, "Message Formatting"): a user,
    /// a role, a channel, an emoji, a time, a command, a place of the server.
    private func isReference(_ line: MarkupLine, _ i: Int) -> Bool {
        var (text, at) = ("", i + 1)
        while let scalar = line.scalar(at), scalar != ">", scalar != "\n", at - i < Self.longestScheme {
            text.unicodeScalars.append(scalar)
            at += 1
        }
        guard line.scalar(at) == ">", let first = text.first else { return false }
        switch first {
        case "@", "#": return text.dropFirst().drop { $0 == "!" || $0 == "&" }.allSatisfy(\.isNumber) && text.count > 1
        case "/", ":": return text.last?.isNumber == true && text.dropFirst().contains(":")
        default: return text.hasPrefix("a:") || text.hasPrefix("t:") || text.hasPrefix("id:")
        }
    }

    /// Whether `<` begins what Discord takes for a URL between `<` and `>`, and the chat for text.
    private func isScheme(_ line: MarkupLine, _ i: Int) -> Bool {
        var at = i + 1
        while let scalar = line.scalar(at), scalar != ":", scalar != ">", scalar != " ", at - i < Self.longestScheme {
            at += 1
        }
        return at > i + 1
            && (line.scalar(at) == ":" && line.scalar(at + 1) == "/"
                || line.cells.indices.contains(at) && line.scalar(at) == nil)
    }

    /// Whether a sign makes a heading, a list, small print or a quotation of the line.
    private func isLineSign(_ line: MarkupLine, _ i: Int) -> Bool {
        let indent = line.indent
        if line.bullet == i { return true }
        guard i == indent else { return false }
        return line.isHeading || line.scalar(i) == ">" || line.scalar(i) == "-" && line.scalar(i + 1) == "#"
    }

    func mark(_ stretch: MarkupStretch, _ line: MarkupLine) -> String? {
        let range = stretch.range
        switch stretch.style {
        case .bold: return "**"
        case .underline: return "__"
        // It ends at the next mark, whether a backslash stands before that or not.
        case .strike: return range.contains { line.scalar($0) == "~" } ? nil : "~~"
        default:
            let isUnderlined = range.contains { line.cells[$0].style.contains(.underline) }
            let isInWord = !stretch.isInnerAtEnd && line.end(range.upperBound).map(MarkupLine.isWordOfASCII) ?? false
            return isUnderlined || isInWord ? "*" : "_"
        }
    }

    func separator(_ neighbours: MarkupNeighbours) -> String {
        let isNoStrike = neighbours.closing.hasSuffix("~") && neighbours.opening.hasPrefix("_")
        return neighbours.isAmbiguous || isNoStrike ? "\(Parting.space)" : ""
    }

    func tail(_ line: MarkupLine, _ i: Int) -> Int {
        var end = i
        while let scalar = line.scalar(end), !scalar.properties.isWhitespace, scalar != "<" { end += 1 }
        return end
    }

    func url(_ url: String) -> String { url }

    func code(_ code: String, ticks: Int) -> String? {
        let ticks = Parting.ticks(code, ticks)
        // Three would begin a block.
        return ticks < 3 ? Parting.ticked(code, ticks) : nil
    }

    func block(_ code: String, language: String) -> MarkupBlock {
        let isWord = language.utf8.allSatisfy { byte in
            MarkupLine.isWordOfASCII(Unicode.Scalar(byte)) || "_-+.".utf8.contains(byte)
        }
        return MarkupBlock(
            opening: "```\(isWord ? language : "")\n", code: Parting.fences(code), closing: "\n```")
    }
}
