import ChatMarkdown

/// Slack's mrkdwn (docs.slack.dev, "Formatting message text"): `*bold*`, `_italic_`, `~strike~`, `` `code` ``, and
/// `<url>`. `&`, `<` and `>` are written as entities, so that there is no `<!channel>`, no `<@user>`, no `<url|text>`.
///
/// No sign has an escape. A mark counts only beside white space, punctuation or the end of a line: a soft hyphen
/// (U+00AD), which has no look within a line, keeps it from that, and a space without width lets one count in a word.
struct SlackMarkup: Markup {
    private static let guardSign: Unicode.Scalar = "\u{AD}"

    /// How far the end of a mark is looked for, in signs.
    private static let farthestEnd = 200

    let endsQuotes = true
    let quote = "&gt; "

    func styles(_ styles: StyledText.Style) -> StyledText.Style {
        styles.contains(.underline) ? styles.subtracting(.underline).union(.italic) : styles
    }

    func literal(_ line: MarkupLine, _ i: Int) -> String {
        guard let scalar = line.scalar(i) else { return "" }
        switch scalar {
        case "&": return "&amp;"
        case "<": return "&lt;"
        case ">": return line.isAtStart && line.indent == i && !line.isQuote ? "\(Self.guardSign)&gt;" : "&gt;"
        case "*", "_", "~", "`": return guarded(scalar, line, i)
        default: return String(scalar)
        }
    }

    private func guarded(_ sign: Unicode.Scalar, _ line: MarkupLine, _ i: Int) -> String {
        let style: StyledText.Style = sign == "*" ? .bold : sign == "_" ? .italic : sign == "~" ? .strike : .code
        var out = String(sign)
        // Three begin a block.
        if sign == "`", line.isThree(i) { return "\(Self.guardSign)`" }
        if !line.isWord(i - 1), !line.isBlank(i + 1),
            line.cells[i].style.contains(style) || hasEnd(sign, style, line, i)
        {
            out = "\(Self.guardSign)\(out)"
        }
        if line.cells[i].style.contains(style), !line.isWord(i + 1) { out += "\(Self.guardSign)" }
        return out
    }

    /// Whether the same sign further on could end what this one opens.
    private func hasEnd(_ sign: Unicode.Scalar, _ style: StyledText.Style, _ line: MarkupLine, _ i: Int) -> Bool {
        for at in line.cells.indices.dropFirst(i + 1) {
            // So that time stays linear in the text. A sign too many does not show.
            if at - i > Self.farthestEnd { return true }
            if line.cells[at].style.contains(style) { return true }
            switch line.cells[at].content {
            case .scalar(let other):
                if other == sign, at > i + 1, !line.isBlank(at - 1), !line.isWord(at + 1) { return true }
            case .url(let url): if url.unicodeScalars.contains(sign) { return true }
            case .code(let code): if style == .code || code.unicodeScalars.contains(sign) { return true }
            }
        }
        return false
    }

    func tail(_ line: MarkupLine, _ i: Int) -> Int { i }

    func mark(_ stretch: MarkupStretch, _ line: MarkupLine) -> String? {
        stretch.style == .bold ? "*" : stretch.style == .italic ? "_" : "~"
    }

    func separator(_ neighbours: MarkupNeighbours) -> String {
        let closes = !neighbours.closing.isEmpty
        if closes, !neighbours.opening.isEmpty { return "\(Parting.space)" }
        guard let sign = closes ? neighbours.after : neighbours.before, !sign.properties.isWhitespace else { return "" }
        let isBreak = (closes ? ".,:;!?)]}\"'" : "([{\"'").unicodeScalars.contains(sign)
        return isBreak ? "" : "\(Parting.space)"
    }

    func isURL(_ url: String) -> Bool {
        let start = url.prefix(8).lowercased()
        return start.hasPrefix("http://") || start == "https://"
    }

    func url(_ url: String) -> String {
        let isPlain = url.utf8.allSatisfy { $0 != 0x2A && $0 != 0x5F && $0 != 0x7E }
        // Slack finds addresses by itself, but not always the whole of one.
        let isWhole = url.unicodeScalars.last.map { MarkupLine.isWordOfASCII($0) || $0 == "/" } ?? true
        let escaped = Self.escaped(url)
        return isPlain && isWhole ? escaped : "<\(escaped)>"
    }

    func code(_ code: String, ticks: Int) -> String? {
        guard !code.utf8.contains(UInt8(ascii: "`")), let first = code.firstIndex(where: { !$0.isWhitespace }),
            let last = code.lastIndex(where: { !$0.isWhitespace })
        else { return nil }
        // A mark cannot stand beside white space.
        return code[..<first] + "`\(Self.escaped(String(code[first...last])))`" + code[code.index(after: last)...]
    }

    func inBlock(_ character: Character) -> String { Self.escaped(String(character)) }

    func block(_ code: String, language: String) -> MarkupBlock {
        MarkupBlock(opening: "```\n", code: Parting.fences(code), closing: "\n```")
    }

    static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x26 || $0 == 0x3C || $0 == 0x3E }) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out.append(contentsOf: "&amp;".unicodeScalars)
            case "<": out.append(contentsOf: "&lt;".unicodeScalars)
            case ">": out.append(contentsOf: "&gt;".unicodeScalars)
            default: out.append(scalar)
            }
        }
        return String(out)
    }
}
