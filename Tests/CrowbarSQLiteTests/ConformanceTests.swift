import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Testing

@Suite struct ConformanceTests {
    @Test(arguments: EventLogConformance.checks)
    func sqliteLog(_ check: EventLogConformance) async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        let log = try SQLiteLog(
            path: folder.file("log.db"), now: { clock.milliseconds }, random32: { Array(repeating: 7, count: 32) })
        try await check.run(LogDriver(log, clock: clock))
    }

    @Test(arguments: EventLogConformance.checks)
    func memoryLog(_ check: EventLogConformance) async throws {
        let clock = ManualClock()
        try await check.run(LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock))
    }

    @Test(arguments: HostStoreConformance.checks)
    func sqliteHostStore(_ check: HostStoreConformance) async throws {
        let folder = try TemporaryFolder()
        try await check.run(try SQLiteHostStore(path: folder.file("host.db")))
    }

    @Test(arguments: HostStoreConformance.checks)
    func memoryHostStore(_ check: HostStoreConformance) async throws { try await check.run(MemoryHostStore()) }
}
