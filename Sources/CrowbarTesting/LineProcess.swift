import Glibc
import PluginWire
import Synchronization

/// A process that a test runs and talks to in lines, every wait with an end.
///
/// It has no thread: pipes are non-blocking and served while the test waits, so a test cannot hang on them. The process
/// gets a process group of its own, which is killed when the object goes.
public final class LineProcess: Sendable {
    /// What went wrong between a test and its process.
    public enum Failure: Error, CustomStringConvertible {
        /// It could not be started; the `errno` and the path.
        case notStarted(path: String, errno: Int32)
        /// What was waited for did not come in time; what came instead, and standard error.
        case timedOut(waitingFor: String, unread: [String], standardError: String)
        /// The pipe closed before what was waited for; what came before, and standard error.
        case closed(waitingFor: String, unread: [String], standardError: String)

        public var description: String {
            switch self {
            case .notStarted(let path, let code): "cannot start \(path): error \(code)"
            case .timedOut(let what, let unread, let text):
                "\(what) did not come in time; unread: \(unread); standard error: \(text)"
            case .closed(let what, let unread, let text):
                "the process closed its output before \(what); unread: \(unread); standard error: \(text)"
            }
        }
    }

    /// How a process ended.
    public enum End: Sendable, Equatable {
        /// By itself, with this status.
        case exited(Int32)
        /// By this signal.
        case signalled(Int32)
    }

    /// How often a wait looks again.
    private static let interval = Duration.milliseconds(2)
    /// The most that is kept of standard error, in bytes.
    private static let maxStandardError = 64 << 10

    private struct State {
        var input: Int32
        var splitter = LineSplitter()
        var lines: [[UInt8]] = []
        var isClosed = false
        var standardError: [UInt8] = []
        var end: End?
    }

    /// The process' id.
    public let pid: pid_t
    private let output: Int32
    private let errors: Int32
    private let state: Mutex<State>

    /// Starts an executable.
    /// - Parameters:
    ///   - path: The executable.
    ///   - arguments: Its arguments, the first being the first after its name.
    ///   - environment: Its whole environment, as `NAME=value`.
    /// - Throws: ``Failure/notStarted(path:errno:)``.
    public init(_ path: String, arguments: [String] = [], environment: [String] = ["PATH=/usr/bin:/bin"]) throws {
        let (pid, code, input, output, errors) = spawning.withLock { _ in
            Self.spawn(path, arguments, environment)
        }
        for descriptor in [input.read, output.write, errors.write] { close(descriptor) }
        for descriptor in [input.write, output.read, errors.read] { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
        self.pid = code == 0 ? pid : 0
        self.output = output.read
        self.errors = errors.read
        self.state = Mutex(State(input: input.write))
        signal(SIGPIPE, SIG_IGN)
        // All is initialized, so that what is open is closed by deinit; a pid of 0 says that nothing runs.
        if code != 0 { throw Failure.notStarted(path: path, errno: code) }
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ environment: [String]
    ) -> (pid: pid_t, code: Int32, input: Pipe, output: Pipe, errors: Pipe) {
        let (input, output, errors) = (Pipe(), Pipe(), Pipe())
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.read, 0)
        posix_spawn_file_actions_adddup2(&actions, output.write, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.write, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var pid = pid_t()
        let words = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup($0) } + [nil]
        defer { (words + variables).forEach { free($0) } }
        let code = posix_spawn(&pid, path, &actions, &attributes, words, variables)
        return (pid, code, input, output, errors)
    }

    deinit {
        if pid > 0, state.withLock({ $0.end == nil }) {
            Glibc.kill(-pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        closeInput()
        close(output)
        close(errors)
    }

    /// Hands the process a line; its LF is added.
    /// - Throws: ``Failure`` when the pipe does not take it in time.
    public func send(line: [UInt8], within limit: Duration = testDeadline) async throws {
        var rest = (line + [0x0A])[...]
        let _: Bool = try await poll("room in the pipe", within: limit) { state in
            let count = rest.withUnsafeBytes { Glibc.write(state.input, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) }
            return rest.isEmpty ? true : nil
        }
    }

    /// Takes the first line that `pick` makes something of; the others stay, in their order.
    /// - Parameter what: What is waited for, for the failure.
    /// - Throws: ``Failure``, and what `pick` throws.
    public func first<Picked>(
        _ what: String, within limit: Duration = testDeadline, _ pick: ([UInt8]) throws -> Picked?
    ) async throws -> Picked {
        var seen = 0
        return try await poll(what, within: limit) { state in
            while seen < state.lines.count {
                if let picked = try pick(state.lines[seen]) {
                    state.lines.remove(at: seen)
                    return picked
                }
                seen += 1
            }
            return nil
        }
    }

    /// The lines that came and were not taken; it does not wait.
    public var unread: [[UInt8]] {
        state.withLock { state in
            pump(&state)
            return state.lines
        }
    }

    /// Waits for the process' end.
    /// - Throws: ``Failure``.
    public func end(within limit: Duration = testDeadline) async throws -> End {
        try await poll("the process' end", within: limit, acrossClose: true) { state in
            if let end = state.end { return end }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            let end: End = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
            state.end = end
            return end
        }
    }

    /// Closes the process' standard input, which many take as the end.
    public func closeInput() {
        state.withLock {
            if $0.input >= 0 { close($0.input) }
            $0.input = -1
        }
    }

    /// Sends a signal to the process; none once its end was seen.
    public func kill(_ signal: Int32 = SIGKILL) {
        state.withLock { if $0.end == nil { _ = Glibc.kill(pid, signal) } }
    }

    /// What the process wrote to standard error, its first 64 KiB.
    public var standardError: String {
        state.withLock { state in
            pump(&state)
            return String(decoding: state.standardError, as: UTF8.self)
        }
    }

    private func poll<Found>(
        _ what: String, within limit: Duration, acrossClose: Bool = false, _ look: (inout State) throws -> Found?
    ) async throws -> Found {
        let deadline = ContinuousClock.now + limit
        while true {
            let found: Found? = try state.withLock { state in
                pump(&state)
                if let found = try look(&state) { return found }
                let unread = state.lines.map { String(decoding: $0, as: UTF8.self) }
                let text = String(decoding: state.standardError, as: UTF8.self)
                if state.isClosed, !acrossClose {
                    throw Failure.closed(waitingFor: what, unread: unread, standardError: text)
                }
                if ContinuousClock.now >= deadline {
                    throw Failure.timedOut(waitingFor: what, unread: unread, standardError: text)
                }
                return nil
            }
            if let found { return found }
            try await Task.sleep(for: Self.interval)
        }
    }

    /// Takes what the pipes hold.
    private func pump(_ state: inout State) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        buffer.withUnsafeMutableBytes { buffer in
            while !state.isClosed {
                let count = read(output, buffer.baseAddress, buffer.count)
                if count == 0 { state.isClosed = true }
                guard count > 0 else { break }
                var lines: [[UInt8]] = []
                state.splitter.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { (piece) in
                    if case .line(let line) = piece { lines.append(Array(line)) }
                }
                state.lines += lines
            }
            while true {
                let count = read(errors, buffer.baseAddress, buffer.count)
                guard count > 0 else { break }
                let room = Self.maxStandardError - state.standardError.count
                state.standardError += buffer[..<min(count, room)]
            }
        }
    }
}

/// Held from a pipe's making to its being closed to children, so that no child started meanwhile inherits it.
private let spawning = Mutex(())

/// The two ends of a pipe that are not inherited as they are.
private struct Pipe {
    let read: Int32
    let write: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (read, write) = (ends[0], ends[1])
    }
}
