import CrowbarCore
import JSONBytes
import PluginWire

// What the host tells about its plugins. Everything comes from the host's own state and store; no plugin is asked.
extension PluginHost {
    /// All plugins, as `crowbar plugins list --json` prints them: those in the folder, and those that left queues.
    public func listing() async throws -> JSON {
        let deadLetters = try await environment.store.deadLetterCounts()
        let head = try await environment.log.head()?.position ?? 0
        var entries: [String: JSON] = [:]
        for runtime in runtimes {
            entries[runtime.name] = .object(try await members(runtime, deadLetters[runtime.name] ?? 0, head))
        }
        for name in try await environment.store.plugins() where entries[name] == nil {
            // Nothing of it runs, so nothing of it is kept but this.
            let runtime = PluginRuntime(name: name, environment: environment)
            entries[name] = .object(try await members(runtime, deadLetters[name] ?? 0, head))
        }
        return .array(entries.sorted { $0.key < $1.key }.map(\.value))
    }

    /// One plugin, as `crowbar plugins show --json` prints it: the listing's members, and what its manifest says.
    public func show(_ name: String) async throws -> JSON {
        let runtime = try await known(name)
        let deadLetters = try await environment.store.deadLetterCounts()[name] ?? 0
        let head = try await environment.log.head()?.position ?? 0
        var members = try await members(runtime, deadLetters, head)
        let (course, view) = runtime.glance
        members.append(.init("strikes", .int(Int64(view.strikes))))
        members.append(.init("ignored", .int(Int64(view.ignored))))
        if let lastEnd = course.lastEnd {
            let end: [JSON.Member] = [.init("reason", .string(lastEnd.reason)), .init("at", .int(lastEnd.at))]
            members.append(.init("lastEnd", .object(end)))
        }
        if let next = course.nextStart {
            members.append(.init("nextStartInMs", .int(max(0, next - environment.now()))))
        }
        if let manifest = course.manifest { members.append(.init("manifest", Self.json(manifest))) }
        return .object(members)
    }

    /// How a plugin is after a wish was taken: `{"name", "state", "reason"?}`.
    func brief(_ runtime: PluginRuntime) -> JSON {
        let (course, view) = runtime.glance
        let (state, reason) = course.state(view)
        var members: [JSON.Member] = [
            .init("name", .string(runtime.name)), .init("state", .string(state.rawValue)),
        ]
        if let reason { members.append(.init("reason", .string(reason))) }
        return .object(members)
    }

    private func members(_ runtime: PluginRuntime, _ deadLetters: Int, _ head: Int64) async throws -> [JSON.Member] {
        let (course, view) = runtime.glance
        var members = brief(runtime).members ?? []
        members.append(.init("phase", .string((course.manifest?.phase ?? .event).rawValue)))
        if let version = view.version { members.append(.init("version", .string(version))) }
        if let pid = view.pid { members.append(.init("pid", .int(Int64(pid)))) }
        members.append(.init("restarts", .int(Int64(course.supervisor.restarts))))
        members.append(.init("deadLetters", .int(Int64(deadLetters))))
        if let status = view.status {
            var shown: [JSON.Member] = [
                .init("level", .string(status.level.rawValue)), .init("message", .string(status.message)),
            ]
            if let details = status.details { shown.append(.init("details", details)) }
            members.append(.init("status", .object(shown)))
        }
        if let folder = runtime.folder {
            var disk: [JSON.Member] = [.init("bytes", .int(folder.bytes)), .init("files", .int(Int64(folder.entries)))]
            if let manifest = course.manifest { disk.append(.init("limit", .int(manifest.diskLimit))) }
            members.append(.init("disk", .object(disk)))
        }
        if let checks = environment.checks.glance(runtime.name) { members.append(.init("checks", Self.json(checks))) }
        members.append(.init("queues", .array(try await queues(runtime.name, view, head))))
        return members
    }

