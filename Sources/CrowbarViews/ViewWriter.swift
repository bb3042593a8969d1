import CrowbarCore
import CrowbarSQLite
import GRDB

/// The writing side of `views.db`: applies events to every generation of every view, and swaps finished ones in.
///
/// `@unchecked Sendable`: all its state is made and used on the serial queue of the pool's writing connection only, in
/// the closures that ``ViewEngine`` gives to it.
final class ViewWriter: @unchecked Sendable {
    /// One generation of one projection.
    struct Slot {
        var generation: Int64
        var isLive: Bool
        var checkpoint: ViewCheckpoint
        var rows: any ViewRows
        /// Why it does not go on, after an event that cannot be applied.
        var stopped: String?

        var name: ViewName { type(of: rows).name }
    }

    /// A generation of an older version, which is served as it is until the new one is complete.
    struct Outdated {
        var generation: Int64
        var name: ViewName
        var version: Int
        var checkpoint: ViewCheckpoint
        /// Whether there is an index over these messages that can be read.
        var hasIndex: Bool
    }

    private(set) var slots: [Slot] = []
    private(set) var outdated: [Outdated] = []
    let versions: ViewVersions

    private static let projections: [any ViewRows.Type] = [UserRows.self, ChannelRows.self, MessageRows.self]

    /// Loads what is there, drops what this version cannot read, and begins to build what is missing.
    init(_ db: Database, versions: ViewVersions) throws {
        self.versions = versions
        for row in try Row.fetchAll(db, sql: "SELECT * FROM views WHERE source IS NULL ORDER BY generation") {
            let (text, version, generation): (String, Int, Int64) = (row["name"], row["version"], row["generation"])
            let checkpoint = ViewCheckpoint(position: row["position"], eventId: row["eventId"])
            guard let projection = Self.projections.first(where: { $0.name.rawValue == text }),
                versions.isReadable(projection.name, version),
                row["isLive"] || version == versions.version(of: projection.name)
            else {
                try Self.drop(db, generation)
                continue
            }
            guard version == versions.version(of: projection.name) else {
                outdated.append(
                    Outdated(
                        generation: generation, name: projection.name, version: version, checkpoint: checkpoint,
                        hasIndex: try !readableIndexes(db, over: generation).isEmpty))
                continue
            }
            let rows = try projection.init(db, generation)
            slots.append(
                Slot(generation: generation, isLive: row["isLive"], checkpoint: checkpoint, rows: rows))
            if let messages = rows as? MessageRows { try loadIndexes(db, of: messages, generation) }
        }
        for projection in Self.projections where !slots.contains(where: { $0.name == projection.name }) {
            try startBuild(db, projection)
        }
    }

    /// Loads the indexes of messages. One of an older version that can be read is kept in step with the messages until
    /// a new one is complete.
    private func loadIndexes(_ db: Database, of messages: MessageRows, _ generation: Int64) throws {
        var isMissing = true
        for row in try readableIndexes(db, over: generation) {
            messages.indexes.append(
                try SearchRows(
                    db, row["generation"], over: generation, through: row["isLive"] ? nil : row["position"]))
            if row["version"] == versions.version(of: .search) { isMissing = false }
        }
        if isMissing { try startIndex(db, of: messages, generation) }
    }

    /// The indexes over a generation of messages; those that this version cannot read are dropped.
    private func readableIndexes(_ db: Database, over generation: Int64) throws -> [Row] {
        try Row.fetchAll(
            db, sql: "SELECT * FROM views WHERE source = ? ORDER BY generation", arguments: [generation]
        ).filter { row in
            let version: Int = row["version"]
            if versions.isReadable(.search, version), row["isLive"] || version == versions.version(of: .search) {
                return true
            }
            try Self.drop(db, row["generation"])
            return false
        }
    }

    // MARK: Builds

