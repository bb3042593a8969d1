import Glibc

/// The host's own limit of open files, and the one that plugins get.
public enum DescriptorLimit {
    /// What the process was started with, read once before ``raise()`` changes it: a plugin gets this one, because
    /// programs that use select(2) fail with numbers from 1,024 on.
    private static let original: rlimit = current()

    private static func current() -> rlimit {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return limit
    }

    /// Raises the soft limit to the hard one.
    /// - Returns: The soft limit before and after.
    public static func raise() -> (before: Int, after: Int) {
        var limit = original
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return (Int(clamping: original.rlim_cur), Int(clamping: current().rlim_cur))
    }

    /// The launcher's option that gives a plugin the original soft limit back; none where it was not raised.
    static var launchOptions: [String] {
        let before = original.rlim_cur
        return before > 0 && before < current().rlim_cur ? ["--soft-files=\(before)"] : []
    }
}
