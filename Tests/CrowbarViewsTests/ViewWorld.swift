import CrowbarCore
import CrowbarTesting
import GRDB
import JSONBytes
import Logging

@testable import CrowbarViews

/// A log in memory, an engine over it, and what its views say.
struct ViewWorld {
    let folder: TemporaryFolder
    let driver: LogDriver
    let engine: ViewEngine
    let reader: ViewReader

    init(folder: TemporaryFolder? = nil, driver: LogDriver? = nil, versions: ViewVersions = .current) throws {
        let clock = ManualClock()
        self.folder = try folder ?? TemporaryFolder()
        self.driver = driver ?? LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        engine = try Self.engine(self.folder, self.driver, versions)
        reader = ViewReader(engine)
    }

    static func engine(
        _ folder: TemporaryFolder, _ driver: LogDriver, _ versions: ViewVersions = .current
    ) throws -> ViewEngine {
        var logger = Logger(label: "views")
        logger.logLevel = .critical
        return try ViewEngine(
            path: folder.file("views.db"), log: driver.log, logger: logger, versions: versions,
            clock: { driver.clock.milliseconds })
    }

    /// Runs the engine while `body` does its work.
    func running<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                await engine.run()
                return nil
            }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    /// Waits until all views have applied the newest event.
    func settle() async throws {
        let head = try await driver.log.head()?.position ?? 0
        for view in ViewName.allCases {
            let hasArrived = await withTaskGroup(of: Bool.self) { group in
                group.addTask { await engine.arrival(of: view, at: head) }
                group.addTask {
                    try? await Task.sleep(for: .seconds(30))
                    return false
                }
                defer { group.cancelAll() }
                return await group.next() ?? false
            }
            guard hasArrived else {
                throw ConformanceFailure("\(view) has not come to \(head): \(try await engine.states())", line: #line)
            }
        }
    }

    /// Every row of every view that is served, table by table, without the generations' numbers; and what the search
    /// index has.
    func dump() async throws -> [String: [String]] {
        // A table of what an index has can be made on a writing connection only.
        try await engine.pool.writeWithoutTransaction { db in
            var found: [String: [String]] = [:]
            let live = try Row.fetchAll(
                db, sql: "SELECT name, generation FROM views WHERE isLive = 1 AND source IS NULL")
            for row in live {
                let generation: Int64 = row["generation"]
                let tables: [String] =
                    switch row["name"] as String {
                    case "users": UserRows.tables(generation)
                    case "channels": ChannelRows.tables(generation)
                    default: MessageRows.tables(generation)
                    }
                for table in tables {
                    found[String(table.prefix { $0 != "_" })] = try Self.rows(db, table)
                }
            }
            let index = try Int64.fetchOne(
                db, sql: "SELECT max(generation) FROM views WHERE name = 'search' AND isLive = 1")
            if let index {
                try db.execute(
                    sql: "CREATE VIRTUAL TABLE temp.instances USING fts5vocab(main, search_\(index), instance)")
                found["search"] = try Self.rows(db, "temp.instances")
                try db.execute(sql: "DROP TABLE temp.instances")
            }
            return found
        }
    }

    /// The rows of a table as text, sorted.
    private static func rows(_ db: Database, _ table: String) throws -> [String] {
        try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map { row in
            row.map { _, value in
                switch value.storage {
                case .null: "NULL"
                case .int64(let number): "\(number)"
                case .double(let number): "\(number)"
                case .string(let text): "'\(text)'"
                case .blob(let data): "x'\(data.map { "\($0)" }.joined(separator: ","))'"
                }
            }.joined(separator: "|")
        }.sorted()
    }

    /// What a user may read now; nil: without a token.
    func access(_ user: String? = nil) async throws -> Access {
        try await ReadAccess(driver.log).access(for: user.map { .user($0) } ?? .anonymous)
    }
}

extension ViewAnswer {
    var text: String { String(decoding: body, as: UTF8.self) }
}
