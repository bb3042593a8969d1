import PluginHost

/// How far a replay is, for people: a bar on a terminal, a line each tenth of the way elsewhere. A pure value.
struct ProgressMeter {
    /// Milliseconds between two looks.
    static let interval = 200
    private static let width = 30

    let isTerminal: Bool
    let began: Int64
    private var told = -1
    private var first: Int64?

    init(isTerminal: Bool, began: Int64) {
        self.isTerminal = isTerminal
        self.began = began
    }

    /// What is to be written now, or nil.
    /// - Parameter isLast: Nothing comes after it.
    mutating func text(_ progress: Replay.Progress, now: Int64, isLast: Bool = false) -> String? {
        let first = self.first ?? progress.position
        self.first = first
        let whole = max(1, progress.through - progress.from)
        let percent = Int((progress.position - progress.from) * 100 / whole)
        let seconds = max(0.001, Double(now - began) / 1000)
        let rate = Int(Double(progress.settled) / seconds)
        let speed = Double(progress.position - first) / seconds
        let left =
            progress.position >= progress.through
            ? "done"
            : speed > 0 ? Self.duration(Double(progress.through - progress.position) / speed) + " left" : "waiting"
        let words =
            "\(percent) %, \(rate) events/s, \(left)"
            + (progress.waiting > 0 ? ", waiting for tries: \(progress.waiting)" : "")
        if isTerminal {
            let full = min(Self.width, Self.width * percent / 100)
            let bar = String(repeating: "#", count: full) + String(repeating: "-", count: Self.width - full)
            told = percent
            return "\r[\(bar)] \(words)\u{1B}[K" + (isLast ? "\n" : "")
        }
        guard percent / 10 > told / 10 || told < 0 || isLast && percent > told else { return nil }
        told = percent
        return "\(words)\n"
    }

    /// Seconds for people: `3 s`, `4 min 10 s`, `2 h 5 min`.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999_000))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}
