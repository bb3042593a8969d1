import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarSQLite

/// Keys of plugins in a log that is older than the queue in them.
@Suite struct KeyUpgradeTests {
    private static let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"a"}"#

    private static func open(_ folder: TemporaryFolder) throws -> LogDriver {
        let log = try SQLiteLog(
            path: folder.file("log.db"), now: { 1000 }, random32: { Array(repeating: 7, count: 32) })
        return LogDriver(log, clock: ManualClock())
    }

    private static func keyed(
        _ driver: LogDriver, _ id: String, former: String? = nil, _ json: String = message
    ) async throws -> Result<Receipt, CommandError> {
        var submission = try driver.submission(json, derivedId: id)
        submission.idSource = .keyed
        submission.formerId = former
        return try await driver.log.append([submission])[0]
    }

    @Test func aKeyOfBeforeTheUpgradeDoublesNothing() async throws {
        let folder = try TemporaryFolder()
        let driver = try Self.open(folder)
        try await driver.settle()
        let old = try await Self.keyed(driver, "old").get()
        // As a version leaves it that knew nothing of queues in keys.
        try await (driver.log as? SQLiteLog)?.withWriter {
            try $0.execute(sql: "DELETE FROM meta WHERE key <> 'secret'")
        }
        for _ in 1...2 {
            let log = try Self.open(folder)
            let again = try await Self.keyed(log, "new", former: "old").get()
            #expect(again.isDuplicate && again.eventId == "old" && again.position == old.position)
        }
        let log = try Self.open(folder)
        // Another command there was another queue's, or would have vanished: it is stored.
        let other = Self.message.replacing(#""a""#, with: #""b""#)
        #expect(try await Self.keyed(log, "new", former: "old", other).get().isDuplicate == false)
        #expect(try await Self.keyed(log, "new", former: "old", other).get().isDuplicate)
        // Its own id comes first, and is taken now.
        let refusal = await #expect(throws: CommandError.self) {
            try await Self.keyed(log, "new", former: "old").get()
        }
        #expect(refusal?.code == .eventIdConflict)
        // What was stored since under the form of before is another queue's.
        #expect(try await Self.keyed(log, "main").get().isDuplicate == false)
        #expect(try await Self.keyed(log, "b", former: "main").get().isDuplicate == false)
    }

    @Test func aNewLogKnowsNoFormerKeys() async throws {
        let driver = try Self.open(try TemporaryFolder())
        try await driver.settle()
        #expect(try await Self.keyed(driver, "main").get().isDuplicate == false)
        #expect(try await Self.keyed(driver, "b", former: "main").get().isDuplicate == false)
    }
}
