import CSpawn
import Glibc
import SystemPackage

/// Tells of the end of a process, whatever it leaves behind. A pipe of it does not: what it started may hold that.
struct ExitWatch: Sendable {
    private let descriptor: FileDescriptor
    private let watch: Poller.Watch

    /// - Parameter onEnd: Is told once, on the thread that looks at all pipes.
    /// - Returns: Nil where the system has no descriptor or memory; then it has to be looked for.
    init?(_ pid: Int32, _ poller: Poller, onEnd: @escaping @Sendable () -> Void) {
        let process = CSpawn_process(pid)
        guard process >= 0 else { return nil }
        descriptor = FileDescriptor(rawValue: process)
        do throws(Errno) {
            watch = try poller.watch(descriptor, for: .reading, onReady: onEnd)
        } catch {
            Glibc.close(process)
            return nil
        }
    }

    func close() {
        watch.cancel()
        try? descriptor.close()
    }
}
