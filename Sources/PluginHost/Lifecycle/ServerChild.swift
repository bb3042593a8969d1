import CSpawn
import Dispatch
import Glibc
import Synchronization
import SystemPackage

/// A process of this program that the server starts, with the server's environment and working directory. Its standard
/// input stays open until ``cancel()`` or the end of the server: the child stops when it reads the end of its input.
public final class ServerChild: Sendable {
    /// Bytes of a line of output at most; the rest of a longer line is dropped.
    public static let maxLine = 64 << 10

    private struct State {
        var input: Int32?
        /// From here on the process id may belong to another process.
        var isReaped = false
    }

    private let pid: pid_t
    private let output: Int32
    private let state: Mutex<State>

    /// Starts a process.
    /// - Parameter arguments: The command line after the program's name.
    /// - Throws: `Errno` if there are no more pipes or processes.
    public init(arguments: [String]) throws(Errno) {
        var (reading, input, output, writing): (Int32, Int32, Int32, Int32) = (-1, -1, -1, -1)
        var problem = CSpawn_pipe(&reading, &input)
        if problem == 0 { problem = CSpawn_pipe(&output, &writing) }
        var pid: pid_t = 0
        if problem == 0 {
            let copies = (["crowbar"] + arguments).map { strdup($0) }
            // Error output joins the output: the child marks its reports.
            problem = CSpawn_start_own(
                &pid, "/proc/self/exe", copies + [nil], ".", [reading, writing, writing, writing, writing])
            for copy in copies { free(copy) }
        }
        for end in [reading, writing] where end >= 0 { close(end) }
        guard problem == 0 else {
            for end in [input, output] where end >= 0 { close(end) }
            throw Errno(rawValue: problem)
        }
        (self.pid, self.output) = (pid, output)
        state = Mutex(State(input: input))
    }

    /// Asks the process to stop. Safe to call at any time, also again.
    public func cancel() {
        state.withLock { state in
            if let input = state.input { close(input) }
            state.input = nil
            // It does not read its input before the replay itself begins.
            if !state.isReaped { kill(pid, SIGTERM) }
        }
    }

    /// Reads the output until the process ends. To be called once.
    /// - Parameter onLine: Gets each line, without its line feed, one after the other.
    /// - Returns: The exit status; nil if a signal ended the process.
    public func run(onLine: @escaping @Sendable ([UInt8]) -> Void) async -> Int32? {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "crowbar.child").async { [self] in
                read(onLine)
                continuation.resume(returning: reap())
            }
        }
    }

    private func read(_ onLine: ([UInt8]) -> Void) {
        var (line, chunk): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 16 << 10))
        while true {
            let count = Glibc.read(output, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            for byte in chunk[..<count] {
                if byte == 0x0A {
                    onLine(line)
                    line.removeAll(keepingCapacity: true)
                } else if line.count < Self.maxLine {
                    line.append(byte)
                }
            }
        }
        if !line.isEmpty { onLine(line) }
        close(output)
    }

    private func reap() -> Int32? {
        var info = siginfo_t()
        // Waits without reaping, so that the process id stays the child's while a signal can be sent.
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        return state.withLock { state in
            var status: Int32 = 0
            let result = waitpid(pid, &status, 0)
            state.isReaped = true
            if let input = state.input { close(input) }
            state.input = nil
            if case .exited(let code) = ProcessEnd(waitResult: result, status: status) { return code }
            return nil
        }
    }
}
