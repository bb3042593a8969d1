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
    /// - Parameter name: Only those in which this name stands as a word of its own; nil: all.
    func lines(after number: Int64 = 0, limit: Int, naming name: String? = nil) -> [Line] {
        let fresh = state.withLock { Array($0.lines[$0.first...].drop { $0.number <= number }) }
        guard let name else { return fresh.suffix(max(0, limit)) }
        return fresh.filter { Self.isNamed(name, in: $0.text) }.suffix(max(0, limit))
    }

    /// Whether a name stands in a text, and not as a part of a longer one.
    static func isNamed(_ name: String, in text: String) -> Bool {
        func isPart(_ byte: UInt8) -> Bool {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte >= 0x80
        }
        let (name, text) = (Array(name.utf8), Array(text.utf8))
        return text.ranges(of: name).contains { range in
            (range.lowerBound == 0 || !isPart(text[range.lowerBound - 1]))
                && (range.upperBound == text.count || !isPart(text[range.upperBound]))
        }
    }
}
