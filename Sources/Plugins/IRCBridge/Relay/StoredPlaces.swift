/// Tells which message of each channel is the last that the chat has all lines of: the next connection asks the server
/// for what came after it.
///
/// A message may have several lines, and nothing says which one is its last: it is known to be whole once another line
/// has come, or none for a while.
struct StoredPlaces: Sendable {
    /// How long a message without a following line may still have more, in seconds.
    static let patience = 1.0
    /// The most messages of several lines whose lines are counted.
    static let mostMessages = 256

    private struct Last {
        var target: String
        var reference: String
        var line: Int
        var at: Instant
    }

    /// Lines of the server so far.
    private var lines = 0
    private var last: Last?
    /// The lines of messages that have several, by channel and reference.
    private var parts: [String: Int] = [:]
    /// The places that the chat has reached, of messages that may have more lines.
    private var open: [String: String] = [:]
    /// The message that the last connection ended with, of which lines may be missing.
    private var cut: (target: String, reference: String)?

    /// Whether such a place waits.
    var isWaiting: Bool { !open.isEmpty }

    /// The server has said something, whatever it is.
    mutating func heardLine() { lines &+= 1 }

    /// A line goes into the chat.
    mutating func relayed(_ target: String, _ reference: String, part: Int, now: Instant) {
        last = Last(target: target, reference: reference, line: lines, at: now)
        if let cut, cut.target == target, cut.reference == reference { self.cut = nil }
        guard part > 1 else { return }
        if parts.count >= Self.mostMessages { parts = [:] }
        parts[target + " " + reference] = part
    }

    /// The chat has a line.
    /// - Returns: Whether its message is the place to go on from now; else later, or another line's.
    mutating func stored(_ target: String, _ reference: String, part: Int) -> Bool {
        let key = target + " " + reference
        if let all = parts[key] {
            guard part >= all else { return false }
            parts[key] = nil
        }
        open[target] = nil
        if let cut, cut.target == target, cut.reference == reference { return false }
        guard let last, last.target == target, last.reference == reference, last.line == lines else { return true }
        open[target] = reference
        return false
    }

    /// The places that are sure by now.
    mutating func settled(now: Instant, isListening: Bool) -> [(target: String, reference: String)] {
        let unsure = unsure(now: now, isListening: isListening)
        let sure = open.filter { $0.key != unsure?.target }
        open = open.filter { $0.key == unsure?.target }
        return sure.map { ($0.key, $0.value) }
    }

    /// The message that may have more lines.
    private func unsure(now: Instant, isListening: Bool) -> Last? {
        guard let last, last.line == lines, !isListening || now - last.at < Self.patience else { return nil }
        return last
    }

    /// The connection is lost.
    /// - Returns: The place of a message of which lines may be missing.
    mutating func connectionLost(now: Instant, isListening: Bool) -> (target: String, reference: String)? {
        cut = unsure(now: now, isListening: isListening).map { ($0.target, $0.reference) }
        (last, parts, open) = (nil, [:], [:])
        return cut
    }
}
