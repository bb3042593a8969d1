import CrowbarCore
import CrowbarTesting
import Synchronization
import Testing

@Suite struct IngestTests {
    private static func request(_ json: String, derivedId: String? = nil) throws -> Ingest.Request {
        Ingest.Request(try Command(parsing: Array(json.utf8)), actor: "ann", derivedId: derivedId)
    }

    private static func ingest(_ log: MemoryLog, onFailure: @escaping @Sendable (any Error) -> Void = { _ in })
        -> Ingest
    {
        let next = Mutex(0)
        return Ingest(
            log: log,
            newEventID: {
                next.withLock {
                    $0 += 1
                    return "new-\($0)"
                }
            }, hash: { $0 }, onFailure: onFailure)
    }

    private final class Door: Sendable {
        let isClosed = Mutex(false)
    }

    /// Runs the door for as long as `body` does.
    private static func running(_ ingest: Ingest, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await ingest.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    @Test func whatWaitsSharesOneAppendInItsOrder() async throws {
        let log = MemoryLog(now: { 5 })
        let wakeUps = Mutex(0)
        let token = log.growth.subscribe { wakeUps.withLock { $0 += 1 } }
        let ingest = Self.ingest(log)
        let requests = try (0..<500).map {
            try Self.request(#"{"type":"REGISTER_USER","userId":"u\#($0)","name":"U"}"#)
        }
        try await Self.running(ingest) { () async throws in
            let outcomes = await ingest.submit(requests)
            #expect(try outcomes.map { try $0.get().position } == Array(1...500))
            #expect(try outcomes[0].get().eventId == "new-1")
        }
        log.growth.cancel(token)
        #expect(wakeUps.withLock { $0 } == 1)
    }

    @Test func aRefusedCommandStopsNoOther() async throws {
        let ingest = Self.ingest(MemoryLog(now: { 5 }))
        let requests = [
            try Self.request(#"{"type":"JOIN_CHANNEL","channelId":"c"}"#),
            try Self.request(#"{"type":"REGISTER_USER","userId":"ann","name":"A","eventId":"mine"}"#),
            try Self.request(#"{"type":"CREATE_CHANNEL","channelId":"c","eventId":"mine"}"#, derivedId: "theirs"),
        ]
        try await Self.running(ingest) { () async throws in
            let outcomes = await ingest.submit(requests)
            #expect(throws: CommandError.self) { try outcomes[0].get() }
            #expect(try outcomes[1].get().eventId == "mine")
            #expect(try outcomes[2].get().eventId == "theirs", "a derived id wins")
            #expect(await ingest.submit([]).isEmpty)
        }
    }

    @Test func anOutageRefusesAllOfItAndTheNextWorks() async throws {
        let log = MemoryLog(now: { 5 })
        let failures = Mutex(0)
        let ingest = Self.ingest(log) { _ in failures.withLock { $0 += 1 } }
        let request = try Self.request(#"{"type":"REGISTER_USER","userId":"ann","name":"A"}"#)
        log.setOutage("disk full")
        try await Self.running(ingest) { () async throws in
            let outcomes = await ingest.submit([request, request])
            for outcome in outcomes {
                #expect { try outcome.get() } throws: { ($0 as? CommandError)?.code == .unavailable }
            }
            log.setOutage(nil)
            #expect(try await ingest.submit(request).position == 1)
        }
        #expect(failures.withLock { $0 } == 1)
    }

    @Test func tooMuchIsRefusedAndAClosedDoorToo() async throws {
        let ingest = Self.ingest(MemoryLog(now: { 5 }))
        let request = try Self.request(#"{"type":"REGISTER_USER","userId":"ann","name":"A"}"#)
        let tooMany = await ingest.submit(Array(repeating: request, count: Ingest.Limit.waiting + 1))
        #expect { try tooMany[0].get() } throws: { ($0 as? CommandError)?.code == .unavailable }
        try await Self.running(ingest) {}
        await #expect { try await ingest.submit(request) } throws: { ($0 as? CommandError)?.code == .unavailable }
    }

    @Test func whatComesDuringAnAppendSharesTheNextAndIsDecidedOrRefusedAtTheEnd() async throws {
        let log = HeldLog(MemoryLog(now: { 5 }))
        let next = Mutex(0)
        let ingest = Ingest(
            log: log,
            newEventID: {
                next.withLock {
                    $0 += 1
                    return "new-\($0)"
                }
            }, hash: { $0 })
        func register(_ name: String) throws -> Ingest.Request {
            try Self.request(#"{"type":"REGISTER_USER","userId":"\#(name)","name":"U"}"#)
        }
        let (first, second, third, fourth) = (
            try register("a"), try register("b"), try register("c"), try register("d")
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await #expect(throws: Never.self) { try await ingest.submit(first) } }
            await log.holds(1)
            group.addTask { await #expect(throws: Never.self) { try await ingest.submit(second) } }
            group.addTask { await #expect(throws: Never.self) { try await ingest.submit(third) } }
            await log.settled { ingest.waiting == 2 }
            log.release()
            await log.holds(2)
            // The door closes: what waits is refused, and what is under way is decided.
            let door = Door()
            group.addTask {
                await #expect { try await ingest.submit(fourth) } throws: {
                    ($0 as? CommandError)?.code == .unavailable
                }
            }
            await log.settled { ingest.waiting == 1 }
            await withTaskGroup(of: Void.self) { closing in
                closing.addTask {
                    await ingest.run()
                    door.isClosed.withLock { $0 = true }
                }
                closing.cancelAll()
                await log.settled { ingest.waiting == 0 }
                #expect(!door.isClosed.withLock { $0 }, "an append is under way")
                log.release()
            }
            #expect(door.isClosed.withLock { $0 })
        }
        #expect(log.sizes == [1, 2])
    }
}
