import JSONBytes
import PluginHost

/// A line that went over a plugin's pipes.
public struct Exchange: Sendable, Equatable {
    /// Its number in the conversation with one process, from 1.
    public var number: Int
    /// When, in milliseconds after the process was started.
    public var milliseconds: Int64
    /// The way that it went.
    public var direction: LineTraces.Direction
    /// Its bytes without LF.
    public var line: [UInt8]

    /// Makes one.
    public init(number: Int, milliseconds: Int64, direction: LineTraces.Direction, line: [UInt8]) {
        self.number = number
        self.milliseconds = milliseconds
        self.direction = direction
        self.line = line
    }

    /// Bytes of a line that are shown.
    static let shown = 400

    /// For people: `line 7, 0.120 s: ← {"type":"ready",…`.
    public var text: String {
        let arrow = direction == .toPlugin ? "→" : "←"
        let cut = line.count > Self.shown ? "…" : ""
        return "line \(number), \(Self.seconds(milliseconds)) s: \(arrow) "
            + String(decoding: line.prefix(Self.shown), as: UTF8.self) + cut
    }

    /// Seconds with three digits behind the point.
    static func seconds(_ milliseconds: Int64) -> String {
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}

/// What is wrong with a plugin.
public struct Finding: Sendable, Equatable {
    /// The rule that it breaks.
    public var rule: Rule
    /// What happened, for people.
    public var reason: String
    /// The lines that show it; the last one is the one at fault, where a line is.
    public var lines: [Exchange]

    /// Makes one.
    public init(_ rule: Rule, _ reason: String, _ lines: [Exchange] = []) {
        self.rule = rule
        self.reason = reason
        self.lines = lines
    }
}
