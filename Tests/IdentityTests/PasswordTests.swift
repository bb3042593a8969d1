import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Identity

@Suite struct PasswordHashTests {
    private static let salt = [UInt8](0..<16)
    private static let cheap = ScryptParameters(logCost: 4, blockSize: 8, parallelism: 1)

    /// `hashlib.scrypt(b"correct horse", salt=bytes(range(16)), n=2**15, r=8, p=1, maxmem=64 << 20, dklen=32)`, which
    /// Python makes by its own call of the library.
    private static let known =
        "$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc"

    @Test func aHashIsTheOneThatPythonMakes() throws {
        let hash = try #require(PasswordHash(of: Array("correct horse".utf8), salt: Self.salt))
        #expect(hash.text == Self.known)
        let read = try #require(PasswordHash(text: Self.known))
        #expect(read == hash)
        #expect(read.matches(Array("correct horse".utf8)) == true)
        #expect(read.matches(Array("correct horsf".utf8)) == false)
        #expect(read.matches([]) == false)
    }

    @Test func eachHashKeepsItsParameters() throws {
        let cheap = try #require(Self.cheap)
        let hash = try #require(PasswordHash(of: Array("12345678".utf8), salt: Self.salt, parameters: cheap))
        #expect(hash.text.hasPrefix("$scrypt$ln=4,r=8,p=1$"))
        #expect(PasswordHash(text: hash.text)?.parameters == cheap)
        #expect(PasswordHash(text: hash.text)?.matches(Array("12345678".utf8)) == true)
    }

    @Test(arguments: [
        (4, 8, 1, true), (15, 8, 1, true), (16, 8, 1, true), (17, 8, 1, false), (20, 1, 1, false), (0, 8, 1, false),
        (21, 1, 1, false), (4, 0, 1, false), (4, 33, 1, false), (4, 8, 0, false), (4, 8, 17, false), (63, 1, 1, false),
    ]) func parametersThatCostTooMuchAreRefused(_ cost: Int, _ size: Int, _ parallelism: Int, _ isFine: Bool) {
        #expect((ScryptParameters(logCost: cost, blockSize: size, parallelism: parallelism) != nil) == isFine)
    }

    @Test(arguments: [
        "", "scrypt$", "$scrypt$",
        "$bcrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "$scrypt$ln=15,r=8$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "$scrypt$ln=15,r=8,p=1$$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$",
        "$scrypt$ln=30,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc$",
        "$scrypt$ln=+5,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        "$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw==$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
        " $scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$XGYmKKxOsQaKKH4qoqICriSOmNsE1h0zJ-c0LbbscJc",
    ]) func whatIsNoHash(_ text: String) {
        #expect(PasswordHash(text: text) == nil)
    }

    @Test(arguments: [
        ("1234567", false), ("12345678", true), ("ééééé", true), ("ééé", false),
        (String(repeating: "x", count: 1_024), true), (String(repeating: "x", count: 1_025), false), ("", false),
    ]) func aPasswordHas8To1024Bytes(_ password: String, _ isFine: Bool) {
        #expect((PasswordHash.problem(password) == nil) == isFine)
    }
}

@Suite struct PasswordHasherTests {
    private static let cheap = ScryptParameters(logCost: 4, blockSize: 8, parallelism: 1)

