import JSONBytes
import PluginWire

/// When the host is told how the endpoints are: at once when it matters, seldom when only figures moved.
struct Reporter {
    /// The least time between two reports, in milliseconds.
    static let interval: Int64 = 1000
    /// The least time between two reports that differ in their figures only, in milliseconds.
    static let figuresInterval: Int64 = 10_000
    /// Log lines between two reports at most; endpoints that flap say no more.
    static let maxLogLines = 20

    /// Whether something was settled since the last look.
    var isDirty = true
    /// When there is something to look at, in milliseconds; nil: nothing changed.
    private(set) var due: Int64?

    /// The endpoints that are left out.
    private(set) var leftOut: [WebhookConfiguration.LeftOut] = []
    private var lookedAt: Int64?
    private var reportedAt: Int64 = 0
    private var reported: PluginMessage?
    private var pending: PluginMessage?
    private var lines: [PluginMessage] = []
    /// The plugin's name, for the commands that lines name.
    private let plugin: String

    init(plugin: String, leftOut: [WebhookConfiguration.LeftOut]) {
        self.plugin = plugin
        tell(leftOut: leftOut)
    }

    /// Notes which endpoints are left out, and logs those that are so for a new reason.
    mutating func tell(leftOut new: [WebhookConfiguration.LeftOut]) {
        let fresh = new.filter { !leftOut.contains($0) }
        for one in fresh.prefix(Self.maxLogLines) {
            let text = "\(one.problem.message); it is left out and gets nothing until \(one.problem.path) is corrected"
            lines.append(.log(level: "error", message: text, fields: nil))
        }
        if fresh.count > Self.maxLogLines {
            let text = "\(fresh.count - Self.maxLogLines) more endpoints are left out; 'crowbar check' names them"
            lines.append(.log(level: "error", message: text, fields: nil))
        }
        leftOut = new
        isDirty = true
    }

    /// What to send now, if it is time.
    /// - Parameters:
    ///   - lanes: The endpoints; asked for only then, as this is called at every turn.
    ///   - now: Milliseconds of a clock that never goes back.
    mutating func report(_ lanes: @autoclosure () -> [Lane], now: Int64) -> [PluginMessage]? {
        guard isDirty || pending != nil || !lines.isEmpty else {
            due = nil
            return nil
        }
        if let lookedAt, now < lookedAt + Self.interval {
            due = lookedAt + Self.interval
            return nil
        }
        lookedAt = now
        if isDirty { pending = StatusReport.make(lanes(), plugin: plugin, leftOut: leftOut) }
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

    /// Notes that an endpoint began to fail, gets nothing any more, or works again.
    /// - Parameters:
    ///   - before: How it was before the try.
    ///   - lane: How it is now.
    mutating func log(_ endpoint: Endpoint, before: Lane.Trouble, _ lane: Lane, _ settlement: Lane.Settlement) {
        let now = lane.trouble
        guard now != before, lines.count < Self.maxLogLines else { return }
        let name = "endpoint '\(endpoint.name)' (\(endpoint.url.masked))"
        if now == .none {
            return lines.append(.log(level: "info", message: "\(name) takes events again", fields: nil))
        }
        // From one that gets nothing to one that is tried: what was wrong is known.
        if now == .failing, before != .none { return }
        var reason = "it fails"
        if case .messages(let messages) = settlement {
            for message in messages {
                if case .retry(let retry) = message { reason = retry.message }
                if case .reject(_, _, let text, _) = message { reason = text }
            }
        }
        let rest = StatusReport.remedy(lane, plugin: plugin).map { "; \($0)" } ?? ""
        lines.append(.log(level: "warning", message: "\(name): \(reason)\(rest)", fields: nil))
    }

    /// What is told at once where it differs: all but the figures.
    private func headline(_ message: PluginMessage?) -> [String]? {
        guard case .status(let level, let text, let details)? = message else { return nil }
        let entries = (details?.members ?? []).map { "\($0.key): \($0.value["message"]?.string ?? "")" }
        return [level.rawValue, text] + entries
    }
}
