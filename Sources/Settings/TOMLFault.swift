/// What is wrong with a text that is no TOML, in the words of somebody who writes settings: the parser speaks of its
/// own steps.
struct TOMLFault: Equatable {
    /// The line that is to be looked at, from 1.
    let line: Int
    /// The column in it, from 1.
    let column: Int
    /// What is wrong and what to do.
    let reason: String
    /// That line, without what may be a secret; nil where all of it may be.
    let quote: String?

    /// - Parameters:
    ///   - description: The parser's words: `Error while parsing SCOPE: WHAT`.
    ///   - line: Where the parser stopped, from 1.
    ///   - column: As `line`, in code points.
    ///   - text: The whole text.
    init(_ description: String, line: Int, column: Int, in text: String) {
        let place = Place(text, line: line, column: column)
        let (scope, what) = Self.halves(description)
        let opener = TOMLOpener(text, before: place.offset)
        reason = Self.words(scope, what, place, opener) ?? "this is not TOML: \(what)"
        // The end of the file tells nothing; where the open text or list begins does.
        let isAtEnd = what.contains("end-of-file") && opener != nil
        self.line = isAtEnd ? opener?.line ?? line : line
        // Of a value the parser names where it gave up.
        let isValue = !Self.scopes.contains(scope) && !what.contains("hex digit")
        let known = isValue ? place.wordColumn : column
        self.column = isAtEnd ? opener?.column ?? column : known
        let shown = isAtEnd ? Place(text, line: self.line, column: self.column) : place
        quote = LineQuote.text(shown.text, column: self.column, isWithinText: scope == "string")
    }

    /// What the parser works on besides values.
    private static let scopes: Set = [
        "", "string", "table header", "key-value pair", "array", "inline table", "root table", "key",
    ]

    private static func halves(_ description: String) -> (scope: String, what: String) {
        let begin = "Error while parsing "
        guard description.hasPrefix(begin), let colon = description.firstRange(of: ": ") else {
            return ("", description)
        }
        return (
            String(description[description.index(description.startIndex, offsetBy: begin.count)..<colon.lowerBound]),
            String(description[colon.upperBound...])
        )
    }

    private static func words(_ scope: String, _ what: String, _ place: Place, _ opener: TOMLOpener?) -> String? {
        if what.contains("after '\\r'") { return "lines end in a CR alone; save the file with LF at the ends of lines" }
        if what.contains("expected space or tab") {
            return "there is a blank of an unusual kind (\(place.code)); type an ordinary one in its place"
        }
        if what.contains("hex digit") { return "'\\u' wants 4 hexadecimal digits behind it, and '\\U' 8" }
        if what.contains("maximum nested") { return "lists and tables are nested too deeply" }
        let isAtEnd = what.contains("end-of-file")
        return switch scope {
        case "string": string(what, place, opener)
        case "table header": header(what)
        case "key-value pair": pair(what, place)
        case "array":
            "the list that begins in line \(opener?.line ?? place.line) lacks a ',' between two of its values, or its "
                + "']'"
        case "inline table": inlineTable(what, isAtEnd)
        case "root table": root(what)
        case "key": key(what)
        case "": nil
        default: value(what, place)
        }
    }

    private static func string(_ what: String, _ place: Place, _ opener: TOMLOpener?) -> String? {
        if what.contains("end-of-file") {
            return "the text that begins here is not closed: its last quotes are missing"
        }
        if what.contains("control characters") {
            return place.scalar == nil
                ? "the text is not closed: the quote at its end is missing"
                : "the text has a control character (\(place.code)); remove it, or write it as an escape like \\u0001"
        }
        if what.contains("unknown escape sequence") {
            return
                "the text has a '\\' before a sign that means nothing there; write '\\\\' for one backslash, or put "
                + "the text into single quotes"
        }
        return nil
    }

    private static func header(_ what: String) -> String? {
        if what.contains("blank") { return "the table's name between '[' and ']' is missing" }
        guard what.contains("expected ']'") || what.contains("end-of-file") else { return nil }
        if what.contains("saw '\\n'") || what.contains("saw '\n'") || what.contains("end-of-file") {
            return "the ']' behind the table's name is missing"
        }
        return "a table's name with a blank or another sign in it stands in quotes, as [\"a b\"]; else ']' is missing"
    }

