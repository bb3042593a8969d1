import CrowbarCore
import Glibc
import JSONBytes
import Logging
import PluginWire

/// Prepares what a process of a plugin needs: its program, its folder, its secrets.
struct SessionFactory: Sendable {
    /// Why there can be no process: for people.
    struct Refusal: Error {
        var reason: String
        /// Whether the system is short of something, so that there may be a process later.
        var isTransient = false
    }

    /// Bytes of a configuration, its secrets resolved, so that it fits into a line with what stands beside it.
    static let maxConfig = Wire.maxLine - (32 << 10)

    let name: String
    let environment: HostEnvironment
    /// Where the last lines of the plugin are kept.
    let lines: LogRing?
    /// What is counted of its sessions.
    var counters = PluginCounters()

    /// The configuration of a manifest with its secrets.
    func secrets(_ manifest: Manifest) throws(Refusal) -> Secrets {
        let secrets: Secrets
        do {
            secrets = try Secrets.resolve(
                manifest.config, environment: environment.environment, folder: Self.folder(of: manifest.file),
                hidden: environment.isolation.folders(environment.dataFolder))
        } catch {
            throw Refusal(
                reason: "\(ManifestReader.place(ofConfig: error.path, in: manifest.file)): \(error.reason)",
                isTransient: error.isTransient)
        }
        let bytes = secrets.config.bytes.count
        guard bytes <= Self.maxConfig else {
            throw Refusal(
                reason: "\(manifest.file): config: is \(bytes) bytes long as JSON, its secrets included; at most "
                    + "\(Self.maxConfig) go to a plugin")
        }
        return secrets
    }

    /// A session that is ready to run.
    func make(
        _ manifest: Manifest, purpose: PluginSession.Purpose, status: SessionStatus, mailbox: Mailbox,
        earlier: [String: [Int64: DeliveryQueue.Attempts]] = [:], suspects: PoisonWatch.Events = [:],
        tell: @escaping @Sendable (PluginSession.News) -> Void = { _ in }
    ) async throws(Refusal) -> PluginSession {
        if manifest.sandbox?.require == true {
            let support = await SandboxSupport.probe(launcher: environment.launcher)
            if !support.isKnown, access(environment.launcher, X_OK) == 0 {
                throw Refusal(
                    reason: "'\(environment.launcher)' cannot be asked what this machine can enforce",
                    isTransient: true)
            }
            let unsupported = support.unsupported(manifest)
            if !unsupported.isEmpty {
                throw Refusal(reason: "\(manifest.file): sandbox.require: \(unsupported.joined(separator: "; "))")
            }
        }
        let secrets = try secrets(manifest)
        let plan = try plan(manifest)
        if let size = await FolderSize.measured(plan.folder),
            let reason = size.refusal(manifest, folder: plan.folder, isReplay: purpose.hello == .replay)
        {
            throw Refusal(reason: reason)
        }
        var logger = environment.logger
        logger[metadataKey: "plugin"] = .string(name)
        return PluginSession(
            manifest: manifest, environment: environment, config: secrets.config,
            log: PluginLog(logger: logger, secrets: secrets.values, now: environment.now, lines: lines), status: status,
            plan: plan, purpose: purpose, mailbox: mailbox, earlier: earlier, suspects: suspects, counters: counters,
            tell: tell)
    }

    private func plan(_ manifest: Manifest) throws(Refusal) -> LaunchPlan {
        let program: String
        let folder = Self.folder(of: manifest.file)
        do {
            program = try ProgramPath.find(
                manifest.command[0], folder: folder, searchPath: environment.searchPath)
        } catch {
            throw Refusal(reason: "\(manifest.file): command: \(error.reason)")
        }
        let data = Self.dataFolder(of: name, environment)
        for path in [environment.dataFolder, data] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            let error = errno
            throw Refusal(
                reason: "the folder '\(path)' cannot be made: \(String(cString: strerror(error)))",
                isTransient: SystemShortage.isCause(of: error))
        }
        var variables = ["HOME": data, "PATH": environment.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"]
        variables["LANG"] = environment.environment["LANG"] ?? "C.UTF-8"
        for name in manifest.passedEnvironment { variables[name] = environment.environment[name] }
        variables.merge(manifest.environment) { _, set in set }
        var rules = LaunchRules(manifest, program: program, folder: folder, data: environment.dataFolder)
        let isolated = try isolated(manifest, program: program, variables: variables)
        rules.options += isolated.options
        if let note = isolated.note { environment.logger.warning("plugin '\(name)': \(note)") }
        return LaunchPlan(
            launcher: environment.launcher, program: program, arguments: Array(manifest.command.dropFirst()),
            environment: variables, folder: data, rules: rules, session: environment.newID(), note: isolated.note)
    }

    /// The folder that is the plugin's own.
    static func dataFolder(of name: String, _ environment: HostEnvironment) -> String {
        environment.dataFolder + "/" + name
    }

    static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "." }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }
}
