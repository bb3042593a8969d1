import CrowbarCore
import CrowbarTesting
import GRDB
import Synchronization
import Testing

@testable import CrowbarSQLite

/// What is done on the log's writing connection, and what is begun before it is there.
@Suite struct WriterTurnsTests {
    /// Turns that run on a connection of their own, and what was done.
    private final class Scenario: Sendable {
        let turns: WriterTurns
        let done = Mutex<[String]>([])
        private let queue: DatabaseQueue

        init(patience: Int) throws {
            turns = WriterTurns(patience: patience)
            queue = try DatabaseQueue()
            queue.asyncWriteWithoutTransaction { [self] in
                turns.run($0, onExpectation: { note("begun") }, onVain: { note("vain") })
                note("end")
            }
        }

        func note(_ what: String) { done.withLock { $0.append(what) } }

        func put(_ name: String) { turns.put { [self] _ in note(name) } }

        func wait(for what: [String]) async throws {
            try await until("\(what)") { done.withLock { $0 } == what }
        }
    }

    @Test func whatIsExpectedFindsTheThreadAwake() async throws {
        let scenario = try Scenario(patience: 999_999_999)
        scenario.turns.expect()
        try await scenario.wait(for: ["begun"])
        // Once is enough.
        scenario.turns.expect()
        scenario.put("a")
        try await scenario.wait(for: ["begun", "a"])
        scenario.turns.close()
        try await scenario.wait(for: ["begun", "a", "vain", "end"])
    }

    @Test func whatDoesNotComeIsGivenUp() async throws {
        let scenario = try Scenario(patience: 0)
        scenario.turns.expect()
        try await scenario.wait(for: ["begun", "vain"])
        scenario.put("a")
        try await scenario.wait(for: ["begun", "vain", "a"])
        scenario.turns.close()
        try await scenario.wait(for: ["begun", "vain", "a", "vain", "end"])
    }

    @Test func anEndIsNotHeldUpByWhatIsExpected() async throws {
        let scenario = try Scenario(patience: 999_999_999)
        scenario.turns.expect()
        try await scenario.wait(for: ["begun"])
        scenario.turns.close()
        try await scenario.wait(for: ["begun", "vain", "end"])
    }

    @Test func nothingIsExpectedWhereSomethingIsToBeDone() async throws {
        let scenario = try Scenario(patience: 999_999_999)
        let gate = Gate()
        scenario.turns.put { _ in gate.pass() }
        scenario.put("a")
        scenario.turns.expect()
        gate.open()
        try await scenario.wait(for: ["a"])
        scenario.turns.close()
        try await scenario.wait(for: ["a", "vain", "end"])
    }

    // MARK: A real log

    private static let message = #"{"type":"SEND_MESSAGE","channelId":"general","message":"a"}"#

    private static func open(_ path: String) throws -> SQLiteLog {
        try SQLiteLog(path: path, now: { 1000 }, random32: { Array(repeating: 7, count: 32) })
    }

    /// Who speaks in a log, in a channel of it.
    private static func settled(_ log: SQLiteLog) async throws -> LogDriver {
        let driver = LogDriver(log, clock: ManualClock())
        try await driver.settle()
        return driver
    }

    /// Whether somebody else could write into the log now.
    private static func isFree(_ path: String) throws -> Bool {
        var configuration = Configuration()
        configuration.busyMode = .immediateError
        let other = try DatabaseQueue(path: path, configuration: configuration)
        do {
            try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE; ROLLBACK") }
            return true
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            return false
        }
    }

    @Test func aLogThatExpectedAnAppendInVainIsAsBefore() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("log.db")
        let log = try Self.open(path)
        let driver = try await Self.settled(log)
        let before = try await log.head()?.position ?? 0
        log.expectAppend()
        // It is read by others meanwhile, and let go of again.
        #expect(try await log.head()?.position == before)
        try await until("the log is free") { try Self.isFree(path) }
        #expect(try await driver.store(Self.message).position == before + 1)
        #expect(try Self.isFree(path))
    }

    @Test func aLogThatIsClosedWhileItExpectsAnAppendIsWhole() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("log.db")
        for _ in 0..<20 { try Self.open(path).expectAppend() }
        let driver = try await Self.settled(Self.open(path))
        #expect(try await driver.store(Self.message).position == 4)
    }

    @Test func appendsThatAreExpectedAreStoredAndRefusedAsOthers() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("log.db")
        let log = try Self.open(path)
        let driver = try await Self.settled(log)
        let before = try await log.head()?.position ?? 0
        for number in 1...200 {
            log.expectAppend()
            if number % 4 == 0 {
                await #expect(throws: CommandError.self) {
                    try await driver.store(#"{"type":"SEND_MESSAGE","channelId":"nowhere","message":"a"}"#)
                }
            }
            // What is done with the connection otherwise is not within the transaction.
            if number % 5 == 0 {
                let isWithin = try await log.withWriter { $0.isInsideTransaction }
                #expect(!isWithin)
            }
            #expect(try await driver.store(Self.message).position == before + Int64(number))
        }
        let check = try await log.withWriter { try String.fetchOne($0, sql: "PRAGMA integrity_check") }
        #expect(check == "ok")
        #expect(try Self.isFree(path))
    }
}

/// Holds a thread up until it is opened.
private final class Gate: Sendable {
    private let isOpen = Mutex(false)
    func open() { isOpen.withLock { $0 = true } }
    func pass() { while !isOpen.withLock({ $0 }) {} }
}

/// Waits for a condition, which is asked again and again.
private func until(_ what: String, isMet: () throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(20)
    while ContinuousClock.now < end {
        if try isMet() { return }
        try await Task.sleep(for: .milliseconds(1))
    }
    Issue.record("waited in vain: \(what)")
}
