/// A text in stretches of one style each: what mIRC's codes and the chat's Markdown have in common.
package struct StyledText: Equatable, Sendable {
    /// How a stretch looks.
    package struct Style: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package static let bold = Style(rawValue: 1), italic = Style(rawValue: 2), underline = Style(rawValue: 4)
        package static let strike = Style(rawValue: 8), code = Style(rawValue: 16)

        package init(rawValue: UInt8) { self.rawValue = rawValue }
    }

    /// A stretch.
    package struct Run: Equatable, Sendable {
        package var text: String
        package var style: Style

        package init(text: String, style: Style = []) { (self.text, self.style) = (text, style) }
    }

    /// The stretches, none empty and no two neighbours of one style.
    package private(set) var runs: [Run] = []

    package init() {}

    package init(_ runs: [Run]) { for run in runs { append(run.text, run.style) } }

    /// The text without its styles.
    package var plain: String { runs.map(\.text).joined() }

    package mutating func append(_ text: String, _ style: Style) {
        guard !text.isEmpty else { return }
        if runs.last?.style == style {
            runs[runs.count - 1].text += text
        } else {
            runs.append(Run(text: text, style: style))
        }
    }

    /// The text with each stretch that is no code replaced.
    /// - Parameter replace: Gets a stretch, and the characters before and behind it; nil at the ends of the text.
    package func replacing(
        _ replace: (_ text: String, _ before: Character?, _ after: Character?) -> String
    ) -> StyledText {
        var out = StyledText()
        for (i, run) in runs.enumerated() {
            let before = i > 0 ? runs[i - 1].text.last : nil
            let after = i + 1 < runs.count ? runs[i + 1].text.first : nil
            out.append(run.style.contains(.code) ? run.text : replace(run.text, before, after), run.style)
        }
        return out
    }

    /// Whether a text may hold control characters or ends of lines: by its bytes, as most texts hold none.
    private static func mayHoldControls(_ text: String) -> Bool {
        text.utf8.contains { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 || $0 == 0xE2 }
    }

    /// The lines, each without control characters, empty ones left out.
    package var lines: [StyledText] { allLines.filter { !$0.isBlank } }

    /// Whether it holds nothing but spaces.
    package var isBlank: Bool { !runs.contains { $0.text.unicodeScalars.contains { $0 != " " } } }

    /// The lines, each without control characters.
    package var allLines: [StyledText] {
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
