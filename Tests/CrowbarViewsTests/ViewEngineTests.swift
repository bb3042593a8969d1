import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarViews

struct ViewEngineTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func rowsAreTheSameHoweverTheEventsCame(seed: UInt64) async throws {
        let live = try ViewWorld()
        let (followed, rebuilt) = try await live.running {
            for part in 0..<10 {
                try await RandomCommands.send(seed &* 100 &+ UInt64(part), count: 80, to: live.driver)
                // Batches of different sizes, with and without others waiting.
                if part.isMultiple(of: 3) { try await live.settle() }
            }
            try await live.settle()
            let followed = try await live.settledDump()
            // And once more beside the ones that are served.
            try await live.engine.rebuild(Set(ViewName.allCases))
            try await live.waitUntilRebuilt()
            return (followed, try await live.settledDump())
        }
        #expect(followed["messages"]?.isEmpty == false, "seed \(seed) makes no messages")
        #expect(followed == rebuilt)
        let refolded = try ViewWorld(driver: live.driver)
        let whole = try await refolded.running {
            try await refolded.settle()
            return try await refolded.settledDump()
        }
        #expect(followed == whole)
    }

    @Test func anEngineGoesOnWhereItStopped() async throws {
        let first = try ViewWorld()
        try await first.running {
            try await first.driver.settle()
            try await first.settle()
        }
        try await RandomCommands.send(7, count: 200, to: first.driver)
        let second = try ViewWorld(folder: first.folder, driver: first.driver)
        let states = try await second.engine.states()
        #expect(states.map { $0.live?.position } == [3, 3, 3, 3])
        let followed = try await second.running {
            try await second.settle()
            return try await second.settledDump()
        }
        let whole = try ViewWorld(driver: first.driver)
        let refolded = try await whole.running {
            try await whole.settle()
            return try await whole.settledDump()
        }
        #expect(followed == refolded)
    }

    @Test func viewsOfAnotherLogAreRebuilt() async throws {
        let old = try ViewWorld()
        try await old.running {
            try await old.driver.settle()
            try await RandomCommands.send(3, count: 50, to: old.driver)
            try await old.settle()
        }
        let world = try ViewWorld(folder: old.folder)
        try await world.running {
            try await world.driver.settle()
            try await world.settle()
            let users = try await world.reader.users(after: nil, limit: 10, isBridged: true, for: world.access())
            #expect(users.text == #"{"ann":{"name":"Ann"},"bob":{"name":"Bob"}}"#)
            let page = try await world.reader.messages("general", .newest, limit: 1, for: world.access())
            #expect(page.text == #"{"messages":[],"older":false,"newer":false}"#)
        }
    }

    @Test func anEventThatDoesNotFitStopsOnlyItsView() async throws {
        let world = try ViewWorld()
        var page = LogPage()
        func add(_ position: Int64, _ type: EventType, _ channel: String?, _ json: String) {
            Array(json.utf8).withUnsafeBytes {
                page.append(
                    position: position, timestamp: 1, type: type, channel: channel, user: "ann", origin: nil, depth: 0,
                    audience: 0, json: $0)
            }
        }
        add(1, .userRegistered, nil, #"{"eventId":"e1","userId":"ann","name":"Ann"}"#)
        add(2, .userJoinedChannel, "nowhere", #"{"eventId":"e2","userId":"ann","channelId":"nowhere"}"#)
        add(3, .userRenamed, nil, #"{"eventId":"e3","userId":"ann","name":"Anna"}"#)
        let writer = try await world.engine.pool.writeWithoutTransaction { [page] db in
            let writer = try ViewWriter(db, versions: .current)
            for _ in 0..<3 {
                for position in writer.positions where position < 3 {
                    let rest = page.after(position)
                    try writer.apply(rest, after: position, db) { _ in false }
                }
            }
            return writer.states
        }
        #expect(writer.map { $0.build?.position } == [3, 1, 1, 0])
        let reason = "the event at position 2 does not fit the view: there is no channel 'nowhere' then"
        #expect(writer.map(\.stopped) == [nil, reason, reason, reason])
    }
}

extension ViewWorld {
    /// The rows once the messages of destroyed channels are gone.
    func settledDump() async throws -> [String: [String]] {
        try await wait { db in
            let served = try Int64.fetchOne(
                db, sql: "SELECT generation FROM views WHERE name = 'messages' AND isLive = 1")
            guard let served else { return false }
            return try Int.fetchOne(db, sql: "SELECT count(*) FROM lives_\(served) WHERE isAlive = 0") == 0
        }
        return try await dump()
    }

    /// Waits until nothing is being built and nothing is left over.
    func waitUntilIdle() async throws {
        try await wait { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM views WHERE isLive = 0") == 0
                && Int.fetchOne(db, sql: "SELECT count(*) FROM views") == ViewName.allCases.count
        }
    }

    /// Waits until all views were replaced and nothing is being built.
    func waitUntilRebuilt() async throws {
        try await wait { db in
            let oldest = try Int.fetchOne(db, sql: "SELECT min(generation) FROM views WHERE isLive = 1") ?? 0
            return try oldest > ViewName.allCases.count
                && Int.fetchOne(db, sql: "SELECT count(*) FROM views WHERE isLive = 0") == 0
        }
    }

    private func wait(_ condition: @Sendable @escaping (Database) throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while try await !engine.pool.read(condition) {
            if ContinuousClock.now > end { throw ConformanceFailure("waited for 30 s", line: #line) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension LogPage {
    /// The entries behind a position.
    func after(_ position: Int64) -> LogPage {
        var rest = LogPage()
        for entry in entries where entry.position > position {
            json(entry).withUnsafeBytes {
                rest.append(
                    position: entry.position, timestamp: entry.timestamp, type: entry.type,
                    channel: name(entry.channel),
                    user: name(entry.user) ?? "", origin: nil, depth: 0, audience: entry.audience, json: $0)
            }
        }
        return rest
    }
}
