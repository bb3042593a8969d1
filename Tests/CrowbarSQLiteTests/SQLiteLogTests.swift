import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarSQLite

@Suite struct SQLiteLogTests {
    private static func open(_ folder: TemporaryFolder, secret: UInt8 = 7) throws -> SQLiteLog {
        try SQLiteLog(
            path: folder.file("log.db"), now: { 1000 }, random32: { Array(repeating: secret, count: 32) })
    }

    @Test func commitsAreSynced() async throws {
        let folder = try TemporaryFolder()
        let log = try Self.open(folder)
        let found = try await log.withWriter { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        #expect(found == 2)
        let mode = try await log.pool.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
        #expect(mode == "wal")
    }

    @Test(arguments: [0, 1])
    func aWeakerConnectionIsRefused(_ level: Int) async throws {
        let folder = try TemporaryFolder()
        let log = try Self.open(folder)
        try await log.withWriter { db in
            try db.execute(sql: "PRAGMA synchronous = \(level)")
            #expect(throws: StoreError.notDurable(path: "x", synchronous: level)) {
                try SQLiteLog.requireDurability(db, path: "x")
            }
        }
    }

    @Test func theSecretStaysWithTheLog() throws {
        let folder = try TemporaryFolder()
        #expect(try Self.open(folder, secret: 1).secret == Array(repeating: 1, count: 32))
        #expect(try Self.open(folder, secret: 2).secret == Array(repeating: 1, count: 32))
    }

    @Test func theLastAppendIsInMemory() async throws {
        let folder = try TemporaryFolder()
        let driver = LogDriver(try Self.open(folder), clock: ManualClock())
        try await driver.settle()
        let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"a"}"#
        let before = try await driver.store(message).position
        let last = try await driver.store(message).position
        #expect(driver.log.recent(after: before)?.entries.map(\.position) == [last])
        #expect(driver.log.recent(after: before - 1) == nil)
        // A page of more than is kept: it has to be read, but where it ends is known.
        let large = try (0..<20).map { _ in
            try driver.submission(message.replacing(#""a""#, with: "\"\(String(repeating: "x", count: 4000))\""))
        }
        let end = try await driver.log.append(large).last?.get().position ?? 0
        #expect(end == last + 20)
        #expect(driver.log.recent(after: last) == nil)
        #expect(driver.log.recent(after: end)?.entries.isEmpty == true)
        // A log that was only opened has read nothing.
        #expect(try Self.open(folder).recent(after: end) == nil)
    }

    @Test func aNewerFormatIsRefused() async throws {
        let folder = try TemporaryFolder()
        try await Self.open(folder).withWriter { try $0.execute(sql: "PRAGMA user_version = 9") }
        #expect(throws: StoreError.newerFormat(path: folder.file("log.db"), found: 9, supported: 2)) {
            _ = try Self.open(folder)
        }
    }

    @Test func anUnknownTypeIsDamageThatNamesThePosition() async throws {
        let folder = try TemporaryFolder()
        let log = try Self.open(folder)
        try await LogDriver(log, clock: ManualClock()).settle()
        try await log.withWriter { try $0.execute(sql: "UPDATE events SET type = 99 WHERE position = 2") }
        do {
            _ = try await log.read(after: 0, limit: 10, maxBytes: 1000)
            Issue.record("read over it")
        } catch LogError.damaged(let why) {
            #expect(why.contains("position 2") && why.contains("99"))
        }
    }

    @Test func timeAndPositionsGoOnAfterReopening() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock(5000)
        func open() throws -> LogDriver {
            let log = try SQLiteLog(
                path: folder.file("log.db"), now: { clock.milliseconds }, random32: { Array(repeating: 7, count: 32) })
            return LogDriver(log, clock: clock)
        }
        try await open().settle()
        clock.milliseconds = 10
        let receipt = try await open().store(#"{"type":"RENAME_USER","name":"A"}"#)
        #expect(receipt.position == 4)
        #expect(receipt.timestamp == 5000)
    }

    /// Makes the database behave as on a full disk.
    private static func forbidGrowth(of log: SQLiteLog) async throws {
        try await log.withWriter { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
    }

    @Test func aFailedBatchLeavesNothingAndTheNextOneWorks() async throws {
        let folder = try TemporaryFolder()
        let log = try Self.open(folder)
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        try await Self.forbidGrowth(of: log)
        let text = String(repeating: "x", count: 10_000)
        let batch = try (0..<50).map { i in
            try driver.submission(
                #"{"type":"SEND_MESSAGE","channelId":"general","eventId":"b\#(i)","message":"\#(text)"}"#)
        }
        do {
            _ = try await log.append(batch)
            Issue.record("stored without room")
        } catch LogError.unwritable(let reason, _) {
            #expect(reason.hasPrefix("disk full; "))
        }
        #expect(try await log.head()?.position == 3)
        #expect(try await log.position(of: "b0") == nil)
        try await log.withWriter { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        try await log.requireWritable()
        let outcomes = try await log.append(batch)
        #expect(try outcomes.map { try $0.get().position } == Array(4...53))
    }

    @Test func whatAFailedBatchHadStoredIsNotRemembered() async throws {
        let folder = try TemporaryFolder()
        let log = try Self.open(folder)
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        try await Self.forbidGrowth(of: log)
        let message = #"{"type":"SEND_MESSAGE","channelId":"lost","message":"x"}"#
        let text = String(repeating: "x", count: 10_000)
        // The second command finds the channel and its member within the transaction that is undone.
        let batch =
            try [driver.submission(#"{"type":"CREATE_CHANNEL","channelId":"lost"}"#), driver.submission(message)]
            + (0..<50).map { _ in
                try driver.submission(#"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(text)"}"#)
            }
        await #expect(throws: LogError.self) { try await log.append(batch) }
        let outcome = try await log.append([driver.submission(message)])
        #expect(throws: CommandError.channelNotFound("lost")) { try outcome[0].get() }
    }
}
