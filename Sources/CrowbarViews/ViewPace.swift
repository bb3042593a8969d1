/// Decides when the loop of the views works, so that a log that grows all the time costs few transactions.
///
/// After each run the loop rests, the longer the more events it has just applied. What the log gets meanwhile is
/// applied together at the end of the rest, except where a reader waits for it. An event after a time without any is
/// applied at once.
struct ViewPace: Sendable, Equatable {
    /// The shortest rest, in milliseconds.
    static let minRest = 20
    /// The longest rest, in milliseconds: how old a view may be that nobody asked to be newer.
    static let maxRest = 250
    /// How many events lengthen the next rest by a millisecond. At 3,000 commands a second the rests become 80 ms long,
    /// with 240 events in each transaction. From about 3,700 commands a second on they are the longest.
    static let eventsPerMillisecond = 4

    private var isResting = false
    private var hasMissedWake = false
    private var events = 0

    /// The log has grown.
    /// - Parameter isUrgent: Whether somebody waits for the result.
    /// - Returns: Whether the loop has to be woken. If not, the end of the rest wakes it.
    mutating func grown(isUrgent: Bool) -> Bool {
        if isResting, !isUrgent { hasMissedWake = true }
        return !isResting || isUrgent
    }

    /// The loop was woken.
    /// - Parameter isUrgent: Whether somebody waits for the result.
    /// - Returns: Whether it works now. If not, the end of the rest wakes it again.
    mutating func woken(isUrgent: Bool) -> Bool {
        guard grown(isUrgent: isUrgent) else { return false }
        hasMissedWake = false
        return true
    }

    /// The loop has applied events.
    mutating func applied(_ count: Int) { events += count }

    /// The loop has done everything that there was to do.
    /// - Returns: The milliseconds for which a timer must be started; nil where one is running.
    mutating func worked() -> Int? {
        if isResting { return nil }
        isResting = true
        defer { events = 0 }
        return min(Self.minRest + events / Self.eventsPerMillisecond, Self.maxRest)
    }

    /// The timer has ended.
    /// - Returns: Whether the loop must be woken.
    mutating func rested() -> Bool {
        isResting = false
        defer { hasMissedWake = false }
        return hasMissedWake
    }
}
