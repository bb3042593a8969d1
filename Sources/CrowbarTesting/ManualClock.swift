import Synchronization

/// A clock that stands still until a test moves it.
public final class ManualClock: Sendable {
    private let time: Mutex<Int64>

    /// Makes a clock.
    /// - Parameter milliseconds: Unix time.
    public init(_ milliseconds: Int64 = 1_700_000_000_000) { time = Mutex(milliseconds) }

    /// The time, Unix milliseconds.
    public var milliseconds: Int64 {
        get { time.withLock { $0 } }
        set { time.withLock { $0 = newValue } }
    }

    /// Moves the clock, back where negative.
    public func advance(by milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}
