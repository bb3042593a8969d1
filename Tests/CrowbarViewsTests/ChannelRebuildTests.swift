import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarViews

/// The rows of one channel are computed anew (`crowbar views rebuild NAME --channel ID`).
struct ChannelRebuildTests {
    /// What a rebuild of everything makes of a log.
    private static func whole(_ driver: LogDriver) async throws -> [String: [String]] {
        let world = try ViewWorld(driver: driver)
        return try await world.running {
            try await world.settle()
            try await world.waitUntilIdle()
            return try await world.settledDump()
        }
    }

    /// What is broken of a channel's rows; `%` is the number of the generation, `?1` the channel's id.
    private static let damages: [(view: ViewName, sql: String)] = [
        (.channels, "UPDATE channels_% SET users = 99, name = 'broken', topic = 'broken' WHERE id = ?1"),
        (.channels, "UPDATE channels_% SET audience = 0, changed = 1, creator = 'nobody' WHERE id = ?1"),
        (.channels, "UPDATE channels_% SET key = key + 1000000 WHERE id = ?1"),
        (.channels, "DELETE FROM channelMembers_% WHERE channel IN (SELECT key FROM channels_% WHERE id = ?1)"),
        (
            .channels,
            "INSERT OR IGNORE INTO channelMembers_% SELECT key, 'mallory' FROM channels_% WHERE id = ?1"
        ),
        (.channels, "DELETE FROM channels_% WHERE id = ?1"),
        (.messages, "UPDATE lives_% SET last = 0, changed = 1, audience = 0 WHERE id = ?1"),
        (.messages, "UPDATE messages_% SET userName = 'broken', kind = 'notice', mentions = NULL \(mine)"),
        (.messages, "UPDATE messages_% SET text = 'broken ' || text \(mine) AND isDeleted = 0"),
        (.messages, "UPDATE messages_% SET isDeleted = 1, text = '' \(mine) AND position % 2 = 0"),
        (.messages, "UPDATE messages_% SET channel = -1 \(mine) AND position % 3 = 0"),
        (.messages, "DELETE FROM messages_% \(mine) AND position % 5 < 3"),
        (.messages, "DELETE FROM mentions_% \(mine)"),
        (.messages, "INSERT INTO mentions_% SELECT 'mallory', key, key FROM lives_% WHERE id = ?1"),
        (.messages, "DELETE FROM messageMembers_% \(mine)"),
        (.messages, "INSERT INTO memberNames_% SELECT key, x'61', 'mallory' FROM lives_% WHERE id = ?1"),
        (
            .messages,
            "UPDATE reactionCounts_% SET count = 99 WHERE message IN (SELECT position FROM messages_% \(mine))"
        ),
        (.messages, "DELETE FROM reactions_% WHERE message IN (SELECT position FROM messages_% \(mine))"),
        (.messages, "DELETE FROM lives_% WHERE id = ?1 AND isAlive = 1"),
    ]

    private static let mine = "WHERE channel IN (SELECT key FROM lives_% WHERE id = ?1 AND isAlive = 1)"

