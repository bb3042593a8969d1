/// A line of a file of settings as errors show it. Settings may hold secrets, so a line in which a word speaks of one
/// is shown without its value.
enum LineQuote {
    /// Characters at most.
    static let most = 100

    private static let secretWords = [
        "pass", "secret", "token", "key", "auth", "cred", "header", "cookie", "url", "pin", "nickserv", "hook",
    ]

    /// - Parameters:
    ///   - column: What is to be seen of a long line, from 1.
    ///   - isWithinText: Whether the place is in a text, which may be one of several lines.
    /// - Returns: The line; nil where none of it may be shown, or nothing is in it.
    static func text(_ line: String, column: Int, isWithinText: Bool) -> String? {
        let equals = line.firstIndex(of: "=")
        if equals == nil, isWithinText { return nil }
        let small = line.lowercased()
        if secretWords.contains(where: small.contains) {
            guard let equals else { return nil }
            let key = line[..<equals].split(separator: " ").joined(separator: " ")
            // Without a `=` of its own, what stands before the first one may be anything.
            return key.count <= most && !key.contains("\"") ? "\(printable(key)) = …" : nil
        }
        var characters = Array(line)
        var (begin, end) = ("", "")
        if characters.count > most {
            let start = min(max(0, column - most / 2), characters.count - most)
            (begin, end) = (start > 0 ? "…" : "", start + most < characters.count ? "…" : "")
            characters = Array(characters[start..<(start + most)])
        }
        let shown = printable(String(characters)).split(separator: " ").joined(separator: " ")
        return shown.isEmpty ? nil : begin + shown + end
    }

    /// Control characters as escapes, and tabs as blanks.
    private static func printable(_ text: some StringProtocol) -> String {
        text.unicodeScalars.reduce(into: "") { shown, scalar in
            switch scalar.properties.generalCategory {
            case .control where scalar == "\t": shown += " "
            case .control, .format, .lineSeparator, .paragraphSeparator:
                let digits = String(scalar.value, radix: 16)
                shown += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            default: shown.unicodeScalars.append(scalar)
            }
        }
    }
}
