import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarSQLite

/// Logs of format 1, as they were written before events had an audience.
@Suite struct FormatUpgradeTests {
    /// The tables of format 1 with the rows that its writer stored for the commands in the events.
    private static let format1 = """
        PRAGMA journal_mode = WAL;
        CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE events (
            position INTEGER PRIMARY KEY, eventId TEXT NOT NULL UNIQUE, type INTEGER NOT NULL, channelId TEXT,
            userId TEXT NOT NULL, originPlugin TEXT, depth INTEGER NOT NULL, commandHash BLOB NOT NULL,
            timestamp INTEGER NOT NULL, json BLOB NOT NULL);
        CREATE INDEX eventsByChannel ON events (channelId, position);
        CREATE TABLE users (userId TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE channels (
            key INTEGER PRIMARY KEY AUTOINCREMENT, channelId TEXT NOT NULL UNIQUE, creator TEXT NOT NULL);
        CREATE TABLE members (
            channelKey INTEGER NOT NULL, userId TEXT NOT NULL, PRIMARY KEY (channelKey, userId)) WITHOUT ROWID;
        CREATE TABLE messages (
            channelKey INTEGER NOT NULL, messageId TEXT NOT NULL, userId TEXT NOT NULL, textPosition INTEGER NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (channelKey, messageId)) WITHOUT ROWID;
        INSERT INTO meta VALUES ('secret', x'\(String(repeating: "07", count: 32))'), ('keysScopedAfter', 0);
        INSERT INTO events VALUES
            (1, 'a', 1, NULL, 'ann', NULL, 0, x'\(String(repeating: "01", count: 32))', 1000,
             CAST('{"eventId":"a","timestamp":1000,"type":"USER_REGISTERED","userId":"ann","name":"Ann"}' AS BLOB)),
            (2, 'b', 3, 'general', 'ann', NULL, 0, x'\(String(repeating: "02", count: 32))', 1000,
             CAST('{"eventId":"b","timestamp":1000,"type":"CHANNEL_CREATED","userId":"ann","channelId":"general"}'
                AS BLOB)),
            (3, 'm', 8, 'general', 'ann', NULL, 0, x'\(String(repeating: "03", count: 32))', 1001,
             CAST('{"eventId":"m","timestamp":1001,"type":"MESSAGE_SENT","userId":"ann","userName":"Ann",'
                || '"channelId":"general","messageId":"m","message":"one"}' AS BLOB));
        INSERT INTO users VALUES ('ann', 'Ann');
        INSERT INTO channels (channelId, creator) VALUES ('general', 'ann');
        INSERT INTO members VALUES (1, 'ann');
        INSERT INTO messages (channelKey, messageId, userId, textPosition) VALUES (1, 'm', 'ann', 3);
        PRAGMA user_version = 1;
        """

    private static func old(_ folder: TemporaryFolder, _ more: String = "") throws {
        let queue = try DatabaseQueue(path: folder.file("log.db"))
        try queue.writeWithoutTransaction { try $0.execute(sql: format1 + more) }
        try queue.close()
    }

    private static func open(_ folder: TemporaryFolder) throws -> SQLiteLog {
        try SQLiteLog(path: folder.file("log.db"), now: { 2000 }, random32: { Array(repeating: 9, count: 32) })
    }

    @Test func aLogOfFormat1OpensAndEverybodyMayReadItsEvents() async throws {
        let folder = try TemporaryFolder()
        try Self.old(folder)
        for round in 1...2 {
            let log = try Self.open(folder)
            #expect(log.secret == Array(repeating: 7, count: 32))
            #expect(try await log.pool.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } == 2)
            let page = try await log.read(after: 0, limit: 10, maxBytes: 10_000)
            #expect(page.entries.prefix(3).map(\.audience) == [0, 0, 0])
            #expect(page.entries.prefix(3).map(\.type) == [.userRegistered, .channelCreated, .messageSent])
            let driver = LogDriver(log, clock: ManualClock())
            let edit =
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m","message":"x","eventId":"e\#(round)"}"#
            let receipt = try await driver.store(edit)
            #expect(receipt.position == 3 + Int64(round))
            #expect(log.recent(after: receipt.position - 1)?.entries.map(\.audience) == [0])
            let join = try await driver.send(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#)
            #expect(throws: CommandError.self) { try join.get() }
        }
    }

    @Test func aMigrationThatFailsLeavesFormat1() throws {
        let folder = try TemporaryFolder()
        // The last table that the migration makes is there: everything before it is undone.
        try Self.old(folder, "CREATE TABLE reactionCounts (a);")
        #expect(throws: (any Error).self) { try Self.open(folder) }
        let queue = try DatabaseQueue(path: folder.file("log.db"))
        try queue.writeWithoutTransaction { db in
            #expect(try Int.fetchOne(db, sql: "PRAGMA user_version") == 1)
            #expect(try db.columns(in: "events").map(\.name).contains("audience") == false)
            try db.execute(sql: "DROP TABLE reactionCounts")
        }
        try queue.close()
        _ = try Self.open(folder)
    }
}