    @Test func aPasswordIsKnownAgain() async throws {
        let hasher = PasswordHasher(parameters: try #require(Self.cheap))
        let stored = try await hasher.hash("correct horse")
        #expect(try await hasher.isPassword("correct horse", of: stored))
        #expect(try await !hasher.isPassword("correct horsE", of: stored))
        #expect(try await !hasher.isPassword("", of: stored))
        #expect(try await hasher.hash("correct horse") != stored, "each hash has a salt of its own")
    }

    @Test func whoHasNoPasswordIsNeverLetIn() async throws {
        let hasher = PasswordHasher(parameters: try #require(Self.cheap))
        for password in ["", "12345678", "correct horse"] {
            #expect(try await !hasher.isPassword(password, of: nil))
            #expect(try await !hasher.isPassword(password, of: "plain"))
            #expect(try await !hasher.isPassword(password, of: password))
        }
    }

    /// A password shorter than the limit, stored by a version with another limit, does not work.
    @Test func aPasswordOutsideTheLimitIsRefusedEvenIfItMatches() async throws {
        let cheap = try #require(Self.cheap)
        let short = try #require(PasswordHash(of: Array("short".utf8), salt: Array(0..<16), parameters: cheap))
        #expect(try await !PasswordHasher(parameters: cheap).isPassword("short", of: short.text))
    }

    /// Half of the processors stay free for everything else, and at most two hashes have memory.
    @Test(arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (64, 2)])
    func hashesLeaveProcessorsFree(_ processors: Int, _ atOnce: Int) {
        #expect(PasswordHasher.Limit.atOnce(processors: processors) == atOnce)
    }

    @Test func withoutRandomnessThereIsNoHash() async throws {
        let hasher = PasswordHasher(parameters: try #require(Self.cheap), random: { _ in nil })
        await #expect(throws: PasswordHasher.Failure.unavailable) { try await hasher.hash("correct horse") }
    }
}

@Suite struct BoundedWorkQueueTests {
    /// Work that ends when the test says so.
    private final class Gate: Sendable {
        private let opened = DispatchSemaphore(value: 0)
        let most = Mutex((now: 0, most: 0))

        func pass() {
            most.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            opened.wait()
            most.withLock { $0.now -= 1 }
        }

        func open(_ count: Int) { for _ in 0..<count { opened.signal() } }
    }

    private func until(_ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !condition() {
            try #require(ContinuousClock.now < deadline)
            await Task.yield()
        }
    }

    @Test func twoRunTheRestWaitsAndWhatIsTooMuchIsRefused() async throws {
        let queue = BoundedWorkQueue(atOnce: 2, capacity: 3)
        let gate = Gate()
        let done = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<5 {
                group.addTask {
                    try await queue.run {
                        gate.pass()
                        return index
                    }
                }
            }
            try await until { queue.running == 2 && queue.waiting == 3 && gate.most.withLock { $0.now == 2 } }
            await #expect(throws: BoundedWorkQueue.Refusal.full) { try await queue.run { 9 } }
            gate.open(5)
            return try await group.reduce(into: []) { $0.append($1) }.sorted()
        }
        #expect(done == [0, 1, 2, 3, 4])
        #expect(gate.most.withLock { $0.most } == 2)
        try await until { queue.running == 0 }
        #expect(try await queue.run { 7 } == 7, "there is room again")
    }

    private final class Flag: Sendable { let isOver = Atomic(false) }

    /// A processor for each piece of work: with Dispatch's threads no task would run until the work ends.
    @Test func tasksRunWhileAllProcessorsWork() async throws {
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let queue = BoundedWorkQueue(atOnce: processors, capacity: 0)
        let flag = Flag()
        let wereEnded = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<processors {
                group.addTask {
                    try await queue.run {
                        let end = ContinuousClock.now + .seconds(10)
                        while !flag.isOver.load(ordering: .relaxed), ContinuousClock.now < end {}
                        return flag.isOver.load(ordering: .relaxed)
                    }
                }
            }
            while queue.running < processors { await Task.yield() }
            // Its own task, which needs a thread.
            group.addTask {
                flag.isOver.store(true, ordering: .relaxed)
                return true
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(!wereEnded.contains(false), "the work ran to its own end, and no task beside it")
    }

    @Test func whoIsCancelledWhileWaitingGivesUpItsPlace() async throws {
        let queue = BoundedWorkQueue(atOnce: 1, capacity: 1)
        let gate = Gate()
        async let first: Void = queue.run { gate.pass() }
        try await until { queue.running == 1 }
        let waiting = Task { try await queue.run { 1 } }
        try await until { queue.waiting == 1 }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(queue.waiting == 0)
        async let second = queue.run { 2 }
        try await until { queue.waiting == 1 }
        gate.open(1)
        try await first
        #expect(try await second == 2)
    }

    @Test func whoIsCancelledBeforehandIsNotRun() async throws {
        let queue = BoundedWorkQueue(atOnce: 1, capacity: 1)
        let ran = Mutex(false)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await queue.run { ran.withLock { $0 = true } }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!ran.withLock { $0 })
        #expect(try await queue.run { 3 } == 3)
    }
}
