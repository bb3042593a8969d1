import ChatMarkdown

/// Writes the chat's text in the markup of one service, cut to what the service takes.
///
/// Text that is no markup of the chat is shown as it was typed. Marks are nested and closed at the end of each line,
/// and a cut breaks no mark, escape, URL or character.
struct MarkupWriter {
    let markup: any Markup
    let limit: Int
    let unit: ChatText.Unit

    private enum Item {
        case line(MarkupLine)
        case block(MarkupBlock)
    }

    /// A head that stands as it is, then a message.
    /// - Parameter style: What all of the message has besides.
    func write(_ head: String, _ message: String, style: StyledText.Style = []) -> String {
        if style.isEmpty, isPlain(message), unit.count(head) + unit.count(message) <= limit { return head + message }
        return write(head, MarkdownParser.segments(message), style)
    }

    /// A text that is no Markdown, such as a topic; with a style where one is wanted.
    func literal(_ head: String, _ text: String, style: StyledText.Style = []) -> String {
        var segments: [MarkdownParser.Segment] = []
        let characters = Array(text)
        var from = 0
        for range in URLScanner.ranges(characters) {
            if from < range.lowerBound { segments.append(.text(String(characters[from..<range.lowerBound]), [])) }
            segments.append(.url(String(characters[range]), []))
            from = range.upperBound
        }
        if from < characters.count { segments.append(.text(String(characters[from...]), [])) }
        return write(head, segments, style, isInLine: true)
    }

    private func write(
        _ head: String, _ segments: [MarkdownParser.Segment], _ style: StyledText.Style, isInLine: Bool = false
    ) -> String {
        var output = MarkupOutput(head, limit: limit, unit: unit)
        var isFirst = true
        var wasQuote = false
        for item in items(segments, style, isInLine: isInLine || !head.isEmpty) {
            if !isFirst { output.append("\n") }
            switch item {
            case .line(let line):
                if wasQuote, !line.isQuote, !line.cells.isEmpty, !markup.endsQuotes { output.append("\n") }
                write(line, &output)
                wasQuote = line.isQuote
            case .block(let block):
                if wasQuote, !markup.endsQuotes { output.append("\n") }
                write(block, &output)
                wasQuote = false
            }
            isFirst = false
            if output.isFull { break }
        }
        return output.finish()
    }

    /// Whether a message is shown as it is by every service: by its bytes, as most are.
    private func isPlain(_ message: String) -> Bool {
        var isFirst = true
        return message.utf8.allSatisfy { byte in
            defer { isFirst = false }
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "?"):
                return true
            case UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: "."), 0x30...0x39: return !isFirst
            default: return false
            }
        }
    }

    // MARK: Lines

    private func items(
        _ segments: [MarkdownParser.Segment], _ style: StyledText.Style, isInLine: Bool
    ) -> [Item] {
        var lines = MarkupLines(markup: markup, isInLine: isInLine)
        // What is longer cannot be shown.
        var left = limit + 1
        for segment in markup.prepared(segments) where left > 0 {
            switch segment {
            case .text(let text, let own): lines.add(text, own.union(style), &left, unit)
            case .url(let url, let own): lines.add(url: url, own.union(style), &left, unit)
            case .code(let code, let ticks, let own): lines.add(code: code, ticks, own.union(style), &left, unit)
            case .block(let code, let language, _): lines.add(block: code, language, &left, unit)
            }
        }
        return lines.finish().map {
            switch $0 {
            case .line(var line):
                line.finish(tail: markup.tail)
                return .line(line)
            case .block(let block): return .block(block)
            }
        }
    }

    private func write(_ line: MarkupLine, _ output: inout MarkupOutput) {
        var pending = line.isQuote ? markup.quote : ""
        pending += markup.prefix(line)
        let marks = MarkupMarks(line, markup)
        for (i, cell) in line.cells.enumerated() {
            pending += marks.before(i)
            var behind = ""
            let piece: String
            switch cell.content {
            case .scalar: piece = markup.literal(line, i)
            case .url(let url): piece = markup.url(url)
            case .code(let code):
                piece = code
                if marks.before(i).isEmpty { pending += markup.separator(.init(before: line.end(i - 1), opening: "`")) }
                if marks.before(i + 1).isEmpty {
                    behind = markup.separator(.init(after: line.end(i + 1), closing: "`"))
                }
            }
            output.append(pending + piece, tail: marks.tail(i), beginsCharacter: cell.beginsCharacter)
            pending = behind
        }
        let end = pending + marks.before(line.cells.count)
        if !end.isEmpty { output.append(end) }
    }

    private func write(_ block: MarkupBlock, _ output: inout MarkupOutput) {
        var pending = block.opening
        for character in block.code {
            output.append(pending + markup.inBlock(character), tail: block.closing)
            pending = ""
        }
        output.append(block.closing)
    }
}

/// What is written so far, and where it can be cut.
struct MarkupOutput {
    private var text: String
    private var count: Int
    private let limit: Int
    private let unit: ChatText.Unit
    /// What closes the marks that are open.
    private var tail = ""
    private var tailCount = 0
    /// The last place that has room for the sign of a cut, and what closes the marks that are open there.
    private var cut: (length: Int, tail: String)
    /// Whether the text was cut, so that nothing comes any more.
    private(set) var isFull = false

    init(_ head: String, limit: Int, unit: ChatText.Unit) {
        (text, count) = (head, unit.count(head))
        (self.limit, self.unit) = (limit, unit)
        cut = (head.utf8.count, "")
    }

    /// Writes a piece that is never cut.
    /// - Parameters:
    ///   - tail: What closes the marks that are open behind it.
    ///   - beginsCharacter: Whether the text can be cut before it.
    mutating func append(_ piece: String, tail: String = "", beginsCharacter: Bool = true) {
        guard !isFull else { return }
        if beginsCharacter, count + tailCount + unit.count(ChatText.mark) <= limit {
            cut = (text.utf8.count, self.tail)
        }
        let length = unit.count(piece)
        if tail != self.tail { (self.tail, tailCount) = (tail, unit.count(tail)) }
        guard count + length + tailCount <= limit else {
            isFull = true
            return
        }
        text += piece
        count += length
    }

    /// The text, cut where it was too long.
    func finish() -> String {
        isFull ? String(decoding: text.utf8.prefix(cut.length), as: UTF8.self) + ChatText.mark + cut.tail : text
    }
}
