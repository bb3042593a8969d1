import CrowbarCore
import CrowbarTesting
import GRDB
import JSONBytes
import Testing

@testable import CrowbarViews

/// What `unread` counts.
struct UnreadTests {
    private static func unread(
        _ world: ViewWorld, _ user: String, _ markers: [String: ReadMarker] = [:]
    ) async throws -> JSONObject {
        try await world.settle()
        return try JSONObject(
            parsing: try await world.reader.unread(markers: markers, for: world.access(user)).body)
    }

    private static func say(_ id: String, _ text: String, more: String = "") -> String {
        #"{"type":"SEND_MESSAGE","channelId":"general","messageId":"\#(id)","eventId":"e-\#(id)","#
            + #""message":"\#(text)"\#(more)}"#
    }

    @Test func countsEndAtAHundred() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general","eventId":"j"}"#, as: "bob")
            for (count, expected) in [(0, 0), (99, 99), (1, 100), (1, 100), (50, 100)] {
                for _ in 0..<count {
                    try await world.driver.store(
                        #"{"type":"SEND_MESSAGE","channelId":"general","message":"hi @bob"}"#)
                }
                let general = try #require(try await Self.unread(world, "bob").object("general"))
                #expect(general.int("unread") == Int64(expected) && general.int("mentions") == Int64(expected))
                #expect(general.string("read") == "j")
            }
        }
    }

    /// The count comes from an index only where the channel's last message is behind the marker: here its rows say so
    /// of no message, while the index has one.
    @Test func aChannelWithoutNewsCostsNoQuery() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general","eventId":"j"}"#, as: "bob")
            try await world.driver.store(Self.say("m1", "hi @bob"))
            let counted = try #require(try await Self.unread(world, "bob").object("general"))
            #expect(counted.int("unread") == 1 && counted.int("mentions") == 1)
            try await world.engine.pool.writeWithoutTransaction { db in
                let generation = try #require(
                    try Int64.fetchOne(db, sql: "SELECT generation FROM views WHERE name = 'messages' AND isLive = 1"))
                try db.execute(sql: "UPDATE lives_\(generation) SET last = 0")
                #expect(db.changesCount == 1)
            }
            let general = try #require(try await Self.unread(world, "bob").object("general"))
            #expect(general.int("unread") == 0 && general.int("mentions") == 0)
        }
    }

    /// What happens, and bob's counts after it; his marker stands at his join.
    private static let steps: [(json: String, user: String, unread: Int64, mentions: Int64)] = [
        (say("m1", "hi"), "ann", 1, 0),
        (say("m2", "hi @bob"), "ann", 2, 1),
        (say("m3", "mine"), "bob", 2, 1),
        // Nobody mentions themselves.
        (say("m3b", "mine @bob"), "bob", 2, 1),
        (say("m4", "waves to @bob", more: #","kind":"action""#), "ann", 3, 2),
        // Notices are not counted, also where they name somebody.
        (say("m5", "beep @bob", more: #","kind":"notice""#), "ann", 3, 2),
        (#"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m1","message":"hi @bob"}"#, "ann", 3, 3),
        (#"{"type":"EDIT_MESSAGE","channelId":"general","messageId":"m2","message":"hi"}"#, "ann", 3, 2),
        (#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m4"}"#, "ann", 2, 1),
        (#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m1"}"#, "ann", 1, 0),
        (#"{"type":"DELETE_MESSAGE","channelId":"general","messageId":"m2"}"#, "ann", 0, 0),
    ]

    @Test func eachStepChangesTheCounts() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(Self.say("m0", "before @bob"))
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"general","eventId":"j"}"#, as: "bob")
            for step in Self.steps {
                try await world.driver.store(step.json, as: step.user)
                let general = try #require(try await Self.unread(world, "bob").object("general"))
                #expect(general.int("unread") == step.unread, "\(step)")
                #expect(general.int("mentions") == step.mentions, "\(step)")
            }
            // A marker past the log's head is of another log.
            let ahead = ["general": ReadMarker(position: 1_000, eventId: "x")]
            let general = try #require(try await Self.unread(world, "bob", ahead).object("general"))
            #expect(general.string("read") == "j")
            // One before the join counts for nothing.
            let early = ["general": ReadMarker(position: 1, eventId: "x")]
            #expect(try await Self.unread(world, "bob", early).object("general")?.string("read") == "j")
        }
    }

    @Test func onlyOnesOwnChannelsAreThere() async throws {
        let world = try ViewWorld()
        try await world.running {
            try await world.driver.settle()
            try await world.driver.store(#"{"type":"CREATE_CHANNEL","channelId":"den","private":true}"#)
            try await world.driver.store(#"{"type":"INVITE_USER","channelId":"den","invitee":"bob"}"#)
            #expect(try await Self.unread(world, "bob").members.isEmpty)
            let invited = try await world.access("bob")
            try await world.driver.store(#"{"type":"JOIN_CHANNEL","channelId":"den"}"#, as: "bob")
            #expect(try await Self.unread(world, "bob").object("den") != nil)
            // Rights are those of the call, not of the rows.
            let before = try await world.reader.unread(markers: [:], for: invited)
            #expect(before.text == "{}")
            try await world.driver.store(#"{"type":"REMOVE_USER","channelId":"den","member":"bob"}"#)
            #expect(try await Self.unread(world, "bob").members.isEmpty)
        }
    }
}
