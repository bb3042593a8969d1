import Glibc
import Logging

/// The priorities of lines in the journal of systemd, by which `journalctl -p` selects them (sd-daemon(3)).
enum JournalPriority {
    /// Whether standard error is connected to the journal.
    static let isWanted = isJournal(ProcessEnvironment.all["JOURNAL_STREAM"], descriptor: STDERR_FILENO)

    /// Whether a descriptor is the one that systemd connected to the journal: a shell in the unit can point standard
    /// error elsewhere, and the variable stays (systemd.exec(5)).
    /// - Parameter stream: The value of `JOURNAL_STREAM`: `DEVICE:INODE`.
    static func isJournal(_ stream: String?, descriptor: Int32) -> Bool {
        guard let stream else { return false }
        var info = stat()
        return fstat(descriptor, &info) == 0 && stream == "\(info.st_dev):\(info.st_ino)"
    }

    /// What stands before a line of a level.
    static func prefix(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "<7>"
        case .info: "<6>"
        case .notice: "<5>"
        case .warning: "<4>"
        case .error: "<3>"
        case .critical: "<2>"
        }
    }
}