    /// Begins to build views beside the ones that are served.
    /// - Parameter names: The views; ``ViewName/messages`` takes its search index along.
    func rebuild(_ db: Database, _ names: Set<ViewName>) throws {
        for projection in Self.projections where names.contains(projection.name) {
            try change(db) {
                for slot in slots where slot.name == projection.name && !slot.isLive {
                    try discard(db, slot.generation)
                }
                try startBuild(db, projection)
            }
        }
        guard names.contains(.search), !names.contains(.messages) else { return }
        try change(db) {
            for slot in slots {
                if let messages = slot.rows as? MessageRows { try rebuildIndex(db, of: messages, slot.generation) }
            }
        }
    }

    /// Changes which generations there are, in one transaction. Where that fails, what is remembered of them is again
    /// what the database has.
    private func change(_ db: Database, _ body: () throws -> Void) throws {
        let before = (slots, outdated)
        let indexes = slots.compactMap { slot in (slot.rows as? MessageRows).map { ($0, $0.indexes) } }
        do {
            try db.inTransaction(.immediate) {
                try body()
                return .commit
            }
        } catch {
            (slots, outdated) = before
            for (messages, kept) in indexes { messages.indexes = kept }
            throw error
        }
    }

    private func rebuildIndex(_ db: Database, of messages: MessageRows, _ generation: Int64) throws {
        for index in messages.indexes where index.through != nil { try Self.drop(db, index.generation) }
        messages.indexes.removeAll { $0.through != nil }
        try startIndex(db, of: messages, generation)
    }

    /// Starts to rebuild views in place of those that are served, which are of no use.
    func replace(_ db: Database, _ names: Set<ViewName>) throws {
        for projection in Self.projections where names.contains(projection.name) {
            try change(db) {
                for slot in slots where slot.name == projection.name { try discard(db, slot.generation) }
                try discardOutdated(db, projection.name)
                try startBuild(db, projection)
            }
        }
    }

    private func startBuild(_ db: Database, _ projection: any ViewRows.Type) throws {
        let generation = try ViewGenerations.register(
            db, projection.name, versions.version(of: projection.name), source: nil)
        try projection.create(db, generation)
        let rows = try projection.init(db, generation)
        slots.append(Slot(generation: generation, isLive: false, checkpoint: .start, rows: rows))
        if let messages = rows as? MessageRows { try startIndex(db, of: messages, generation) }
    }

    private func startIndex(_ db: Database, of messages: MessageRows, _ source: Int64) throws {
        let generation = try ViewGenerations.register(db, .search, versions.version(of: .search), source: source)
        try SearchRows.create(db, generation, over: source)
        messages.indexes.append(try SearchRows(db, generation, over: source, through: 0))
    }

    private func discard(_ db: Database, _ generation: Int64) throws {
        slots.removeAll { $0.generation == generation }
        try Self.drop(db, generation)
    }

    private func discardOutdated(_ db: Database, _ name: ViewName) throws {
        for old in outdated where old.name == name { try Self.drop(db, old.generation) }
        outdated.removeAll { $0.name == name }
    }

    private static func drop(_ db: Database, _ generation: Int64) throws {
        try ViewGenerations.drop(db, generation, projections)
    }

    // MARK: Events

