import Glibc

/// The clock of the send loop.
enum MonotonicClock {
    /// Milliseconds of a clock: of CLOCK_MONOTONIC, which CCurl reads too, if no other is given.
    static func now(_ clock: clockid_t = CLOCK_MONOTONIC) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
