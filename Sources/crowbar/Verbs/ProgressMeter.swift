import PluginHost

/// How far a replay is, for people: a bar on a terminal, a line each tenth of the way elsewhere. A pure value.
struct ProgressMeter {
    /// Milliseconds between two looks.
    static let interval = 200
    /// Pieces of the log that are counted between two looks, at most.
    static let pieces = 10
    /// Those that are counted at the end, so that an interrupted replay ends soon.
    static let lastPieces = 50
    private static let width = 30

    let isTerminal: Bool
    let began: Int64
    private var told = -1

    init(isTerminal: Bool, began: Int64) {
        self.isTerminal = isTerminal
        self.began = began
    }

    /// What is to be written now, or nil.
    /// - Parameter isLast: Nothing comes after it.
    mutating func text(_ progress: Replay.Progress, now: Int64, isLast: Bool = false) -> String? {
        let isDone = progress.position >= progress.through
        let seconds = max(0.001, Double(now - began) / 1000)
        let rate = Double(progress.settled) / seconds
        // All is done when the last position is looked at, not when the last event that matches is settled.
        let percent: Int? =
            isDone ? 100 : progress.isCounted ? Int(min(99, progress.done * 100 / max(1, progress.matching))) : nil
        let left =
            isDone
            ? "done"
            : progress.isCounted && rate > 0
                ? Self.duration(Double(progress.matching - progress.done) / rate) + " left"
                : progress.isCounted ? "waiting" : "counting"
        let share =
            percent.map { "\($0) % of \(progress.isCounted ? "" : "at least ")\(progress.matching) events" }
            ?? "\(progress.done) of at least \(progress.matching) events"
        let words =
            "\(share), \(Int(rate)) events/s, \(left)"
            + (progress.waiting > 0 ? ", waiting for tries: \(progress.waiting)" : "")
        if isTerminal {
            told = percent ?? told
            return Self.bar(percent: percent ?? 0, words) + (isLast ? "\n" : "")
        }
        guard let percent, percent / 10 > told / 10 || told < 0 || isLast && percent > told else { return nil }
        told = percent
        return "\(words)\n"
    }

    /// A bar that takes the place of the one before, with words behind it.
    static func bar(percent: Int, _ words: String) -> String {
        let full = min(width, width * max(0, percent) / 100)
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: width - full)
        return "\r[\(bar)] \(words)\u{1B}[K"
    }

    /// Seconds for people: `3 s`, `4 min 10 s`, `2 h 5 min`.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999_000))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
