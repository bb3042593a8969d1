import Glibc

/// Times as logs and listings show them.
enum ISO8601 {
    /// `2026-11-01T09:30:12.345Z`, in UTC.
    /// - Parameter milliseconds: Unix time.
    static func text(_ milliseconds: Int64) -> String {
        let (second, rest) = max(0, milliseconds).quotientAndRemainder(dividingBy: 1_000)
        var time = time_t(second)
        var parts = tm()
        gmtime_r(&time, &parts)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        func two(_ number: Int32) -> String { padded(Int64(number), 2) }
        return "\(padded(Int64(parts.tm_year) + 1900, 4))-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(padded(rest, 3))Z"
    }
}
