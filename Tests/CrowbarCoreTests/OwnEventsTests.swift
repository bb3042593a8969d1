import CrowbarTesting
import Testing

@testable import CrowbarCore

/// Which events concern a user (`mine=true`), as a table over what happens in public and private channels.
@Suite struct OwnEventsTests {
    private static let story: [(actor: String, json: String)] = [
        ("ann", #"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#),  // 1
        ("bob", #"{"type":"REGISTER_USER","userId":"bob","name":"Bob"}"#),
        ("irc/eve", #"{"type":"REGISTER_USER","userId":"irc/eve","name":"Eve"}"#),
        ("ann", #"{"type":"CREATE_CHANNEL","channelId":"open"}"#),  // 4
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"before","messageId":"m"}"#),
        ("bob", #"{"type":"JOIN_CHANNEL","channelId":"open"}"#),  // 6
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"in"}"#),
        ("irc/eve", #"{"type":"JOIN_CHANNEL","channelId":"open"}"#),
        ("irc/eve", #"{"type":"RENAME_USER","userId":"irc/eve","name":"Eva"}"#),  // 9
        ("bob", #"{"type":"RENAME_USER","userId":"bob","name":"Rob"}"#),
        ("bob", #"{"type":"LEAVE_CHANNEL","channelId":"open"}"#),  // 11
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"out"}"#),
        ("ann", #"{"type":"SET_TOPIC","channelId":"open","topic":"news"}"#),  // 13
        ("bob", #"{"type":"JOIN_CHANNEL","channelId":"open"}"#),
        ("bob", #"{"type":"ADD_REACTION","channelId":"open","messageId":"m","reaction":"👍"}"#),  // 15
        ("ann", #"{"type":"REMOVE_USER","channelId":"open","member":"bob"}"#),
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"out again"}"#),  // 17
        ("ann", #"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#),
        ("ann", #"{"type":"INVITE_USER","channelId":"vault","invitee":"bob"}"#),  // 19
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"secret"}"#),
        ("bob", #"{"type":"JOIN_CHANNEL","channelId":"vault"}"#),  // 21
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"secret"}"#),
        ("ann", #"{"type":"DESTROY_CHANNEL","channelId":"vault"}"#),  // 23
        ("ann", #"{"type":"CREATE_CHANNEL","channelId":"vault"}"#),
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"public"}"#),  // 25
        ("ann", #"{"type":"DESTROY_CHANNEL","channelId":"open"}"#),
        ("bob", #"{"type":"CREATE_CHANNEL","channelId":"open"}"#),  // 27
        ("bob", #"{"type":"SEND_MESSAGE","channelId":"open","message":"mine"}"#),
        ("bob", #"{"type":"DESTROY_CHANNEL","channelId":"open"}"#),  // 29
        ("ann", #"{"type":"CREATE_CHANNEL","channelId":"open"}"#),
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"open","message":"another's"}"#),  // 31
    ]

    private static func driver(_ events: Int) async throws -> LogDriver {
        let clock = ManualClock()
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        for step in story.prefix(events) { try await driver.store(step.json, as: step.actor) }
        return driver
    }

    /// What a user gets from behind a position, whose stream was opened when there were so many events.
    private static func follow(_ user: String, opened events: Int, after start: Int64) async throws -> [Int64] {
        let driver = try await driver(events)
        var (access, own) = try await ReadAccess(driver.log).ownAccess(of: user)
        var (seen, at): ([Int64], Int64) = ([], start)
        let log = ReadableLog(driver.log)
        // What happens later is read as it happens.
        for step in [nil] + story.dropFirst(events).map(Optional.some) {
            if let step { try await driver.store(step.json, as: step.actor) }
            while true {
                let page = try await log.next(after: at, limit: 4, maxBytes: 1 << 20, for: &access)
                guard let through = page.through else { break }
                seen += page.entries.filter { own.follow($0, of: page.page) }.map(\.position)
                at = through
            }
        }
        return seen
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var user: String
        /// How many events there are when the stream is opened, and behind which it begins.
        var opened: Int
        var after: Int64 = 0
        var gets: [Int64]
        var testDescription: String { "\(user) at \(opened), after \(after)" }
    }

    @Test(arguments: [
        // Followed from the beginning: memberships come and go with the events, each of which is itself delivered.
        Case(
            user: "bob", opened: 0,
            gets: [1, 2, 4, 6, 7, 8, 10, 11, 13, 14, 15, 16, 19, 21, 22, 23, 24, 26, 27, 28, 29, 30]),
        Case(user: "ann", opened: 0, gets: [1, 2] + Array(4...8) + Array(10...27) + [29, 30, 31]),
        Case(user: "nobody", opened: 0, gets: [1, 2, 4, 10, 13, 24, 26, 27, 29, 30]),
        // Opened later: up to then the memberships of that moment count, for all of the channel's history.
        Case(
            user: "bob", opened: 7, after: 3,
            gets: [4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 16, 19, 21, 22, 23] + [
                24, 26, 27, 28, 29, 30,
            ]),
        Case(user: "bob", opened: 12, after: 3, gets: [4, 10, 13, 14, 15, 16, 19, 21, 22, 23, 24, 26, 27, 28, 29, 30]),
        Case(user: "bob", opened: 17, after: 15, gets: [19, 21, 22, 23, 24, 26, 27, 28, 29, 30]),
        Case(user: "bob", opened: 22, after: 15, gets: [18, 19, 20, 21, 22, 23, 24, 26, 27, 28, 29, 30]),
        // A channel that has the id now is another one.
        Case(user: "bob", opened: 25, after: 15, gets: [24, 26, 27, 28, 29, 30]),
        Case(user: "bob", opened: 31, after: 15, gets: [24, 26, 27, 29, 30]),
        Case(user: "bob", opened: 31, after: 30, gets: []),
    ])
    func whatConcernsAUser(_ example: Case) async throws {
        #expect(
            try await Self.follow(example.user, opened: example.opened, after: example.after) == example.gets)
    }

    @Test func theLastReadableEventIsNamed() async throws {
        let driver = try await Self.driver(22)
        let (log, rights) = (ReadableLog(driver.log), ReadAccess(driver.log))
        for (reader, position, found) in [
            (.user("ann"), 22, 22), (.user("bob"), 22, 22), (.user("nobody"), 22, 17), (.anonymous, 20, 17),
            (.anonymous, 17, 17), (.anonymous, 0, nil),
        ] as [(Reader, Int64, Int64?)] {
            let access = try await rights.access(for: reader)
            #expect(try await log.lastReadable(through: position, for: access)?.position == found, "\(reader)")
        }
        // Behind too many that it may not read nothing is named.
        for _ in 0..<100 {
            try await driver.store(#"{"type":"SEND_MESSAGE","channelId":"vault","message":"secret"}"#, as: "ann")
        }
        let access = try await rights.access(for: .anonymous)
        #expect(try await log.lastReadable(through: 122, for: access) == nil)
    }
}
