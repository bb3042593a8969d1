import CrowbarCore
import JSONBytes

// What the operator does to one queue of a plugin. A queue has no process: to start it is to resume it, to stop it is
// to pause it.
extension PluginHost {
    /// Does to one queue what a verb means for it.
    /// - Returns: How the queue is now: `{"name", "queue", "state"}`; of a verb that lets it go also what held it, as
    ///   `was` (null: nothing did), and `plugin`, the state of the whole plugin, where that keeps it waiting.
    public func act(_ verb: Verb, on name: String, queue: String) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        switch verb {
        case .start, .resume: return try await resume(runtime, queue)
        case .restart:
            let answer = try await resume(runtime, queue)
            runtime.hasten(queue)
            return answer
        case .stop, .pause:
            try await expect(queue, of: name)
            try runtime.tell { lifecycle throws(ControlRefusal) in try lifecycle.pause(queue: queue) }
            return .object(Self.members(runtime, queue))
        }
    }

    /// Ends whatever holds a queue: the operator's pause, and what the plugin itself knows of.
    private func resume(_ runtime: PluginSupervisor, _ queue: String) async throws(ControlRefusal) -> JSON {
        let isPaused = runtime.snapshot.lifecycle.pausedQueues.contains(queue)
        var obstacles = isPaused ? ["paused by the operator"] : []
        do {
            let told = try await ask(runtime.name, "resume", queue: queue)
            if let was = told["was"]?.string { obstacles.append(was) }
        } catch {
            switch error {
            // It holds no queue by itself.
            case .unanswerable: try await expect(queue, of: runtime.name)
            // What the host does can be done all the same.
            case .notRunning, .refused, .unanswered: if !isPaused { throw error }
            default: throw error
            }
        }
        runtime.note { _ = $0.pausedQueues.remove(queue) }
        var members = Self.members(runtime, queue)
        members.append(.init("endpoint", .string(queue)))
        members.append(.init("was", obstacles.isEmpty ? .null : .string(obstacles.joined(separator: ", "))))
        let (lifecycle, view) = runtime.snapshot
        let state = lifecycle.state(view).state
        if state != .live, state != .catchingUp { members.append(.init("plugin", .string(state.rawValue))) }
        return .object(members)
    }

    private static func members(_ runtime: PluginSupervisor, _ queue: String) -> [JSON.Member] {
        let (lifecycle, view) = runtime.snapshot
        let state = lifecycle.state(view).state
        let isPaused = lifecycle.pausedQueues.contains(queue)
        let word = view.queues.first { $0.name == queue }?.state(in: state, view, isPaused: isPaused) ?? state.rawValue
        return [
            .init("name", .string(runtime.name)), .init("queue", .string(queue)), .init("state", .string(word)),
        ]
    }

    /// A plugin as ``show(_:)`` has it, with one of its queues and what the plugin says of that one.
    public func show(_ name: String, queue: String) async throws -> JSON {
        try await expect(queue, of: name)
        let members = try await show(name).members ?? []
        return .object(
            members.map { member in
                switch member.key {
                case "queues":
                    .init("queues", .array((member.value.array ?? []).filter { $0["name"]?.string == queue }))
                case "status": .init("status", Self.part(of: member.value, queue))
                default: member
                }
            })
    }

    private static func part(of status: JSON, _ queue: String) -> JSON {
        .object(
            (status.members ?? []).map { member in
                guard member.key == "details", let part = member.value[queue] else { return member }
                return .init("details", .object([.init(queue, part)]))
            })
    }

    /// Drops what is stored of a queue that is not in use: the plugin is down, or names it no more.
    /// - Parameter isConfirmed: Whether something may be lost.
    /// - Returns: What was dropped: `{"name", "queue", "queues", "deadLetters", "folder"}`.
    public func forget(_ name: String, queue: String, isConfirmed: Bool) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        try await expect(queue, of: name)
        do {
            let isInUse = try await environment.store.queues(of: name)[queue]?.droppedAt == nil
            if isInUse { try Self.beginForgetting(runtime, queue) }
            defer { if isInUse { runtime.note { $0.endForgettingQueue() } } }
            return try await drop(QueueID(plugin: name, queue: queue), of: runtime, isConfirmed: isConfirmed)
        } catch let refusal as ControlRefusal {
            throw refusal
        } catch {
            throw .store("\(error)")
        }
    }

    /// Keeps a plugin down while a queue of its is dropped.
    private static func beginForgetting(_ runtime: PluginSupervisor, _ queue: String) throws(ControlRefusal) {
        do {
            try runtime.tell { lifecycle throws(ControlRefusal) in try lifecycle.beginForgetting() }
        } catch {
            if case .running = error { throw .queueInUse(plugin: runtime.name, queue: queue) }
            throw error
        }
    }

    private func drop(_ id: QueueID, of runtime: PluginSupervisor, isConfirmed: Bool) async throws -> JSON {
        let letters = try await environment.store.deadLetterCounts()[id] ?? 0
        if !isConfirmed {
            let dead = letters == 0 ? "" : letters == 1 ? " and 1 dead letter" : " and \(letters) dead letters"
            throw ControlRefusal.unconfirmed("the queue '\(id.queue)'\(dead)")
        }
        try await environment.store.forget(queue: id)
        runtime.forget(queue: id.queue)
        return .object([
            .init("name", .string(id.plugin)), .init("queue", .string(id.queue)), .init("queues", .int(1)),
            .init("deadLetters", .int(Int64(letters))), .init("folder", .bool(false)),
        ])
    }

    // MARK: Cursors that are set backwards

    /// Events that a cursor at another place has a queue get again.
    private struct Repetition {
        var queue: String
        var after: Int64
        var through: Int64
        var filter: QueueFilter?
        var events: Int64 = 0
    }

    /// Which queues get how many events again where their cursors are put to a place; nil where none does.
    func repetition(_ runtime: PluginSupervisor, _ queues: [String], at place: LogEntryID?) async throws -> String? {
        let (lifecycle, view) = runtime.snapshot
        let running = Dictionary(view.queues.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let stored = try await environment.store.queues(of: runtime.name)
        // One that the plugin names no more gets nothing, wherever it stands.
        var parts = queues.filter { stored[$0]?.droppedAt == nil }.map { name in
            let settled = stored[name]?.settled.last?.upperBound ?? 0
            let through = max(stored[name]?.cursor?.position ?? 0, settled, running[name]?.settledThrough ?? 0)
            return Repetition(
                queue: name, after: place?.position ?? 0, through: through, filter: running[name]?.filter)
        }.filter { $0.after < $0.through }
        let counts = try await LogCount(
            plugin: runtime.name, ownEvents: lifecycle.manifest?.ownEvents ?? true, channels: nil
        ).count(
            parts.map { .init(filter: $0.filter, after: $0.after, through: $0.through) }, in: environment.log)
        for i in parts.indices { parts[i].events = counts[i] }
        parts.removeAll { $0.events == 0 }
        return parts.isEmpty
            ? nil
            : LogCount.text(parts.map { ($0.queue, $0.events) }, isExact: parts.allSatisfy { $0.filter != nil })
    }
}
