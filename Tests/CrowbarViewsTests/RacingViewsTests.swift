import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import GRDB
import Synchronization
import Testing

@testable import CrowbarViews

/// Many clients at once while the views follow: whatever order their commands get, the rows are those of a refold from
/// zero, and they say what the decision tables say.
struct RacingViewsTests {
    /// What is so at the head of the log, as plain values.
    private struct State: Equatable {
        var users: Set<String> = []
        var channels: Set<String> = []
        var members: Set<String> = []
        /// The live messages with their text.
        var messages: Set<String> = []
        var reactions: Set<String> = []

        private static func texts(_ db: Database, _ sql: String) throws -> Set<String> {
            Set(try String.fetchAll(db, sql: sql))
        }

        /// From the log's decision tables. A message's text is that of the event that they name.
        init(tablesOf db: Database) throws {
            users = try Self.texts(db, "SELECT userId || ' ' || name FROM users")
            channels = try Self.texts(
                db,
                """
                SELECT channelId || ' ' || creator || ' ' || private || ' '
                    || (SELECT count(*) FROM members WHERE channelKey = channels.key) FROM channels
                """)
            members = try Self.texts(
                db,
                "SELECT c.channelId || ' ' || m.userId FROM members m JOIN channels c ON c.key = m.channelKey")
            messages = try Self.texts(
                db,
                """
                SELECT c.channelId || ' ' || m.messageId || ' ' || m.userId || ' '
                    || json_extract(CAST(e.json AS TEXT), '$.message')
                FROM messages m JOIN channels c ON c.key = m.channelKey JOIN events e ON e.position = m.textPosition
                WHERE m.deleted = 0
                """)
            reactions = try Self.texts(
                db,
                """
                SELECT c.channelId || ' ' || x.messageId || ' ' || x.reaction || ' ' || x.userId || ' ' || n.count
                FROM reactions x JOIN channels c ON c.key = x.channelKey
                JOIN messages m ON m.channelKey = x.channelKey AND m.messageId = x.messageId AND m.deleted = 0
                JOIN reactionCounts n ON n.channelKey = x.channelKey AND n.messageId = x.messageId
                    AND n.reaction = x.reaction
                """)
        }

        /// From the rows of the views that are served.
        init(viewsOf db: Database) throws {
            func suffix(_ name: ViewName) throws -> String {
                let generation = try Int64.fetchOne(
                    db, sql: "SELECT generation FROM views WHERE name = ? AND isLive = 1", arguments: [name.rawValue])
                return "_\(try #require(generation))"
            }
            let (user, channel, message) = (try suffix(.users), try suffix(.channels), try suffix(.messages))
            users = try Self.texts(db, "SELECT id || ' ' || name FROM users\(user)")
            channels = try Self.texts(
                db, "SELECT id || ' ' || creator || ' ' || (audience <> 0) || ' ' || users FROM channels\(channel)")
            members = try Self.texts(
                db,
                """
                SELECT c.id || ' ' || m.userId FROM channelMembers\(channel) m JOIN channels\(channel) c
                ON c.key = m.channel
                """)
            // The messages' view has the members too.
            let others = try Self.texts(
                db,
                """
                SELECT l.id || ' ' || m.userId FROM messageMembers\(message) m JOIN lives\(message) l
                ON l.key = m.channel AND l.isAlive = 1
                """)
            #expect(others == members)
            messages = try Self.texts(
                db,
                """
                SELECT l.id || ' ' || m.messageId || ' ' || m.userId || ' ' || m.text FROM messages\(message) m
                JOIN lives\(message) l ON l.key = m.channel AND l.isAlive = 1 WHERE m.isDeleted = 0
                """)
            reactions = try Self.texts(
                db,
                """
                SELECT l.id || ' ' || m.messageId || ' ' || n.reaction || ' ' || r.userId || ' ' || n.count
                FROM reactions\(message) r JOIN reactionCounts\(message) n
                    ON n.message = r.message AND n.reaction = r.reaction
                JOIN messages\(message) m ON m.position = r.message JOIN lives\(message) l ON l.key = m.channel
                """)
        }
    }

    /// Eight clients send commands through one ingest, while readers ask the views.
    private static func race(_ seed: UInt64, _ world: ViewWorld) async throws {
        let counter = Atomic<UInt64>(seed << 32)
        let ids = EventIDSource(now: { world.driver.clock.milliseconds }) {
            counter.add(0x9E37_79B9, ordering: .relaxed).newValue
        }
        let ingest = Ingest(log: world.driver.log, newEventID: { ids.next() }, hash: Self.hash)
        try await withThrowingTaskGroup(of: Void.self) { running in
            running.addTask { await ingest.run() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<8 {
                    group.addTask {
                        var commands = RandomCommands(seed: seed &* 1_000 &+ UInt64(client))
                        for _ in 0..<60 {
                            let requests = try (0...commands.random(4)).map { _ in
                                let command = commands.next()
                                return Ingest.Request(
                                    try Command(parsing: Array(command.json.utf8)), actor: command.actor,
                                    isAdmin: commands.random(8) == 0)
                            }
                            _ = await ingest.submit(requests)
                        }
                    }
                }
                // Readers ask meanwhile, by rights of their moment.
                group.addTask {
                    for _ in 0..<40 {
                        let access = try await world.access("ann")
                        _ = try? await world.reader.allMessages(limit: 5, for: access)
                        _ = try? await world.reader.channels(for: access)
                    }
                }
                try await group.waitForAll()
            }
            running.cancelAll()
        }
    }

    /// 32 bytes by four runs of FNV-1a with different seeds: enough where nobody looks for collisions.
    @Sendable private static func hash(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).flatMap { (seed: UInt64) in
            let value = bytes.reduce(14_695_981_039_346_656_037 ^ seed) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
            return (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theRowsAreThoseOfARefoldAndOfTheDecisionTables(_ seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock()
        let log = try SQLiteLog(
            path: folder.file("log.db"), now: { clock.milliseconds }, random32: { Array(repeating: 7, count: 32) })
        let world = try ViewWorld(folder: folder, driver: LogDriver(log, clock: clock))
        let followed = try await world.running {
            try await Self.race(seed, world)
            // Whatever the race left out is there now.
            for channel in RandomCommands.channels {
                try await RandomCommands.furnish(channel, of: world.driver)
                try await world.driver.store(
                    #"{"type":"DELETE_MESSAGE","channelId":"\#(channel)","messageId":"f0"}"#)
            }
            try await world.settle()
            return try await world.settledDump()
        }
        let tables = try await DatabaseQueue(path: folder.file("log.db")).read { try State(tablesOf: $0) }
        let rows = try await world.engine.pool.read { try State(viewsOf: $0) }
        #expect(rows == tables)
        #expect(!tables.messages.isEmpty && !tables.reactions.isEmpty && tables.members.count > 3)
        let refolded = try ViewWorld(driver: world.driver)
        let whole = try await refolded.running {
            try await refolded.settle()
            return try await refolded.settledDump()
        }
        #expect(followed == whole)
        // The texts of deleted messages are erased, which changes no fold.
        let erased = try await log.eraseDeleted(before: .max, limit: 10_000)
        #expect(erased.events > 0)
        let afterwards = try ViewWorld(driver: world.driver)
        let again = try await afterwards.running {
            try await afterwards.settle()
            return try await afterwards.settledDump()
        }
        #expect(followed == again)
    }
}
