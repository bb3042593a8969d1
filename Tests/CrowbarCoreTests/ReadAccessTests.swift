import CrowbarTesting
import JSONBytes
import Testing

@testable import CrowbarCore

/// Who may read what, as a table: every kind of reader against every event of a private channel's life.
@Suite struct ReadAccessTests {
    /// What happens, in order. `vault` is private, then it is destroyed and its id taken by a public channel.
    private static let story: [(actor: String, json: String)] = [
        ("ann", #"{"type":"REGISTER_USER","userId":"ann","name":"Ann"}"#),
        ("bob", #"{"type":"REGISTER_USER","userId":"bob","name":"Bob"}"#),
        ("eve", #"{"type":"REGISTER_USER","userId":"eve","name":"Eve"}"#),
        ("ann", #"{"type":"CREATE_CHANNEL","channelId":"vault","private":true}"#),
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"before","messageId":"m"}"#),
        ("ann", #"{"type":"INVITE_USER","channelId":"vault","invitee":"bob"}"#),
        ("bob", #"{"type":"JOIN_CHANNEL","channelId":"vault"}"#),
        ("ann", #"{"type":"INVITE_USER","channelId":"vault","invitee":"eve"}"#),
        ("bob", #"{"type":"ADD_REACTION","channelId":"vault","messageId":"m","reaction":"👍"}"#),
        ("ann", #"{"type":"REMOVE_USER","channelId":"vault","member":"bob"}"#),
        ("ann", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"after"}"#),
        ("ann", #"{"type":"DESTROY_CHANNEL","channelId":"vault"}"#),
        ("eve", #"{"type":"CREATE_CHANNEL","channelId":"vault"}"#),
        ("eve", #"{"type":"SEND_MESSAGE","channelId":"vault","message":"public"}"#),
    ]
    private static let all = Array(Int64(1)...14)
    private static let open: [Int64] = [1, 2, 3, 13, 14]

    private static func driver(_ events: Int) async throws -> LogDriver {
        let clock = ManualClock()
        let driver = LogDriver(MemoryLog(now: { clock.milliseconds }), clock: clock)
        for step in story.prefix(events) { try await driver.store(step.json, as: step.actor) }
        return driver
    }

    private static func pages(_ log: any EventLog, _ reader: Reader) async throws -> [Int64] {
        let access = try await ReadAccess(log).access(for: reader)
        return try await ReadableLog(log).page(after: 0, limit: 100, maxBytes: 1 << 20, for: access)
            .entries.map(\.position)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var reader: Reader
        /// How many events there are when the reader reads.
        var events: Int
        var sees: [Int64]
        var testDescription: String { "\(reader) after \(events)" }
    }

    @Test(arguments: [
        // A member sees all of the history; from the invitation on the invitation, and nothing after the removal.
        Case(reader: .user("bob"), events: 5, sees: [1, 2, 3]),
        Case(reader: .user("bob"), events: 6, sees: [1, 2, 3, 6]),
        Case(reader: .user("bob"), events: 7, sees: Array(1...7)),
        Case(reader: .user("bob"), events: 9, sees: Array(1...9)),
        Case(reader: .user("bob"), events: 10, sees: [1, 2, 3]),
        Case(reader: .user("eve"), events: 9, sees: [1, 2, 3, 8]),
        Case(reader: .user("ann"), events: 11, sees: Array(1...11)),
        // Nobody sees what was there before the channel was destroyed, not even those who make it again.
        Case(reader: .user("ann"), events: 12, sees: [1, 2, 3]),
        Case(reader: .user("eve"), events: 14, sees: open),
        Case(reader: .user("ann"), events: 14, sees: open),
        Case(reader: .user("nobody"), events: 11, sees: [1, 2, 3]),
        Case(reader: .anonymous, events: 11, sees: [1, 2, 3]),
        Case(reader: .anonymous, events: 14, sees: open),
        Case(reader: .all, events: 14, sees: all),
    ])
    func aPageIsGivenByTheRightsOfItsMoment(_ example: Case) async throws {
        let log = try await Self.driver(example.events).log
        #expect(try await Self.pages(log, example.reader) == example.sees)
    }

    /// What a reader sees who follows from an event on, and reads each time when so many more events are stored.
    private static func follows(_ reader: Reader, from start: Int, each count: Int, pageLimit: Int = 3) async throws
        -> [Int64]
    {
        let driver = try await driver(start)
        var access = try await ReadAccess(driver.log).access(for: reader)
        var (seen, at): ([Int64], Int64) = ([], Int64(start))
        let log = ReadableLog(driver.log)
        for (index, step) in story.enumerated().dropFirst(start) {
            try await driver.store(step.json, as: step.actor)
            guard (index + 1 - start).isMultiple(of: count) || index + 1 == story.count else { continue }
            while true {
                let page = try await log.next(after: at, limit: pageLimit, maxBytes: 1 << 20, for: &access)
                guard let through = page.through else { break }
                seen += page.entries.map(\.position)
                at = through
            }
        }
        return seen
    }

    @Test(arguments: [
        // The event that ends the membership is the last one of the channel.
        Case(reader: .user("bob"), events: 3, sees: [6, 7, 8, 9, 10, 13, 14]),
        Case(reader: .user("bob"), events: 8, sees: [9, 10, 13, 14]),
        Case(reader: .user("bob"), events: 10, sees: [13, 14]),
        Case(reader: .user("ann"), events: 3, sees: Array(4...14)),
        Case(reader: .user("ann"), events: 0, sees: all),
        Case(reader: .user("eve"), events: 3, sees: [8, 13, 14]),
        Case(reader: .user("nobody"), events: 0, sees: open),
        Case(reader: .anonymous, events: 0, sees: open),
        Case(reader: .all, events: 0, sees: all),
    ])
    func whoFollowsGainsAndLosesAtTheEvents(_ example: Case) async throws {
        #expect(try await Self.follows(example.reader, from: example.events, each: 1) == example.sees)
    }

    @Test(arguments: [
        // Who lost the right before the old pages are read gets the event that ended it, and nothing before it.
        Case(reader: .user("bob"), events: 3, sees: [10, 13, 14]),
        Case(reader: .user("bob"), events: 8, sees: [10, 13, 14]),
        Case(reader: .user("bob"), events: 10, sees: [13, 14]),
        Case(reader: .user("ann"), events: 3, sees: [12, 13, 14]),
        Case(reader: .user("eve"), events: 3, sees: [13, 14]),
        Case(reader: .anonymous, events: 0, sees: open),
        Case(reader: .all, events: 0, sees: all),
    ])
    func oldPagesAreGivenByTheRightsOfTheMomentTheyAreRead(_ example: Case) async throws {
        for pageLimit in [1, 3, 100] {
            let seen = try await Self.follows(
                example.reader, from: example.events, each: Self.story.count, pageLimit: pageLimit)
            #expect(seen == example.sees, "pages of \(pageLimit)")
        }
    }

    @Test func whoComesBackCatchesUpByTheRightsOfThatMoment() async throws {
        // bob was away from his join on, and removed meanwhile: he gets neither his membership nor its end.
        let driver = try await Self.driver(10)
        var access = try await ReadAccess(driver.log).access(for: .user("bob"))
        for step in Self.story.dropFirst(10) { try await driver.store(step.json, as: step.actor) }
        let page = try await ReadableLog(driver.log).next(after: 6, limit: 100, maxBytes: 1 << 20, for: &access)
        #expect(page.entries.map(\.position) == [13, 14])
    }

    @Test func anAudienceIsMeantByItsLifeAndNotByItsName() {
        let access = Access(.user("ann"), ReadRights(head: 9, member: [3], invited: [4]))
        #expect(access.mayRead(audience: 0) && access.mayRead(audience: 3))
        #expect(!access.mayRead(audience: 4) && !access.mayRead(audience: 5))
        #expect(!Access(.anonymous, ReadRights(head: 9)).mayRead(audience: 3))
        #expect(Access(.all, ReadRights(head: 9)).mayRead(audience: 3))
    }
}
