import CrowbarMetrics

/// What ``Ingest`` counts: commands by what became of them, and how long appends take.
public final class IngestMetrics: Sendable {
    /// What became of a command.
    enum Outcome: Int, MetricLabel {
        /// Its event was stored.
        case stored
        /// Its event was there before.
        case duplicate
        /// A command-phase plugin refused it.
        case refused
        /// It does not fit the state, or its author may not do it.
        case invalid
        /// The log could not be written, or too much waited for it.
        case unavailable

        init(_ outcome: Result<Receipt, CommandError>) {
            switch outcome {
            case .success(let receipt): self = receipt.isDuplicate ? .duplicate : .stored
            case .failure(let error):
                switch error.code {
                case .refused: self = .refused
                case .unavailable: self = .unavailable
                default: self = .invalid
                }
            }
        }

        var text: String {
            switch self {
            case .stored: "stored"
            case .duplicate: "duplicate"
            case .refused: "refused"
            case .invalid: "invalid"
            case .unavailable: "unavailable"
            }
        }
    }

    private let commands = LabelledCounters<Outcome>()
    private let appends = Histogram()
    /// A monotonic clock, in nanoseconds.
    let now: @Sendable () -> UInt64

    /// Makes counters at 0.
    /// - Parameter now: A monotonic clock, in nanoseconds.
    public init(now: @escaping @Sendable () -> UInt64) { self.now = now }

    /// Notes an append that began at a time and ends now.
    func noteAppend(since start: UInt64) {
        let end = now()
        appends.record(nanoseconds: end > start ? end - start : 0)
    }

    /// Counts commands by their outcomes, with one addition for all that were stored.
    func note(_ outcomes: some Sequence<Result<Receipt, CommandError>>) {
        var stored = 0
        for outcome in outcomes {
            let kind = Outcome(outcome)
            if kind == .stored { stored += 1 } else { commands.add(kind) }
        }
        if stored > 0 { commands.add(.stored, stored) }
    }

    /// Counts commands that were not stored for one reason.
    func note(_ refusal: CommandError, of count: Int) { commands.add(Outcome(.failure(refusal)), count) }

    /// Adds the numbers to a report.
    public func write(to report: inout MetricsReport) {
        report.add(.commands, counts: commands)
        report.add(.appendSeconds, durations: appends.snapshot)
    }
}
