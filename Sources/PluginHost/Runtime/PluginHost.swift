import CrowbarCore
import JSONBytes
import Logging
import PluginWire
import Settings

/// All plugins of a folder: runs them side by side, each under its own supervision, and tells how they are.
public final class PluginHost: Sendable {
    private let environment: HostEnvironment
    private let runtimes: [PluginRuntime]

    /// Makes a host over a folder of manifests. What is wrong with one is its own reason to be `failed`; the rest run.
    /// - Parameters:
    ///   - folder: The folder `plugins.d`.
    ///   - environment: What the host works with.
    /// - Throws: ``SettingsError`` where the folder itself cannot be read.
    public init(folder: String, environment: HostEnvironment) throws(SettingsError) {
        let contents = try PluginFolder.read(folder)
        self.environment = environment
        var runtimes = contents.manifests.map {
            PluginRuntime(name: $0.name, manifest: $0, reason: nil, environment: environment)
        }
        for (name, error) in contents.errors {
            environment.logger.error("plugin '\(name)' is left out: \(error)")
            runtimes.append(
                PluginRuntime(name: name, manifest: nil, reason: error.description, environment: environment))
        }
        self.runtimes = runtimes.sorted { $0.name < $1.name }
    }

    /// Runs all enabled plugins until ``stop(why:)`` and their ends, or until cancelled.
    public func run() async {
        await noteShortfalls()
        await withTaskGroup(of: Void.self) { group in
            for runtime in runtimes { group.addTask { await runtime.run() } }
        }
    }

    /// Tells the operator what of the manifests this machine cannot enforce.
    private func noteShortfalls() async {
        let ability = await MachineAbility.probe(launcher: environment.launcher)
        for manifest in runtimes.compactMap(\.manifest) where manifest.isEnabled {
            for line in ability.shortfalls(manifest) {
                environment.logger.warning("plugin '\(manifest.name)': \(line)")
            }
        }
    }

    /// Asks all plugins to finish what they hold and to end. Plugins that do not are killed within 17 s.
    public func stop(why: String) {
        for runtime in runtimes { runtime.stop(why: why) }
    }

    /// Whether there is a plugin of that name, running or not.
    public func knows(_ name: String) async throws -> Bool {
        if runtimes.contains(where: { $0.name == name }) { return true }
        return try await environment.store.plugins().contains(name)
    }

    // MARK: Listings

    /// All plugins, as `crowbar plugins list --json` prints them.
    public func listing() async throws -> JSON {
        let deadLetters = try await environment.store.deadLetterCounts()
        let head = try await environment.log.head()?.position ?? 0
        var plugins: [JSON] = []
        for runtime in runtimes {
            let (state, reason, restarts) = runtime.state
            let view = runtime.board.current
            var members: [JSON.Member] = [
                .init("name", .string(runtime.name)),
                .init("state", .string(runtime.manifest?.isEnabled == false ? "stopped" : state.rawValue)),
            ]
            if runtime.manifest?.isEnabled == false {
                members.append(.init("reason", .string("not enabled in its manifest")))
            } else if let reason {
                members.append(.init("reason", .string(reason)))
            }
            members.append(.init("phase", .string("event")))
            if let version = view.version { members.append(.init("version", .string(version))) }
            if let pid = view.pid { members.append(.init("pid", .int(Int64(pid)))) }
            members.append(.init("restarts", .int(Int64(restarts))))
            members.append(.init("deadLetters", .int(Int64(deadLetters[runtime.name] ?? 0))))
            if let status = view.status {
                var shown: [JSON.Member] = [
                    .init("level", .string(status.level.rawValue)), .init("message", .string(status.message)),
                ]
                if let details = status.details { shown.append(.init("details", details)) }
                members.append(.init("status", .object(shown)))
            }
            members.append(.init("queues", .array(try await queues(runtime, head))))
            plugins.append(.object(members))
        }
        return .array(plugins)
    }

    private func queues(_ runtime: PluginRuntime, _ head: Int64) async throws -> [JSON] {
        let running = Dictionary(uniqueKeysWithValues: runtime.board.current.queues.map { ($0.name, $0) })
        let stored = try await environment.store.queues(of: runtime.name)
        var queues: [JSON] = []
        for name in Set(running.keys).union(stored.keys).sorted() {
            let cursor = running[name]?.cursor ?? stored[name]?.cursor
            queues.append(
                .object([
                    .init("name", .string(name)), .init("cursor", Self.json(cursor)),
                    .init("lag", .int(try await lag(cursor, head))),
                    .init("inFlight", .int(Int64(running[name]?.inFlight ?? 0))),
                    .init("parked", .int(0)),
                    .init("ratePerSecond", .double(((running[name]?.ratePerSecond ?? 0) * 10).rounded() / 10)),
                ]))
        }
        return queues
    }

    private static func json(_ cursor: LogEntryID?) -> JSON {
        guard let cursor else { return .null }
        return .object([.init("eventId", .string(cursor.eventId)), .init("position", .int(cursor.position))])
    }

    private func lag(_ cursor: LogEntryID?, _ head: Int64) async throws -> Int64 {
        let position = cursor?.position ?? 0
        return position >= head ? 0 : try await environment.log.count(after: position, through: head)
    }

    /// Where the queues of a plugin stand, as `crowbar cursor show --json` prints it.
    public func cursors(of plugin: String, queue: String?) async throws -> JSON {
        let head = try await environment.log.head()?.position ?? 0
        var listed: [JSON] = []
        for (name, record) in try await environment.store.queues(of: plugin).sorted(by: { $0.key < $1.key })
        where queue == nil || queue == name {
            listed.append(
                .object([
                    .init("queue", .string(name)),
                    .init("eventId", record.cursor.map { .string($0.eventId) } ?? .null),
                    .init("position", .int(record.cursor?.position ?? 0)),
                    .init("lag", .int(try await lag(record.cursor, head))),
                ]))
        }
        return .array(listed)
    }

    /// The dead letters of a plugin, as `crowbar dead-letters list --json` prints them.
    public func deadLetters(of plugin: String, queue: String?, limit: Int = 10_000) async throws -> JSON {
        let letters = try await environment.store.deadLetters(of: plugin, queue: queue, limit: limit)
        return .array(
            letters.map { letter in
                .object([
                    .init("queue", .string(letter.id.queue)), .init("eventId", .string(letter.entry.eventId)),
                    .init("position", .int(letter.entry.position)), .init("code", .string(letter.code)),
                    .init("message", .string(letter.message)), .init("attempts", .int(letter.attempts)),
                    .init("first", .int(letter.first)), .init("last", .int(letter.last)),
                ])
            })
    }
}
