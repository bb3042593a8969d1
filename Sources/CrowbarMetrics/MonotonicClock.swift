import Glibc

/// The clock that durations are measured by.
public enum MonotonicClock {
    /// Nanoseconds since some time before the process began.
    @Sendable public static func nanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
