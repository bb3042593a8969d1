import CrowbarCore
import CrowbarMetrics

// Metrics of views: read when somebody asks.
extension Views {
    /// The states of a view, as ``ViewSummary/word`` has them, and that of views that are not open.
    private static let states = ["current", "behind", "building", "rebuilding", "stopped", "unavailable"]

    /// Adds the metrics of all views, and of publishing, to a report.
    /// - Parameter now: The Unix time in milliseconds.
    public func write(to report: inout MetricsReport, now: Int64) async {
        let summaries = (try? await summaries(withSizes: false)) ?? []
        for name in ViewName.allCases {
            let view = name.rawValue
            guard let summary = summaries.first(where: { $0.state.name == name }) else {
                report.add(.viewState, view, state: "unavailable", of: Self.states)
                continue
            }
            report.add(.viewState, view, state: summary.word, of: Self.states)
            report.add(.viewLagEvents, view, count: summary.lag)
            report.add(.viewLagSeconds, view, value: await seconds(behind: summary, now: now))
        }
        publishing.write(to: &report)
    }

    /// The age of the first event that a view has not applied; 0 where that cannot be read.
    private func seconds(behind summary: ViewSummary, now: Int64) async -> Double {
        let position = summary.state.live?.position ?? summary.state.build?.position ?? 0
        guard summary.lag > 0,
            let next = try? await log.read(after: position, limit: 1, maxBytes: 1).entries.first
        else { return 0 }
        return max(0, Double(now - next.timestamp) / 1_000)
    }
}

/// What is counted of a publishing target.
struct PublishCounters: Sendable {
    /// What became of a file.
    enum Outcome: Int, MetricLabel {
        case written, deleted, failed

        var text: String {
            switch self {
            case .written: "written"
            case .deleted: "deleted"
            case .failed: "failed"
            }
        }
    }

    let files = LabelledCounters<Outcome>()

    /// Counts what became of a file.
    func note(_ result: PublishResult) {
        switch result {
        case .written: files.add(.written)
        case .gone: files.add(.deleted)
        // Another server's file that is newer is neither a success nor a failure of this one.
        case .newer: break
        case .targetFailed, .fileFailed: files.add(.failed)
        }
    }
}
