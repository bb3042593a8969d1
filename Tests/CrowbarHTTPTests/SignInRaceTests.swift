import CrowbarCore
import CrowbarSQLite
import Dispatch
import JSONBytes
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP
@testable import Identity

/// Sign-ins that wait for their password's hash, and what happens meanwhile.
@Suite struct SignInRaceTests {
    /// Holds the threads that hash passwords.
    private final class Gate: Sendable {
        private struct State {
            var isClosed = false
            var held = 0
            var hashes = 0
        }

        private let state = Mutex(State())
        private let opened = DispatchSemaphore(value: 0)

        /// New hashes that were begun.
        var hashes: Int { state.withLock { $0.hashes } }

        func hasher() throws -> PasswordHasher {
            PasswordHasher(
                processors: 4, parameters: try AccountServer.cheap(),
                random: { [self] count in
                    pass()
                    return [UInt8](repeating: 7, count: count)
                })
        }

        private func pass() {
            let isHeld = state.withLock { state in
                state.hashes += 1
                if state.isClosed { state.held += 1 }
                return state.isClosed
            }
            if isHeld { opened.wait() }
        }

        func open() {
            let held = state.withLock { state in
                defer { (state.isClosed, state.held) = (false, 0) }
                return state.held
            }
            for _ in 0..<held { opened.signal() }
        }

        /// Does something while no password is hashed.
        func whileClosed(_ hasher: PasswordHasher, _ body: () async throws -> Void) async throws {
            state.withLock { $0.isClosed = true }
            async let first = hasher.hash("a password")
            async let second = hasher.hash("a password")
            defer { open() }
            try await waitUntil("both threads are held") { state.withLock { $0.held == 2 } }
            try await body()
            open()
            _ = try await (first, second)
        }
    }

    /// What ends sessions while a password is verified, and what becomes of the sign-in.
    private static let endings: [(who: String, body: String, status: Int)] = [
        ("ann", #"{"all":true}"#, 401), ("ann", "{}", 200), ("bob", #"{"all":true}"#, 200),
    ]

    @Test(arguments: endings.indices) func aSignOutEverywhereEndsSignInsThatAreUnderWay(_ row: Int) async throws {
        let (who, body, status) = Self.endings[row]
        let gate = Gate()
        let hasher = try gate.hasher()
        try await AccountServer.run(hasher: hasher) { server in
            let sessions = ["ann": try await server.register("ann"), "bob": try await server.register("bob")]
            try await gate.whileClosed(hasher) {
                async let signIn = server.signIn("ann")
                try await waitUntil("the sign-in waits") { hasher.waiting == 1 }
                #expect(try await server.call(.POST, "/api/logout", body, token: sessions[who]).status == 204)
                gate.open()
                let answer = try await signIn
                #expect(answer.status == status, "\(answer.text)")
                if status == 401 { #expect(answer.text.contains("ended a moment ago; sign in again")) }
            }
            // Whoever begins after it is signed in.
            #expect(try await server.signIn("ann").status == 200)
        }
    }

    /// Unknown users too: they cost a hash as well.
    @Test func twoPasswordsAreHashedAndOf64MoreEachWaits() async throws {
        let gate = Gate()
        let hasher = try gate.hasher()
        try await AccountServer.run(hasher: hasher) { server in
            _ = try await server.register("ann")
            try await gate.whileClosed(hasher) {
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<PasswordHasher.Limit.waiting {
                        group.addTask {
                            try await server.signIn("nobody\(number)", from: "198.51.100.\(number)").status
                        }
                    }
                    try await waitUntil("64 wait") { hasher.waiting == 64 }
                    let refused = try await server.signIn("ann")
                    #expect(refused.status == 503 && refused.code == "unavailable", "\(refused.text)")
                    #expect(refused.headers["retry-after"] == ["1"])
                    gate.open()
                    return try await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
                }
                #expect(statuses == [401: 64])
            }
            // What was refused for want of room is no failure of the account.
            #expect(try await server.signIn("ann").status == 200)
        }
    }

    /// Neither by the answer, nor by the time of a hash.
    @Test func whoHasNoInviteLearnsNotWhichIdsThereAre() async throws {
        let gate = Gate()
        let hasher = try gate.hasher()
        try await AccountServer.run(SignInPolicy(registration: .invite), hasher: hasher) { server in
            func register(_ user: String, _ invite: String, from address: String) async throws -> TestClient.Answer {
                try await server.call(
                    .POST, "/api/register", #"{"userId":"\#(user)","password":"12345678","invite":"\#(invite)"}"#,
                    from: address)
            }
            let invite = try await server.invite(uses: 2)
            #expect(try await register("ann", invite, from: "192.0.2.1").status == 200)
            let used = try await server.invite()
            #expect(try await register("bob", used, from: "192.0.2.1").status == 200)
            let over = try await server.invite(expires: TestServer.now() - 1)
            let hashes = gate.hashes
            var answers: Set<String> = []
            for (number, user) in ["ann", "bob", "Ann", "free", "root", "x"].enumerated() {
                for wrong in ["", "wrong", used, over] {
                    let answer = try await register(user, wrong, from: "198.51.100.\(number)")
                    #expect(answer.status == 403 && answer.field == "invite", "\(user) \(wrong): \(answer.text)")
                    answers.insert(answer.text)
                }
            }
            #expect(answers.count == 1, "\(answers)")
            #expect(gate.hashes == hashes)
            // Tries count as failures of the address, and of no other one.
            for number in 0..<10 {
                #expect(try await register("user\(number)", "wrong", from: "192.0.2.2").status == 403)
            }
            let blocked = try await register("free", invite, from: "192.0.2.2")
            #expect(blocked.status == 429 && blocked.text.contains("from this address"), "\(blocked.text)")
            #expect(try await register("ann", invite, from: "192.0.2.3").status == 409, "with an invite it is told")
            #expect(try await register("free", invite, from: "192.0.2.3").status == 200)
        }
    }
}
