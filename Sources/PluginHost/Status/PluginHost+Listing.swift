import CrowbarCore
import JSONBytes
import PluginWire

// What the host tells about its plugins. Everything comes from the host's own state and store; no plugin is asked.
extension PluginHost {
    /// What several plugins are listed by, at one moment.
    private struct Moment {
        /// The log's last position.
        var head: Int64
        var deadLetters: [QueueID: Int]
    }

    private func moment() async throws -> Moment {
        Moment(
            head: try await environment.log.head()?.position ?? 0,
            deadLetters: try await environment.store.deadLetterCounts())
    }

    /// All plugins, as `crowbar plugins list --json` prints them: those in the folder, and those that left queues.
    public func listing() async throws -> JSON {
        let moment = try await moment()
        var entries: [String: JSON] = [:]
        for runtime in runtimes { entries[runtime.name] = .object(try await members(runtime, moment)) }
        for name in try await environment.store.plugins() where entries[name] == nil {
            // Nothing of it runs, so nothing of it is kept but this.
            entries[name] = .object(
                try await members(PluginSupervisor(name: name, environment: environment), moment))
        }
        return .array(entries.sorted { $0.key < $1.key }.map(\.value))
    }

    /// One plugin, as `crowbar plugins show --json` prints it: the listing's members, and what its manifest says.
    public func show(_ name: String) async throws -> JSON {
        let runtime = try await known(name)
        var members = try await members(runtime, try await moment())
        let (lifecycle, view) = runtime.snapshot
        members.append(.init("strikes", .int(Int64(view.strikes))))
        members.append(.init("ignored", .int(Int64(view.ignored))))
        if let lastEnd = lifecycle.lastEnd {
            let end: [JSON.Member] = [.init("reason", .string(lastEnd.reason)), .init("at", .int(lastEnd.at))]
            members.append(.init("lastEnd", .object(end)))
        }
        if let next = lifecycle.nextStart {
            members.append(.init("nextStartInMs", .int(max(0, next - environment.now()))))
        }
        if let manifest = lifecycle.manifest { members.append(.init("manifest", Self.json(manifest))) }
        return .object(members)
    }

    /// How a plugin is after a wish was taken: `{"name", "state", "reason"?}`.
    func brief(_ runtime: PluginSupervisor) -> JSON {
        let (lifecycle, view) = runtime.snapshot
        let (state, reason) = lifecycle.state(view)
        var members: [JSON.Member] = [
            .init("name", .string(runtime.name)), .init("state", .string(state.rawValue)),
        ]
        if let reason { members.append(.init("reason", .string(reason))) }
        return .object(members)
    }

    /// Channels that are named and do not exist, as far as a plugin's health names them.
    private static let shownChannels = 3

    private func members(_ runtime: PluginSupervisor, _ moment: Moment) async throws -> [JSON.Member] {
        let (lifecycle, view) = runtime.snapshot
        let (state, reason) = lifecycle.state(view)
        let checks = environment.checks.snapshot(runtime.name)
        var base = PluginHealth(state, reason: reason)
        if checks?.isTripped ?? false, state != .paused { base.noteTrippedBreaker() }
        let hints = await MissingChannels.hints(view.channels, lifecycle.manifest, environment)
        let (queues, health) = try await queues(lifecycle, view, state, base, hints, moment)
        var members = brief(runtime).members ?? []
        members.append(.init("health", .string(health.level.rawValue)))
        members += Self.json(health, "healthReason", "healthReasons")
        members.append(.init("phase", .string((lifecycle.manifest?.phase ?? .event).rawValue)))
        if let version = view.version { members.append(.init("version", .string(version))) }
        if let pid = view.pid { members.append(.init("pid", .int(Int64(pid)))) }
        members.append(.init("restarts", .int(Int64(lifecycle.restartPolicy.restarts))))
        let letters = moment.deadLetters.reduce(0) { $0 + ($1.key.plugin == runtime.name ? $1.value : 0) }
        members.append(.init("deadLetters", .int(Int64(letters))))
        if let status = view.status {
            var shown: [JSON.Member] = [
                .init("level", .string(status.level.rawValue)), .init("message", .string(status.message)),
            ]
            if let details = status.details { shown.append(.init("details", details)) }
            members.append(.init("status", .object(shown)))
        }
        if let folder = runtime.folder {
            var disk: [JSON.Member] = [.init("bytes", .int(folder.bytes)), .init("files", .int(Int64(folder.entries)))]
            if let manifest = lifecycle.manifest { disk.append(.init("limit", .int(manifest.diskLimit))) }
            members.append(.init("disk", .object(disk)))
        }
        if let checks { members.append(.init("checks", Self.json(checks))) }
        members.append(.init("queues", .array(queues)))
        return members
    }

