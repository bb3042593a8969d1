import CrowbarCore
import Glibc
import JSONBytes
import Logging
import PluginWire
import Synchronization

/// Keeps one plugin running: starts its process, and again after it fell, as the ``Supervisor`` says.
final class PluginRuntime: Sendable {
    /// The states of a plugin, as the operator sees them.
    enum State: String, Sendable {
        case starting, catchingUp, live, backingOff, failed, diverged, draining, stopped
    }

    private struct Shared {
        var state = State.stopped
        var reason: String?
        var restarts = 0
        var mailbox: Mailbox?
        var isStopping = false
    }

    let name: String
    let manifest: Manifest?
    let board = SessionBoard()
    private let environment: HostEnvironment
    private let shared = Mutex(Shared())
    /// Ends when the plugin is to stop, so that a wait for the next start ends too.
    private let stopping: AsyncStream<Never>
    private let endStopping: AsyncStream<Never>.Continuation

    /// - Parameters:
    ///   - manifest: What is to run; nil where its file is not in order.
    ///   - reason: Then: what is wrong with it.
    init(name: String, manifest: Manifest?, reason: String?, environment: HostEnvironment) {
        self.name = name
        self.manifest = manifest
        self.environment = environment
        (stopping, endStopping) = AsyncStream.makeStream(of: Never.self)
        if let reason { set(.failed, reason) }
    }

    /// The state now and its reason.
    var state: (state: State, reason: String?, restarts: Int) {
        let view = board.current
        return shared.withLock { shared in
            var state = shared.state
            if state == .starting, view.isReady { state = view.isCaughtUp ? .live : .catchingUp }
            if state != .stopped, state != .failed, view.isDraining { state = .draining }
            return (state, shared.reason, shared.restarts)
        }
    }

    private func set(_ state: State, _ reason: String? = nil) {
        shared.withLock {
            $0.state = state
            $0.reason = reason
        }
    }

    /// Asks the process to finish; ``run()`` then returns.
    func stop(why: String) {
        let mailbox = shared.withLock {
            $0.isStopping = true
            return $0.mailbox
        }
        endStopping.finish()
        mailbox?.post(.drain(why: why))
    }

    /// Waits; false when the plugin is to stop meanwhile.
    private func pause(_ milliseconds: Int64) async -> Bool {
        let stopping = stopping
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: .milliseconds(milliseconds)) }
            group.addTask { for await _ in stopping {} }
            await group.next()
            group.cancelAll()
        }
        return !isStopping && !Task.isCancelled
    }

    private var isStopping: Bool { shared.withLock { $0.isStopping } }

    /// Runs the plugin until it is stopped or stays down.
    func run() async {
        guard let manifest, manifest.isEnabled else { return }
        var supervisor = Supervisor()
        var attempts: [String: [Int64: DeliveryQueue.Attempts]] = [:]
        while !isStopping {
            let started = environment.now()
            set(.starting)
            let report = await session(manifest, purpose: .live, attempts)
            attempts = report.attempts
            let action = supervisor.next(
                report.end, started: started, madeProgress: report.madeProgress, now: environment.now(),
                random: environment.random())
            shared.withLock { $0.restarts = supervisor.restarts }
            guard await follow(action) else { return }
        }
        set(.stopped)
    }

    /// Does what the supervisor says; false when the plugin stays down.
    private func follow(_ action: Supervisor.Action) async -> Bool {
        var logger = environment.logger
        logger[metadataKey: "plugin"] = .string(name)
        switch action {
        case .stop:
            set(.stopped)
            return false
        case .fail(let reason):
            logger.error("failed and stays down: \(reason)")
            set(.failed, reason)
            return false
        case .diverge(let reason):
            logger.error("diverged, nothing is delivered: \(reason)")
            set(.diverged, reason)
            return false
        case .restart(let wait, let reason):
            if isStopping {
                set(.stopped)
                return false
            }
            logger.warning("starts again in \(wait) ms: \(reason)")
            set(.backingOff, reason)
            if await pause(wait) { return true }
            set(.stopped)
            return false
        }
    }

    /// Runs one process to its end.
    func session(
        _ manifest: Manifest, purpose: HostMessage.Hello.Purpose,
        _ attempts: [String: [Int64: DeliveryQueue.Attempts]]
    ) async -> PluginSession.Report {
        func failed(_ reason: String) -> PluginSession.Report {
            .init(end: .failed(reason), madeProgress: false, attempts: attempts)
        }
        if manifest.sandbox?.require == true {
            let shortfalls = await MachineAbility.probe(launcher: environment.launcher).shortfalls(manifest)
            if !shortfalls.isEmpty {
                return failed("\(manifest.file): sandbox.require: \(shortfalls.joined(separator: "; "))")
            }
        }
        let folder = Self.folder(of: manifest.file)
        let plan: LaunchPlan
        let secrets: Secrets
        do {
            secrets = try Secrets.resolve(manifest.config, environment: environment.environment, folder: folder)
            plan = try launchPlan(manifest, folder, purpose)
        } catch let error as Secrets.Unresolved {
            return failed("\(manifest.file): config.\(error.path): \(error.reason)")
        } catch let error as ProgramPath.Missing {
            return failed("\(manifest.file): command: \(error.reason)")
        } catch {
            return failed("\(error)")
        }
        var logger = environment.logger
        logger[metadataKey: "plugin"] = .string(name)
        let mailbox = Mailbox()
        let isStopping = shared.withLock {
            $0.mailbox = mailbox
            return $0.isStopping
        }
        if isStopping { return .init(end: .stopped, madeProgress: false, attempts: attempts) }
        let session = PluginSession(
            manifest: manifest, environment: environment, config: secrets.config,
            log: PluginLog(logger: logger, secrets: secrets.values, now: environment.now), board: board, plan: plan,
            purpose: purpose, mailbox: mailbox, earlier: attempts)
        let report = await session.run()
        shared.withLock { $0.mailbox = nil }
        return report
    }

    private struct FolderMissing: Error, CustomStringConvertible {
        var description: String
    }

    private func launchPlan(
        _ manifest: Manifest, _ folder: String, _ purpose: HostMessage.Hello.Purpose
    ) throws -> LaunchPlan {
        let program = try ProgramPath.find(manifest.command[0], folder: folder, searchPath: environment.searchPath)
        let data = environment.dataFolder + "/" + name
        for path in [environment.dataFolder, data] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw FolderMissing(description: "the folder '\(path)' cannot be made: \(String(cString: strerror(errno)))")
        }
        var variables = ["HOME": data, "PATH": environment.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"]
        variables["LANG"] = environment.environment["LANG"] ?? "C.UTF-8"
        for name in manifest.passedEnvironment { variables[name] = environment.environment[name] }
        variables.merge(manifest.environment) { _, set in set }
        return LaunchPlan(
            launcher: environment.launcher, program: program, arguments: Array(manifest.command.dropFirst()),
            environment: variables, folder: data,
            rules: LaunchRules(manifest, program: program, folder: folder, data: environment.dataFolder),
            token: environment.newID())
    }

    static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
