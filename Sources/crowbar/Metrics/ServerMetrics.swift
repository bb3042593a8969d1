import CrowbarCore
import CrowbarHTTP
import CrowbarMetrics
import CrowbarViews
import Glibc
import PluginHost
import Synchronization

/// Collects the metrics of all parts of the server into one text.
///
/// What happens often is counted where it happens; the rest is read here, when somebody asks. A text is kept for a
/// second, so that many callers cost no more than one.
final class ServerMetrics: Sendable {
    /// How long a text is given out again, in milliseconds.
    private static let lifetime: Int64 = 1_000

    /// What counts while the server runs.
    struct Sources: Sendable {
        var log: any EventLog
        var ingest: IngestMetrics
        var http: HTTPMetrics
        var plugins: PluginHost
        var views: Views
        var reload: ReloadOutcome
        /// The data folder.
        var folder: String
    }

    private let sources: Sources
    private let last = Mutex<(text: [UInt8], at: Int64)?>(nil)

    init(_ sources: Sources) { self.sources = sources }

    /// The metrics in the text format of Prometheus.
    /// - Throws: The log's or the store's error.
    func text() async throws -> [UInt8] {
        if let last = last.withLock({ $0 }), Clock.monotonic() - last.at < Self.lifetime { return last.text }
        var report = MetricsReport()
        report.add(.buildInfo, CrowbarVersion.current, count: 1)
        report.add(.logPosition, count: try await sources.log.head()?.position ?? 0)
        sources.ingest.write(to: &report)
        sources.http.write(to: &report)
        try await sources.plugins.write(to: &report)
        await sources.views.write(to: &report, now: Clock.milliseconds())
        report.add(.configLastReloadSuccess, count: sources.reload.isSuccess ? 1 : 0)
        var space = statvfs()
        if statvfs(sources.folder, &space) == 0 {
            report.add(.diskFree, value: Double(space.f_bavail) * Double(space.f_frsize))
        }
        ProcessMetrics.write(to: &report)
        let text = report.text
        last.withLock { $0 = (text, Clock.monotonic()) }
        return text
    }
}

/// Whether the last reload of crowbar.toml succeeded; it counts as success that there was none.
final class ReloadOutcome: Sendable {
    private let success = Atomic(true)

    var isSuccess: Bool { success.load(ordering: .relaxed) }

    func note(success isSuccess: Bool) { success.store(isSuccess, ordering: .relaxed) }
}
