import CrowbarCore
import CrowbarTesting
import Foundation
import GRDB
import GRDBSQLite
import Testing

@testable import CrowbarSQLite

@Suite struct CheckpointTests {
    typealias Limit = CheckpointPlan.Limit

    /// A plan behind commits that each asked for nothing or what is listed.
    private static func plan(_ commits: [(pages: Int, step: CheckpointPlan.Step)]) -> CheckpointPlan {
        var plan = CheckpointPlan()
        for (pages, step) in commits {
            let asked = plan.committed(pages)
            #expect(asked == step, "\(pages)")
        }
        return plan
    }

    @Test func aStepIsMadeAsideAndOnlyOneAtATime() {
        var plan = Self.plan([
            (4, .nothing), (Limit.step - 1, .nothing), (Limit.step, .aside), (3 * Limit.step, .nothing),
        ])
        plan.copied(Limit.step, of: Limit.step)
        let next = plan.committed(3 * Limit.step + 1)
        #expect(next == .aside)
    }

    @Test func aStepThatFailedIsTriedAfterAsManyPagesAgain() {
        var plan = Self.plan([(Limit.step, .aside)])
        plan.failed()
        let steps = [Limit.step + 1, 2 * Limit.step - 1, 2 * Limit.step].map { plan.committed($0) }
        #expect(steps == [.nothing, .nothing, .aside])
    }

    @Test func whatIsLeftOfALongWALIsMovedBetweenAppends() {
        var plan = Self.plan([(Limit.length - 1, .aside)])
        plan.copied(Limit.length - 1, of: Limit.length - 1)
        let step = plan.committed(Limit.length)
        #expect(step == .now)
    }

    @Test func aLongWALIsMovedAsideOnceMoreBeforeWhatIsLeftIsMovedBetweenAppends() {
        var plan = Self.plan([(Limit.step, .aside)])
        plan.copied(Limit.step, of: Limit.step)
        let long = plan.committed(Limit.length)
        #expect(long == .aside)
        plan.copied(Limit.length, of: Limit.length)
        let last = plan.committed(Limit.length + Limit.rest)
        #expect(last == .now)
    }

    @Test func appendsFasterThanTheStepsWaitAtTheBound() {
        var plan = Self.plan([(Limit.bound - Limit.step, .aside), (Limit.bound - 1, .nothing)])
        plan.copied(Limit.bound - Limit.step, of: Limit.bound - Limit.step)
        let bound = plan.committed(Limit.bound)
        #expect(bound == .now)
        // Nothing could be moved: not at each commit.
        plan.failed()
        let after = plan.committed(Limit.bound + Limit.rest + 1)
        #expect(after == .aside)
        plan.failed()
        let later = plan.committed(Limit.bound + Limit.step)
        #expect(later == .now)
    }

    @Test func whileAReaderHoldsOnAllStepsAreMadeAsideHoweverLongTheWALIs() {
        var plan = Self.plan([(Limit.step, .aside)])
        plan.copied(10, of: Limit.step)
        for pages in stride(from: 2 * Limit.step, through: 40_000, by: Limit.step) {
            let step = plan.committed(pages)
            #expect(step == .aside, "\(pages)")
            plan.copied(10, of: pages)
            #expect(plan.isHeldUp)
        }
        // It has gone: what has gathered is moved aside, and only the rest between two appends.
        let first = plan.committed(40_000 + Limit.step)
        #expect(first == .aside)
        plan.copied(40_000 + Limit.step, of: 40_000 + Limit.step)
        #expect(!plan.isHeldUp)
        let last = plan.committed(40_004 + Limit.step)
        #expect(last == .now)
    }

    @Test func noAppendWaitsForAReaderHoweverLongTheWALIs() async throws {
        let folder = try TemporaryFolder()
        let log = try SQLiteLog(
            path: folder.file("log.db"), now: { 1000 }, random32: { Array(repeating: 7, count: 32) })
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        // In the place of the wait for a lock: each call would be one.
        let waits = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        waits.initialize(to: 0)
        defer { waits.deallocate() }
        let address = UInt(bitPattern: waits)
        _ = try await log.withWriter { db in
            sqlite3_busy_handler(
                db.sqliteConnection,
                { count, _ in
                    count?.assumingMemoryBound(to: Int.self).pointee += 1
                    return 0
                }, UnsafeMutableRawPointer(bitPattern: address))
        }
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let reader = try DatabaseQueue(path: folder.file("log.db"), configuration: configuration)
        try await reader.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN")
            _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM events")
        }
        let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
        func walSize() throws -> Int {
            try FileManager.default.attributesOfItem(atPath: folder.file("log.db-wal"))[.size] as? Int ?? 0
        }
        _ = try await log.withWriter { try $0.execute(sql: "CREATE TABLE filler (bytes)") }
        while try walSize() < 72 << 20 {
            _ = try await log.withWriter { try $0.execute(sql: "INSERT INTO filler VALUES (zeroblob(1048576))") }
            try await driver.store(message)
        }
        for _ in 0..<3 { try await driver.store(message) }
        #expect(log.checkpointer.tally.isHeldUp)
        #expect(log.checkpointer.tally.mostNow <= Limit.bound)

        try await reader.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        // Appends go on, and with them the steps, until the WAL has begun anew: its file is cut then.
        for _ in 0..<2_000 {
            if try walSize() <= SQLiteLog.Limit.walPages * 4_200 { break }
            try await driver.store(message)
        }
        #expect(try walSize() <= SQLiteLog.Limit.walPages * 4_200)
        #expect(log.checkpointer.tally.mostNow <= Limit.bound)
        // Through the writer's queue, behind all appends.
        let waited = try await log.withWriter { _ in UnsafePointer<Int>(bitPattern: address)?.pointee }
        #expect(waited == 0)
    }

    @Test func aWALThatBeganAnewCountsAnew() {
        var plan = Self.plan([(Limit.length, .aside)])
        plan.copied(Limit.length, of: Limit.length)
        let steps = [4, Limit.step - 1, Limit.step].map { plan.committed($0) }
        #expect(steps == [.nothing, .nothing, .aside])
    }

    @Test func whatIsToldOfAWALThatBeganAnewMeanwhileIsNoMore() {
        var plan = Self.plan([(Limit.step, .aside), (4, .nothing)])
        plan.copied(Limit.step, of: Limit.step)
        let steps = [Limit.length - 1, Limit.length].map { plan.committed($0) }
        // As if nothing were moved, which is so.
        #expect(steps == [.aside, .nothing])
    }

    @Test func theWALStaysShortAndItsPagesReachTheDatabase() async throws {
        let folder = try TemporaryFolder()
        let log = try SQLiteLog(
            path: folder.file("log.db"), now: { 1000 }, random32: { Array(repeating: 7, count: 32) })
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        let text = String(repeating: "x", count: 3_000)
        let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(text)"}"#
        // At least four pages each.
        let count = (Limit.bound + Limit.length) / 4
        for _ in 0..<count { _ = try await driver.store(message) }
        func size(_ file: String) throws -> Int {
            try FileManager.default.attributesOfItem(atPath: folder.file(file))[.size] as? Int ?? 0
        }
        #expect(try size("log.db-wal") < (Limit.bound + Limit.step) * 4_200)
        #expect(try size("log.db") > count * text.utf8.count / 2)
        #expect(try await log.head()?.position == Int64(count) + 3)
        let check = try await log.withWriter { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
        #expect(check == "ok")
    }
}
