import Synchronization

/// The last lines of a plugin, for `crowbar plugins logs`: bounded, and gone with the host.
final class LogRing: Sendable {
    /// Lines that are kept.
    static let maxLines = 1_000
    /// Bytes of text that are kept.
    static let maxBytes = 256 << 10

    /// A line, secrets masked.
    struct Line: Sendable, Equatable {
        /// Its number, from 1.
        var number: Int64
        /// When it came, Unix milliseconds.
        var time: Int64
        /// `info`, `warning`, `error`, …
        var level: String
        /// Where it came from: `log` (a message), `stderr`, `stdout`, `host` (what the host says of the plugin).
        var source: String
        /// What it says.
        var text: String
    }

    private struct State {
        /// From `first` on, oldest first; what is before is to be dropped.
        var lines: [Line] = []
        var first = 0
        var bytes = 0
        var count: Int64 = 0
    }

    private let state = Mutex(State())
    private let unixNow: @Sendable () -> Int64

    init(unixNow: @escaping @Sendable () -> Int64) { self.unixNow = unixNow }

    /// Keeps a line, and drops the oldest where there are too many.
    func keep(_ level: String, _ source: String, _ text: String) {
        let time = unixNow()
        state.withLock { state in
            state.count += 1
            state.lines.append(Line(number: state.count, time: time, level: level, source: source, text: text))
            state.bytes += text.utf8.count
            while state.lines.count - state.first > Self.maxLines || state.bytes > Self.maxBytes {
                state.bytes -= state.lines[state.first].text.utf8.count
                state.lines[state.first].text = ""
                state.first += 1
            }
            // Moved at once, not line by line.
            if state.first >= Self.maxLines {
                state.lines.removeFirst(state.first)
                state.first = 0
            }
        }
    }

    /// The lines after a number, at most the last `limit` of them.
    func lines(after number: Int64 = 0, limit: Int) -> [Line] {
        state.withLock { state in
            let kept = state.lines[state.first...]
            let fresh = kept.drop { $0.number <= number }
            return Array(fresh.suffix(max(0, limit)))
        }
    }
}
