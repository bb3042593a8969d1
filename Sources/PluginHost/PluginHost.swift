import CrowbarCore
import JSONBytes
import Logging
import PluginWire
import Settings
import Synchronization

/// All plugins of a folder: runs them side by side, each under its own supervision, follows the folder, and tells how
/// they are.
public final class PluginHost: Sendable {
    private struct State {
        var runtimes: [String: PluginSupervisor] = [:]
        /// Those whose task is not begun.
        var arrivals: [PluginSupervisor] = []
        /// The folder as it was read last.
        var contents = PluginFolder.Contents()
        var isStopping = false
    }

    let environment: HostEnvironment
    let histories = QueueHistories()
    let metrics = PluginMetricsMemory()
    private let folder: String
    private let state = Mutex(State())
    /// One look at the folder at a time, so that none is overtaken by an older one.
    private let reading = Mutex(())
    private let wake: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    /// Makes a host over a folder of manifests. What is wrong with one is its own reason to be `failed`; the rest run.
    /// - Parameters:
    ///   - folder: The folder `plugins.d`.
    ///   - environment: What the host works with.
    /// - Throws: ``SettingsError`` where the folder itself cannot be read.
    public init(folder: String, environment: HostEnvironment) throws(SettingsError) {
        self.folder = folder
        self.environment = environment
        (wake, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        _ = try readFolder()
    }

    /// Runs all enabled plugins until ``stop(why:)`` and their ends. To be cancelled is to be stopped: the plugins are
    /// brought to their ends in any case.
    public func run() async {
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { keeping in
                keeping.addTask { await self.purgeDroppedQueues() }
                keeping.addTask { await self.watchFolders() }
                keeping.addTask { await self.recordHistory() }
                await withDiscardingTaskGroup { group in
                    group.addTask { await self.environment.checks.run() }
                    await runPlugins()
                    environment.checks.close()
                }
                keeping.cancelAll()
            }
        } onCancel: {
            stop(why: "the host was cancelled")
        }
    }

    private func runPlugins() async {
        let support = await SandboxSupport.probe(launcher: environment.launcher)
        if let note = support.dataNote { environment.logger.warning("plugins: \(note)") }
        let watcher = FolderWatcher(folder: folder, logger: environment.logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.follow(watcher) }
            ring.yield()
            for await _ in wake {
                let arrivals = state.withLock { state in
                    defer { state.arrivals = [] }
                    return state.arrivals
                }
                for runtime in arrivals {
                    noteShortfalls(runtime, support)
                    group.addTask {
                        await runtime.run()
                        self.depart(runtime)
                    }
                }
            }
            watcher.stop()
        }
    }

    /// Tells the operator what of a manifest this machine cannot enforce.
    private func noteShortfalls(_ runtime: PluginSupervisor, _ support: SandboxSupport) {
        guard let manifest = runtime.snapshot.lifecycle.wanted, manifest.isEnabled else { return }
        for line in support.unsupported(manifest) { environment.logger.warning("plugin '\(manifest.name)': \(line)") }
    }

    /// Takes a runtime off that is over because its plugin was forgotten.
    private func depart(_ runtime: PluginSupervisor) {
        let isGone = state.withLock { state in
            if state.isStopping || state.runtimes[runtime.name] !== runtime { return false }
            state.runtimes[runtime.name] = nil
            return true
        }
        // A manifest may have come at the last moment.
        if isGone, let wanted = runtime.snapshot.lifecycle.wanted { take(wanted) }
    }

    private func take(_ manifest: Manifest) {
        var runtime: PluginSupervisor
        repeat {
            runtime = enter(manifest.name)
            runtime.note { $0.take(manifest) }
            // Again where it was on its way out just then.
        } while self.runtime(manifest.name) !== runtime && !isStopping
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Asks all plugins to finish what they hold and to end. Plugins that do not are killed within 17 s.
    public func stop(why: String) {
        let runtimes = state.withLock {
            $0.isStopping = true
            return Array($0.runtimes.values)
        }
        for runtime in runtimes { runtime.note { $0.end(why: why) } }
        ring.finish()
    }

    // MARK: Plugins by name

    /// All plugins that are or were in the folder since the host began, by name.
    var runtimes: [PluginSupervisor] { state.withLock { $0.runtimes.values.sorted { $0.name < $1.name } } }

    /// Files of the folder that look like manifests and are not read.
    var unread: [UnreadFile] { state.withLock { $0.contents.unread } }

    /// The manifests of the folder that have a mistake, each with the plugin's name.
    var broken: [(name: String, error: SettingsError)] { state.withLock { $0.contents.errors } }

    func runtime(_ name: String) -> PluginSupervisor? { state.withLock { $0.runtimes[name] } }

    /// The runtime of a name, made where there is none.
    private func enter(_ name: String) -> PluginSupervisor {
        let (runtime, isNew) = state.withLock { state in
            if let known = state.runtimes[name] { return (known, false) }
            let runtime = PluginSupervisor(name: name, environment: environment)
            if state.isStopping { return (runtime, false) }
            state.runtimes[name] = runtime
            state.arrivals.append(runtime)
            return (runtime, true)
        }
        if isNew { ring.yield() }
        return runtime
    }

    /// The runtime of a plugin that has a manifest, or at least something stored.
    func known(_ name: String) async throws(ControlRefusal) -> PluginSupervisor {
        if let runtime = runtime(name) { return runtime }
        let stored: Bool
        do {
            stored = try await knows(name)
        } catch {
            throw .store("\(error)")
        }
        guard stored else { throw .unknown(String(name.prefix(80))) }
        return enter(name)
    }

    /// Whether there is a plugin of that name, running or not.
    public func knows(_ name: String) async throws -> Bool {
        if runtime(name) != nil { return true }
        return try await environment.store.plugins().contains(name)
    }

    // MARK: The folder

    /// Reads the folder again and does what follows from it.
    /// - Returns: What was different.
    /// - Throws: ``SettingsError`` where the folder is there and cannot be read; then all stays as it is.
    func readFolder() throws(SettingsError) -> [ManifestChange] {
        try reading.withLock { _ throws(SettingsError) in
            let contents = try PluginFolder.read(folder)
            let (changes, unread) = state.withLock { state in
                defer { state.contents = contents }
                let unread = contents.unread.filter { !state.contents.unread.contains($0) }
                return (ManifestChange.between(state.contents, contents), unread)
            }
            for file in unread { environment.logger.warning("\(PluginLog.printable(file.text))") }
            // In the order of their names, and as `crowbar check` does, so that it tells the same numbers.
            environment.isolation.users?.expect(contents.manifests)
            for change in changes { apply(change) }
            return changes
        }
    }

    private func apply(_ change: ManifestChange) {
        let name = change.plugin
        let runtime = enter(name)
        switch change {
        case .added(let manifest), .changed(let manifest), .enabled(let manifest), .disabled(let manifest),
            .repaired(let manifest):
            runtime.say(.info, "its manifest was \(change.word)")
            take(manifest)
        case .removed:
            runtime.say(
                .notice, "its manifest was removed; its queues are kept until 'crowbar plugins forget \(name)'")
            runtime.note { $0.takeRemoval() }
        case .broken(_, let error):
            runtime.say(.error, "its manifest is not in order and is not followed: \(error)")
            runtime.note { $0.takeProblem(error.description) }
        }
    }

    private func follow(_ watcher: FolderWatcher) async {
        await watcher.run { [self] in
            do {
                _ = try readFolder()
            } catch {
                environment.logger.error("the folder of plugins cannot be read; all goes on as it was: \(error)")
            }
        }
    }
}
