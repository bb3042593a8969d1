import CrowbarCore
import CrowbarTesting
import JSONBytes
import Testing

@testable import CrowbarSQLite

/// Many clients at once with random commands about few users, channels and messages: whatever order they get, the log
/// replayed gives the tables, another log decides the same, and everybody may read what the story says.
@Suite struct RacingCommandsTests {
    /// SplitMix64.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let users = (0..<6).map { "u\($0)" }
    /// The one who is an admin.
    private static let admin = "u0"

    private static func command(_ random: inout Random) -> (user: String, json: String) {
        let user = users.randomElement(using: &random) ?? ""
        let other = users.randomElement(using: &random) ?? ""
        let channel = "c\(Int.random(in: 0..<3, using: &random))"
        let message = "m\(Int.random(in: 0..<4, using: &random))"
        let reaction = ["👍", ":+1:", "é"].randomElement(using: &random) ?? ""
        func json(_ type: String, _ more: String = "") -> String {
            #"{"type":"\#(type)","channelId":"\#(channel)"\#(more)}"#
        }
        let text: String =
            switch Int.random(in: 0..<40, using: &random) {
            case 0...1: json("CREATE_CHANNEL", #","private":\#(Bool.random(using: &random))"#)
            case 2: json("DESTROY_CHANNEL")
            case 3...9: json("INVITE_USER", #","invitee":"\#(other)""#)
            case 10...15: json("JOIN_CHANNEL")
            case 16...17: json("LEAVE_CHANNEL")
            case 18...20: json("REMOVE_USER", #","member":"\#(other)""#)
            case 21...25: json("SEND_MESSAGE", #","message":"x","messageId":"\#(message)""#)
            case 26...27: json("EDIT_MESSAGE", #","message":"y","messageId":"\#(message)""#)
            case 28: json("DELETE_MESSAGE", #","messageId":"\#(message)""#)
            case 29...34: json("ADD_REACTION", #","messageId":"\#(message)","reaction":"\#(reaction)""#)
            case 35...38: json("REMOVE_REACTION", #","messageId":"\#(message)","reaction":"\#(reaction)""#)
            default: json("SET_TOPIC", #","topic":"t""#)
            }
        return (user, text)
    }

    /// Commands that are stored whatever came before: which kinds the race leaves out depends on who was faster.
    private static let eachKindOnce: [(user: String, json: String)] = [
        ("u0", #"{"type":"CREATE_CHANNEL","channelId":"end","private":true}"#),
        ("u0", #"{"type":"INVITE_USER","channelId":"end","invitee":"u1"}"#),
        ("u1", #"{"type":"JOIN_CHANNEL","channelId":"end"}"#),
        ("u1", #"{"type":"SET_TOPIC","channelId":"end","topic":"t"}"#),
        ("u1", #"{"type":"SEND_MESSAGE","channelId":"end","message":"x","messageId":"m"}"#),
        ("u1", #"{"type":"EDIT_MESSAGE","channelId":"end","message":"y","messageId":"m"}"#),
        ("u0", #"{"type":"ADD_REACTION","channelId":"end","messageId":"m","reaction":"👍"}"#),
        ("u0", #"{"type":"REMOVE_REACTION","channelId":"end","messageId":"m","reaction":"👍"}"#),
        ("u1", #"{"type":"DELETE_MESSAGE","channelId":"end","messageId":"m"}"#),
        ("u1", #"{"type":"LEAVE_CHANNEL","channelId":"end"}"#),
        ("u0", #"{"type":"INVITE_USER","channelId":"end","invitee":"u1"}"#),
        ("u1", #"{"type":"JOIN_CHANNEL","channelId":"end"}"#),
        ("u0", #"{"type":"REMOVE_USER","channelId":"end","member":"u1"}"#),
        ("u0", #"{"type":"DESTROY_CHANNEL","channelId":"end"}"#),
    ]

    @Test(arguments: [1, 2, 3] as [UInt64])
    func theLogReplayedGivesTheTablesAndTheRights(_ seed: UInt64) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("log.db")
        let log = try SQLiteLog(path: path, now: { 0 }, random32: { Array(repeating: 7, count: 32) })
        let driver = LogDriver(log, clock: ManualClock())
        for user in Self.users { try await driver.store(#"{"type":"REGISTER_USER","userId":"\#(user)","name":"N"}"#) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<8 {
                group.addTask {
                    var random = Random(state: seed &* 1_000 &+ UInt64(client))
                    for _ in 0..<100 {
                        let batch = try (0...Int.random(in: 0..<4, using: &random)).map { _ in
                            let (user, json) = Self.command(&random)
                            return try driver.submission(json, as: user, isAdmin: user == Self.admin)
                        }
                        _ = try await log.append(batch)
                    }
                }
            }
            try await group.waitForAll()
        }
        for (user, json) in Self.eachKindOnce { try await driver.store(json, as: user) }
        try await CrashTests.verify(path, [])
        let page = try await log.read(after: 0, limit: 100_000, maxBytes: 100_000_000)
        // Each kind of event has come about, of both kinds of channels, or there would be nothing to see.
        #expect(Set(page.entries.map(\.type)).count == EventType.allCases.count - 1)
        #expect(Set(page.entries.map(\.audience)).count > 3)
        try await Self.replay(page)
        for user in Self.users { try await Self.checkRights(of: user, page, log) }
    }

    /// Gives the commands that the events came from to another log, one by one.
    private static func replay(_ page: LogPage) async throws {
        let clock = ManualClock()
        clock.milliseconds = 0
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        for entry in page.entries {
            let event = try JSON(parsing: Array(page.json(entry)))
            let type = try #require(CommandType.allCases.first { $0.event == entry.type })
            let dropped = ["timestamp", "userName", "previous", "type"]
            let members = (event.members ?? []).filter { !dropped.contains($0.key) }
            let json = JSON.object([.init("type", .string(type.rawValue))] + members)
            let user = page.names[Int(entry.user)]
            let text = String(decoding: json.bytes, as: UTF8.self)
            let outcome = try await driver.send(text, as: user, isAdmin: user == admin)
            #expect(try outcome.get().position == entry.position)
        }
        let again = try await driver.log.read(after: 0, limit: 100_000, maxBytes: 100_000_000)
        #expect(again.entries.map(\.audience) == page.entries.map(\.audience))
        #expect(again.bytes == page.bytes)
    }

    /// Tells the story once more, and holds pages and a follower to it.
    private static func checkRights(of user: String, _ page: LogPage, _ log: SQLiteLog) async throws {
        var (members, invited): (Set<Int64>, Set<Int64>) = ([], [])
        var (followed, ends): ([Int64], Set<Int64>) = ([], [])
        var invitations: [(position: Int64, audience: Int64)] = []
        for entry in page.entries where entry.audience != 0 {
            let event = try JSONObject(parsing: page.json(entry))
            let wasMember = members.contains(entry.audience)
            let isOwn = page.names[Int(entry.user)] == user
            var isInvitation = false
            switch entry.type {
            case .channelCreated where isOwn: members.insert(entry.audience)
            case .userJoinedChannel where isOwn:
                members.insert(entry.audience)
                invited.remove(entry.audience)
            case .userLeftChannel where isOwn:
                members.remove(entry.audience)
                ends.insert(entry.position)
            case .userRemoved where event.string("member") == user:
                members.remove(entry.audience)
                ends.insert(entry.position)
                invited.remove(entry.audience)
            case .userInvited where event.string("invitee") == user:
                invited.insert(entry.audience)
                invitations.append((entry.position, entry.audience))
                isInvitation = true
            case .channelDestroyed:
                members.remove(entry.audience)
                ends.insert(entry.position)
                invited.remove(entry.audience)
            default: break
            }
            if wasMember || members.contains(entry.audience) || isInvitation { followed.append(entry.position) }
        }
        let access = try await ReadAccess(log).access(for: .user(user))
        let now = page.entries.filter { entry in
            members.contains(entry.audience)
                || invitations.contains { $0.position == entry.position && invited.contains($0.audience) }
        }
        let readable = ReadableLog(log)
        let shown = try await readable.page(after: 0, limit: 100_000, maxBytes: 100_000_000, for: access)
        #expect(shown.entries.filter { $0.audience != 0 }.map(\.position) == now.map(\.position))
        #expect(shown.entries.count { $0.audience == 0 } == page.entries.count { $0.audience == 0 })
        // A follower from the beginning: one whose rights were looked up when there was nothing.
        let empty = MemoryLog(now: { 0 })
        var following = try await ReadAccess(empty).access(for: .user(user))
        let shared = try #require(
            try await readable.shared(after: 0, limit: 100_000, maxBytes: 100_000_000) { $0.entries.map { $0 } })
        var (own, broadcast): (OwnEvents?, [LogPage.Entry]) = (nil, [])
        shared.select(after: 0, for: &following, own: &own, where: { _, _ in true }) { broadcast.append($0) }
        #expect(broadcast.filter { $0.audience != 0 }.map(\.position) == followed)
        #expect(following.audiences == members)
        // One who reads all of it late gets what may still be read, and the events that ended memberships.
        following = try await ReadAccess(empty).access(for: .user(user))
        let readableNow = Set(now.map(\.position)).union(ends)
        let next = try await readable.next(after: 0, limit: 100_000, maxBytes: 100_000_000, for: &following)
        #expect(
            next.entries.filter { $0.audience != 0 }.map(\.position) == followed.filter(readableNow.contains))
        #expect(following.audiences == members)
    }
}
