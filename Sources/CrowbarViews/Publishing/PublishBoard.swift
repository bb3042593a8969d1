import CrowbarMetrics
import Synchronization

/// How publishing goes, for the operator.
public struct PublishStatus: Sendable, Equatable {
    /// The target's name.
    public var to: String
    /// `starting`, `current`, `publishing` or `failing`.
    public var word: String
    /// Files that are published, and files that wait to be written or deleted, by the projection that they come from.
    public var counts: [ViewName: (files: Int, pending: Int)]
    /// The position of the log up to which every change is published; 0 for none.
    public var position: Int64
    /// Why the last attempt failed, or that the target has not answered for long.
    public var reason: String?
    /// Milliseconds until the next attempt, where the last one failed.
    public var retryIn: Int64?

    public static func == (a: PublishStatus, b: PublishStatus) -> Bool {
        a.to == b.to && a.word == b.word && a.position == b.position && a.reason == b.reason && a.retryIn == b.retryIn
            && a.counts.mapValues { [$0.files, $0.pending] } == b.counts.mapValues { [$0.files, $0.pending] }
    }
}

/// Where publishers say how they are.
public final class PublishBoard: Sendable {
    private struct Entry {
        var target: String
        var counters: PublishCounters
        var status: @Sendable () -> PublishStatus?
    }

    private let entries = Mutex<[Entry]>([])

    /// Has a publisher asked for its status from now on.
    func add(_ target: String, _ counters: PublishCounters, _ status: @escaping @Sendable () -> PublishStatus?) {
        entries.withLock { entries in
            entries.removeAll { $0.target == target }
            entries.append(Entry(target: target, counters: counters, status: status))
        }
    }

    /// Adds what was counted to a report.
    func write(to report: inout MetricsReport) {
        for entry in entries.withLock({ $0 }) { report.add(.publish, entry.target, counts: entry.counters.files) }
    }

    /// The status of each target.
    public var statuses: [PublishStatus] { entries.withLock { $0 }.compactMap { $0.status() } }
}
