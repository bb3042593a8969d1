import PluginConformance
import PluginHost

/// The lines of a conversation for a terminal: a pure value.
struct Transcript: Sendable {
    /// Whether escape sequences for colours are written.
    var hasColors: Bool

    /// Makes a transcript.
    init(hasColors: Bool) { self.hasColors = hasColors }

    private enum Color: String {
        case blue = "34"
        case green = "32"
        case red = "31"
        case faint = "2"
    }

    private func colored(_ color: Color, _ text: String) -> String {
        hasColors ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Bytes of a line that are shown.
    static let shown = 2_000

    /// A line of the protocol.
    /// - Parameter time: The time of day.
    func line(_ exchange: Exchange, time: String) -> String {
        let isOwn = exchange.direction == .toPlugin
        let cut = exchange.line.count > Self.shown ? "… (\(exchange.line.count) bytes)" : ""
        let text = TerminalText.line(String(decoding: exchange.line.prefix(Self.shown), as: UTF8.self)) + cut
        return "\(colored(.faint, time)) \(colored(isOwn ? .blue : .green, "\(isOwn ? "→" : "←") \(text)"))"
    }

    /// What is wrong with the line before it.
    func finding(_ finding: Finding) -> String {
        let earlier = finding.lines.dropLast().map { ", see line \($0.number)" }.joined()
        let place = finding.lines.last.map { "line \($0.number): " } ?? ""
        return colored(
            .red,
            "             ^ \(finding.rule.number) \(finding.rule.summary): \(place)"
                + TerminalText.line(finding.reason) + earlier)
    }

    /// A line of the plugin's log.
    func log(_ line: TrialLog.Line) -> String {
        colored(.faint, "             \(line.source): \(TerminalText.line(line.text))")
    }

    /// What is said of the trial itself.
    func note(_ text: String) -> String { colored(.faint, "             \(TerminalText.line(text))") }
}
