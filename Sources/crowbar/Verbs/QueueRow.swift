import JSONBytes

/// A plugin's lines in `crowbar plugins`: one a queue, or one for a plugin without any. A pure value.
enum QueueRow {
    static let columns: [Table.Column] = [
        .init("PLUGIN"), .init("STATE"), .init("HEALTH"), .init("PID"), .init("QUEUE"), .init("LAG"), .init("RATE/S"),
        .init("IN FLIGHT"), .init("WAITING"), .init("RESTARTS"), .init("DEAD"), .init("REASON"),
    ]

    /// Columns of a reason.
    static let reasonLimit = 200

    /// The most urgent of the reasons, which is the first, and how many more there are. A long one is cut, and the
    /// verb that prints all of them is named.
    private static func reason(_ reasons: [String], of plugin: JSON) -> JSON? {
        guard let first = reasons.first else { return nil }
        let command = "crowbar plugins show \(plugin["name"]?.string ?? "")"
        let more = reasons.count > 1 ? " (+\(reasons.count - 1) more)" : ""
        return .string(TerminalText.cut(first, to: reasonLimit - more.utf8.count, more: command) + more)
    }

    /// Reasons as a server lists them, or else the line of them.
    private static func reasons(_ list: JSON?, or line: JSON?) -> [String] {
        list?.array.map { $0.compactMap(\.string) } ?? line?.string.map { [$0] } ?? []
    }

    static func rows(of plugin: JSON) -> [[JSON?]] {
        // Those that the plugin names no more wait for nothing; --json and 'plugins show' have them.
        let queues = (plugin["queues"]?.array ?? []).filter { $0["droppedAt"] == nil }
        if queues.isEmpty {
            return [
                [
                    plugin["name"], plugin["state"], plugin["health"], plugin["pid"], nil, nil, nil, nil, nil,
                    plugin["restarts"], plugin["deadLetters"],
                    reason(
                        reasons(plugin["healthReasons"], or: plugin["reason"] ?? plugin["healthReason"]), of: plugin),
                ]
            ]
        }
        return queues.map { queue in
            [
                plugin["name"], queue["state"], queue["health"], plugin["pid"], queue["name"], queue["lag"],
                rate(queue), queue["inFlight"], queue["waiting"], plugin["restarts"], queue["deadLetters"],
                reason(reasons(queue["reasons"], or: queue["reason"]), of: plugin),
            ]
        }
    }

    /// Settlements a second; nil while there are none, or none are measured yet.
    static func rate(_ queue: JSON) -> JSON? {
        guard let rate = queue["ratePerSecond"], let number = rate.double, number > 0 else { return nil }
        return rate
    }
}
