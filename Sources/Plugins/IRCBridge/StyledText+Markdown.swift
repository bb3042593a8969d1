// The chat's Markdown: `**bold**`, `*italic*` or `_italic_`, `__underline__`, `~~strike~~` and code in backticks, in
// one line or between lines of three. A backslash takes the meaning from the next mark. Addresses are left alone.
extension StyledText {
    /// Characters that mean something.
    private static let marks: Set<Character> = ["*", "_", "~", "`", "\\"]

    /// Whether a text may hold ``marks``: by its bytes, as most texts hold none.
    private static func mayHoldMarks(_ text: String) -> Bool {
        text.utf8.contains {
            switch $0 {
            case UInt8(ascii: "*"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "`"), UInt8(ascii: "\\"): true
            default: false
            }
        }
    }

    /// Reads a message of the chat.
    init(markdown text: String) {
        guard Self.mayHoldMarks(text) else {
            self.init([Run(text: text)])
            return
        }
        var reader = MarkdownReader(text)
        self.init(reader.read())
    }

    /// The text as Markdown. Where it can be read as it stands it has no backslashes.
    var markdown: String {
        if runs.count == 1, runs[0].style.isEmpty, !Self.mayHoldMarks(runs[0].text) { return runs[0].text }
        let fitted = fittedToMarkdown
        let bare = fitted.written { $0 }
        if StyledText(markdown: bare) == fitted { return bare }
        return fitted.written { Self.escape($0) }
    }

    /// The text as Markdown can say it: marks cannot stand beside the white space they enclose, nor can a backtick
    /// stand in a line of code.
    var fittedToMarkdown: StyledText {
        var out = StyledText()
        for run in runs {
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

    private func written(_ literal: (String) -> String) -> String {
        let delimiters: [(Style, String)] = [(.strike, "~~"), (.underline, "__"), (.bold, "**"), (.italic, "*")]
        var out = ""
        var style: Style = []
        for run in runs + [Run(text: "")] {
            for (bit, mark) in delimiters.reversed() where style.contains(bit) && !run.style.contains(bit) {
                out += mark
            }
            for (bit, mark) in delimiters where !style.contains(bit) && run.style.contains(bit) { out += mark }
            out += run.style.contains(.code) ? "`\(run.text)`" : literal(run.text)
            style = run.style
        }
        return out
    }

    private static func escape(_ text: String) -> String {
        let characters = Array(text)
        var out = ""
        var at = 0
        while at < characters.count {
            let end = MarkdownReader.addressEnd(characters, at)
            if end > at {
                out += String(characters[at..<end])
                at = end
                continue
            }
            if marks.contains(characters[at]) { out += "\\" }
            out.append(characters[at])
            at += 1
        }
        return out
    }
}
