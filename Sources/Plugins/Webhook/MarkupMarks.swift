import ChatMarkdown

/// The marks between the cells of a line, nested and in order.
struct MarkupMarks {
    /// A stretch of one style, from its opening mark to its closing one.
    private struct Span {
        let style: StyledText.Style
        let start: Int
        var end: Int
        /// Those around it that begin or end with it.
        var outer: [Int] = []
        var mark = ""
    }

    private static let styles: [StyledText.Style] = [.strike, .underline, .bold, .italic]

    private var spans: [Span] = []
    /// By place the spans that close before it, the innermost first, and those that open, the outermost first.
    private var closing: [Int: [Int]] = [:]
    private var opening: [Int: [Int]] = [:]
    /// By place the spans that are open behind it, the innermost first. Only where that changes.
    private var open: [Int] = []
    private var tails: [String] = []
    private var texts: [Int: String] = [:]

    init(_ line: MarkupLine, _ markup: any Markup) {
        guard line.cells.contains(where: { !$0.style.isEmpty }) else { return }
        nest(line)
        for i in spans.indices {
            let span = spans[i]
            let outer = span.outer.filter { !spans[$0].mark.isEmpty }
            let stretch = MarkupStretch(
                style: span.style, range: span.start..<span.end,
                isInnerAtStart: outer.contains { spans[$0].start == span.start },
                isInnerAtEnd: outer.contains { spans[$0].end == span.end })
            spans[i].mark = markup.mark(stretch, line) ?? ""
        }
        write(line, markup)
    }

    /// What stands before a cell; before the end of the line for the place behind the last one.
    func before(_ i: Int) -> String { texts[i] ?? "" }

    /// What closes the marks that are open behind a cell.
    func tail(_ i: Int) -> String { tails.isEmpty ? "" : tails[i] }

    /// Finds the spans. One that ends while an inner one goes on ends that one too, which begins again.
    private mutating func nest(_ line: MarkupLine) {
        let cells = line.cells
        // For each place and style, where the stretch of the style ends.
        var ends = [StyledText.Style.RawValue: [Int]]()
        for style in Self.styles {
            var end = cells.count
            var found = [Int](repeating: 0, count: cells.count)
            for i in cells.indices.reversed() {
                if !cells[i].style.contains(style) { end = i }
                found[i] = end
            }
            ends[style.rawValue] = found
        }
        for i in cells.indices {
            let style = cells[i].style
            if let first = open.firstIndex(where: { !style.contains(spans[$0].style) }) { close(from: first, at: i) }
            // A mark cannot stand before white space.
            guard !line.isBlank(i) else { continue }
            let isOpen = open.reduce(into: StyledText.Style()) { $0.formUnion(spans[$1].style) }
            let missing = Self.styles.filter { style.contains($0) && !isOpen.contains($0) }
            for style in missing.sorted(by: { (ends[$0.rawValue]?[i] ?? 0) > (ends[$1.rawValue]?[i] ?? 0) }) {
                open.append(spans.count)
                opening[i, default: []].append(spans.count)
                spans.append(Span(style: style, start: i, end: cells.count, outer: open.dropLast()))
            }
        }
        close(from: 0, at: cells.count)
    }

    private mutating func close(from first: Int, at place: Int) {
        guard first < open.count else { return }
        for span in open[first...] { spans[span].end = place }
        closing[place] = open[first...].reversed()
        open.removeSubrange(first...)
    }

    private mutating func write(_ line: MarkupLine, _ markup: any Markup) {
        tails = [String](repeating: "", count: line.cells.count)
        var marks: [Int] = []
        for i in 0...line.cells.count {
            let closed = (closing[i] ?? []).map { spans[$0].mark }.joined()
            let opened = (opening[i] ?? []).map { spans[$0].mark }.joined()
            marks.removeAll { spans[$0].end == i }
            marks += opening[i] ?? []
            if !closed.isEmpty || !opened.isEmpty {
                let parting = markup.separator(
                    MarkupNeighbours(
                        before: line.end(i - 1), after: line.end(i), closing: closed, opening: opened))
                texts[i] = closed + parting + opened
            }
            if i < tails.count, !marks.isEmpty { tails[i] = marks.reversed().map { spans[$0].mark }.joined() }
        }
    }
}
