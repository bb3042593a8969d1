import JSONBytes
import PluginWire

/// When the host is told how the endpoints are: at once when it matters, rarely when only figures changed.
struct StatusReporter {
    /// The least time between two reports, in milliseconds.
    static let interval: Int64 = 1000
    /// The least time between two reports that differ in their figures only, in milliseconds.
    static let figuresInterval: Int64 = 10_000
    /// Log lines between two reports at most; endpoints that flap say no more.
    static let maxLogLines = 20

    /// Whether something was settled since the last report.
    var isDirty = true
    /// When ``report(_:notes:now:)`` has something to do, in milliseconds; nil: nothing changed.
    private(set) var due: Int64?

    private let status: StatusReport
    private var lookedAt: Int64?
    private var reportedAt: Int64 = 0
    private var reported: PluginMessage?
    private var pending: PluginMessage?
    private var lines: [PluginMessage] = []

    /// - Parameter plugin: The plugin's name, for the commands that lines name.
    init(plugin: String, words: EndpointWords) { status = StatusReport(plugin: plugin, words: words) }

    /// Adds lines for the host's log to the next report.
    mutating func log(_ more: [PluginMessage]) { lines += more }

    /// What to send now, if it is time.
    /// - Parameters:
    ///   - queues: The endpoints; asked for only then, as this is called at every turn.
    ///   - notes: What else the status says.
    ///   - now: Milliseconds of a clock that never goes back.
    mutating func report(
        _ queues: @autoclosure () -> [EndpointQueue], notes: @autoclosure () -> [StatusNote] = [], now: Int64
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
        if isDirty { pending = status.message(queues(), notes: notes()) }
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

    /// Logs that an endpoint began to fail, is sent nothing any more, or recovered.
    /// - Parameters:
    ///   - address: Where it is, without secrets.
    ///   - before: What was wrong before the try.
    ///   - queue: How it is now.
    ///   - messages: What the host is told of the try.
    mutating func log(
        _ queue: EndpointQueue, at address: @autoclosure () -> String, before: EndpointQueue.Trouble,
        _ messages: [PluginMessage]
    ) {
        let now = queue.trouble
        guard now != before, lines.count < Self.maxLogLines else { return }
        let name = "\(status.words.noun) '\(queue.name)' (\(address()))"
        if now == .none {
            return lines.append(.log(level: "info", message: "\(name) recovered", fields: nil))
        }
        // From one that is sent nothing to one that is tried: what was wrong is known.
        if now == .failing, before != .none { return }
        var reason = "it fails"
        for message in messages {
            if case .retry(let retry) = message { reason = retry.message }
            if case .reject(_, _, let text, _) = message { reason = text }
        }
        let rest = status.remedy(queue).map { "; \($0)" } ?? ""
        lines.append(.log(level: "warning", message: "\(name): \(reason)\(rest)", fields: nil))
    }

    /// What is reported at once where it differs: all but the figures.
    private func headline(_ message: PluginMessage?) -> [String]? {
        guard case .status(let level, let text, let details)? = message else { return nil }
        let entries = (details?.members ?? []).map { "\($0.key): \($0.value["message"]?.string ?? "")" }
        return [level.rawValue, text] + entries
    }
}
