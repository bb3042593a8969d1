import CrowbarCore
import CrowbarTesting
import Testing

@testable import CrowbarViews

/// What is served after an upgrade, and that nobody changes rows without a new version.
struct ViewVersionTests {
    /// Versions in which one view is one behind.
    private static func older(_ name: ViewName) -> ViewVersions {
        var versions = ViewVersions.current
        versions.built[name] = versions.version(of: name) - 1
        return versions
    }

    /// This code's versions, with the older one of a view readable or not.
    private static func newer(_ name: ViewName, isReadable: Bool) -> ViewVersions {
        var versions = ViewVersions.current
        versions.readable[name] = isReadable ? [versions.version(of: name) - 1] : []
        return versions
    }

    /// A file that an older version wrote, and the log; the log has one more message than the views.
    private static func olderFile(_ name: ViewName) async throws -> ViewWorld {
        let world = try ViewWorld(versions: older(name))
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"SEND_MESSAGE","channelId":"general","message":"old word"}"#)
            try await world.settle()
            try await world.waitUntilIdle()
        }
        world.engine.close()
        try await world.driver.store(#"{"type":"SEND_MESSAGE","channelId":"general","message":"new word"}"#)
        return world
    }

    /// What the view answers: the number of its rows.
    private static func count(_ name: ViewName, _ world: ViewWorld) async throws -> Int {
        switch name {
        case .users:
            let answer = try await world.reader.users(after: nil, limit: 9, isBridged: true, for: world.access())
            return answer.text.count(of: "name")
        case .channels: return try await world.reader.channels(for: world.access()).text.count(of: "general")
        case .messages:
            let answer = try await world.reader.messages("general", .newest, limit: 9, for: world.access())
            return answer.text.count(of: "messageId")
        case .search: return try await world.search(SearchQuery("word")).count
        }
    }

    @Test(arguments: ViewName.allCases) func olderRowsThatCanBeReadAreServed(name: ViewName) async throws {
        let old = try await Self.olderFile(name)
        let world = try ViewWorld(
            folder: old.folder, driver: old.driver, versions: Self.newer(name, isReadable: true))
        // Nothing runs yet: only what the older version wrote is there.
        let before = try #require(try await world.engine.states().first { $0.name == name })
        #expect(before.live?.position == 4)
        #expect(before.build != nil)
        #expect(before.isOutdated == (name != .search))
        let known = [ViewName.users: 2, .channels: 2, .messages: 1, .search: 1]
        #expect(try await Self.count(name, world) == known[name])
        // Texts that were erased are not gone while the older rows are there.
        if name != .search { #expect(try await !world.engine.purgeErased(through: 4)) }
        try await world.running {
            try await world.settle()
            try await world.waitUntilIdle()
            let after = try #require(try await world.engine.states().first { $0.name == name })
            #expect(after.version == ViewVersions.current.version(of: name) && !after.isOutdated)
            #expect(after.live?.position == 5 && after.build == nil)
            let new = [ViewName.users: 2, .channels: 2, .messages: 2, .search: 2]
            #expect(try await Self.count(name, world) == new[name])
            #expect(try await world.settledDump() == ViewVersionTests.whole(world.driver))
        }
    }

    @Test(arguments: ViewName.allCases) func olderRowsThatCannotBeReadAreNotServed(name: ViewName) async throws {
        let old = try await Self.olderFile(name)
        let world = try ViewWorld(
            folder: old.folder, driver: old.driver, versions: Self.newer(name, isReadable: false))
        let before = try #require(try await world.engine.states().first { $0.name == name })
        #expect(before.live == nil && before.build != nil && !before.isOutdated)
        await #expect(throws: ViewRefusal.notBuilt(name)) { try await Self.count(name, world) }
        try await world.running {
            try await world.settle()
            try await world.waitUntilIdle()
            #expect(try await world.settledDump() == ViewVersionTests.whole(world.driver))
        }
    }

    /// An upgrade that is followed by another one, or that was interrupted, goes on from what is there.
    @Test func anInterruptedUpgradeServesTheOlderRowsAgain() async throws {
        let old = try await Self.olderFile(.messages)
        for _ in 0..<2 {
            let world = try ViewWorld(
                folder: old.folder, driver: old.driver, versions: Self.newer(.messages, isReadable: true))
            #expect(try await Self.count(.messages, world) == 1)
            #expect(try await world.search(SearchQuery("word")).count == 1)
            world.engine.close()
        }
    }

    private static func whole(_ driver: LogDriver) async throws -> [String: [String]] {
        let world = try ViewWorld(driver: driver)
        return try await world.running {
            try await world.settle()
            try await world.waitUntilIdle()
            return try await world.settledDump()
        }
    }

    /// The rows that a fixed list of events makes, by the version of the view. Whoever changes rows raises the version
    /// in CrowbarCore/Views or SearchRows.swift, thinks about `readableVersions`, and records the new hash here.
    private static let recorded: [(name: ViewName, version: Int, tables: [String], hash: UInt64)] = [
        (.users, 1, ["users"], 11_936_195_550_067_893_714),
        (.channels, 1, ["channels", "channelMembers", "channelNames", "channelMark"], 6_898_483_140_478_090_995),
        (
            .messages, 2,
            [
                "lives", "messageMembers", "memberNames", "messageNames", "mentions", "reactions", "reactionCounts",
                "messages", "messageMark",
            ], 16_356_609_891_583_089_266
        ),
        (.search, 1, ["search"], 4_067_341_818_985_391_465),
    ]

    @Test func whoChangesRowsRaisesTheVersion() async throws {
        let world = try ViewWorld()
        try await world.driver.settle()
        try await RandomCommands.send(42, count: 500, to: world.driver)
        for channel in RandomCommands.channels { try await RandomCommands.furnish(channel, of: world.driver) }
        let dump = try await Self.whole(world.driver)
        #expect(Set(Self.recorded.flatMap(\.tables)) == Set(dump.keys))
        for row in Self.recorded {
            #expect(ViewVersions.current.version(of: row.name) == row.version, "record the rows of the new version")
            var hash: UInt64 = 14_695_981_039_346_656_037
            for table in row.tables {
                let rows = try #require(dump[table])
                #expect(!rows.isEmpty, "\(table) is empty, so that its hash says nothing")
                for byte in ([table] + rows).joined(separator: "\n").utf8 {
                    hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211
                }
            }
            #expect(
                hash == row.hash, "the rows of '\(row.name)' are not those of version \(row.version): raise the version"
            )
        }
    }
}

extension String {
    /// How often a text is in it.
    fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
