import CrowbarCore
import JSONBytes

// What the operator does to dead letters.
extension PluginHost {
    /// Which dead letters of a plugin, or of one of its queues.
    public struct Letters: Sendable {
        /// The plugin.
        public var plugin: String
        /// The queue; nil for all.
        public var queue: String?
        /// The events; nil for all.
        public var eventIds: [String]?

        /// Names dead letters.
        public init(plugin: String, queue: String?, eventIds: [String]?) {
            self.plugin = plugin
            self.queue = queue
            self.eventIds = eventIds
        }
    }

    /// Has dead letters delivered once more, now where the plugin runs, otherwise as soon as it does.
    /// - Returns: `{"name", "count"}`.
    public func retry(_ letters: Letters) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(letters.plugin)
        let count: Int
        do {
            count = try await environment.store.redrive(
                letters.plugin, queue: letters.queue, eventIds: letters.eventIds)
            runtime.redrive(try await environment.store.redrives(of: letters.plugin))
        } catch {
            throw .store("\(error)")
        }
        return try answer(letters, count)
    }

    /// Removes dead letters.
    /// - Returns: `{"name", "count"}`.
    public func drop(_ letters: Letters) async throws(ControlRefusal) -> JSON {
        _ = try await known(letters.plugin)
        let count: Int
        do {
            count = try await environment.store.dropDeadLetters(
                of: letters.plugin, queue: letters.queue, eventIds: letters.eventIds)
        } catch {
            throw .store("\(error)")
        }
        return try answer(letters, count)
    }

    /// Who names events means them: none found is a mistake, not a success.
    private func answer(_ letters: Letters, _ count: Int) throws(ControlRefusal) -> JSON {
        if let ids = letters.eventIds, count == 0 { throw .noDeadLetter(letters.plugin, ids.first ?? "") }
        return .object([.init("name", .string(letters.plugin)), .init("count", .int(Int64(count)))])
    }

    /// Dead letters with their events, as `crowbar dead-letters show --json` prints them.
    public func show(_ letters: Letters) async throws(ControlRefusal) -> JSON {
        _ = try await known(letters.plugin)
        var shown: [JSON] = []
        do {
            let all = try await environment.store.deadLetters(
                of: letters.plugin, queue: letters.queue, limit: Self.maxLetters)
            for letter in all where letters.eventIds?.contains(letter.entry.eventId) ?? true {
                var members = Self.json(letter)
                let page = try await environment.log.read(positions: [letter.entry.position])
                if let entry = page.entries.first,
                    let event = try? JSON(parsing: Array(page.json(entry)), largeNumbersAsText: true)
                {
                    members.append(.init("event", event))
                }
                shown.append(.object(members))
            }
        } catch {
            throw .store("\(error)")
        }
        if shown.isEmpty, let id = letters.eventIds?.first { throw .noDeadLetter(letters.plugin, id) }
        return .array(shown)
    }
}
