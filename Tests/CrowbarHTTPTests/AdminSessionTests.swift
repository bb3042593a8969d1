import CrowbarCore
import CrowbarSQLite
import CrowbarTesting
import JSONBytes
import NIOHTTP1
import Testing

@testable import CrowbarHTTP

/// Who may call the routes about accounts, and what the audit log has of it.
@Suite struct AdminSessionTests {
    private static let calls: [(method: HTTPMethod, path: String, body: String)] = [
        (.GET, "/api/admin/users", ""), (.POST, "/api/admin/users", #"{"userId":"new"}"#),
        (.GET, "/api/admin/users/ann", ""), (.PATCH, "/api/admin/users/ann", #"{"disabled":false}"#),
        (.POST, "/api/admin/users/ann/reset", ""), (.POST, "/api/admin/users/ann/logout", "{}"),
        (.GET, "/api/admin/invites", ""), (.POST, "/api/admin/invites", "{}"),
        (.DELETE, "/api/admin/invites/0123456789abcdef", ""), (.GET, "/api/admin/tokens", ""),
        (.DELETE, "/api/admin/tokens/0123456789abcdef", ""), (.GET, "/api/admin/hooks", ""),
        (.POST, "/api/admin/hooks", #"{"name":"ci","channel":"general"}"#), (.DELETE, "/api/admin/hooks/ci", ""),
        (.GET, "/api/admin/audit", ""),
    ]

    @Test func onlyAnAdminsSessionOpensThem() async throws {
        #expect(
            Set(Self.calls.map { RouteTable.route(of: $0.path[...])?.template })
                == Set(RouteTable.routes.map(\.template).filter { AdminRoutes.isAboutAccounts($0[...]) }))
        try await AccountServer.run { server in
            let admin = try await server.admin()
            let member = try await server.register("ann")
            let made = try await server.call(
                .POST, "/api/tokens", #"{"name":"ci","scopes":["commands","read","admin"]}"#, token: admin)
            let machine = try server.token(made)
            for (method, path, body) in Self.calls {
                let what = "\(method) \(path)"
                #expect(try await server.call(method, path, body).status == 401, "\(what)")
                for token in [member, machine] {
                    let refused = try await server.call(method, path, body, token: token)
                    #expect(refused.status == 403 && refused.code == "forbidden", "\(what): \(refused.text)")
                }
                let answer = try await server.call(method, path, body, token: admin)
                #expect([200, 204].contains(answer.status), "\(what): \(answer.text)")
            }
            // What is left of an admin's calls is open to an admin's machine token.
            #expect(try await server.call(.GET, "/api/admin/plugins", token: machine).status == 200)
        }
    }

    @Test func everyChangeIsInTheAuditLogWithItsResult() async throws {
        try await AccountServer.run { server in
            let admin = try await server.admin()
            _ = try await server.register("ann")
            for (method, path, body) in Self.calls {
                _ = try await server.call(method, path, body, token: admin, from: "198.51.100.9")
            }
            _ = try await server.call(.PATCH, "/api/admin/users/boss", #"{"role":"member"}"#, token: admin)
            _ = try await server.call(.PATCH, "/api/admin/users/boss", #"{"role":"king"}"#, token: admin)
            // What only lists is not noted.
            _ = try await server.call(.GET, "/api/admin/plugins", token: admin)
            let lines = try await server.accounts.lines(before: nil, limit: 100).reversed() as [AuditLine]
            #expect(lines.count == Self.calls.count { $0.method != .GET } + 2)
            #expect(lines.allSatisfy { $0.userId == "boss" })
            #expect(lines.dropLast(2).allSatisfy { $0.address == "198.51.100.9" && $0.result == "ok" })
            #expect(
                lines.map { "\($0.action) \($0.target ?? "-") \($0.result)" } == [
                    "POST users new ok", "PATCH users disabled=false ann ok", "POST users/reset ann ok",
                    "POST users/logout ann ok", "POST invites - ok", "DELETE invites 0123456789abcdef ok",
                    "DELETE tokens 0123456789abcdef ok", "POST hooks channel=general ci ok", "DELETE hooks ci ok",
                    "PATCH users role=member boss forbidden", "PATCH users role=king boss invalid_command",
                ])
            // Pages go backwards.
            let first = try JSON(
                parsing: await server.call(.GET, "/api/admin/audit?limit=2", token: admin).body)
            let ids = first.array?.compactMap { $0["id"]?.int } ?? []
            #expect(ids.count == 2 && ids == ids.sorted(by: >))
            let next = try JSON(
                parsing: await server.call(.GET, "/api/admin/audit?limit=2&before=\(ids[1])", token: admin).body)
            #expect(next.array?.first?["id"]?.int == ids[1] - 1)
            for wrong in ["before=x", "before=-1", "limit=0", "limit=1001", "after=1"] {
                #expect(
                    try await server.call(.GET, "/api/admin/audit?\(wrong)", token: admin).status == 422, "\(wrong)")
            }
        }
    }

    @Test func everyLookAtAllIsInTheAuditLog() async throws {
        let folder = try TemporaryFolder()
        let database = try AccountsDatabase(path: folder.file("accounts.db"))
        try await TestServer.run(views: .following, configure: { $0.audit = database }) { server in
            try await server.seed()
            let paths = [
                "/api/events", "/api/events/stream", "/views/allchannels.json", "/views/messages/general.json",
            ]
            for path in paths {
                for (token, query) in [("root", ""), ("root", "?all=false"), ("alice", "?all=true")] {
                    _ = try await server.client.call(.GET, path + query, token: token, until: { _ in true })
                }
                let wrong = try await server.client.call(.GET, path + "?all=true&bogus=1", token: "root")
                #expect(wrong.status == 422, "\(path)")
            }
            #expect(try await database.lines(before: nil, limit: 100).isEmpty)
            for path in paths {
                let answer = try await server.client.call(
                    .GET, path + "?all=true", token: "root", until: { _ in true })
                #expect(answer.status == 200, "\(path): \(answer.text)")
            }
            let lines = try await database.lines(before: nil, limit: 100).reversed() as [AuditLine]
            #expect(
                lines.map { "\($0.userId) \($0.address) \($0.action) \($0.target ?? "-") \($0.result)" }
                    == paths.map { "root 127.0.0.1 read all=true \($0) ok" })
        }
    }

    /// The role counts when a call is made, not when the session started.
    @Test func aDemotedAdminsSessionOpensNothing() async throws {
        try await AccountServer.run { server in
            let (boss, other) = (try await server.admin(), try await server.admin("other"))
            #expect(try await server.call(.GET, "/api/admin/users", token: other).status == 200)
            #expect(
                try await server.call(.PATCH, "/api/admin/users/other", #"{"role":"member"}"#, token: boss).status
                    == 200)
            try await waitUntil("the demoted admin is refused") {
                try await server.call(.GET, "/api/admin/users", token: other).status == 403
            }
            #expect(try await server.status(other) == 200)
            let last = try await server.call(.PATCH, "/api/admin/users/boss", #"{"disabled":true}"#, token: boss)
            #expect(last.status == 403 && last.code == "forbidden", "\(last.text)")
        }
    }

    /// A call whose audit line cannot be written is not made.
    @Test func nothingIsDoneWithoutTheAuditLog() async throws {
        struct Full: Error {}
        struct FullLog: AuditLog {
            func begin(_ line: AuditLine) async throws -> Int64 { throw Full() }
            func end(_ id: Int64, result: String) async throws { throw Full() }
            func lines(before: Int64?, limit: Int) async throws -> [AuditLine] { [] }
        }
        try await TestServer.run(configure: { configuration in
            configuration.audit = FullLog()
            configuration.administration = AdminActions(
                addUser: { _, _ in }, makeToken: { _, _, _ in "" },
                hooks: HookActions(
                    add: { _, _, _ in
                        Issue.record("a hook was added")
                        return ""
                    }, list: { [] }, revoke: { _ in }))
        }) { server in
            let answer = try await server.client.call(
                .POST, "/api/admin/hooks", token: "console", body: Array(#"{"name":"ci"}"#.utf8))
            #expect(answer.status == 503 && answer.code == "unavailable", "\(answer.text)")
            for path in ["/api/events", "/api/events/stream"] {
                let refused = try await server.client.call(
                    .GET, path + "?all=true", token: "root", until: { _ in true })
                #expect(refused.status == 503 && refused.text.contains("nothing was done"), "\(refused.text)")
            }
        }
    }
}
