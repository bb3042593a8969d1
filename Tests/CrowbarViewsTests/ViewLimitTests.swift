import CrowbarCore
import CrowbarTesting
import GRDB
import JSONBytes
import Testing

@testable import CrowbarViews

/// The bounds of answers, of batches and of rebuilds.
struct ViewLimitTests {
    private static func say(_ id: String, _ text: String, in channel: String = "general", more: String = "") -> String {
        #"{"type":"SEND_MESSAGE","channelId":"\#(channel)","messageId":"\#(id)","message":"\#(text)"\#(more)}"#
    }

    // MARK: Answers

    @Test func allMessagesHasTheThousandChannelsThatSpokeLast() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            for number in 0..<1_002 {
                try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"c\#(number)"}"#)
                try await world.driver.store(Self.say("m", "text", in: "c\(number)"))
            }
            // The first one is not the one that spoke first any more.
            try await world.driver.store(Self.say("again", "text", in: "c0"))
            try await world.settle()
            let answer = try await world.reader.allMessages(limit: 1, for: world.access())
            let channels = try JSONObject(parsing: answer.body).members.count
            #expect(channels == 1_000)
            #expect(answer.text.hasPrefix(#"{"c0":[{"messageId":"again""#) && answer.text.contains(#""c1001""#))
            #expect(!answer.text.contains(#""c1":"#) && !answer.text.contains(#""c2":"#))
        }
    }

    @Test func allMessagesEndsAtSixteenMebibytes() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            let long = String(repeating: "x", count: 16_000)
            for channel in 0..<10 {
                try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"c\#(channel)"}"#)
                for number in 0..<100 {
                    try await world.driver.store(Self.say("m\(number)", long, in: "c\(channel)"))
                }
            }
            try await world.settle()
            let answer = try await world.reader.allMessages(limit: 100, for: world.access())
            #expect(answer.body.count > 12 << 20 && answer.body.count < 16 << 20)
            #expect(try JSONObject(parsing: answer.body).members.count == 8)
        }
    }

    @Test func aMessageListsTwentyUsersAndQuotesTwoHundredCharacters() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            // A character can be several scalars.
            let flag = "🇩🇪"
            try await world.driver.store(Self.say("long", String(repeating: flag, count: 201)))
            try await world.driver.store(Self.say("short", "answer", more: #","replyTo":"long""#))
            for number in 10..<31 {
                let user = "u\(number)"
                try await world.driver.store(#"{"type":"REGISTER_USER","userId":"\#(user)","name":"\#(user)"}"#)
                try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general"}"#, as: user)
                try await world.driver.store(
                    #"{"type":"ADD_REACTION","channelId":"general","messageId":"short","reaction":"👍"}"#, as: user)
            }
            let ref = Submission.Origin(plugin: "irc", ref: "libera/#x")
            let relayed = try world.driver.submission(Self.say("relayed", "hi"), origin: ref)
            _ = try await world.driver.log.append([relayed])[0].get()
            try await world.settle()
            let page = try await world.reader.messages("general", .newest, limit: 9, for: world.access("u30"))
            let messages = try #require(try JSONObject(parsing: page.body).objects("messages"))
            #expect(messages[1].object("replyTo")?.string("text") == String(repeating: flag, count: 200))
            let reaction = try #require(messages[1].objects("reactions")?.first)
            let users = (10..<30).map { #""u\#($0)""# }.joined(separator: ",")
            #expect(reaction.int("count") == 21 && page.text.contains(#""users":[\#(users)],"mine":true}"#))
            #expect(page.text.contains(#""origin":{"plugin":"irc","ref":"libera/#x"}"#))
        }
    }

    @Test func shortWordsAreLookedForInTheNewestFiveThousandMessages() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(Self.say("oldest", "zq"))
            try await world.driver.store(Self.say("older", "zq"))
            for number in 0..<4_999 { try await world.driver.store(Self.say("m\(number)", "text")) }
            try await world.settle()
            #expect(try await world.search(SearchQuery("zq")) == ["older"])
        }
    }

    // MARK: Batches

    /// The page behind a position of a log with so many events, of which none mentions a channel.
    private static func page(_ events: Int) -> LogPage {
        var page = LogPage()
        for position in 1...Int64(events) {
            let json = #"{"eventId":"e\#(position)","userId":"u\#(position)","name":"n"}"#
            Array(json.utf8).withUnsafeBytes {
                page.append(
                    position: position, timestamp: 1, type: .userRegistered, channel: nil, user: "u\(position)",
                    origin: nil, depth: 0, audience: 0, json: $0)
            }
        }
        return page
    }

    @Test func aBatchEndsWhenItIsTimeAndItsCheckpointIsWrittenWithItsRows() async throws {
        let world = try ViewWorld()
        let found = try await world.engine.pool.writeWithoutTransaction { db in
            let writer = try ViewWriter(db, versions: .current)
            try writer.apply(Self.page(9), after: 0, db) { $0 == 4 }
            let generation = try Int64.fetchOne(db, sql: "SELECT generation FROM views WHERE name = 'users'") ?? 0
            return [
                try Int64.fetchOne(db, sql: "SELECT position FROM views WHERE name = 'users'"),
                try Int64.fetchOne(db, sql: "SELECT count(*) FROM users_\(generation)"),
                writer.states.first { $0.name == .users }?.build?.position,
            ]
        }
        #expect(found == [4, 4, 4])
        #expect(ViewEngine.Limit.events == 1_000 && ViewEngine.Limit.batch == 50)
    }

    // MARK: Rebuilds

    @Test func aRebuildThatWasInterruptedGoesOn() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await RandomCommands.send(9, count: 300, to: world.driver)
            try await world.settle()
            try await world.waitUntilIdle()
        }
        // A part of it, and then the server ends.
        let page = try await world.driver.log.read(after: 0, limit: 50, maxBytes: 1 << 20)
        try await world.engine.pool.writeWithoutTransaction { db in
            let writer = try ViewWriter(db, versions: .current)
            try writer.rebuild(db, Set(ViewName.allCases))
            try writer.apply(page, after: 0, db) { _ in false }
        }
        world.engine.close()
        let next = try ViewWorld(folder: world.folder, driver: world.driver)
        let states = try await next.engine.states()
        #expect(states.map { $0.build?.position } == [50, 50, 50, 0])
        let head = try #require(try await world.driver.log.head()).position
        #expect(states.allSatisfy { $0.live?.position == head })
        try await next.running {
            try await next.waitUntilIdle()
            let rebuilt = try await next.settledDump()
            let whole = try ViewWorld(driver: world.driver)
            let expected = try await whole.running {
                try await whole.settle()
                try await whole.waitUntilIdle()
                return try await whole.settledDump()
            }
            #expect(rebuilt == expected)
        }
    }

    @Test func aRebuildNeedsTwiceTheViewsSize() {
        let sizes: [ViewName: Int64] = [.users: 1, .channels: 10, .messages: 100, .search: 1_000]
        let rows: [(views: Set<ViewName>, needed: Int64)] = [
            ([.users], 2), ([.channels], 20), ([.search], 2_000), ([.messages], 2_200), ([.users, .channels], 22),
            (Set(ViewName.allCases), 2_222),
        ]
        for row in rows {
            #expect(throws: Never.self) { try Views.requireSpace(for: row.views, sizes, free: row.needed) }
            #expect(throws: RebuildRefusal.noSpace(needed: row.needed, free: row.needed - 1)) {
                try Views.requireSpace(for: row.views, sizes, free: row.needed - 1)
            }
        }
    }

    @Test func progressCountsWhatWillBeServed() {
        func state(_ live: Int64?, _ build: Int64?, isOutdated: Bool = false) -> ViewState {
            func checkpoint(_ position: Int64?) -> ViewCheckpoint? {
                position.map { ViewCheckpoint(position: $0, eventId: "e") }
            }
            return ViewState(
                name: .users, version: 1, live: checkpoint(live), isOutdated: isOutdated, build: checkpoint(build))
        }
        let rows: [(state: ViewState, progress: Double)] = [
            (state(nil, nil), 0), (state(nil, 42), 0.42), (state(nil, 100), 0.99), (state(42, nil), 0.42),
            (state(42, 10), 0.42), (state(100, 10), 1), (state(90, 42, isOutdated: true), 0.42),
            (state(100, 0, isOutdated: true), 0), (state(100, 100, isOutdated: true), 0.99),
        ]
        for row in rows { #expect(row.state.progress(head: 100) == row.progress, "\(row)") }
    }
}