    /// The queues of a plugin, and how it does with all of them.
    /// - Parameters:
    ///   - base: How it does apart from its queues and from what it says of itself.
    ///   - hints: What its configuration may have wrong.
    private func queues(
        _ lifecycle: PluginLifecycle, _ view: SessionStatus.View, _ state: PluginLifecycle.State, _ base: PluginHealth,
        _ hints: [MissingChannels.Hint], _ moment: Moment
    ) async throws -> ([JSON], PluginHealth) {
        let plugin = lifecycle.name
        let running = Dictionary(view.queues.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let stored = try await environment.store.queues(of: plugin)
        let names = Set(running.keys).union(stored.keys).sorted()
        // What a process said of itself goes with it.
        let status = view.pid == nil ? nil : view.status
        let parts = names.reduce(into: [:]) { $0[$1] = PluginHealth.part($1, of: status?.details) }
        // A plugin that says how each queue is means those, and not the others, by what it says of all.
        let isExplained = parts.values.contains { $0.level != .ok }
        var said = base
        if let status { said.note(status: status.level, status.message) }
        var whole = said
        for hint in hints.prefix(Self.shownChannels) { whole.note(hint: hint.text) }
        let clockOffset = environment.unixNow() - environment.now()
        var queues: [JSON] = []
        for name in names {
            let queue = running[name]
            let isDropped = queue == nil && stored[name]?.droppedAt != nil
            let letters = moment.deadLetters[QueueID(plugin: plugin, queue: name)] ?? 0
            var health = isExplained ? base : said
            if let part = parts[name] { health.note(status: part.level, part.message) }
            let isPaused = lifecycle.pausedQueues.contains(name)
            if let queue, view.pid != nil {
                health.note(
                    queue.waiting, clockOffset: clockOffset, isHeld: queue.isHeld || isPaused,
                    isPrivate: lifecycle.manifest?.isPrivate ?? true)
            }
            health.note(deadLetters: letters)
            for hint in hints where hint.isAbout(name) { health.note(hint: hint.text) }
            if isPaused { health.note(pauseOf: name, plugin) }
            if !isDropped { whole.note(name, health) }
            let next = view.pid == nil ? nil : queue?.waiting.nextDue.map { Timestamp.nearestSecond($0 + clockOffset) }
            let word = isDropped ? "dropped" : queue?.state(in: state, view, isPaused: isPaused) ?? state.rawValue
            queues.append(
                .object(
                    try await members(queue, stored[name], view.pid != nil, moment.head, name) + [
                        .init("state", .string(word)),
                        .init("health", .string(isDropped ? "off" : health.level.rawValue)),
                        .init("deadLetters", .int(Int64(letters))),
                    ] + (next.map { [.init("nextTryAt", .int($0))] } ?? []) + Self.json(health, "reason", "reasons")))
        }
        return (queues, whole)
    }

    private func members(
        _ running: SessionStatus.Queue?, _ stored: QueueRecord?, _ hasProcess: Bool, _ head: Int64, _ name: String
    ) async throws -> [JSON.Member] {
        // What a session shows is of one moment: the store may be ahead of it by a save, and a cursor that is newer
        // than the strikes, states and figures beside it would say that what led to it has left no trace. Between
        // two processes only the store knows.
        let cursor = hasProcess ? running.map(\.cursor) ?? stored?.cursor : stored?.cursor
        let parked = running?.parked ?? stored?.parked.count ?? 0
        let retries = running.map { $0.waiting.count - $0.waiting.parked } ?? stored?.retries.count ?? 0
        let lag = try await lag(cursor, head)
        var members: [JSON.Member] = [
            .init("name", .string(name)), .init("cursor", Self.json(cursor, at: try await time(of: cursor))),
            .init("lag", .int(lag)), .init("lagSeconds", .int(lag > 0 ? try await age(after: cursor) : 0)),
            .init("inFlight", .int(Int64(running?.inFlight ?? 0))), .init("parked", .int(Int64(parked))),
            .init("waiting", .int(Int64(parked + max(0, retries)))),
            .init("ratePerSecond", .double(((running?.ratePerSecond ?? 0) * 10).rounded() / 10)),
        ]
        if running == nil, let dropped = stored?.droppedAt { members.append(.init("droppedAt", .int(dropped))) }
        return members
    }

    /// The reasons of a health, in a line and one by one; nothing where there is none.
    private static func json(_ health: PluginHealth, _ line: String, _ list: String) -> [JSON.Member] {
        guard let reason = health.reason else { return [] }
        return [
            .init(line, .string(reason)), .init(list, .array(health.reasons.map { .string($0) })),
        ]
    }

    private static func json(_ checks: CheckCoordinator.Glance) -> JSON {
        let tally = checks.tally
        return .object([
            .init("asked", .int(tally.asked)), .init("allowed", .int(tally.allowed)),
            .init("changed", .int(tally.changed)), .init("refused", .int(tally.refused)),
            .init("failed", .int(tally.failed)), .init("resting", .bool(checks.isResting)),
        ])
    }

    private static func json(_ cursor: LogEntryID?, at time: Int64?) -> JSON {
        guard let cursor else { return .null }
        return .object(
            [.init("eventId", .string(cursor.eventId)), .init("position", .int(cursor.position))]
                + (time.map { [.init("at", .int($0))] } ?? []))
    }

    /// When a cursor's event was stored, in Unix milliseconds.
    private func time(of cursor: LogEntryID?) async throws -> Int64? {
        guard let cursor, cursor.position > 0 else { return nil }
        return try await environment.log.read(positions: [cursor.position]).entries.first?.timestamp
    }

    /// The age of the first event behind a cursor, in seconds.
    func age(after cursor: LogEntryID?) async throws -> Int64 {
        let next = try await environment.log.read(after: cursor?.position ?? 0, limit: 1, maxBytes: 1).entries.first
        return next.map { max(0, (environment.unixNow() - $0.timestamp) / 1_000) } ?? 0
    }

    func lag(_ cursor: LogEntryID?, _ head: Int64) async throws -> Int64 {
        let position = cursor?.position ?? 0
        return position >= head ? 0 : try await environment.log.count(after: position, through: head)
    }

    /// The manifest as it is in force, without its configuration: that is the plugin's own, and may hold secrets.
    private static func json(_ manifest: Manifest) -> JSON {
        func strings(_ names: [String]) -> JSON { .array(names.map { .string($0) }) }
        var members: [JSON.Member] = [
            .init("file", .string(manifest.file)), .init("command", strings(manifest.command)),
            .init("enabled", .bool(manifest.isEnabled)), .init("strict", .bool(manifest.isStrict)),
            .init(
                "types", (manifest.types?.map(\.name) ?? manifest.commandTypes?.map(\.rawValue)).map(strings) ?? .null),
            .init("channels", manifest.channels.map(strings) ?? .null),
            .init("private", .bool(manifest.isPrivate)), .init("order", .string(manifest.order)),
            .init("window", .int(manifest.window)),
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

    // MARK: Cursors

    /// Where the queues of a plugin stand, as `crowbar cursor show --json` prints it.
    public func cursors(of plugin: String, queue: String?) async throws -> JSON {
        try await expect(queue, of: plugin)
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

    /// Refuses a queue that the plugin has not, neither running nor stored.
    func expect(_ queue: String?, of plugin: String) async throws(ControlRefusal) {
        let runtime = try await known(plugin)
        guard let queue else { return }
        var names: Set<String>
        do {
            names = Set(try await environment.store.queues(of: plugin).keys)
        } catch {
            throw .store("\(error)")
        }
        names.formUnion(runtime.snapshot.view.queues.map(\.name))
        if !names.contains(queue) {
            throw .noQueue(plugin: plugin, queue: queue, known: names.sorted())
        }
    }
}

extension SessionStatus.Queue {
    /// How this queue is, in a word: as its plugin is, unless it has something of its own.
    /// - Parameter isPaused: The operator holds back this queue alone.
    func state(in plugin: PluginLifecycle.State, _ view: SessionStatus.View, isPaused: Bool = false) -> String {
        guard view.pid != nil, plugin == .live || plugin == .catchingUp else { return plugin.rawValue }
        if isPaused { return PluginLifecycle.State.paused.rawValue }
        if isHeld { return "held" }
        if waiting.count > 0 { return "waiting" }
        return (hasCaughtUp ? PluginLifecycle.State.live : .catchingUp).rawValue
    }
}
