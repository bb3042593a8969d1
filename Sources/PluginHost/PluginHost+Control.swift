import CrowbarCore
import JSONBytes
import PluginWire
import Settings

// What the operator does to plugins. A wish is noted and answered at once; what it takes comes after, and the listing
// tells how far it is.
extension PluginHost {
    /// What can be done to one plugin.
    public enum Verb: String, Sendable, CaseIterable {
        /// Lets it run, whatever kept it down.
        case start
        /// Lets it finish, and keeps it down until a start or until the host restarts.
        case stop
        /// Lets it finish, and starts a new process.
        case restart
        /// Holds its deliveries back; the process stays.
        case pause
        /// Lets them go again.
        case resume
    }

    /// Takes a wish.
    /// - Returns: How the plugin is now: `{"name", "state", "reason"?}`.
    public func act(_ verb: Verb, on name: String) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        try runtime.tell { lifecycle throws(ControlRefusal) in
            switch verb {
            case .start: try lifecycle.start()
            case .stop: lifecycle.stop()
            case .restart: try lifecycle.restartNow()
            case .pause: try lifecycle.pause(true)
            case .resume: try lifecycle.pause(false)
            }
        }
        return brief(runtime)
    }

    /// Reads the folder now, without waiting for it to be quiet.
    /// - Returns: What was different: `[{"name", "change", "reason"?}]`; and each time the manifests with a mistake and
    ///   the files that look like manifests and are not read, by their names, with the change `broken` or `unread`.
    public func reload() throws(ControlRefusal) -> JSON {
        let changes: [ManifestChange]
        do {
            changes = try readFolder()
        } catch {
            throw .folder(error.description)
        }
        let isTold = Set(changes.map(\.plugin))
        return .array(
            changes.map { change in
                var members: [JSON.Member] = [
                    .init("name", .string(change.plugin)), .init("change", .string(change.word)),
                ]
                if case .broken(_, let error) = change { members.append(.init("reason", .string(error.description))) }
                return .object(members)
            }
                + broken.filter { !isTold.contains($0.name) }.map {
                    .object([
                        .init("name", .string($0.name)), .init("change", .string("broken")),
                        .init("reason", .string($0.error.description)),
                    ])
                }
                + unread.map { file in
                    let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
                    return .object([
                        .init("name", .string(name)), .init("change", .string("unread")),
                        .init("reason", .string(file.text)),
                    ])
                })
    }
}

// MARK: - Logs, cursors, the end

extension PluginHost {
    /// The last lines of a plugin: `[{"number", "time", "level", "source", "text"}]`, oldest first.
    /// - Parameters:
    ///   - after: The number of the last line that is not wanted again.
    ///   - limit: Lines at most.
    ///   - queue: Only lines that name this queue; nil: all.
    public func logs(
        of name: String, queue: String? = nil, after: Int64, limit: Int
    ) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        try await expect(queue, of: name)
        return .array(
            runtime.lines.lines(after: after, limit: limit, naming: queue).map { line in
                .object([
                    .init("number", .int(line.number)), .init("time", .int(line.time)),
                    .init("level", .string(line.level)), .init("source", .string(line.source)),
                    .init("text", .string(line.text)),
                ])
            })
    }

    /// Puts the cursors of a plugin, or of one of its queues, to a place, as soon as its process has finished what it
    /// holds. What was settled ahead and what was to be tried again is dropped; state and dead letters stay.
    /// - Parameter isConfirmed: Whether events may be delivered again that are settled.
    /// - Returns: How the plugin is now, and which queues those are: `{"name", "state", "reason"?, "queues"}`.
    public func setCursor(
        of name: String, queue: String?, to place: StartPoint, isConfirmed: Bool = true
    ) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        var queues: [String]
        do {
            queues = try await environment.store.queues(of: name).keys.sorted()
            if queues.isEmpty { throw ControlRefusal.noQueues(name) }
            if let queue {
                guard queues.contains(queue) else {
                    throw ControlRefusal.noQueue(plugin: name, queue: queue, known: queues)
                }
                queues = [queue]
            }
            let entry = try await entry(at: place)
            if !isConfirmed, let repetition = try await repetition(runtime, queues, at: entry) {
                throw ControlRefusal.redelivers(repetition)
            }
            runtime.rewind(queues, to: entry)
        } catch let refusal as ControlRefusal {
            throw refusal
        } catch {
            throw .store("\(error)")
        }
        return .object((brief(runtime).members ?? []) + [.init("queues", .array(queues.map { .string($0) }))])
    }

    private func entry(at place: StartPoint) async throws -> LogEntryID? {
        switch place {
        case .now: return try await environment.log.head()
        case .beginning: return nil
        case .at(let milliseconds): return try await environment.log.lastEntry(before: milliseconds)
        case .after(let eventId):
            guard let position = try await environment.log.position(of: eventId) else {
                throw ControlRefusal.noEvent(eventId)
            }
            return LogEntryID(position: position, eventId: eventId)
        }
    }

    /// Drops the queues, dead letters and folder of a plugin that is down or has no manifest.
    /// - Parameter isConfirmed: Whether something may be lost.
    /// - Returns: What was dropped: `{"name", "queues", "deadLetters", "folder"}`.
    public func forget(_ name: String, isConfirmed: Bool) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(name)
        try runtime.tell { lifecycle throws(ControlRefusal) in try lifecycle.beginForgetting() }
        var isDone = false
        defer { runtime.note { $0.endForgetting(isDone: isDone) } }
        do {
            let store = environment.store
            let queues = try await store.queues(of: name).count
            let letters = try await store.deadLetterCounts()
                .reduce(0) { $0 + ($1.key.plugin == name ? $1.value : 0) }
            let folder = SessionFactory.dataFolder(of: name, environment)
            let hasFolder = !FolderRemoval.isEmpty(folder)
            if queues > 0 || letters > 0 || hasFolder, !isConfirmed {
                var parts: [String] = []
                if queues > 0 { parts.append(queues == 1 ? "1 queue" : "\(queues) queues") }
                if letters > 0 { parts.append(letters == 1 ? "1 dead letter" : "\(letters) dead letters") }
                if hasFolder { parts.append("the folder '\(folder)'") }
                throw ControlRefusal.unconfirmed(parts.joined(separator: ", "))
            }
            try await store.forget(plugin: name)
            runtime.forgetQueues()
            try await FolderRemoval.removed(folder)
            isDone = true
            return .object([
                .init("name", .string(name)), .init("queues", .int(Int64(queues))),
                .init("deadLetters", .int(Int64(letters))), .init("folder", .bool(hasFolder)),
            ])
        } catch let refusal as ControlRefusal {
            throw refusal
        } catch {
            throw .store("\(error)")
        }
    }
}
