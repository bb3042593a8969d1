import CrowbarCore
import GRDB

// Dead letters that are tried once more, and what is forgotten in time.
extension SQLiteHostStore {
    static func remove(_ db: Database, _ id: QueueID, _ position: Int64) throws {
        let remove = try RawStatement(
            cached: "DELETE FROM deadLetters WHERE plugin = ? AND queue = ? AND position = ?", db)
        remove.bind(1, id.plugin)
        remove.bind(2, id.queue)
        remove.bind(3, position)
        try remove.run()
    }

    public func redrive(_ plugin: String, queue: String?, eventIds: [String]?) async throws -> Int {
        try await change("UPDATE deadLetters SET redrive = 1 WHERE redrive = 0 AND", plugin, queue, eventIds)
    }

    public func dropDeadLetters(of plugin: String, queue: String?, eventIds: [String]?) async throws -> Int {
        try await change("DELETE FROM deadLetters WHERE", plugin, queue, eventIds)
    }

    /// Runs a statement over the dead letters meant; one transaction.
    private func change(
        _ statement: String, _ plugin: String, _ queue: String?, _ eventIds: [String]?
    ) async throws -> Int {
        try await run { db in
            let before = db.totalChangesCount
            try db.inTransaction(.immediate) {
                let rows = try RawStatement(
                    cached: "\(statement) plugin = ?1 AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR eventId = ?3)",
                    db)
                for eventId in eventIds.map({ $0.map(Optional.some) }) ?? [nil] {
                    rows.bind(1, plugin)
                    rows.bind(2, queue)
                    rows.bind(3, eventId)
                    try rows.run()
                }
                return .commit
            }
            return db.totalChangesCount - before
        }
    }

    public func redrives(of plugin: String) async throws -> [String: [Int64]] {
        try await run { db in
            let rows = try RawStatement(
                cached: "SELECT queue, position FROM deadLetters WHERE plugin = ? AND redrive = 1 ORDER BY position", db
            )
            defer { rows.reset() }
            rows.bind(1, plugin)
            var found: [String: [Int64]] = [:]
            while try rows.step() { found[rows.text(0), default: []].append(rows.int(1)) }
            return found
        }
    }

    public func capDropTimes(at now: Int64) async throws {
        try await run { db in
            let cap = try RawStatement(cached: "UPDATE queues SET droppedAt = ?1 WHERE droppedAt > ?1", db)
            cap.bind(1, now)
            try cap.run()
        }
    }

    public func purge(droppedBefore milliseconds: Int64) async throws {
        try await run { db in
            try db.inTransaction(.immediate) {
                let letters = try RawStatement(
                    cached: """
                        DELETE FROM deadLetters WHERE (plugin, queue) IN
                        (SELECT plugin, queue FROM queues WHERE droppedAt < ?)
                        """, db)
                letters.bind(1, milliseconds)
                try letters.run()
                let queues = try RawStatement(cached: "DELETE FROM queues WHERE droppedAt < ?", db)
                queues.bind(1, milliseconds)
                try queues.run()
                return .commit
            }
        }
    }
}
