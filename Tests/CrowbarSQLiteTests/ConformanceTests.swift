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

    @Test func sqliteMarkers() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("markers.db")
        let markers = try SQLiteMarkers(path: path)
        try await MarkersConformance().run(markers)
        let before = try await markers.markers(of: "ann")
        try markers.close()
        // And they are there after a restart.
        #expect(try await SQLiteMarkers(path: path).markers(of: "ann") == before)
    }

    @Test func memoryMarkers() async throws { try await MarkersConformance().run(MemoryMarkers()) }
}