    /// Applies a page to every view that waits for it, in one transaction.
    ///
    /// An event that a view cannot apply stops that view before the event, with the reason; the others go on.
    /// - Parameters:
    ///   - page: The entries behind `position`.
    ///   - isTime: Asked after each event whether the batch should end.
    func apply(_ page: LogPage, after position: Int64, _ db: Database, until isTime: (Int64) -> Bool) throws {
        // What such events replace must not stay in free space of the file; see ``purgePart(_:isFirst:)``.
        let replacing = [EventType.messageDeleted, .messageEdited, .userRenamed]
        let isReplacing = page.entries.contains { replacing.contains($0.type) }
        if isReplacing { try db.execute(sql: "PRAGMA secure_delete = ON") }
        defer { if isReplacing { try? db.execute(sql: "PRAGMA secure_delete = OFF") } }
        var entries = page.entries[...]
        while !entries.isEmpty {
            let waiting = slots.indices.filter {
                slots[$0].stopped == nil && slots[$0].checkpoint.position == position
            }
            if waiting.isEmpty { return }
            var failing: Int?
            var failedAt = 0
            do {
                try db.inTransaction(.immediate) {
                    var (last, lastPublic): (ViewEvent?, String?)
                    for (index, entry) in entries.enumerated() {
                        failedAt = index
                        let event = try ViewEvent(entry, of: page)
                        for slot in waiting {
                            failing = slot
                            try slots[slot].rows.apply(event)
                        }
                        failing = nil
                        last = event
                        if event.audience == 0 { lastPublic = event.eventId }
                        if isTime(event.position) { break }
                    }
                    if let last { try commit(waiting, at: last, lastPublic, db) }
                    return .commit
                }
                return
            } catch let error as ViewError {
                for slot in waiting { slots[slot].rows.forget() }
                // First what is before the event; then the views that cannot apply it stop, and the others go on.
                if failedAt > 0 {
                    entries = entries.prefix(failedAt)
                } else {
                    for slot in failing.map({ [$0] }) ?? waiting { slots[slot].stopped = "\(error)" }
                }
            } catch {
                for slot in waiting { slots[slot].rows.forget() }
                throw error
            }
        }
    }

    /// Writes how far views have come.
    /// - Parameter lastPublic: The id of the batch's last event that everybody may read.
    private func commit(_ waiting: [Int], at event: ViewEvent, _ lastPublic: String?, _ db: Database) throws {
        let checkpoint = ViewCheckpoint(position: event.position, eventId: event.eventId)
        for index in waiting {
            try slots[index].rows.flush()
            if let messages = slots[index].rows as? MessageRows { try messages.purge(limit: Self.purgedAtOnce) }
            try db.execute(
                sql: """
                    UPDATE views SET position = ?, eventId = ?, audience = ?, publicEventId = coalesce(?, publicEventId)
                    WHERE generation = ?
                    """,
                arguments: [
                    checkpoint.position, checkpoint.eventId, event.audience, lastPublic, slots[index].generation,
                ])
        }
        // Only now, as nothing can fail any more but the commit; see forget().
        db.afterNextTransaction { [weak self] _ in
            for index in waiting { self?.slots[index].checkpoint = checkpoint }
        }
    }

    // MARK: One channel

    /// Recomputes the rows of a channel, in all generations of a view, in one transaction. A view that stopped goes
    /// on.
    /// - Parameter history: Of the channel.
    /// - Returns: Whether a search index has to be rebuilt, as texts changed; nil where the history ends before a
    ///   generation's checkpoint, so that nothing was done.
    /// - Throws: ``ViewError`` where an event does not fit.
    func refold(_ db: Database, _ name: ViewName, _ history: ChannelHistory) throws -> Bool? {
        let affected = slots.indices.filter { slots[$0].name == name }
        guard affected.allSatisfy({ slots[$0].checkpoint.position <= history.through }) else { return nil }
        // What is replaced can be a text that was erased.
        try db.execute(sql: "PRAGMA secure_delete = ON")
        defer {
            try? db.execute(sql: "PRAGMA secure_delete = OFF")
            for slot in affected { slots[slot].rows.forget() }
        }
        var isIndexOutdated = false
        try change(db) {
            for slot in affected {
                guard let rows = slots[slot].rows as? any ChannelRefolding else { continue }
                let haveTextsChanged = try rows.refold(history, through: slots[slot].checkpoint.position, db)
                slots[slot].stopped = nil
                guard haveTextsChanged, let messages = rows as? MessageRows else { continue }
                isIndexOutdated = true
                try rebuildIndex(db, of: messages, slots[slot].generation)
            }
        }
        return isIndexOutdated
    }

    // MARK: What does not depend on new events

    /// The messages of destroyed channels that are removed in one transaction, at most.
    private static let purgedAtOnce: Int64 = 500

