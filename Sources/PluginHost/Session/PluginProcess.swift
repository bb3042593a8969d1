import Glibc
import Subprocess
import Synchronization
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
    /// Marks the launcher's own report of a program that cannot be run.
    var token: String
}

/// How a process ended.
enum ProcessEnd: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)

    var text: String {
        switch self {
        case .exited(let status): "exit status \(status)"
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
    typealias Running = Execution<CustomWriteInput, FileDescriptorOutput, FileDescriptorOutput>

    private let running: Running
    /// The launcher's process id; the plugin is its child.
    var pid: Int32 { running.processIdentifier.value }
    /// The reading ends of its output and its standard error, which whoever reads them closes.
    let output: FileDescriptor
    let errors: FileDescriptor

    /// Once: a plugin that dies while it is being written to must not take the host with it.
    private static let ignoreBrokenPipes: Void = { signal(SIGPIPE, SIG_IGN) }()

    /// Starts a process, lets `body` work with it, and waits for its end.
    /// - Throws: `SubprocessError` where the launcher cannot be started, or what `body` throws.
    static func run<Result: Sendable>(
        _ plan: LaunchPlan, _ body: (PluginProcess) async throws -> Result
    ) async throws -> (Result, ProcessEnd) {
        _ = ignoreBrokenPipes
        var environment: [Environment.Key: String] = [:]
        for (key, value) in plan.environment {
            if let name = Environment.Key(rawValue: key) { environment[name] = value }
        }
        let output = try pipe()
        let errors: (read: FileDescriptor, write: FileDescriptor)
        do {
            errors = try pipe()
        } catch {
            close([output.read, output.write])
            throw error
        }
        let begun = Atomic(false)
        defer { if !begun.load(ordering: .acquiring) { close([output.read, errors.read]) } }
        let outcome = try await Subprocess.run(
            .path(FilePath(plan.launcher)),
            arguments: Arguments(
                [String(getpid()), plan.token] + plan.rules.options + ["--", plan.program] + plan.arguments),
            environment: .custom(environment), workingDirectory: FilePath(plan.folder), input: .inputWriter,
            output: .fileDescriptor(output.write, closeAfterSpawningProcess: true),
            error: .fileDescriptor(errors.write, closeAfterSpawningProcess: true)
        ) { running in
            begun.store(true, ordering: .releasing)
            return try await body(PluginProcess(running: running, output: output.read, errors: errors.read))
        }
        switch outcome.terminationStatus {
        case .exited(let status): return (outcome.closureResult, .exited(status))
        case .signaled(let number): return (outcome.closureResult, .signalled(number))
        }
    }

    /// A pipe. What is started meanwhile does not inherit it: the library closes all but the three in its child.
    private static func pipe() throws -> (read: FileDescriptor, write: FileDescriptor) {
        let ends = try FileDescriptor.pipe()
        for end in [ends.readEnd, ends.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
        return (ends.readEnd, ends.writeEnd)
    }

    private static func close(_ descriptors: [FileDescriptor]) {
        for descriptor in descriptors { try? descriptor.close() }
    }

    /// The plugin's own process id, which is the launcher's child; the launcher's where the kernel does not tell.
    var pluginPid: Int32 {
        guard let text = try? FileBytes.read("/proc/\(pid)/task/\(pid)/children", limit: 4096),
            let child = Int32(String(decoding: text.prefix { $0 != 0x20 }, as: UTF8.self))
        else { return pid }
        return child
    }

    func write(_ chunk: [UInt8]) async throws { _ = try await running.standardInputWriter.write(chunk) }

    func closeInput() async { try? await running.standardInputWriter.finish() }

    /// SIGTERM to the plugin and all it started.
    func terminate() { kill(pid, SIGTERM) }

    /// SIGKILL to the plugin and all it started.
    func killAll() { kill(pid, SIGUSR1) }

    /// Whether the launcher has ended; it stays to be reaped by ``run(_:_:)``.
    var hasEnded: Bool {
        var info = siginfo_t()
        let status = waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT)
        return status != 0 || info.si_signo == SIGCHLD
    }
}
