// The chat's Markdown: `**bold**`, `*italic*` or `_italic_`, `__underline__`, `~~strike~~` and code in backticks, in
// one line or between lines of three. A backslash takes the meaning from the next mark. URLs are left alone.
extension StyledText {
    /// Reads a message of the chat.
    package init(markdown text: String) {
        self.init()
        for segment in MarkdownParser.segments(text) {
            switch segment {
            case .text(let text, let style), .url(let text, let style): append(text, style)
            case .code(let code, _, let style), .block(let code, _, let style): append(code, style.union(.code))
            }
        }
    }

    /// The text as Markdown. Where it can be read as it stands it has no backslashes.
    package var markdown: String {
        if runs.count == 1, runs[0].style.isEmpty, !MarkdownParser.mayContainMarks(runs[0].text) { return runs[0].text }
        let fitted = fittedToMarkdown
        let bare = fitted.written { text, _ in text }
        if StyledText(markdown: bare) == fitted { return bare }
        let escaped = fitted.written { Self.escape($0, $1) }
        // Many marks directly behind a URL may be read as a part of it. Then the text counts more than its styles.
        if !URLScanner.mayContainURL(plain) || StyledText(markdown: escaped) == fitted { return escaped }
        return Self.escape(plain, [])
    }

    /// The text as Markdown can say it: marks cannot stand beside the white space they enclose or within a URL, nor can
    /// a backtick stand in a line of code.
    package var fittedToMarkdown: StyledText {
        var out = StyledText()
        for run in withWholeURLs.runs {
            var style = run.style
            if run.text.contains("`") { style.remove(.code) }
            if style.isEmpty || style.contains(.code) {
                out.append(run.text, style)
                continue
            }
            let start = run.text.firstIndex { !$0.isWhitespace } ?? run.text.endIndex
            let end = run.text.lastIndex { !$0.isWhitespace }.map { run.text.index(after: $0) } ?? run.text.endIndex
            out.append(String(run.text[..<start]), [])
            if start < end {
                out.append(String(run.text[start..<end]), style)
                out.append(String(run.text[end...]), [])
            }
        }
        return out
    }

    /// The text with one style on each URL, that of its beginning, and none that begins directly behind it, where its
    /// mark would be a part of the URL.
    private var withWholeURLs: StyledText {
        guard runs.count > 1, URLScanner.mayContainURL(plain) else { return self }
        var out = StyledText()
        var (characters, styles): ([Character], [Style]) = ([], [])
        // What a run of code may have besides, where it stands directly behind a URL.
        var limit: Style?
        func flush() {
            limit = nil
            for range in URLScanner.ranges(characters) {
                let style = styles[range.lowerBound]
                for i in range { styles[i] = style }
                for i in characters.indices[range.upperBound...] {
                    styles[i].formIntersection(style)
                    if !URLScanner.isTrimmed(characters[i]) { break }
                }
                if characters[range.upperBound...].allSatisfy(URLScanner.isTrimmed) { limit = style.union(.code) }
            }
            for (character, style) in zip(characters, styles) { out.append(String(character), style) }
            (characters, styles) = ([], [])
        }
        for run in runs {
            if run.style.contains(.code), !run.text.contains("`") {
                flush()
                out.append(run.text, limit.map(run.style.intersection) ?? run.style)
            } else {
                characters += run.text
                styles += [Style](repeating: run.style.subtracting(.code), count: run.text.count)
            }
        }
        flush()
        return out
    }

    private func written(_ literal: (String, Style) -> String) -> String {
        let delimiters: [(Style, String)] = [(.strike, "~~"), (.underline, "__"), (.bold, "**"), (.italic, "*")]
        var out = ""
        var style: Style = []
        for run in runs + [Run(text: "")] {
            for (bit, mark) in delimiters.reversed() where style.contains(bit) && !run.style.contains(bit) {
                out += mark
            }
            for (bit, mark) in delimiters where !style.contains(bit) && run.style.contains(bit) { out += mark }
            out += run.style.contains(.code) ? "`\(run.text)`" : literal(run.text, run.style)
            style = run.style
        }
        return out
    }

    private static func escape(_ text: String, _ style: Style) -> String {
        var marks: Set<Character> = []
        if style.contains(.bold) || style.contains(.italic) { marks.insert("*") }
        if style.contains(.underline) { marks.insert("_") }
        if style.contains(.strike) { marks.insert("~") }
        let characters = Array(text)
        let mayContainURL = URLScanner.mayContainURL(text)
        var out = ""
        var at = 0
        while at < characters.count {
            let end = mayContainURL ? URLScanner.end(characters, at) { sign, _ in marks.contains(sign) } : at
            if end > at {
                out += String(characters[at..<end])
                at = end
                continue
            }
            if MarkdownParser.marks.contains(characters[at]) { out += "\\" }
            out.append(characters[at])
            at += 1
        }
        return out
    }
}
