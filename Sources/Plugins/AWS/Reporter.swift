import HTTPClient
import JSONBytes
import PluginWire

/// When the host is told how the targets are: at once when it matters, seldom when only figures moved.
struct Reporter {
    /// The least time between two reports, in milliseconds.
    static let interval: Int64 = 1000
    /// The least time between two reports that differ in their figures only, in milliseconds.
    static let figuresInterval: Int64 = 10_000
    /// Log lines between two reports at most; targets that flap say no more.
    static let maxLogLines = 20

    /// Whether something was settled since the last look.
    var isDirty = true
    /// When there is something to look at, in milliseconds; nil: nothing changed.
    private(set) var due: Int64?

    private var lookedAt: Int64?
    private var reportedAt: Int64 = 0
    private var reported: PluginMessage?
    private var pending: PluginMessage?
    private var lines: [PluginMessage] = []

    /// What to send now, if it is time.
    /// - Parameters:
    ///   - offset: What to add to the clock for Unix time, in milliseconds.
    ///   - now: Milliseconds of a clock that never goes back.
    mutating func report(
        _ lanes: [Lane], _ problems: [CredentialProblem], offset: Int64, now: Int64
    ) -> [PluginMessage]? {
        guard isDirty || pending != nil || !lines.isEmpty else {
            due = nil
            return nil
        }
        if let lookedAt, now < lookedAt + Self.interval {
            due = lookedAt + Self.interval
            return nil
        }
        lookedAt = now
        if isDirty { pending = StatusReport.make(lanes, problems, offset: offset) }
        isDirty = false
        var out = lines
        lines = []
        if let next = pending, next == reported { pending = nil }
        if let next = pending, headline(next) != headline(reported) || now >= reportedAt + Self.figuresInterval {
            out.append(next)
            (reported, reportedAt, pending) = (next, now, nil)
        }
        due = pending == nil ? nil : reportedAt + Self.figuresInterval
        return out
    }

    /// Notes that a target began to fail or works again.
    mutating func log(_ lane: Lane) {
        guard lines.count < Self.maxLogLines else { return }
        let name = "target '\(lane.target.name)' (\(lane.target.arn.text))"
        let isFailing = lane.failing > 0
        let text = isFailing ? "\(name): \(lane.reason)" : "\(name) takes events again"
        lines.append(.log(level: isFailing ? "warning" : "info", message: text, fields: nil))
    }

    /// What is told at once where it differs: all but the figures.
    private func headline(_ message: PluginMessage?) -> [String]? {
        guard case .status(let level, let text, let details)? = message else { return nil }
        let entries = (details?.members ?? []).map { "\($0.key): \($0.value["message"]?.string ?? "")" }
        return [level.rawValue, text] + entries
    }
}
