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

    // MARK: Listing

    /// Dead letters of one listing.
    public static let maxLetters = 10_000
    /// Characters of an event's text in a listing.
    static let maxText = 80
    /// Events of dead letters that are read at once.
    private static let batch = 256

    /// The dead letters of all plugins, of one, or of one of its queues, as `crowbar dead-letters list --json` prints
    /// them: oldest first, plugin by plugin.
    /// - Parameters:
    ///   - plugin: Nil for all.
    ///
    /// Of events in private channels, and of all events of a plugin that reads private channels, neither text nor
    /// channel is listed, nor what the plugin said about it, for anybody: ``show(_:for:)`` has them, which the audit
    /// log notes (docs/decisions/0118-dead-letters-of-private-plugins.md).
    public func deadLetters(of plugin: String?, queue: String?, limit: Int = maxLetters) async throws -> JSON {
        if let plugin { try await expect(queue, of: plugin) }
        let plugins =
            if let plugin { [plugin] } else {
                Set(try await environment.store.deadLetterCounts().keys.map(\.plugin)).sorted()
            }
        var letters: [DeadLetter] = []
        for plugin in plugins where letters.count < limit {
            letters += try await environment.store.deadLetters(
                of: plugin, queue: queue, limit: limit - letters.count)
        }
        return .array(try await listed(letters))
    }

    /// A page of the dead letters of a plugin, or of one of its queues: `{"total", "letters", "next"?}`, oldest first.
    /// - Parameters:
    ///   - after: The `next` of the page before: the queue and the event's position. A letter that has gone since
    ///     begins the list again.
    ///
    /// It leaves out what ``deadLetters(of:queue:limit:)`` does.
    public func deadLetterPage(
        of plugin: String, queue: String?, after: String?, limit: Int
    ) async throws -> JSON {
        try await expect(queue, of: plugin)
        func key(_ letter: DeadLetter) -> String { "\(letter.entry.position):\(letter.id.queue)" }
        let counts = try await environment.store.deadLetterCounts()
        let total = counts.reduce(0) { sum, count in
            count.key.plugin == plugin && (queue == nil || count.key.queue == queue) ? sum + count.value : sum
        }
        let letters = try await environment.store.deadLetters(of: plugin, queue: queue, limit: Self.maxLetters)
        let start = after.flatMap { after in letters.firstIndex { key($0) == after } }.map { $0 + 1 } ?? 0
        let page = Array(letters[start...].prefix(limit))
        var members: [JSON.Member] = [
            .init("total", .int(Int64(total))), .init("letters", .array(try await listed(page))),
        ]
        if let last = page.last, start + page.count < letters.count {
            members.append(.init("next", .string(key(last))))
        }
        return .object(members)
    }

    private func listed(_ letters: [DeadLetter]) async throws -> [JSON] {
        let publicPlugins = pluginsOfPublicChannels()
        var listed: [JSON] = []
        for start in stride(from: 0, to: letters.count, by: Self.batch) {
            let some = letters[start..<min(letters.count, start + Self.batch)]
            let page = try await environment.log.read(positions: some.map(\.entry.position))
            let entries = Dictionary(page.entries.map { ($0.position, $0) }, uniquingKeysWith: { $1 })
            for letter in some {
                let entry = entries[letter.entry.position]
                let isReadable = publicPlugins.contains(letter.id.plugin) && entry?.audience == 0
                var members = Self.json(letter, isReadable: isReadable, isMessageReadable: isReadable)
                if let entry, isReadable {
                    members.append(.init("type", .string(entry.type.name)))
                    members.append(.init("channelId", page.name(entry.channel).map { .string($0) } ?? .null))
                    members.append(.init("text", Self.text(page.json(entry)).map { .string($0) } ?? .null))
                }
                listed.append(.object(members))
            }
        }
        return listed
    }

    /// The plugins that read no private channels. One without a valid manifest is not among them, as nobody can tell
    /// what it read.
    private func pluginsOfPublicChannels() -> Set<String> {
        Set(runtimes.filter { !($0.snapshot.lifecycle.manifest?.isPrivate ?? true) }.map(\.name))
    }

    /// The beginning of what an event says, or nil where it has no words.
    private static func text(_ event: ArraySlice<UInt8>) -> String? {
        guard let object = try? JSONObject(parsing: Array(event)) else { return nil }
        for key in ["message", "topic", "name"] as [StaticString] {
            guard let text = object.string(key) else { continue }
            return text.count > maxText ? text.prefix(maxText - 1) + "…" : text
        }
        return nil
    }

    private static func json(
        _ letter: DeadLetter, isReadable: Bool, isMessageReadable: Bool
    ) -> [JSON.Member] {
        // A receiver's answer may repeat the text.
        [
            .init("plugin", .string(letter.id.plugin)), .init("queue", .string(letter.id.queue)),
            .init("eventId", .string(letter.entry.eventId)), .init("position", .int(letter.entry.position)),
            .init("code", .string(letter.code)),
        ] + (isMessageReadable ? [.init("message", .string(letter.message))] : [])
            + (isReadable ? [] : [.init("private", .bool(true))]) + [
                .init("attempts", .int(letter.attempts)), .init("first", .int(letter.first)),
                .init("last", .int(letter.last)),
            ]
    }

    // MARK: Verbs

    /// Has dead letters delivered once more, now where the plugin runs, otherwise as soon as it does.
    /// - Returns: `{"name", "count"}`.
    public func retry(_ letters: Letters) async throws(ControlRefusal) -> JSON {
        let runtime = try await known(letters.plugin)
        try await expect(letters.queue, of: letters.plugin)
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
        try await expect(letters.queue, of: letters.plugin)
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
    /// - Parameter access: What the caller may read: of an event that they may not, neither the event is shown nor what
    ///   the plugin said about it. What a plugin of private channels said about a public event can repeat a private
    ///   one, so that it is shown to those only who may read everything.
    public func show(_ letters: Letters, for access: Access) async throws(ControlRefusal) -> JSON {
        try await expect(letters.queue, of: letters.plugin)
        var shown: [JSON] = []
        let publicPlugins = pluginsOfPublicChannels()
        do {
            let all = try await environment.store.deadLetters(
                of: letters.plugin, queue: letters.queue, limit: Self.maxLetters)
            for letter in all where letters.eventIds?.contains(letter.entry.eventId) ?? true {
                let page = try await environment.log.read(positions: [letter.entry.position])
                let isReadable = page.entries.first.map { access.mayRead($0, of: page) } ?? true
                let mayRepeatPrivateText =
                    page.entries.first?.audience == 0 && !publicPlugins.contains(letter.id.plugin)
                var members = Self.json(
                    letter, isReadable: isReadable,
                    isMessageReadable: isReadable && (!mayRepeatPrivateText || access.reader == .all))
                if isReadable, let entry = page.entries.first,
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
