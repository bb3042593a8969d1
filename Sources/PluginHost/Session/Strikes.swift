/// Offences of one process against the protocol: a pure value that does not grow with them.
struct Strikes {
    /// So many within ``window`` are too many.
    static let most = 20
    /// In milliseconds.
    static let window: Int64 = 60_000

    private var times: [Int64] = []
    /// There were too many, which does not pass: the process is to end.
    private(set) var areTooMany = false

    /// Counts one.
    /// - Parameter now: Milliseconds on the monotonic clock.
    mutating func add(now: Int64) {
        if times.count == Self.most { times.removeFirst() }
        times.append(now)
        if times.count == Self.most, now - times[0] <= Self.window { areTooMany = true }
    }
}
