import CrowbarCore
import CrowbarSQLite
import Identity
import JSONBytes
import NIOHTTP1
import Synchronization
import Testing

@testable import CrowbarHTTP

/// Sessions and machine tokens of a user over HTTP.
@Suite struct AccountTokenTests {
    private static let password = AccountServer.password

    private static func json(_ answer: TestClient.Answer) throws -> JSON { try JSON(parsing: answer.body) }

    @Test func signingOutEndsOneSessionOrAll() async throws {
        try await AccountServer.run { server in
            let first = try await server.register("ann")
            let others = try await [server.signIn("ann"), server.signIn("ann")].map { try server.token($0) }
            let other = try await server.register("bob")
            #expect(try await server.call(.POST, "/api/logout", "{}", token: first).status == 204)
            #expect(try await server.status(first) == 401)
            #expect(try await server.status(others[0]) == 200)
            #expect(try await server.call(.POST, "/api/logout", #"{"all":"true"}"#, token: others[0]).status == 422)
            #expect(try await server.call(.POST, "/api/logout", #"{"all":true}"#, token: others[0]).status == 204)
            for token in others {
                try await waitUntil("the session has ended") { try await server.status(token) == 401 }
            }
            #expect(try await server.status(other) == 200)
        }
    }

    /// A machine token mints no tokens and does nothing else that needs a session, whatever its scopes are.
    @Test func machineTokensDoNothingThatNeedsASession() async throws {
        try await AccountServer.run { server in
            let session = try await server.admin()
            let made = try await server.call(
                .POST, "/api/tokens", #"{"name":"ci","scopes":["commands","read","admin","metrics"]}"#, token: session)
            let token = try server.token(made)
            let calls: [(HTTPMethod, String, String)] = [
                (.POST, "/api/logout", "{}"), (.POST, "/api/logout", #"{"all":true}"#),
                (.POST, "/api/password", #"{"old":"\#(Self.password)","new":"12345678"}"#), (.GET, "/api/tokens", ""),
                (.POST, "/api/tokens", #"{"name":"x","scopes":["read"]}"#),
                (.DELETE, "/api/tokens/0123456789abcdef", ""),
            ]
            for (method, path, body) in calls {
                let answer = try await server.call(method, path, body, token: token)
                #expect(answer.status == 403 && answer.code == "forbidden", "\(method) \(path): \(answer.text)")
                #expect(try await server.call(method, path, body).status == 401, "\(method) \(path)")
                #expect(try await server.call(method, path, body, token: "cb_0").status == 401, "\(method) \(path)")
            }
            let me = try Self.json(await server.call(.GET, "/api/me", token: token))
            #expect(me["session"]?.bool == false && me["role"]?.string == "admin" && me["expires"] == nil)
            #expect(me["scopes"]?.array?.count == 4)
            #expect(try await server.status(session) == 200)
        }
    }

    @Test func tokensAreMadeListedAndRevoked() async throws {
        try await AccountServer.run { server in
            let session = try await server.register("ann")
            let refused: [(body: String, status: Int, field: String?)] = [
                (#"{"name":"x","scopes":["admin"]}"#, 403, "scopes"),
                (#"{"name":"x","scopes":["metrics"]}"#, 403, "scopes"),
                (#"{"name":"x","scopes":["fly"]}"#, 422, "scopes"), (#"{"name":"x","scopes":[]}"#, 422, "scopes"),
                (#"{"name":"x"}"#, 422, "scopes"), (#"{"scopes":["read"]}"#, 422, "name"),
                (#"{"name":" ","scopes":["read"]}"#, 422, "name"),
                (#"{"name":"x","scopes":["read"],"expires":"soon"}"#, 422, "expires"),
                (#"{"name":"x","scopes":["read"],"expires":"0d"}"#, 422, "expires"),
                (#"{"name":"x","scopes":["read"],"expires":"-1d"}"#, 422, "expires"),
                (#"{"name":"x","scopes":["read"],"expires":30}"#, 422, "expires"),
            ]
            for row in refused {
                let answer = try await server.call(.POST, "/api/tokens", row.body, token: session)
                #expect(answer.status == row.status && answer.field == row.field, "\(row): \(answer.text)")
            }
            let made = try await server.call(
                .POST, "/api/tokens", #"{"name":"ci","scopes":["read"],"expires":"30d"}"#, token: session)
            let id = try #require(try Self.json(made)["id"]?.string)
            let token = try server.token(made)
            #expect(try await server.call(.GET, "/api/events", token: token).status == 200)
            #expect(
                try await server.server.client.post(#"{"type":"RENAME_USER","name":"x"}"#, token: token).status == 403)
            let listed = try #require(try Self.json(await server.call(.GET, "/api/tokens", token: session)).array)
            #expect(listed.compactMap { $0["kind"]?.string } == ["session", "token"])
            #expect(listed[0]["current"]?.bool == true && listed[0]["address"]?.string == "192.0.2.1")
            #expect(listed[1]["id"]?.string == id && listed[1]["name"]?.string == "ci" && listed[1]["current"] == nil)
            #expect(listed[1]["scopes"]?.array?.compactMap(\.string) == ["read"])
            let lifetime = (listed[1]["expires"]?.int ?? 0) - (listed[1]["created"]?.int ?? 0)
            #expect(lifetime == 30 * 86_400_000)
            #expect(!String(decoding: JSON.array(listed).bytes, as: UTF8.self).contains("cb_"))
            let other = try await server.register("bob")
            for wrong in ["/api/tokens/\(id)", "/api/tokens/x", "/api/tokens/%00"] {
                let answer = try await server.call(.DELETE, wrong, token: other)
                #expect(answer.status == 404, "\(wrong): \(answer.text)")
            }
            let part = try await server.call(.DELETE, "/api/tokens/\(id.prefix(8))", token: session)
            #expect(part.status == 404)
            #expect(try await server.call(.DELETE, "/api/tokens/\(id)", token: session).status == 204)
            try await waitUntil("the token has ended") { try await server.status(token) == 401 }
            #expect(try await server.call(.DELETE, "/api/tokens/\(id)", token: session).status == 404)
        }
    }

    @Test func anAccountMakesAHundredTokens() async throws {
        let clock = Mutex(TestServer.now())
        try await AccountServer.run(now: { clock.withLock { $0 } }) { server in
            let session = try await server.register("ann")
            let body = #"{"name":"x","scopes":["read"]}"#
            for _ in 0..<LocalAccounts.Limit.machineTokens {
                clock.withLock { $0 += 1_000 }
                #expect(try await server.call(.POST, "/api/tokens", body, token: session).status == 200)
            }
            let answer = try await server.call(.POST, "/api/tokens", body, token: session)
            #expect(answer.status == 403, "\(answer.text)")
        }
    }

    /// Each of these calls reads or writes the accounts.
    @Test func callsAboutTheOwnAccountHaveARate() async throws {
        let clock = Mutex(TestServer.now())
        try await AccountServer.run(now: { clock.withLock { $0 } }) { server in
            let (session, bob) = (try await server.register("ann"), try await server.register("bob"))
            let other = try server.token(try await server.signIn("ann"))
            let made = try await server.call(
                .POST, "/api/tokens", #"{"name":"ci","scopes":["read"]}"#, token: session)
            let machine = try server.token(made)
            for number in 1..<100 { #expect(try await server.status(session) == 200, "\(number)") }
            let calls: [(HTTPMethod, String, String)] = [
                (.GET, "/api/me", ""), (.GET, "/api/tokens", ""),
                (.POST, "/api/tokens", #"{"name":"x","scopes":["read"]}"#),
                (.DELETE, "/api/tokens/0123456789abcdef", ""), (.POST, "/api/logout", "{}"),
                (.POST, "/api/password", #"{"old":"\(Self.password)","new":"12345678"}"#),
            ]
            for (method, path, body) in calls {
                // All sessions of a user share the rate.
                for token in [session, other] {
                    let answer = try await server.call(method, path, body, token: token)
                    #expect(answer.status == 429 && answer.headers["retry-after"] == ["1"], "\(path): \(answer.text)")
                    #expect(answer.text.contains("this user exceeds the limit of 20 calls a second, burst 100"))
                }
            }
            #expect(try await server.status(bob) == 200)
            for _ in 0..<100 { #expect(try await server.status(machine) == 200) }
            let refused = try await server.call(.GET, "/api/me", token: machine)
            #expect(refused.status == 429 && refused.text.contains("this token exceeds the limit of 20 calls"))
            clock.withLock { $0 += 1_000 }
            for _ in 0..<20 { #expect(try await server.status(session) == 200) }
            #expect(try await server.status(session) == 429)
        }
    }
}
