/// Decides when the loop of the views works, so that a log that grows all the time costs few transactions.
///
/// After each run the loop rests. What the log gets meanwhile is applied together at the end of the rest, except where
/// a reader waits for it. An event after a time without any is applied at once.
struct ViewPace: Sendable, Equatable {
    /// The length of a rest. At 3,000 commands a second, 60 events share a transaction.
    static let restMilliseconds = 20

    private var isResting = false
    private var hasMissedWake = false

    /// The loop was woken.
    /// - Parameter isUrgent: Whether somebody waits for the result.
    /// - Returns: Whether it works now. If not, the end of the rest wakes it again.
    mutating func woken(isUrgent: Bool) -> Bool {
        if isResting, !isUrgent {
            hasMissedWake = true
            return false
        }
        hasMissedWake = false
        return true
    }

    /// The loop has done everything that there was to do.
    /// - Returns: Whether a timer of ``restMilliseconds`` must be started; false where one is running.
    mutating func worked() -> Bool {
        if isResting { return false }
        isResting = true
        return true
    }

    /// The timer has ended.
    /// - Returns: Whether the loop must be woken.
    mutating func rested() -> Bool {
        isResting = false
        defer { hasMissedWake = false }
        return hasMissedWake
    }
}
