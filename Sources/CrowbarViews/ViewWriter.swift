import CrowbarCore
import CrowbarSQLite
import GRDB

/// The writing side of `views.db`: applies events to every generation of every view, and swaps finished ones in.
///
/// `@unchecked Sendable`: all its state is made and used on the serial queue of the pool's writing connection only, in
/// the closures that ``ViewEngine`` gives to it.
final class ViewWriter: @unchecked Sendable {
    /// One generation of one projection.
    private struct Slot {
        var generation: Int64
        var isLive: Bool
        var checkpoint: ViewCheckpoint
        var rows: any ViewRows
        /// Why it does not go on, after an event that cannot be applied.
        var stopped: String?

        var name: ViewName { type(of: rows).name }
    }

    private var slots: [Slot] = []

    private static let projections: [any ViewRows.Type] = [UserRows.self, ChannelRows.self, MessageRows.self]

    static let schema = """
        CREATE TABLE views (
            generation INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version INTEGER NOT NULL,
            isLive INTEGER NOT NULL, position INTEGER NOT NULL, eventId TEXT NOT NULL, source INTEGER,
            audience INTEGER NOT NULL DEFAULT 0, publicEventId TEXT NOT NULL DEFAULT '');
        """

    /// Loads what is there, drops what this version cannot read, and begins to build what is missing.
    init(_ db: Database) throws {
        for row in try Row.fetchAll(db, sql: "SELECT * FROM views WHERE source IS NULL ORDER BY generation") {
            let (name, version, generation): (String, Int, Int64) = (row["name"], row["version"], row["generation"])
            guard let projection = Self.projections.first(where: { $0.name.rawValue == name }),
                projection.version == version
            else {
                try Self.drop(db, generation)
                continue
            }
            let checkpoint = ViewCheckpoint(position: row["position"], eventId: row["eventId"])
            let rows = try projection.init(db, generation)
            slots.append(
                Slot(generation: generation, isLive: row["isLive"], checkpoint: checkpoint, rows: rows))
            if let messages = rows as? MessageRows { try loadIndexes(db, of: messages, generation) }
        }
        for projection in Self.projections where !slots.contains(where: { $0.name == projection.name }) {
            try startBuild(db, projection)
        }
    }

    private func loadIndexes(_ db: Database, of messages: MessageRows, _ generation: Int64) throws {
        let found = try Row.fetchAll(
            db, sql: "SELECT * FROM views WHERE source = ? ORDER BY generation", arguments: [generation])
        for row in found {
            guard row["version"] == SearchRows.version else {
                try Self.drop(db, row["generation"])
                continue
            }
            messages.indexes.append(
                try SearchRows(
                    db, row["generation"], over: generation, through: row["isLive"] ? nil : row["position"]))
        }
        if messages.indexes.isEmpty { try startIndex(db, of: messages, generation) }
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
        try change(db) { try rebuildIndexes(db) }
    }

    /// Changes which generations there are, in one transaction. Where that fails, what is remembered of them is again
    /// what the database has.
    private func change(_ db: Database, _ body: () throws -> Void) throws {
        let before = slots
        let indexes = slots.compactMap { slot in (slot.rows as? MessageRows).map { ($0, $0.indexes) } }
        do {
            try db.inTransaction(.immediate) {
                try body()
                return .commit
            }
        } catch {
            slots = before
            for (messages, kept) in indexes { messages.indexes = kept }
            throw error
        }
    }

    private func rebuildIndexes(_ db: Database) throws {
        for slot in slots {
            guard let messages = slot.rows as? MessageRows else { continue }
            for index in messages.indexes where index.through != nil { try Self.drop(db, index.generation) }
            messages.indexes.removeAll { $0.through != nil }
            try startIndex(db, of: messages, slot.generation)
        }
    }

    /// Begins to build views anew in place of those that are served, which are of no use.
    func replace(_ db: Database, _ names: Set<ViewName>) throws {
        for projection in Self.projections where names.contains(projection.name) {
            try change(db) {
                for slot in slots where slot.name == projection.name { try discard(db, slot.generation) }
                try startBuild(db, projection)
            }
        }
    }

    private func startBuild(_ db: Database, _ projection: any ViewRows.Type) throws {
        let generation = try Self.register(db, projection.name, projection.version, source: nil)
        try projection.create(db, generation)
        let rows = try projection.init(db, generation)
        slots.append(Slot(generation: generation, isLive: false, checkpoint: .start, rows: rows))
        if let messages = rows as? MessageRows { try startIndex(db, of: messages, generation) }
    }

