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

    init(folder: TemporaryFolder? = nil, driver: LogDriver? = nil) throws {
        let clock = ManualClock()
        self.folder = try folder ?? TemporaryFolder()
        self.driver = driver ?? LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        engine = try Self.engine(self.folder, self.driver)
        reader = ViewReader(engine)
    }

    static func engine(_ folder: TemporaryFolder, _ driver: LogDriver) throws -> ViewEngine {
        var logger = Logger(label: "views")
        logger.logLevel = .critical
        return try ViewEngine(
            path: folder.file("views.db"), log: driver.log, logger: logger, clock: { driver.clock.milliseconds })
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

    /// Every row of every view that is served, table by table, without the generations' numbers.
    func dump() async throws -> [String: [String]] {
        try await engine.pool.read { db in
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
                    let rows = try Row.fetchAll(db, sql: "SELECT * FROM \(table)")
                    found[String(table.prefix { $0 != "_" })] = rows.map { "\($0)" }.sorted()
                }
            }
            return found
        }
    }

    /// What a user may read now; nil: without a token.
    func access(_ user: String? = nil) async throws -> Access {
        try await ReadAccess(driver.log).access(for: user.map { .user($0) } ?? .anonymous)
    }
}

extension ViewAnswer {
    var text: String { String(decoding: body, as: UTF8.self) }
}
