/// When a plugin's process is started again, and when no more: a pure value (docs/protocol.md, "Processes").
struct RestartPolicy {
    /// The numbers of restarts, in milliseconds where they are times.
    enum Limit {
        static let firstDelay: Int64 = 500
        static let longestDelay: Int64 = 60_000
        /// Healthy this long, and with progress, resets the delay.
        static let healthy: Int64 = 300_000
        /// So many crashes without progress within ``crashWindow`` end in `failed`.
        static let crashes = 5
        static let crashWindow: Int64 = 600_000
        /// The wait after exit status 75 and after `fatal` with `retry`.
        static let tryLater: Int64 = 30_000
    }

    /// How a process' life ended.
    enum End: Equatable {
        /// Exit 0 after a drain.
        case drained
        /// The host was asked to stop it.
        case stopped
        /// A crash, a kill by the host, an unasked-for exit; with the cause.
        case crashed(String)
        /// The system could not start it now: too many open files or processes, no memory; with the reason.
        case notStarted(String)
        /// It asked to be tried later; with the reason.
        case tryLater(String)
        /// It cannot work until something changes; with the reason.
        case failed(String)
        /// The log is not the one that the cursor is of.
        case diverged(String)
    }

    /// What is to be done next.
    enum Action: Equatable {
        /// Start again after so many milliseconds; the state meanwhile is `backingOff` for this reason.
        case restart(after: Int64, reason: String)
        /// Stay down as `failed`.
        case fail(String)
        /// Stay down as `diverged`.
        case diverge(String)
        /// Stay down as `stopped`.
        case stop
    }

    private(set) var restarts = 0
    private var delay = Limit.firstDelay
    private var crashes: [Int64] = []

    init() {}

    /// Forgets past crashes: the operator changed something.
    mutating func forgive() {
        delay = Limit.firstDelay
        crashes = []
    }

    /// Decides what follows an end.
    /// - Parameters:
    ///   - end: How it ended.
    ///   - started: When that process was started, in milliseconds on the monotonic clock.
    ///   - madeProgress: Whether it settled anything.
    ///   - now: The monotonic clock.
    ///   - random: A number from 0 up to 1.
    mutating func next(_ end: End, started: Int64, madeProgress: Bool, now: Int64, random: Double) -> Action {
        switch end {
        case .drained, .stopped: return .stop
        case .failed(let reason): return .fail(reason)
        case .diverged(let reason): return .diverge(reason)
        case .tryLater(let reason):
            restarts += 1
            return .restart(after: Limit.tryLater, reason: reason)
        case .notStarted(let reason):
            // Nothing is wrong with the plugin, so it is tried for as long as the system is short.
            restarts += 1
            return .restart(after: backOff(random), reason: reason)
        case .crashed(let reason): return crashed(reason, started, madeProgress, now, random)
        }
    }

    private mutating func crashed(
        _ reason: String, _ started: Int64, _ madeProgress: Bool, _ now: Int64, _ random: Double
    ) -> Action {
        if madeProgress, now - started >= Limit.healthy { delay = Limit.firstDelay }
        if madeProgress { crashes = [] } else { crashes.append(now) }
        crashes.removeAll { now - $0 > Limit.crashWindow }
        if crashes.count >= Limit.crashes {
            return .fail("crashed \(crashes.count) times in 10 minutes without settling an event; last: \(reason)")
        }
        restarts += 1
        return .restart(after: backOff(random), reason: reason)
    }

    /// Full jitter: plugins that fell together do not come back together.
    private mutating func backOff(_ random: Double) -> Int64 {
        defer { delay = min(delay * 2, Limit.longestDelay) }
        return Int64(Double(delay) * random)
    }
}
