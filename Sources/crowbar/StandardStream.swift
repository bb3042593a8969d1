import CrowbarSQLite
import Glibc

/// Standard output and error, written without a buffer between: the same bytes on a terminal and in a pipe.
enum StandardStream: Int32 {
    case output = 1
    case error = 2

    /// Writes all of it; to a terminal without what a terminal would obey (see ``TerminalText``).
    func write(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        write(raw: isatty(rawValue) == 1 ? TerminalText.lines(bytes) : bytes)
    }

    /// Writes all of it as it is. A reader that has gone away ends the process, as for any tool in a pipe.
    func write(raw bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var at = 0
            while at < buffer.count {
                let count = Glibc.write(rawValue, buffer.baseAddress?.advanced(by: at), buffer.count - at)
                if count > 0 {
                    at += count
                } else if errno == EAGAIN {
                    var wait = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                    poll(&wait, 1, -1)
                } else if errno != EINTR {
                    guard self == .output else { return }
                    if errno == EPIPE { Glibc.exit(0) }
                    let fault = StorageFault(
                        path: "standard output", action: "cannot be written", cause: StorageCause(errno: errno))
                    StandardStream.error.write(line: "crowbar: \(fault)")
                    Glibc.exit(1)
                }
            }
        }
    }

    /// Writes a line.
    func write(line: String) { write(Array((line + "\n").utf8)) }
}
