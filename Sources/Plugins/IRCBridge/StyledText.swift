/// A text in stretches of one style each: what mIRC's codes and the chat's Markdown have in common.
struct StyledText: Equatable, Sendable {
    /// How a stretch looks.
    struct Style: OptionSet, Hashable, Sendable {
        let rawValue: UInt8
        static let bold = Style(rawValue: 1), italic = Style(rawValue: 2), underline = Style(rawValue: 4)
        static let strike = Style(rawValue: 8), code = Style(rawValue: 16)
    }

    /// A stretch.
    struct Run: Equatable, Sendable {
        var text: String
        var style: Style = []
    }

    /// The stretches, none empty and no two neighbours of one style.
    private(set) var runs: [Run] = []

    init() {}

    init(_ runs: [Run]) { for run in runs { append(run.text, run.style) } }

    /// The text without its styles.
    var plain: String { runs.map(\.text).joined() }

    mutating func append(_ text: String, _ style: Style) {
        guard !text.isEmpty else { return }
        if runs.last?.style == style {
            runs[runs.count - 1].text += text
        } else {
            runs.append(Run(text: text, style: style))
        }
    }

    /// The text with each stretch that is no code replaced; the first is told so.
    func replacing(_ replace: (_ text: String, _ isFirst: Bool) -> String) -> StyledText {
        var out = StyledText()
        for (i, run) in runs.enumerated() {
            out.append(run.style.contains(.code) ? run.text : replace(run.text, i == 0), run.style)
        }
        return out
    }

    /// Whether a text may hold control characters or ends of lines: by its bytes, as most texts hold none.
    private static func mayHoldControls(_ text: String) -> Bool {
        text.utf8.contains { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 || $0 == 0xE2 }
    }

    /// The lines, each without control characters, empty ones left out.
    var lines: [StyledText] { allLines.filter { !$0.isBlank } }

    /// Whether it holds nothing but spaces.
    var isBlank: Bool { !runs.contains { $0.text.unicodeScalars.contains { $0 != " " } } }

    /// The lines, each without control characters.
    var allLines: [StyledText] {
        if runs.count == 1, !Self.mayHoldControls(runs[0].text) {
            return [self]
        }
        var lines: [StyledText] = []
        var line = StyledText()
        for run in runs {
            var text = String.UnicodeScalarView()
            for scalar in run.text.unicodeScalars {
                switch scalar.value {
                case 0x0A, 0x0D, 0x85, 0x2028, 0x2029:
                    line.append(String(text), run.style)
                    lines.append(line)
                    text = String.UnicodeScalarView()
                    line = StyledText()
                case 0x09: text.append(" ")
                case 0..<0x20, 0x7F...0x9F: break
                default: text.append(scalar)
                }
            }
            line.append(String(text), run.style)
        }
        lines.append(line)
        return lines
    }
}