    private static func pair(_ what: String, _ place: Place) -> String? {
        if what.contains("expected '=', saw ':'") { return "'=' stands between a key and its value, and not ':'" }
        let isWithValue = place.text.contains("=")
        if what.contains("expected value") || what.contains("end-of-file") && isWithValue {
            return "the value behind '=' is missing"
        }
        if what.contains("expected '='") || what.contains("end-of-file") {
            return "a '=' is expected behind the key; a key with a blank or another sign in it stands in quotes"
        }
        if what.contains("expected a comment") {
            return place.text.contains("'")
                ? "there is more behind the value; a text with a ' in it stands in double quotes, a comment behind '#'"
                : "there is more behind the value; a comment begins with '#', another key on a line of its own"
        }
        return nil
    }

    private static func inlineTable(_ what: String, _ isAtEnd: Bool) -> String {
        if what.contains("dangling comma") { return "the ',' before '}' is one too many" }
        if isAtEnd || what.contains("saw '\\n'") || what.contains("saw '\n'") {
            return "a table in { } stands on one line; write one of several lines as [name], and a key on each line"
        }
        return "the table in { } lacks a ',' between two of its keys, or its '}'"
    }

    private static func root(_ what: String) -> String {
        switch what.split(separator: "saw '").last?.first {
        case "/", ";": "a comment begins with '#'"
        case "{": "this is JSON; TOML has a line for each key, as: key = \"value\""
        case "=": "the key before '=' is missing"
        default: "a line is a key with its value, the head of a table as [name], or a comment that begins with '#'"
        }
    }

    private static func key(_ what: String) -> String {
        what.contains("bare key") || what.contains("end-of-file")
            ? "a part of the key is missing beside its '.'"
            : "the key has a sign that it may not have; put the key into quotes"
    }

    /// Of a value that is no text in quotes.
    private static func value(_ what: String, _ place: Place) -> String {
        let word = place.word
        let small = word.lowercased()
        if let first = word.unicodeScalars.first, "“”„‟‘’‚«»".unicodeScalars.contains(first) {
            return "typographic quotation marks are none to TOML; use \"…\""
        }
        if ["true", "false", "yes", "no", "on", "off"].contains(small) {
            return "a yes or no is written as true or false, in small letters and without quotes"
        }
        if !word.isEmpty, word.unicodeScalars.allSatisfy({ "+-0123456789_".unicodeScalars.contains($0) }) {
            if what.contains("zeroes") { return "a number does not begin with 0; if it is a text, put it into quotes" }
            if what.contains("representable") || what.contains("length") || what.contains("too long") {
                return "the number is too large"
            }
            if what.contains("underscore") { return "a '_' in a number stands between two digits" }
        }
        return "this is no number, and neither true nor false; text must stand in quotes, as \"text\""
    }
}

extension TOMLFault {
    /// A place in a text.
    struct Place {
        /// Its line, from 1.
        let line: Int
        /// The text of the line.
        let text: String
        /// The code point there; nil at the end of the line.
        let scalar: Unicode.Scalar?
        /// Bytes of the whole text before it.
        let offset: Int
        /// What stands there without blanks between, as far as a value goes.
        let word: String
        /// The column where that begins, from 1.
        let wordColumn: Int

        init(_ whole: String, line: Int, column: Int) {
            let lines = whole.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
            let index = min(max(0, line - 1), lines.count - 1)
            var scalars = Array(lines[index])
            if scalars.last == "\r" { scalars.removeLast() }
            let at = min(max(0, column - 1), scalars.count)
            self.line = line
            text = Self.string(scalars[...])
            scalar = at < scalars.count ? scalars[at] : nil
            offset =
                lines[..<index].reduce(0) { $0 + Self.string($1).utf8.count + 1 }
                + Self.string(scalars[..<at]).utf8.count
            var (start, end) = (at, at)
            while start > 0, !Self.isEdge(scalars[start - 1]) { start -= 1 }
            while end < scalars.count, !Self.isEdge(scalars[end]) { end += 1 }
            word = Self.string(scalars[start..<end])
            wordColumn = start + 1
        }

        /// Its code point as `U+00A0`.
        var code: String {
            let digits = String(scalar?.value ?? 0, radix: 16, uppercase: true)
            return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }

        private static func isEdge(_ scalar: Unicode.Scalar) -> Bool {
            scalar.value <= 0x20 || "=,[]{}#".unicodeScalars.contains(scalar)
        }

        private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
            var view = String.UnicodeScalarView()
            view.append(contentsOf: scalars)
            return String(view)
        }
    }
}
