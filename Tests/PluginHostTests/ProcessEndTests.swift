import Glibc
import Testing

@testable import PluginHost

/// What the host concludes from waiting for a process.
@Suite struct ProcessEndTests {
    @Test(arguments: [
        (result: pid_t(7), status: Int32(0), end: ProcessEnd.exited(0)),
        (7, 78 << 8, .exited(78)),
        (7, SIGKILL, .signalled(SIGKILL)),
        // The kernel adds 0x80 where it wrote a core.
        (7, SIGSEGV | 0x80, .signalled(SIGSEGV)),
        // Somebody else waited: the status was never stored.
        (-1, 0, .unknown),
        (-1, 78 << 8, .unknown),
    ])
    func ends(_ row: (result: pid_t, status: Int32, end: ProcessEnd)) {
        #expect(ProcessEnd(waitResult: row.result, status: row.status) == row.end)
    }

    /// A status that nobody saw is never a clean exit.
    @Test func anUnknownEndSaysSo() {
        #expect(ProcessEnd.unknown != .exited(0))
        #expect(ProcessEnd.unknown.text == "ended; its exit status is not known")
    }
}