    private static func damage(_ world: ViewWorld, _ damage: (view: ViewName, sql: String), _ channel: String)
        async throws
    {
        try await world.engine.pool.writeWithoutTransaction { db in
            let live = try Int64.fetchOne(
                db, sql: "SELECT generation FROM views WHERE name = ? AND isLive = 1",
                arguments: [damage.view.rawValue])
            let generation = try #require(live)
            let sql = damage.sql.replacing("_%", with: "_\(generation)")
            try db.execute(sql: sql, arguments: sql.contains("?1") ? [channel] : [])
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func damagedRowsAreAsAWholeRebuildMakesThem(seed: UInt64) async throws {
        let world = try ViewWorld()
        try await world.driver.settle()
        try await RandomCommands.send(seed, count: 600, to: world.driver)
        for channel in RandomCommands.channels { try await RandomCommands.furnish(channel, of: world.driver) }
        let expected = try await Self.whole(world.driver)
        try await world.running {
            try await world.settle()
            var damaged: Set<Int> = []
            for channel in RandomCommands.channels {
                for (number, damage) in Self.damages.enumerated() {
                    try await world.waitUntilIdle()
                    let before = try await world.settledDump()
                    #expect(before == expected, "before \(damage) of \(channel)")
                    try await Self.damage(world, damage, channel)
                    if try await world.dump() != before { damaged.insert(number) }
                    let rebuilt = try await world.engine.refold(damage.view, channel: channel)
                    #expect(rebuilt.events > 0)
                    try await world.waitUntilIdle()
                    let after = try await world.settledDump()
                    for (table, rows) in expected where after[table] != rows {
                        Issue.record("\(table) of \(channel), seed \(seed), after \(damage)")
                    }
                }
            }
            // Each of them broke something somewhere.
            #expect(damaged.count == Self.damages.count, "\(damaged.sorted())")
        }
    }

    @Test(arguments: [4, 5] as [UInt64], [false, true])
    func aChannelIsRebuiltWhileEventsComeAndAViewIsRebuilt(seed: UInt64, isRebuilding: Bool) async throws {
        let world = try ViewWorld()
        try await world.driver.settle()
        try await RandomCommands.send(seed, count: 400, to: world.driver)
        let followed = try await world.running {
            try await world.settle()
            if isRebuilding { try await world.engine.rebuild([.channels, .messages]) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await RandomCommands.send(seed &* 31, count: 400, to: world.driver) }
                for view in [ViewName.channels, .messages] {
                    for channel in RandomCommands.channels {
                        group.addTask {
                            for _ in 0..<5 { _ = try await world.engine.refold(view, channel: channel) }
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await world.settle()
            try await world.waitUntilIdle()
            return try await world.settledDump()
        }
        #expect(try await world.engine.states().allSatisfy { $0.stopped == nil })
        #expect(try await followed == Self.whole(world.driver))
    }

    @Test func aViewThatStoppedGoesOn() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(Self.say("m1", "hello"))
            try await world.settle()
            try await Self.damage(world, (.messages, "DELETE FROM messages_%"), "general")
            try await world.driver.store(
                #"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m1","message":"hi"}"#)
            while try await world.engine.states().allSatisfy({ $0.stopped == nil }) { await Task.yield() }
            // The end of the batch, after which it counts as behind, may still be to come.
            while world.engine.stalled(.messages) == 0 {
                world.driver.clock.advance(by: 1)
                await Task.yield()
            }
            let stalled = world.engine.stalled(.messages)
            world.driver.clock.advance(by: 3_000)
            #expect(world.engine.stalled(.messages) == stalled + 3_000 && world.engine.stalled(.users) == 0)
            let rebuilt = try await world.engine.refold(.messages, channel: "general")
            #expect(rebuilt.isSearchRebuilt)
            try await world.settle()
            while world.engine.stalled(.messages) > 0 { await Task.yield() }
            let page = try await world.reader.messages("general", .newest, limit: 9, for: world.access())
            #expect(page.text.contains(#""text":"hi""#))
            #expect(try await world.search(SearchQuery("hello")).isEmpty)
        }
    }

    /// Whoever reads gets the new rows, though the position of the last change is the same.
    @Test func theListOfPublicChannelsIsReadAgain() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.settle()
            try await Self.damage(world, (.channels, "UPDATE channels_% SET name = 'broken'"), "general")
            #expect(try await world.reader.channels(for: world.access()).text.contains("broken"))
            let rebuilt = try await world.engine.refold(.channels, channel: "general")
            #expect(!rebuilt.isSearchRebuilt)
            #expect(try await world.reader.channels(for: world.access()).text.contains(#""name":"general""#))
        }
    }

    @Test func whatCannotBeRebuiltSaysWhy() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.settle()
            await #expect(throws: RebuildRefusal.noChannel) {
                try await world.engine.refold(.messages, channel: "nowhere")
            }
            var history = ChannelHistory(of: "general", hasNames: true, maxEvents: 2)
            try await history.extend(from: world.driver.log, through: 3)
            // The channel and its creator's name.
            #expect(history.count == 2)
            try await world.driver.store(Self.say("m1", "hello"))
            await #expect(throws: RebuildRefusal.channelTooLarge(events: 2)) {
                try await history.extend(from: world.driver.log, through: 4)
            }
            #expect(ChannelHistory.Limit.events == 100_000)
        }
        // Nobody computes anything any more.
        await #expect(throws: ViewRefusal.notOpen) {
            try await world.engine.refold(.messages, channel: "general")
        }
    }

    private static func say(_ id: String, _ text: String) -> String {
        #"{"type":"SEND_MESSAGE","channelId":"general","messageId":"\#(id)","message":"\#(text)"}"#
    }
}
