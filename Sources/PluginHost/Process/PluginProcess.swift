import CSpawn
import Dispatch
import Glibc
import SystemPackage

/// How a process is started: through the launcher, with nothing of the host's environment but what is named.
struct LaunchPlan: Sendable {
    var launcher: String
    var program: String
    var arguments: [String]
    var environment: [String: String]
    var folder: String
    /// What it may use and reach.
    var rules: LaunchRules
    /// Names this run of it, to the plugin too.
    var session: String
    /// What the operator should know of how it is run.
    var note: String?
}

/// How a process ended.
enum ProcessEnd: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)
    /// The kernel did not tell how: somebody else waited for the process. Never taken for a clean exit.
    case unknown

    /// How a process ended whose `waitpid` returned without an interruption.
    /// - Parameters:
    ///   - result: What `waitpid` returned, which is not 0: the process id, or -1.
    ///   - status: The status that it stored; meaningless after -1.
    init(waitResult result: pid_t, status: Int32) {
        let signal = status & 0x7F
        self = result < 0 ? .unknown : signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    var text: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .unknown: "ended; its exit status is not known"
        case .signalled(let number):
            switch number {
            case SIGKILL: "killed by signal 9 (SIGKILL), by hand or for memory"
            case SIGSEGV: "crashed with signal 11 (SIGSEGV)"
            case SIGABRT: "aborted with signal 6 (SIGABRT)"
            default: "ended by signal \(number)"
            }
        }
    }
}

/// A running plugin as a session sees it.
struct PluginProcess: Sendable {
    /// The launcher's process id; the plugin is its child.
    let pid: Int32
    /// The pipes' ends on this side, closed by the code that writes or reads them.
    let input: FileDescriptor
    let output: FileDescriptor
    let errors: FileDescriptor
    /// Where the launcher, and nothing else, reports; see ``takeReport()``.
    private let reports: FileDescriptor

    /// Once: a plugin that dies while it is being written to must not take the host with it.
    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    /// Starts a process. It is to be reaped once by ``reap()``.
    /// - Throws: `Errno` where there are no more pipes or the launcher cannot be started.
    static func start(_ plan: LaunchPlan) throws(Errno) -> PluginProcess {
        _ = ignoreBrokenPipes
        let input = try Pipe()
        defer { input.closeFarEnd(isReading: true) }
        let output = try Pipe(or: [input.writing])
        defer { output.closeFarEnd(isReading: false) }
        let errors = try Pipe(or: [input.writing, output.reading])
        defer { errors.closeFarEnd(isReading: false) }
        let reports = try Pipe(or: [input.writing, output.reading, errors.reading])
        defer { reports.closeFarEnd(isReading: false) }
        let kept = [input.writing, output.reading, errors.reading, reports.reading]
        // Not in the launcher's environment or arguments: the loader would obey some of them, with the host's rights.
        var variables: Int32 = -1
        var problem = variableBytes(plan.environment).withUnsafeBytes {
            CSpawn_memory($0.baseAddress, $0.count, &variables)
        }
        var pid: pid_t = 0
        // The folder of a plugin with a user of its own is closed to an ordinary server; the launcher enters it.
        let isClosed = access(plan.folder, X_OK) != 0 && errno == EACCES
        let folder = isClosed ? SessionFactory.folder(of: plan.folder) : plan.folder
        if problem == 0 {
            defer { close(variables) }
            let arguments =
                [plan.launcher, String(getpid())] + DescriptorLimit.launchOptions + plan.rules.options
                + (isClosed ? ["--folder=\(plan.folder)"] : []) + ["--", plan.program] + plan.arguments
            let descriptors = [
                input.reading.rawValue, output.writing.rawValue, errors.writing.rawValue, variables,
                reports.writing.rawValue,
            ]
            problem = withCStrings(arguments) { CSpawn_start(&pid, plan.launcher, $0, folder, descriptors) }
        }
        guard problem == 0 else {
            for end in kept { try? end.close() }
            throw Errno(rawValue: problem)
        }
        _ = fcntl(reports.reading.rawValue, F_SETFL, O_NONBLOCK)
        return PluginProcess(
            pid: pid, input: input.writing, output: output.reading, errors: errors.reading, reports: reports.reading)
    }

