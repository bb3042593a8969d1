import CrowbarCore
import CrowbarTesting
import Foundation
import GRDB
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
        var plan = Self.plan([(Limit.bound - 1, .aside)])
        plan.copied(0, of: Limit.bound - 1)
        let bound = plan.committed(Limit.bound)
        #expect(bound == .now)
        // Readers hold it up: not at each commit.
        plan.copied(0, of: Limit.bound)
        let after = plan.committed(Limit.bound + 1)
        #expect(after == .nothing)
        let later = plan.committed(Limit.bound + Limit.step)
        #expect(later == .now)
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
