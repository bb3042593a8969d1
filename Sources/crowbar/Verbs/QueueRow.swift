import JSONBytes

/// A plugin's lines in `crowbar plugins`: one a queue, or one for a plugin without any. A pure value.
enum QueueRow {
    static let columns: [Table.Column] = [
        .init("PLUGIN"), .init("STATE"), .init("HEALTH"), .init("PID"), .init("QUEUE"), .init("LAG"), .init("RATE/S"),
        .init("IN FLIGHT"), .init("WAITING"), .init("RESTARTS"), .init("DEAD"), .init("REASON"),
    ]

    /// Columns of a reason.
    static let reasonLimit = 200

    /// A reason, or where it is long its beginning and the verb that prints the rest.
    private static func reason(_ reason: JSON?, of plugin: JSON) -> JSON? {
        let command = "crowbar plugins show \(plugin["name"]?.string ?? "")"
        return reason?.string.map { .string(TerminalText.cut($0, to: reasonLimit, more: command)) }
    }

    static func rows(of plugin: JSON) -> [[JSON?]] {
        // Those that the plugin names no more wait for nothing; --json and 'plugins show' have them.
        let queues = (plugin["queues"]?.array ?? []).filter { $0["droppedAt"] == nil }
        if queues.isEmpty {
            return [
                [
                    plugin["name"], plugin["state"], plugin["health"], plugin["pid"], nil, nil, nil, nil, nil,
                    plugin["restarts"], plugin["deadLetters"],
                    reason(plugin["reason"] ?? plugin["healthReason"], of: plugin),
                ]
            ]
        }
        return queues.map { queue in
            [
                plugin["name"], queue["state"], queue["health"], plugin["pid"], queue["name"], queue["lag"],
                rate(queue), queue["inFlight"], queue["waiting"], plugin["restarts"], queue["deadLetters"],
                reason(queue["reason"], of: plugin),
            ]
        }
    }

    /// Settlements a second; nil while there are none, or none are measured yet.
    static func rate(_ queue: JSON) -> JSON? {
        guard let rate = queue["ratePerSecond"], let number = rate.double, number > 0 else { return nil }
        return rate
    }
}
