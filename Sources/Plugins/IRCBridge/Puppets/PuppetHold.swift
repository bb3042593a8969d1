/// How long no users' connections are opened after some have failed.
///
/// The wait doubles with each failure. Connections that were open together when one failed have failed for the same
/// reason, so they count once. Those that went with the bridge's own connection, as when the server restarts, have not
/// failed at all.
struct PuppetHold: Sendable {
    /// How long before the relay a puppet may notice that the server is gone, in seconds.
    static let grace = 10.0

    private struct State {
        /// Until when none is opened.
        var until: Instant = 0
        /// Failures since a connection lasted.
        var failures = 0
        /// When the last of them was; nil: never.
        var failedAt: Instant?
    }

    private var state = State()
    /// Before the last failure.
    private var before = State()
    private var networkLostAt: Instant?

    /// Until when none is opened.
    var until: Instant { state.until }

    /// Whether a connection went together with the bridge's own.
    /// - Parameter openedAt: When it was ordered.
    func isNetworkLoss(openedAt: Instant) -> Bool { networkLostAt.map { openedAt <= $0 } ?? false }

    /// A connection could not be opened, or did not last.
    mutating func failed(openedAt: Instant, now: Instant) {
        if isNetworkLoss(openedAt: openedAt) { return }
        if let failedAt = state.failedAt, openedAt <= failedAt { return }
        before = state
        let wait = min(PuppetPool.firstHold * Double(1 << min(state.failures, 6)), PuppetPool.longestHold)
        state.until = now + wait
        state.failures += 1
        state.failedAt = now
    }

    /// The relay's connection is lost.
    mutating func networkLost(now: Instant) {
        networkLostAt = now
        if let failedAt = state.failedAt, now - failedAt <= Self.grace { state = before }
    }

    /// A connection has lasted.
    /// - Parameter readyAt: When the server accepted it.
    mutating func lasted(readyAt: Instant) {
        if state.failedAt.map({ readyAt > $0 }) ?? true { state.failures = 0 }
    }
}

/// Puppets that were lost or could not connect, for a single log line.
struct PuppetLosses: Sendable {
    /// How long others are waited for, in seconds.
    static let patience = 2.0
    /// The shortest time between two lines, in seconds.
    static let interval = 60.0
    /// The most users that a line names.
    static let mostNames = 5

    private var names: [String] = []
    private var count = 0
    private var reason = ""
    private var lastReport: Instant?
    /// When the line is due.
    private(set) var due: Instant?

    /// Notes one.
    mutating func note(_ name: String, _ reason: String, now: Instant) {
        if due == nil { due = max(now + Self.patience, (lastReport ?? -Self.interval) + Self.interval) }
        if count == 0 { self.reason = reason }
        count += 1
        if names.count < Self.mostNames { names.append(name) }
    }

    /// Takes the line, where it is due.
    mutating func report(now: Instant) -> String? {
        guard let due, due <= now else { return nil }
        let others = count > names.count ? " and \(count - names.count) more" : ""
        let all = names.joined(separator: ", ") + others
        let text =
            count == 1
            ? "the connection of the user \(all) failed: \(reason); the bridge speaks for them"
            : "\(count) users' connections failed (\(all)), the first one: \(reason); the bridge speaks for them"
        (names, count, lastReport) = ([], 0, now)
        self.due = nil
        return text
    }
}
