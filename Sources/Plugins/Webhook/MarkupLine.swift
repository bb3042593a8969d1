import ChatMarkdown

/// A line of a message, taken apart so that each service can decide what means something there.
struct MarkupLine: Sendable {
    /// A sign, a URL or code.
    struct Cell: Sendable {
        enum Content: Sendable {
            case scalar(Unicode.Scalar)
            case url(String)
            /// Code between marks, as the service writes it.
            case code(String)
        }

        var content: Content
        var style: StyledText.Style
        /// Whether a character as people see it begins here.
        var beginsCharacter = true
        /// Whether the service takes it for the end of the URL before it, so that it shows a backslash there.
        var isTail = false
    }

    var cells: [Cell] = []
    /// Whether nothing stands before it on the service's line, so that some signs mean a heading or a list.
    var isAtStart = true
    /// Whether it is a quotation. The sign of that is no cell.
    var isQuote = false
    /// Whether `_` stands in a URL or in code of the message or makes italics in it, which could end what `_` in a word
    /// begins.
    var hasBars = false
    /// The place behind the spaces at the beginning of the line.
    private(set) var indent = 0
    /// The place of the sign that makes an item of a list of the line: `-`, `+`, `*`, or the dot behind a number.
    private(set) var bullet: Int?
    /// Whether `#` begin a heading.
    private(set) var isHeading = false

    init(cells: [Cell] = [], isAtStart: Bool = true) { (self.cells, self.isAtStart) = (cells, isAtStart) }

    /// The sign at a place; nil beyond the line and where a URL or code stands.
    func scalar(_ i: Int) -> Unicode.Scalar? {
        guard cells.indices.contains(i), case .scalar(let scalar) = cells[i].content else { return nil }
        return scalar
    }

    /// What stands at a place beside a mark; nil beyond the line. URLs and code count as letters.
    func end(_ i: Int) -> Unicode.Scalar? { cells.indices.contains(i) ? scalar(i) ?? "a" : nil }

    /// Whether white space stands at a place, or the line ends there.
    func isBlank(_ i: Int) -> Bool {
        guard cells.indices.contains(i) else { return true }
        return scalar(i).map { $0.properties.isWhitespace } ?? false
    }

    /// Whether a letter or a digit stands at a place.
    func isWord(_ i: Int) -> Bool { scalar(i).map(Self.isWord) ?? false }

    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? isWordOfASCII(scalar) : scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    /// Whether a letter or a digit of ASCII stands at a place.
    func isWordOfASCII(_ i: Int) -> Bool { scalar(i).map(Self.isWordOfASCII) ?? false }

    static func isWordOfASCII(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// Whether the sign at a place is one of three or more.
    func isThree(_ i: Int) -> Bool {
        let near = (-2...2).map { scalar(i + $0) == scalar(i) }
        return near[0] && near[1] || near[1] && near[3] || near[3] && near[4]
    }

    /// Whether two places beside each other have no mark between them.
    func isSameStyle(_ i: Int, _ j: Int) -> Bool {
        cells.indices.contains(i) && cells.indices.contains(j) && cells[i].style == cells[j].style
    }

    /// Finds what means something at the beginning, once all cells are there.
    /// - Parameter tail: Where the end of a URL that is in front of a place ends for the service.
    mutating func finish(tail: (MarkupLine, Int) -> Int) {
        markTails(tail)
        fitStyles()
        indent = cells.indices.first { scalar($0) != " " } ?? cells.count
        var at = indent
        while scalar(at) == "#" { at += 1 }
        isHeading = at > indent && isBlank(at)
        at = indent
        while let digit = scalar(at), ("0"..."9").contains(digit) { at += 1 }
        let sign = scalar(at)
        let isBullet = at > indent ? sign == "." : sign == "-" || sign == "+" || sign == "*"
        bullet = isBullet && isBlank(at + 1) ? at : nil
    }

    /// Finds what services take for the ends of URLs: text that no white space parts from them. No mark stands in it.
    private mutating func markTails(_ tail: (MarkupLine, Int) -> Int) {
        var at = 0
        while at < cells.count {
            let isURL = if case .url = cells[at].content { true } else { isWeb(at) }
            at += 1
            guard isURL else { continue }
            let end = tail(self, at)
            let isMarked = (at..<end).contains {
                cells[$0].style != cells[at - 1].style
                    || scalar($0).map { "*_~`|\\".unicodeScalars.contains($0) } ?? true
            }
            for i in at..<end { cells[i].isTail = true }
            if isMarked { for i in (at - 1)..<end { cells[i].style = [] } }
            // No style begins behind a URL before white space does: its mark would be taken for a part of the URL.
            let style = cells[at - 1].style
            while at < cells.count, !isBlank(at) {
                cells[at].style.formIntersection(style)
                at += 1
            }
        }
    }

    /// Whether `http://` or `https://` stands at a place where the chat has no URL, as in a word.
    private func isWeb(_ i: Int) -> Bool {
        guard scalar(i) == "h", scalar(i + 1) == "t", scalar(i + 2) == "t", scalar(i + 3) == "p" else { return false }
        let at = scalar(i + 4) == "s" ? i + 5 : i + 4
        return scalar(at) == ":" && scalar(at + 1) == "/" && scalar(at + 2) == "/"
    }

    /// Gives white space the styles that the text on both sides of it has, as no mark can stand beside white space.
    private mutating func fitStyles() {
        var last: StyledText.Style = []
        for i in cells.indices {
            if isBlank(i) { cells[i].style = last } else { last = cells[i].style }
        }
        last = []
        for i in cells.indices.reversed() {
            if isBlank(i) { cells[i].style.formIntersection(last) } else { last = cells[i].style }
        }
    }
}
