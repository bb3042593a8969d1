import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import Foundation
import Testing

/// Copies of a data folder that is being worked on.
@Suite struct BackupTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "crowbar-backup-\(UUID().uuidString)")

    private func makeFolder() throws {
        try FileManager.default.createDirectory(at: folder.appending(path: "data"), withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    @Test func aFolderThatIsNotEmptyAndOneWithoutALogAreRefused() throws {
        try makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: Backup.Failure.noLog(path: path("data"))) {
            try Backup(from: path("data"), to: path("copy")).run { _ in }
        }
        _ = try SQLiteLog(path: path("data/log.db"), now: { 1 }, random32: { Array(0..<32) })
        try FileManager.default.createDirectory(
            at: folder.appending(path: "other/x"), withIntermediateDirectories: true)
        #expect(throws: Backup.Failure.notEmpty(path: path("other"))) {
            try Backup(from: path("data"), to: path("other")).run { _ in }
        }
        #expect(throws: Backup.Failure.insideSource(path: path("data"))) {
            try Backup(from: path("data"), to: path("data")).run { _ in }
        }
        let summary = try Backup(from: path("data"), to: path("copy")).run { _ in }
        #expect(summary.head == nil && summary.bytes > 0)
    }

    @Test func aCopyMadeDuringAppendsIsWholeAndItsCursorsAreInItsLog() async throws {
        try makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = try SQLiteLog(path: path("data/log.db"), now: { 1 }, random32: { Array(0..<32) })
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        let store = try SQLiteHostStore(path: path("data/host.db"))
        let queue = QueueID(plugin: "p", queue: "main")
        // Appends, each with the cursor at once at its end, while copies are made.
        func append(_ count: Int) async throws {
            for _ in 0..<count {
                let receipt = try await driver.store(
                    #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(String(repeating: "x", count: 400))"}"#
                )
                let cursor = LogEntryID(position: receipt.position, eventId: receipt.eventId)
                try await store.save([queue: QueueRecord(cursor: cursor, bornAt: 0)], deadLetters: [])
            }
        }
        try await append(200)
        for round in 0..<5 {
            async let appending: Void = append(100)
            let copy = path("copy\(round)")
            let summary = try Backup(from: path("data"), to: copy).run { _ in }
            try await appending
            let copied = try SQLiteLog(path: copy + "/log.db", now: { 1 }, random32: { [] })
            let record = try #require(
                try await SQLiteHostStore(path: copy + "/host.db").queues(of: "p")["main"]?.cursor)
            let head = try #require(try await copied.head())
            #expect(summary.head == head)
            #expect(head.position >= 203)
            #expect(record.position <= head.position)
            #expect(try await copied.entry(atOrBefore: record.position) == record)
            #expect(try await copied.read(after: 0, limit: 10_000, maxBytes: 1 << 24).entries.count == head.position)
            #expect(copied.secret == log.secret)
            let modes = try FileManager.default.attributesOfItem(atPath: copy + "/log.db")[.posixPermissions] as? Int
            #expect(modes == 0o600)
        }
    }
}
