import CrowbarMetrics

/// What is counted of a plugin since the server began, over all its processes.
final class PluginCounters: Sendable {
    /// Why the process before a restart ended.
    enum Cause: Int, MetricLabel {
        /// A crash, a kill by the host, an exit that nobody asked for.
        case crash
        /// The system could not start it.
        case notStarted
        /// It asked to be started later.
        case tryLater

        var text: String {
            switch self {
            case .crash: "crash"
            case .notStarted: "not_started"
            case .tryLater: "try_later"
            }
        }
    }

    /// What became of a delivery.
    enum Outcome: Int, MetricLabel {
        case acknowledged
        /// It is tried again.
        case retried
        /// The plugin does not want the event.
        case rejected
        /// The queue gave the event up.
        case deadLettered

        var text: String {
            switch self {
            case .acknowledged: "acknowledged"
            case .retried: "retried"
            case .rejected: "rejected"
            case .deadLettered: "dead_lettered"
            }
        }
    }

    let restarts = LabelledCounters<Cause>()
    let deliveries = LabelledCounters<Outcome>()
    let strikes = Counter()

    /// Counts a restart.
    func noteRestart(after end: RestartPolicy.End) {
        switch end {
        case .crashed: restarts.add(.crash)
        case .notStarted: restarts.add(.notStarted)
        case .tryLater: restarts.add(.tryLater)
        case .drained, .stopped, .failed, .diverged: break
        }
    }
}