    private func queues(_ plugin: String, _ view: SessionBoard.View, _ head: Int64) async throws -> [JSON] {
        let running = Dictionary(view.queues.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let stored = try await environment.store.queues(of: plugin)
        var queues: [JSON] = []
        for name in Set(running.keys).union(stored.keys).sorted() {
            // What a session shows is of one moment: the store may be ahead of it by a save, and a cursor that is newer
            // than the strikes, states and figures beside it would say that what led to it has left no trace. Between
            // two processes only the store knows.
            let cursor = view.pid == nil ? stored[name]?.cursor : running[name].map(\.cursor) ?? stored[name]?.cursor
            var kept: [JSON.Member] = []
            if running[name] == nil, let dropped = stored[name]?.droppedAt {
                kept = [.init("droppedAt", .int(dropped))]
            }
            queues.append(
                .object(
                    [
                        .init("name", .string(name)), .init("cursor", Self.json(cursor)),
                        .init("lag", .int(try await lag(cursor, head))),
                        .init("inFlight", .int(Int64(running[name]?.inFlight ?? 0))),
                        .init("parked", .int(Int64(running[name]?.parked ?? stored[name]?.parked.count ?? 0))),
                        .init("ratePerSecond", .double(((running[name]?.ratePerSecond ?? 0) * 10).rounded() / 10)),
                    ] + kept))
        }
        return queues
    }

    private static func json(_ checks: CheckDesk.Glance) -> JSON {
        let tally = checks.tally
        return .object([
            .init("asked", .int(tally.asked)), .init("allowed", .int(tally.allowed)),
            .init("changed", .int(tally.changed)), .init("refused", .int(tally.refused)),
            .init("failed", .int(tally.failed)), .init("resting", .bool(checks.isResting)),
        ])
    }

    private static func json(_ cursor: LogEntryID?) -> JSON {
        guard let cursor else { return .null }
        return .object([.init("eventId", .string(cursor.eventId)), .init("position", .int(cursor.position))])
    }

    private func lag(_ cursor: LogEntryID?, _ head: Int64) async throws -> Int64 {
        let position = cursor?.position ?? 0
        return position >= head ? 0 : try await environment.log.count(after: position, through: head)
    }

    /// The manifest as it is in force, without its configuration: that is the plugin's own, and may hold secrets.
    private static func json(_ manifest: Manifest) -> JSON {
        func strings(_ names: [String]) -> JSON { .array(names.map { .string($0) }) }
        var members: [JSON.Member] = [
            .init("file", .string(manifest.file)), .init("command", strings(manifest.command)),
            .init("enabled", .bool(manifest.isEnabled)),
            .init(
                "types", (manifest.types?.map(\.name) ?? manifest.commandTypes?.map(\.rawValue)).map(strings) ?? .null),
            .init("channels", manifest.channels.map(strings) ?? .null),
            .init("order", .string(manifest.order)), .init("window", .int(manifest.window)),
            .init("commands", strings(manifest.commands.map(\.rawValue))), .init("actAs", strings(manifest.actAs)),
            .init("maxAttempts", .int(manifest.maxAttempts)), .init("ackDeadlineMs", .int(manifest.ackDeadline)),
        ]
        if manifest.phase == .command {
            members.append(.init("priority", .int(manifest.priority)))
            members.append(.init("onFailure", .string(manifest.onFailure.rawValue)))
        }
        if let limits = manifest.limits {
            var shown: [JSON.Member] = []
            if let memory = limits.memory { shown.append(.init("memory", .int(memory))) }
            if let cpu = limits.cpu { shown.append(.init("cpu", .double(cpu))) }
            if let files = limits.files { shown.append(.init("files", .int(files))) }
            if let processes = limits.processes { shown.append(.init("processes", .int(processes))) }
            if let disk = limits.disk { shown.append(.init("disk", .int(disk))) }
            members.append(.init("limits", .object(shown)))
        }
        return .object(members)
    }

    // MARK: Cursors and dead letters

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
        return .array(letters.map { .object(Self.json($0)) })
    }

    /// Dead letters of one listing.
    static let maxLetters = 10_000

    static func json(_ letter: DeadLetter) -> [JSON.Member] {
        [
            .init("queue", .string(letter.id.queue)), .init("eventId", .string(letter.entry.eventId)),
            .init("position", .int(letter.entry.position)), .init("code", .string(letter.code)),
            .init("message", .string(letter.message)), .init("attempts", .int(letter.attempts)),
            .init("first", .int(letter.first)), .init("last", .int(letter.last)),
        ]
    }
}
