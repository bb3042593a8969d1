/// The last lines of a plugin's log, secrets masked.
public final class TrialLog: Sendable {
    /// A line.
    public struct Line: Sendable, Equatable {
        /// Its number, from 1.
        public var number: Int64
        /// `info`, `warning`, `error`, …
        public var level: String
        /// Where it came from: `log` (a message), `stderr`, `stdout`, `host` (what the host says of the plugin).
        public var source: String
        /// What it says.
        public var text: String
    }

    let ring: LogRing

    init(_ unixNow: @escaping @Sendable () -> Int64) { ring = LogRing(unixNow: unixNow) }

    /// The lines after a number, oldest first.
    public func lines(after number: Int64) -> [Line] {
        ring.lines(after: number, limit: LogRing.maxLines).map {
            Line(number: $0.number, level: $0.level, source: $0.source, text: $0.text)
        }
    }
}