    private func startIndex(_ db: Database, of messages: MessageRows, _ source: Int64) throws {
        let generation = try Self.register(db, .search, SearchRows.version, source: source)
        try SearchRows.create(db, generation, over: source)
        messages.indexes.append(try SearchRows(db, generation, over: source, through: 0))
    }

    private static func register(_ db: Database, _ name: ViewName, _ version: Int, source: Int64?) throws -> Int64 {
        try db.execute(
            sql: """
                INSERT INTO views (name, version, isLive, position, eventId, source) VALUES (?, ?, 0, 0, '', ?)
                """, arguments: [name.rawValue, version, source])
        return db.lastInsertedRowID
    }

    private func discard(_ db: Database, _ generation: Int64) throws {
        slots.removeAll { $0.generation == generation }
        try Self.drop(db, generation)
    }

    /// Drops a generation's tables and, of messages, its indexes'.
    private static func drop(_ db: Database, _ generation: Int64) throws {
        let rows = try Row.fetchAll(
            db, sql: "SELECT generation, name FROM views WHERE generation = ?1 OR source = ?1 ORDER BY source IS NULL",
            arguments: [generation])
        for row in rows {
            let (name, number): (String, Int64) = (row["name"], row["generation"])
            let tables =
                projections.first { $0.name.rawValue == name }?.tables(number) ?? SearchRows.tables(number)
            for table in tables { try db.execute(sql: "DROP TABLE IF EXISTS \(table)") }
        }
        try db.execute(sql: "DELETE FROM views WHERE generation = ?1 OR source = ?1", arguments: [generation])
    }

    // MARK: Events

    /// Where views wait for events: each position once, those that are served first.
    var positions: [Int64] {
        let running = slots.filter { $0.stopped == nil }
        var found: [Int64] = []
        for slot in running.filter(\.isLive) + running.filter({ !$0.isLive })
        where !found.contains(slot.checkpoint.position) {
            found.append(slot.checkpoint.position)
        }
        return found
    }

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

    /// The messages of destroyed channels that are removed in one transaction, at most.
    private static let purgedAtOnce: Int64 = 500

    /// Does a part of what does not depend on new events: builds indexes, removes messages of destroyed channels.
    /// - Returns: Whether more of it is left.
    func workAside(_ db: Database) throws -> Bool {
        var isMore = false
        for slot in slots {
            guard let messages = slot.rows as? MessageRows else { continue }
            if messages.hasDeadMessages { try purge(messages, db) }
            if messages.hasDeadMessages { isMore = true }
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

    /// Puts builds that have caught up in the place of what was served.
    /// - Parameter head: The position of the log's newest event.
    func swap(_ db: Database, head: Int64) throws {
        for slot in slots where !slot.isLive && slot.stopped == nil && slot.checkpoint.position >= head {
            if let messages = slot.rows as? MessageRows, messages.indexes.contains(where: { $0.through != nil }) {
                continue
            }
            try change(db) {
                for old in slots where old.isLive && old.name == slot.name { try discard(db, old.generation) }
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

    /// Whether every generation has applied the event at a position.
    func hasApplied(_ position: Int64) -> Bool { slots.allSatisfy { $0.checkpoint.position >= position } }

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

    // MARK: What others see

    /// The state of each view.
    var states: [ViewState] {
        ViewName.allCases.map { name in
            if name == .search { return indexState }
            let mine = slots.filter { $0.name == name }
            let live = mine.first { $0.isLive }
            let build = mine.first { !$0.isLive }
            return ViewState(
                name: name, version: mine.first.map { type(of: $0.rows).version } ?? 0, live: live?.checkpoint,
                build: build?.checkpoint, stopped: mine.compactMap(\.stopped).first)
        }
    }

    private var indexState: ViewState {
        let messages = slots.filter { $0.name == .messages }
        let live = messages.first { $0.isLive }
        let indexes = messages.flatMap { ($0.rows as? MessageRows)?.indexes ?? [] }
        let isServed = (live?.rows as? MessageRows)?.indexes.contains { $0.through == nil } ?? false
        return ViewState(
            name: .search, version: SearchRows.version, live: isServed ? live?.checkpoint : nil,
            build: indexes.compactMap(\.through).first.map { ViewCheckpoint(position: $0, eventId: "") },
            stopped: messages.compactMap(\.stopped).first)
    }
}

/// How far a view is.
public struct ViewState: Sendable, Equatable {
    /// Which view.
    public var name: ViewName
    /// The version of its rows.
    public var version: Int
    /// How far the one that is served has come; nil while none is served.
    public var live: ViewCheckpoint?
    /// How far the one that is being built has come; nil where none is. Of the search index: the last message indexed.
    public var build: ViewCheckpoint?
    /// Why it does not go on, after an event that cannot be applied.
    public var stopped: String?
}
