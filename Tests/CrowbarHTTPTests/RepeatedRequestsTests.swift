import CrowbarCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Changes of the command line that are asked for again under their key.
@Suite struct RepeatedRequestsTests {
    private static func door(_ added: @escaping @Sendable (String) async throws -> Void) -> Door {
        .commandLine(
            keyHash: TestServer.hash(Array("key".utf8)),
            AdminActions(addUser: { name, _ in try await added(name) }, makeToken: { user, _, _ in "token of \(user)" })
        )
    }

    private static func add(_ name: String, key: String?, _ server: TestServer) async throws -> TestClient.Answer {
        try await server.client.call(
            .POST, "/api/admin/users", token: "key", headers: key.map { [("idempotency-key", $0)] } ?? [],
            body: Array(#"{"name":"\#(name)"}"#.utf8))
    }

    @Test func aChangeIsMadeOnceUnderItsKey() async throws {
        let calls = Mutex(0)
        let door = Self.door { name in
            let isFirst = calls.withLock { calls in
                calls += 1
                return calls == 1
            }
            if name == "twice", !isFirst { throw CommandError(.userExists, "there already") }
        }
        try await TestServer.run(door: door) { (server: TestServer) async throws in
            for _ in 0..<3 { #expect(try await Self.add("twice", key: "a", server).status == 200) }
            #expect(calls.withLock { $0 } == 1)
            // Another key is another change, and so is none; a refusal changed nothing and is not remembered.
            for key in ["b", nil, "b"] { #expect(try await Self.add("twice", key: key, server).code == "user_exists") }
            #expect(calls.withLock { $0 } == 4)
            // A key that is too long is none.
            let long = String(repeating: "k", count: RepeatedRequests.Limit.key + 1)
            for _ in 0..<2 { #expect(try await Self.add("other", key: long, server).status == 200) }
            #expect(calls.withLock { $0 } == 6)
        }
    }

    /// A key that comes with another path, method, query or body is refused, and the change is not made.
    @Test func aKeyAnswersForOneRequestOnly() async throws {
        let names = Mutex<[String]>([])
        let door = Self.door { name in names.withLock { $0.append(name) } }
        try await TestServer.run(door: door) { (server: TestServer) async throws in
            func call(_ method: HTTPMethod, _ path: String, _ body: String) async throws -> TestClient.Answer {
                try await server.client.call(
                    method, path, token: "key", headers: [("idempotency-key", "k")], body: Array(body.utf8))
            }
            let first = #"{"name":"u1"}"#
            #expect(try await call(.POST, "/api/admin/users", first).status == 200)
            for (method, path, body) in [
                (.POST, "/api/admin/users", #"{"name":"u2"}"#), (.POST, "/api/admin/users", ""),
                (.POST, "/api/admin/users?a=b", first), (.PUT, "/api/admin/users", first),
                (.POST, "/api/admin/tokens", first),
            ] as [(HTTPMethod, String, String)] {
                let answer = try await call(method, path, body)
                #expect(answer.status == 409 && answer.code == "idempotency_key_conflict", "\(method) \(path) \(body)")
            }
            #expect(try await call(.POST, "/api/admin/users", first).status == 200)
            #expect(names.withLock { $0 } == ["u1"])
        }
    }

    @Test func whoAsksWhileItIsBeingMadeGetsTheSameAnswer() async throws {
        let calls = Mutex(0)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
        let door = Self.door { _ in
            calls.withLock { $0 += 1 }
            arrived.yield()
            for await _ in gate { break }
        }
        try await TestServer.run(door: door) { (server: TestServer) async throws in
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask { try await Self.add("ann", key: "a", server).status }
                for await _ in arrivals { break }
                for _ in 0..<4 { group.addTask { try await Self.add("ann", key: "a", server).status } }
                open.finish()
                for try await status in group { #expect(status == 200) }
            }
        }
        #expect(calls.withLock { $0 } == 1)
    }

    @Test func theOldestAnswerIsForgottenFirst() async throws {
        let calls = Mutex<[String: Int]>([:])
        let door = Self.door { name in calls.withLock { $0[name, default: 0] += 1 } }
        let last = RepeatedRequests.Limit.answers
        try await TestServer.run(door: door) { (server: TestServer) async throws in
            for index in Array(0...last) + [0, last] {
                #expect(try await Self.add("u\(index)", key: "\(index)", server).status == 200)
            }
        }
        #expect(calls.withLock { $0["u0"] == 2 && $0["u\(last)"] == 1 })
    }
}