    /// Variables as the launcher reads them: a NUL behind each. What follows a NUL within one is no variable of its
    /// own.
    static func variableBytes(_ variables: [String: String]) -> [UInt8] {
        variables.flatMap { "\($0)=\($1)".utf8.prefix { $0 != 0 } + [0] }
    }

    /// Both ends of a pipe.
    private struct Pipe {
        let reading: FileDescriptor
        let writing: FileDescriptor

        /// - Parameter or: What is closed where there is none.
        init(or others: [FileDescriptor] = []) throws(Errno) {
            var (reading, writing): (Int32, Int32) = (-1, -1)
            let problem = CSpawn_pipe(&reading, &writing)
            guard problem == 0 else {
                for other in others { try? other.close() }
                throw Errno(rawValue: problem)
            }
            self.reading = FileDescriptor(rawValue: reading)
            self.writing = FileDescriptor(rawValue: writing)
        }

        func closeFarEnd(isReading: Bool) { try? (isReading ? reading : writing).close() }
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }

    /// Waits for the end, which is near or has come.
    func reap() async -> ProcessEnd {
        // No thread is needed where it has come: in a shortage of threads none can be had.
        if let end = reap(WNOHANG) { return end }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: reap(0) ?? .unknown) }
        }
    }

    /// Reaps the launcher; nil where it still runs and is not waited for.
    private func reap(_ options: Int32) -> ProcessEnd? {
        var status: Int32 = 0
        while true {
            switch waitpid(pid, &status, options) {
            case 0: return nil
            case -1 where errno == EINTR: continue
            case let result: return ProcessEnd(waitResult: result, status: status)
            }
        }
    }

    /// What the launcher reports on a pipe of its own, of which the plugin has no end.
    struct LauncherReport: Equatable {
        /// Why the program could not be run, or, after ``limitMark``, why it had to be killed.
        var reason: String?
        /// Whether the launcher has ended everything that the plugin started.
        var hasEndedAll = false

        init(_ bytes: some Sequence<UInt8>) {
            for line in String(decoding: Array(bytes), as: UTF8.self).split(separator: "\n") {
                if line == "ended" {
                    hasEndedAll = true
                } else {
                    reason = reason ?? String(line)
                }
            }
        }
    }

    /// Reads the launcher's report. To be called once, when the launcher has been reaped.
    func takeReport() -> LauncherReport {
        defer { try? reports.close() }
        var bytes = [UInt8](repeating: 0, count: Self.reportLimit)
        let count = Glibc.read(reports.rawValue, &bytes, bytes.count)
        return LauncherReport(bytes.prefix(max(0, count)))
    }

    /// Bytes of a report that are read, which is more than the launcher writes.
    private static let reportLimit = 1 << 10
    /// How the report begins of a plugin that ran and had to be killed for a limit.
    static let limitMark = "limit: "

    /// The plugin's own process id, which is the launcher's child; the launcher's where the kernel does not tell.
    var pluginPid: Int32 {
        guard let text = try? FileBytes.read("/proc/\(pid)/task/\(pid)/children", limit: 4096),
            let child = Int32(String(decoding: text.prefix { $0 != 0x20 }, as: UTF8.self))
        else { return pid }
        return child
    }

    /// SIGTERM to the plugin and all it started.
    func terminate() { kill(pid, SIGTERM) }

    /// SIGKILL to the plugin and all it started.
    func killAll() { kill(pid, SIGUSR1) }

    /// Whether the launcher has ended; it stays to be reaped by ``reap()``.
    var hasEnded: Bool {
        var info = siginfo_t()
        let status = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT)
        return status != 0 || info.si_signo == SIGCHLD
    }
}
