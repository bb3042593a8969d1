/// Counts events by key in windows of time, with bounded memory.
///
/// A key's window starts at its first event, and counts at most the limit. The first event after it starts another.
struct WindowCounter: Sendable {
    private struct Window {
        var start: Int64
        var count: Int
    }

    private let limit: Int
    private let length: Int64
    private let capacity: Int
    private var windows: [String: Window] = [:]

    /// Makes a counter.
    /// - Parameters:
    ///   - limit: Events of a window.
    ///   - length: The window's length in milliseconds.
    ///   - capacity: Keys that are remembered.
    init(limit: Int, per length: Int64, capacity: Int) {
        self.limit = limit
        self.length = length
        self.capacity = capacity
    }

    /// Keys that are remembered.
    var count: Int { windows.count }

    /// Milliseconds until a key may have another event; nil where it may now.
    func wait(_ key: String, now: Int64) -> Int64? {
        guard let window = windows[key], isCurrent(window, now), window.count >= limit else { return nil }
        return window.start + length - now
    }

    /// Counts an event.
    mutating func add(_ key: String, now: Int64) {
        if let window = windows[key], isCurrent(window, now) {
            windows[key] = Window(start: window.start, count: min(window.count + 1, limit))
            return
        }
        if windows[key] == nil, windows.count >= capacity { makeRoom(now) }
        windows[key] = Window(start: now, count: 1)
    }

    /// Takes an event back.
    mutating func remove(_ key: String, now: Int64) {
        guard let window = windows[key], isCurrent(window, now) else { return }
        windows[key] = window.count > 1 ? Window(start: window.start, count: window.count - 1) : nil
    }

    /// A start in the future is of before the clock was set back, and says nothing any more.
    private func isCurrent(_ window: Window, _ now: Int64) -> Bool {
        now >= window.start && now - window.start < length
    }

    /// Forgets the windows that are over. If too few are, also a quarter of the rest, those with the fewest events: who
    /// floods the table with other keys does not get rid of a count that is near its limit.
    private mutating func makeRoom(_ now: Int64) {
        windows = windows.filter { isCurrent($0.value, now) }
        guard windows.count > capacity * 3 / 4 else { return }
        let byCount = windows.sorted { ($0.value.count, $0.value.start) < ($1.value.count, $1.value.start) }
        for (key, _) in byCount.prefix(max(1, capacity / 4)) { windows[key] = nil }
    }
}
