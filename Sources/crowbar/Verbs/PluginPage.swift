import JSONBytes

/// What `crowbar plugins show` prints of a plugin for people. A pure value.
struct PluginPage {
    private static let columns: [Table.Column] = [
        .init("QUEUE"), .init("STATE"), .init("HEALTH"), .init("LAG"), .init("RATE/S"), .init("IN FLIGHT"),
        .init("WAITING"), .init("DEAD"), .init("POSITION"), .init("CURSOR"), .init("REASON"),
    ]

    private let plugin: JSON
    private let queue: String?

    /// - Parameters:
    ///   - plugin: The server's listing of a plugin.
    ///   - queue: The only queue to show; the page then begins with it. nil shows all queues.
    init(_ plugin: JSON, queue: String? = nil) {
        self.plugin = plugin
        self.queue = queue
    }

    /// The page: the queue that was asked for, the plugin's state, its queues, what it reports of itself, its manifest.
    var lines: [String] {
        var parts = queue.map { [queueHead($0), head] } ?? [head, queues]
        if let details = plugin["status"]?["details"] {
            parts.append(["status details:"] + Self.flat(details, "").map { "  \($0): \($1)" })
        }
        parts.append(manifest)
        return Array(parts.filter { !$0.isEmpty }.joined(separator: [""]))
    }

    private var head: [String] {
        var lines: [(String, String?)] = [
            ("name", cell("name")), ("state", Self.joined(cell("state"), cell("reason"))),
            ("health", Self.joined(cell("health"), cell("healthReason"))), ("phase", cell("phase")),
            ("version", cell("version")), ("pid", cell("pid")), ("restarts", cell("restarts")),
            ("dead letters", cell("deadLetters")), ("disk", disk),
        ]
        // Of interest only where there is something of the kind.
        for (key, name) in [("strikes", "strikes"), ("ignored", "ignored lines")] where plugin[key]?.int ?? 0 > 0 {
            lines.append((name, cell(key)))
        }
        if let end = plugin["lastEnd"] {
            lines.append(
                ("last end", "\(Table.cell(DisplayTime.json(end["at"]))): \(Table.cell(end["reason"]))"))
        }
        if let wait = plugin["nextStartInMs"]?.int {
            lines.append(("next start", "in \(ProgressMeter.duration(Double(wait) / 1000))"))
        }
        if let status = plugin["status"] {
            lines.append(("status", "\(Table.cell(status["level"])): \(Table.cell(status["message"]))"))
        }
        if let checks = plugin["checks"] {
            let counts = ["asked", "allowed", "changed", "refused", "failed"].map { "\(Table.cell(checks[$0])) \($0)" }
            let rest = checks["resting"]?.bool == true ? "; not asked for now: it failed too often" : ""
            lines.append(("checks", counts.joined(separator: ", ") + rest))
        }
        return lines.flatMap { name, value -> [String] in
            guard let value else { return [] }
            // Several reasons are a list, the most urgent first.
            if name == "health", reasons.count > 1 { return ["health: \(cell("health") ?? "-")"] + reasons }
            return ["\(name): \(value)"]
        }
    }

    /// Why its health is not `ok`, a line each.
    private var reasons: [String] { (plugin["healthReasons"]?.array ?? []).map { "  \(Table.cell($0))" } }

    /// The state of one queue, a line for each of its members.
    private func queueHead(_ name: String) -> [String] {
        guard let queue = plugin["queues"]?.array?.first(where: { $0["name"]?.string == name }) else { return [] }
        let dropped = DisplayTime.json(queue["droppedAt"])?.string.map { JSON.string("dropped \($0)") }
        let reasons = (queue["reasons"]?.array ?? queue["reason"].map { [$0] } ?? []).map { "  \(Table.cell($0))" }
        let cells: [(String, JSON?)] = [
            ("lag", queue["lag"]), ("rate/s", QueueRow.rate(queue)), ("in flight", queue["inFlight"]),
            ("waiting", queue["waiting"]), ("dead letters", queue["deadLetters"]),
            ("position", queue["cursor"]?["position"]), ("cursor", queue["cursor"]?["eventId"]),
        ]
        return ["queue: \(cell("name") ?? "-")/\(TerminalText.line(name))"]
            + ["state: \(Table.cell(dropped ?? queue["state"]))", "health: \(Table.cell(queue["health"]))"]
            + reasons + cells.map { "\($0): \(Table.cell($1))" }
    }

    private var queues: [String] {
        guard let queues = plugin["queues"]?.array, !queues.isEmpty else { return [] }
        let rows = queues.map { queue -> [JSON?] in
            let dropped = DisplayTime.json(queue["droppedAt"])?.string.map { JSON.string("dropped \($0)") }
            return [
                queue["name"], dropped ?? queue["state"], queue["health"], queue["lag"], QueueRow.rate(queue),
                queue["inFlight"], queue["waiting"], queue["deadLetters"], queue["cursor"]?["position"],
                queue["cursor"]?["eventId"], queue["reason"],
            ]
        }
        return ["queues:"] + Table(columns: Self.columns, rows: rows).lines.map { "  " + $0 }
    }

    private var manifest: [String] {
        guard let manifest = plugin["manifest"], let members = manifest.members else { return [] }
        return ["manifest: \(Table.cell(manifest["file"]))"]
            + members.filter { $0.key != "file" }.flatMap { member -> [String] in
                switch member.value {
                // No list of types or channels is no limit.
                case .null: ["  \(Self.manifestKey(member.key)): all"]
                default: Self.flat(member.value, Self.manifestKey(member.key)).map { "  \($0): \($1)" }
                }
            }
    }

    /// What the plugin's folder takes, and may take.
    private var disk: String? {
        guard let disk = plugin["disk"], let bytes = disk["bytes"]?.int else { return nil }
        let limit = disk["limit"]?.int.map { ", \(Status.size($0)) allowed (limits.disk)" } ?? ""
        return "\(Status.size(bytes)) in \(Table.cell(disk["files"])) files\(limit)"
    }

    /// A key of the listing, as it is written in the manifest.
    private static func manifestKey(_ key: String) -> String {
        switch key {
        case "actAs": "act_as"
        case "maxAttempts": "retry.max_attempts"
        case "ackDeadlineMs": "retry.ack_deadline (ms)"
        case "onFailure": "on_failure"
        default: key
        }
    }

    private func cell(_ key: String) -> String? { plugin[key].map { Table.cell($0) } }

    private static func joined(_ word: String?, _ reason: String?) -> String? {
        word.map { word in reason.map { "\(word) (\($0))" } ?? word }
    }

    /// `path, value` for each member, those of inner objects as `outer.inner`; lists of words on one line.
    private static func flat(_ value: JSON, _ path: String) -> [(String, String)] {
        if let members = value.members {
            return members.flatMap { member in
                let key = TerminalText.line(member.key)
                return flat(member.value, path.isEmpty ? key : "\(path).\(key)")
            }
        }
        if let elements = value.array, elements.allSatisfy({ $0.string != nil }) {
            return [(path, elements.isEmpty ? "none" : elements.map { Table.cell($0) }.joined(separator: ", "))]
        }
        return [(path, Table.cell(value))]
    }
}
