import Glibc

/// Which errors of the system pass by themselves: it is short of something now, and nothing is wrong with a plugin.
enum SystemShortage {
    /// Too many open files here or in the whole system, too many processes, no memory, no disk space, no kernel
    /// buffers, an interruption, a program that is just being replaced.
    private static let errors = [EMFILE, ENFILE, EAGAIN, ENOMEM, ENOBUFS, ENOSPC, EINTR, ETXTBSY]

    /// Whether an error passes by itself.
    static func isCause(of error: Int32) -> Bool { errors.contains(error) }

    /// Whether the launcher's report ends with such an error, in the system's words.
    static func isCause(ofReport report: String) -> Bool {
        errors.contains { report.hasSuffix(": " + String(cString: strerror($0))) }
    }
}
