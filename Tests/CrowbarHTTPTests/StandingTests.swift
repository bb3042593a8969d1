import CrowbarCore
import CrowbarSQLite
import Glibc
import JSONBytes
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// A change of a token or account holds on answers that are under way.
@Suite struct StandingTests {
    private static let rules: ListenerRules = {
        var rules = ListenerRules()
        rules.times.recheck = 50
        return rules
    }()

    struct Change: Sendable, CustomTestStringConvertible {
        var name: String
        var code: String
        var apply: @Sendable (TestAccounts) -> Void
        var testDescription: String { name }
    }

    static let changes = [
        Change(name: "revoked or disabled", code: "unauthorized") { $0.set("alice", nil) },
        Change(name: "without the scope", code: "forbidden") {
            $0.set("alice", Principal(userId: "alice", scopes: [.commands]))
        },
        Change(name: "expired", code: "unauthorized") {
            $0.set("alice", Principal(userId: "alice", scopes: [.read], expires: TestServer.now() - 1))
        },
        Change(name: "another's", code: "unauthorized") {
            $0.set("alice", Principal(userId: "bob", scopes: [.read]))
        },
    ]

    /// What docs/api.md promises: each of these can delay a change once.
    @Test func aChangeHoldsWithin6Seconds() {
        let times = ListenerRules.Times()
        #expect(
            AccountsDatabase.Limit.cacheMilliseconds + APIConfiguration.Limit.cachedMilliseconds + times.recheck
                <= 6_000)
    }

    @Test(arguments: changes) func aStreamEndsWithItsTokensRights(_ change: Change) async throws {
        try await TestServer.run(rules: Self.rules) { server in
            try await server.seed()
            let answer = try await server.client.call(
                .GET, "/api/events/stream", token: "alice",
                until: { _ in
                    change.apply(server.accounts)
                    return false
                })
            #expect(answer.status == 200 && answer.text.hasPrefix(": following\n\n"))
            #expect(answer.text.contains("event: end\ndata: {\"error\":{\"code\":\"\(change.code)\""), "\(answer.text)")
            #expect(answer.text.hasSuffix("\n\n") && !answer.text.contains("id: "))
        }
    }

    @Test func aStreamEndsAtItsTokensExpiry() async throws {
        // With the usual interval: the expiry has a timer of its own.
        try await TestServer.run { server in
            try await server.seed()
            let expires = TestServer.now() + 700
            server.accounts.set("alice", Principal(userId: "alice", scopes: [.read], expires: expires))
            let answer = try await server.client.call(.GET, "/api/events/stream", token: "alice")
            #expect(answer.text.contains("event: end\n") && TestServer.now() >= expires)
            #expect(try await server.client.call(.GET, "/api/events", token: "alice").status == 401)
        }
    }

    @Test func aStreamGoesOnWhileItsTokenIsGood() async throws {
        let looks = Mutex(0)
        // Other rights that allow reading too are taken as they are.
        let accounts = TestAccounts { _ in
            let isFirst = looks.withLock { looks in
                looks += 1
                return looks == 1
            }
            return Principal(userId: "alice", scopes: isFirst ? [.read, .commands] : [.read])
        }
        try await TestServer.run(rules: Self.rules, accounts: accounts) { server in
            try await server.seed()
            async let followed = server.client.call(
                .GET, "/api/events/stream", token: "alice",
                until: { String(decoding: $0, as: UTF8.self).contains("id: late") })
            try await waitUntil("the token was looked up again") { looks.withLock { $0 } >= 3 }
            let late = Command(
                .createChannel, .createChannel(name: nil, description: nil), eventId: "late", channelId: "late")
            _ = try await server.ingest.submit(Ingest.Request(late, actor: "bob"))
            let answer = try await followed
            #expect(answer.text.contains("id: late") && !answer.text.contains("event: end"))
        }
    }

    @Test func accountsOfTheDatabaseHoldOnStreamsToo() async throws {
        var template = Array("/tmp/crowbar-standing-XXXXXX".utf8CString)
        mkdtemp(&template)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            for end in ["", "-wal", "-shm", "-journal"] { unlink(folder + "/accounts.db" + end) }
            rmdir(folder)
        }
        let server = try AccountsDatabase(path: folder + "/accounts.db")
        try server.add(.init(userId: "alice", isAdmin: false, created: 1))
        let hash = TestServer.hash(Array("token".utf8))
        try server.storeToken(.init(hash: hash, userId: "alice", scopes: [.read], created: 1))
        // Another process, as the command line is.
        let other = try AccountsDatabase(path: folder + "/accounts.db")
        let accounts = TestAccounts { try server.principal(forTokenHash: $0, now: TestServer.now()) }
        try await TestServer.run(accounts: accounts) { running in
            try await running.seed()
            let answer = try await running.client.call(
                .GET, "/api/events/stream", token: "token",
                until: { _ in
                    _ = try? other.revoke(tokenHash: hash)
                    return false
                })
            #expect(answer.text.contains("event: end\ndata: {\"error\":{\"code\":\"unauthorized\""))
            #expect(try await running.client.call(.GET, "/api/events", token: "token").status == 401)
        }
    }

    @Test func aPageEndsWithItsTokensRights() async throws {
        try await TestServer.run(rules: Self.rules) { server in
            try await server.seed()
            let text = String(repeating: "x", count: 16_000)
            let lines = [String](
                repeating: #"{"type":"SEND_MESSAGE","channelId":"general","message":"\#(text)"}"#, count: 1_000)
            _ = try await server.client.postLines(lines, token: "bob")
            let request = "GET /api/events?limit=100000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n"
            try await RawClient(port: server.client.port).connect { reader, writer in
                try await writer.write(ByteBuffer(string: request + "Connection: close\r\n\r\n"))
                let hasBegun = try await reader.read(until: "position")
                #expect(hasBegun)
                server.accounts.set("alice", nil)
                // What is remembered of the token is forgotten before the rest is asked for.
                await reader.waitUnread(milliseconds: Int(APIConfiguration.Limit.cachedMilliseconds) + 500)
                await reader.readToEnd()
                // The last line, in a chunk of its own.
                let end = reader.text.suffix(200)
                #expect(end.contains("{\"error\":{\"code\":\"unauthorized\""), "\(end)")
                let count = reader.text.utf8.count
                #expect(count < 15_500_000)
            }
        }
    }

    @Test(arguments: ["application/json", "application/x-ndjson"])
    func aCommandWhoseBodyCameSlowlyNeedsATokenThatIsStillGood(_ type: String) async throws {
        let isGood = Mutex(true)
        let looks = Mutex(0)
        let accounts = TestAccounts { _ in
            looks.withLock { $0 += 1 }
            return isGood.withLock { $0 } ? TestServer.tokens["alice"] : nil
        }
        try await TestServer.run(rules: Self.rules, accounts: accounts) { server in
            try await server.seed()
            let head = try await server.log.head()
            let body = #"{"type":"SEND_MESSAGE","channelId":"general","message":"x"}"#
            let request =
                "POST /api/commands HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n"
                + "Content-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
            try await RawClient(port: server.client.port).connect { reader, writer in
                try await writer.write(ByteBuffer(string: request + body.dropLast(1)))
                // The request is let in, then the token is revoked, and is no longer remembered.
                try await waitUntil("the token was looked up") { looks.withLock { $0 } > 0 }
                isGood.withLock { $0 = false }
                try await waitUntil("the token is forgotten") {
                    try await server.client.call(.GET, "/api/events", token: "alice").status == 401
                }
                try await writer.write(ByteBuffer(string: "}"))
                await reader.readToEnd()
                #expect(reader.text.hasPrefix("HTTP/1.1 401"), "\(reader.text)")
            }
            #expect(try await server.log.head() == head)
        }
    }
}