    /// Does a part of what does not depend on new events: builds indexes, removes messages of destroyed channels.
    /// - Parameter head: The position of the log's newest event.
    /// - Returns: Whether more of it is left.
    func workAside(_ db: Database, head: Int64) throws -> Bool {
        var isMore = false
        for slot in slots {
            guard let messages = slot.rows as? MessageRows else { continue }
            if messages.hasDeadMessages { try purge(messages, db) }
            if messages.hasDeadMessages { isMore = true }
            // First the messages: they can be served without the index.
            guard slot.isLive || slot.checkpoint.position >= head - Self.indexDistance else { continue }
            for index in messages.indexes where index.through != nil {
                if try !build(index, db) { isMore = true }
            }
        }
        return isMore
    }

    private func purge(_ messages: MessageRows, _ db: Database) throws {
        do {
            try db.inTransaction(.immediate) {
                try messages.purge(limit: Self.purgedAtOnce)
                return .commit
            }
        } catch {
            messages.forget()
            throw error
        }
    }

    private static let indexedAtOnce = 1000
    /// The events that messages may lack when their index begins to be built. Where events keep coming they always lack
    /// some.
    private static let indexDistance: Int64 = 5000

    private func build(_ index: SearchRows, _ db: Database) throws -> Bool {
        let before = index.through
        do {
            var isComplete = false
            try db.inTransaction(.immediate) {
                isComplete = try index.build(limit: Self.indexedAtOnce)
                try db.execute(
                    sql: "UPDATE views SET position = ?, isLive = ? WHERE generation = ?",
                    arguments: [index.through ?? 0, isComplete, index.generation])
                return .commit
            }
            return isComplete
        } catch {
            index.restore(through: before)
            throw error
        }
    }

    /// Puts builds that have caught up in the place of what was served. Messages that replace others do so with a
    /// complete index; where none were served, they are without one.
    /// - Parameter head: The position of the log's newest event.
    func swap(_ db: Database, head: Int64) throws {
        for slot in slots where !slot.isLive && slot.stopped == nil && slot.checkpoint.position >= head {
            if let messages = slot.rows as? MessageRows, messages.indexes.contains(where: { $0.through != nil }),
                slots.contains(where: { $0.isLive && $0.name == slot.name })
                    || outdated.contains(where: { $0.name == slot.name })
            {
                continue
            }
            try change(db) {
                for old in slots where old.isLive && old.name == slot.name { try discard(db, old.generation) }
                try discardOutdated(db, slot.name)
                try db.execute(sql: "UPDATE views SET isLive = 1 WHERE generation = ?", arguments: [slot.generation])
                for i in slots.indices where slots[i].generation == slot.generation { slots[i].isLive = true }
            }
        }
        try dropReplacedIndexes(db)
    }

    /// Of several complete indexes of the same messages only the newest is kept.
    private func dropReplacedIndexes(_ db: Database) throws {
        for slot in slots {
            guard let messages = slot.rows as? MessageRows else { continue }
            let complete = messages.indexes.filter { $0.through == nil }.map(\.generation)
            for generation in complete.dropLast() {
                try change(db) {
                    try Self.drop(db, generation)
                    messages.indexes.removeAll { $0.generation == generation }
                }
            }
        }
    }

    /// Does a part of what removes former texts from the search indexes.
    /// - Parameter isFirst: Whether it begins.
    /// - Returns: Whether nothing is left to do.
    func purgePart(_ db: Database, isFirst: Bool) throws -> Bool {
        try db.execute(sql: "PRAGMA secure_delete = ON")
        defer { try? db.execute(sql: "PRAGMA secure_delete = OFF") }
        var isDone = true
        for slot in slots {
            for index in (slot.rows as? MessageRows)?.indexes ?? [] {
                try db.inTransaction(.immediate) {
                    if try !index.merge(db, isFirst: isFirst, pages: Self.mergedAtOnce) { isDone = false }
                    return .commit
                }
            }
        }
        return isDone
    }

    private static let mergedAtOnce = 256
}
