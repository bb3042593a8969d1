import CrowbarCore
import CrowbarSQLite
import Identity
import JSONBytes
import NIOHTTP1
import OpenSSL
import Synchronization
import Testing

@testable import CrowbarHTTP

/// What people do with their own accounts over HTTP.
@Suite struct AccountRoutesTests {
    private static let password = AccountServer.password

    private static func json(_ answer: TestClient.Answer) throws -> JSON { try JSON(parsing: answer.body) }

    // MARK: About

    @Test func aboutSaysWhatTheServerOffers() async throws {
        try await AccountServer.run(SignInPolicy(registration: .invite)) { server in
            let answer = try await server.call(.GET, "/api/about")
            let about = try Self.json(answer)
            #expect(answer.status == 200 && answer.headers["cache-control"] == ["no-store"])
            #expect(about["version"]?.string == CrowbarVersion.current && about["api"]?.int == 1)
            #expect(about["setup"]?.bool == true && about["registration"]?.string == "invite")
            #expect(about["passwords"]?.bool == true && about["anonymousRead"]?.bool == false)
            #expect(about["limits"]?["message"]?.int == 16_384 && about["limits"]?["name"]?.int == 256)
            #expect(about["limits"]?["topic"]?.int == 4_096 && about["oidc"] == nil)
            try server.accounts.add(.init(userId: "boss", isAdmin: true, created: 1))
            #expect(try Self.json(await server.call(.GET, "/api/about"))["setup"]?.bool == false)
            try server.accounts.add(.init(userId: "other", isAdmin: true, created: 1))
            try server.accounts.changeUser("boss", isDisabled: true)
            #expect(try Self.json(await server.call(.GET, "/api/about"))["setup"]?.bool == false)
        }
        try await AccountServer.run(SignInPolicy(passwords: false)) { server in
            let about = try Self.json(await server.call(.GET, "/api/about"))
            #expect(about["setup"]?.bool == false && about["passwords"]?.bool == false)
        }
    }

    // MARK: Registration

    @Test func registrationNeedsWhatThePolicySays() async throws {
        let rows: [(SignInPolicy, invite: String, status: Int, field: String?)] = [
            (.init(registration: .open), "", 200, nil), (.init(registration: .open), "wrong", 200, nil),
            (.init(registration: .invite), "", 403, "invite"), (.init(registration: .invite), "wrong", 403, "invite"),
            (.init(registration: .invite), "good", 200, nil), (.init(registration: .closed), "", 403, nil),
            (.init(registration: .closed), "good", 403, nil),
            (.init(registration: .open, passwords: false), "", 403, nil),
        ]
        for row in rows {
            try await AccountServer.run(row.0) { server in
                let invite = row.invite == "good" ? try await server.invite() : row.invite
                let member = invite.isEmpty ? "" : #","invite":"\#(invite)""#
                let answer = try await server.call(
                    .POST, "/api/register", #"{"userId":"ann","name":"Ann","password":"12345678"\#(member)}"#)
                #expect(answer.status == row.status && answer.field == row.field, "\(row): \(answer.text)")
                guard answer.status == 200 else {
                    #expect(try server.accounts.user("ann") == nil)
                    return
                }
                let session = try Self.json(answer)
                #expect(session["userId"]?.string == "ann" && session["name"]?.string == "Ann")
                #expect(session["role"]?.string == "member")
                let me = try Self.json(await server.call(.GET, "/api/me", token: try server.token(answer)))
                #expect(me["userId"]?.string == "ann" && me["name"]?.string == "Ann" && me["session"]?.bool == true)
                #expect(me["scopes"]?.array?.compactMap(\.string) == ["commands", "read"])
                #expect(me["expires"]?.int == session["expires"]?.int)
            }
        }
    }

    /// Ids that somebody has, and ids that nobody may choose.
    @Test func noIdIsTakenOver() async throws {
        try await AccountServer.run { server in
            try await server.server.seed()
            try server.accounts.add(.init(userId: "Wide.Name", isAdmin: false, created: 1))
            let rows: [(id: String, status: Int, code: String)] =
                [
                    // The log knows bob, who has no account.
                    ("bob", 409, "user_exists"), ("wide.name", 409, "user_exists"),
                    ("Wide.Name", 422, "invalid_command"), ("Ann", 422, "invalid_command"),
                    ("oidc:1", 422, "invalid_command"), ("incoming/ci", 422, "invalid_command"),
                    ("a", 422, "invalid_command"), (String(repeating: "a", count: 33), 422, "invalid_command"),
                    ("-ann", 422, "invalid_command"), ("", 422, "invalid_command"), ("än", 422, "invalid_command"),
                ] + UserIdRule.reserved.sorted().map { ($0, 422, "invalid_command") }
            for (number, row) in rows.enumerated() {
                let answer = try await server.call(
                    .POST, "/api/register", #"{"userId":"\#(row.id)","password":"12345678"}"#,
                    from: "192.0.2.\(number)")
                #expect(
                    answer.status == row.status && answer.code == row.code && answer.field == "userId",
                    "\(row.id): \(answer.text)")
                if row.id != "Wide.Name" { #expect(try server.accounts.user(row.id) == nil, "\(row.id)") }
            }
            #expect(try await server.accounts.pendingRegistrations().isEmpty)
            _ = try await server.register("ann")
            let again = try await server.call(.POST, "/api/register", #"{"userId":"ann","password":"12345678"}"#)
            #expect(again.status == 409 && again.code == "user_exists", "\(again.text)")
        }
    }

    @Test func bodiesAreRefusedWithTheirField() async throws {
        let long = String(repeating: "a", count: 1_025)
        let rows: [(path: String, body: String, status: Int, field: String?)] = [
            ("/api/register", "", 400, nil), ("/api/register", "[]", 400, nil),
            ("/api/register", #"{"userId":"ann"}"#, 422, "password"),
            ("/api/register", #"{"password":"12345678"}"#, 422, "userId"),
            ("/api/register", #"{"userId":"ann","password":12345678}"#, 422, "password"),
            ("/api/register", #"{"userId":"ann","password":"1234567"}"#, 422, "password"),
            ("/api/register", #"{"userId":"ann","password":"\#(long)"}"#, 422, "password"),
            ("/api/register", #"{"userId":"ann","password":"12345678","name":" "}"#, 422, "name"),
            ("/api/register", #"{"userId":"ann","password":"12345678","name":"a\u202Eb"}"#, 422, "name"),
            ("/api/register", #"{"userId":"ann","password":"12345678","name":1}"#, 422, "name"),
            ("/api/register", #"{"userId":"ann","password":"12345678","role":"admin"}"#, 422, "role"),
            ("/api/register", #"{"userId":"ann","password":"12345678","invite":1}"#, 422, "invite"),
            ("/api/login", #"{"userId":"ann"}"#, 422, "password"),
            ("/api/login", #"{"userId":["ann"],"password":"12345678"}"#, 422, "userId"),
            ("/api/setup", #"{"userId":"ann","password":"12345678"}"#, 422, "token"),
            ("/api/reset", #"{"token":"x","password":"1234567"}"#, 422, "password"),
            ("/api/reset", #"{"password":"12345678"}"#, 422, "token"),
        ]
        try await AccountServer.run { server in
            for (number, row) in rows.enumerated() {
                let answer = try await server.call(.POST, row.path, row.body, from: "192.0.2.\(number)")
                #expect(answer.status == row.status && answer.field == row.field, "\(row): \(answer.text)")
            }
            let large = try await server.call(
                .POST, "/api/login", #"{"userId":"\#(String(repeating: "a", count: 17_000))","password":"x"}"#)
            #expect(large.status == 413, "\(large.text)")
            // The longest password, written as long as JSON allows.
            let escaped = String(repeating: #"\u0061"#, count: 1_024)
            let registered = try await server.call(
                .POST, "/api/register", #"{"userId":"ann","password":"\#(escaped)"}"#, from: "198.51.100.1")
            #expect(registered.status == 200, "\(registered.text)")
            #expect(try await server.signIn("ann", String(repeating: "a", count: 1_024)).status == 200)
        }
    }

    @Test func anInviteThatIsUsedTwiceAtOnceCountsOnce() async throws {
        try await AccountServer.run(SignInPolicy(registration: .invite)) { server in
            let invite = try await server.invite(uses: 3)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        try await server.call(
                            .POST, "/api/register",
                            #"{"userId":"user\#(number)","password":"12345678","invite":"\#(invite)"}"#,
                            from: "192.0.2.\(number)"
                        ).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 3 && statuses.filter { $0 == 403 }.count == 5, "\(statuses)")
            let listed = try await server.accounts.invites(now: 1)
            #expect(listed.map(\.used) == [3])
            let over = try await server.invite(expires: TestServer.now() - 1)
            let late = try await server.call(
                .POST, "/api/register", #"{"userId":"late","password":"12345678","invite":"\#(over)"}"#)
            #expect(late.status == 403 && late.field == "invite", "\(late.text)")
        }
    }

    @Test func registrationsOfAnAddressAndOfAllAreLimited() async throws {
        try await AccountServer.run { server in
            for number in 0..<10 { _ = try await server.register("user\(number)") }
            func attempt(_ user: String, _ address: String) async throws -> TestClient.Answer {
                try await server.call(
                    .POST, "/api/register", #"{"userId":"\#(user)","password":"12345678"}"#, from: address)
            }
            let refused = try await attempt("user10", "192.0.2.1")
            #expect(refused.status == 429 && refused.code == "rate_limited", "\(refused.text)")
            let wait = try #require(refused.headers["retry-after"].first.flatMap { Int($0) })
            #expect((3_000...3_600).contains(wait))
            // One subscriber has all addresses behind the first 64 bits.
            for number in 0..<10 { _ = try await server.register("six\(number)", from: "2001:db8::\(number)") }
            #expect(try await attempt("six10", "2001:db8::ffff").status == 429)
            #expect(try await attempt("six10", "2001:db8:0:1::1").status == 200)
            for number in 21..<100 { _ = try await server.register("more\(number)", from: "198.51.100.\(number)") }
            let all = try await attempt("last", "203.0.113.1")
            #expect(all.status == 429 && all.text.contains("on this server"), "\(all.text)")
        }
    }

    // MARK: The first admin

    @Test func theSetupLinkMakesOneAdminOnce() async throws {
        try await AccountServer.run(SignInPolicy(registration: .closed)) { server in
            let voided = try await server.link(.setup)
            let token = try await server.link(.setup)
            func attempt(_ token: String, _ user: String) async throws -> TestClient.Answer {
                try await server.call(
                    .POST, "/api/setup", #"{"token":"\#(token)","userId":"\#(user)","password":"12345678"}"#)
            }
            for wrong in [voided, "x", ""] {
                let answer = try await attempt(wrong, "ann")
                #expect(answer.status == 403 && answer.field == "token", "\(answer.text)")
            }
            // An id that cannot be had does not use the link up.
            #expect(try await attempt(token, "root").status == 422)
            async let first = attempt(token, "ann")
            async let second = attempt(token, "bob")
            let statuses = try await [first.status, second.status].sorted()
            #expect(statuses == [200, 403])
            let admins = try ["ann", "bob"].filter { try server.accounts.user($0)?.isAdmin == true }
            #expect(admins.count == 1)
            let late = try await attempt(token, "carol")
            #expect(late.status == 403)
            #expect(try server.accounts.user("carol") == nil)
        }
    }

    // MARK: Passwords

    @Test func signingInNeedsTheRightPasswordOfAnEnabledAccount() async throws {
        try await AccountServer.run { server in
            _ = try await server.register("ann")
            for user in ["off", "gone"] { _ = try await server.register(user) }
            try server.accounts.add(.init(userId: "bare", isAdmin: false, created: 1))
            try server.accounts.changeUser("off", isDisabled: true)
            _ = try server.accounts.eraseAccount(of: "gone")
            let rows: [(user: String, password: String, status: Int)] = [
                ("ann", Self.password, 200), ("ann", "wrong password", 401), ("ann", "", 401),
                ("ann", Self.password + " ", 401), ("Ann", Self.password, 401), ("nobody", Self.password, 401),
                ("", "", 401), ("bare", "", 401), ("bare", "12345678", 401), ("off", Self.password, 403),
                ("off", "wrong password", 401), ("gone", Self.password, 401),
            ]
            for row in rows {
                let answer = try await server.signIn(row.user, row.password)
                #expect(answer.status == row.status, "\(row): \(answer.text)")
            }
            let wrong = try await server.signIn("ann", "wrong password")
            let unknown = try await server.signIn("nobody", "wrong password")
            #expect(wrong.body == unknown.body)
        }
        try await AccountServer.run(SignInPolicy(passwords: false)) { server in
            let answer = try await server.signIn("ann")
            #expect(answer.status == 403, "\(answer.text)")
        }
    }

    /// Failures from elsewhere keep nobody out of their account.
    @Test func failingForAVictimLocksNobodyOut() async throws {
        let clock = Mutex(TestServer.now())
        try await AccountServer.run(now: { clock.withLock { $0 } }) { server in
            let session = try await server.register("ann", from: "192.0.2.7")
            // One subscriber has all addresses behind the first 64 bits, and changes them every day.
            let home = try await server.signIn("ann", from: "2001:db8:7::1")
            #expect(home.status == 200)
            for number in 0..<10 {
                #expect(try await server.signIn("ann", "guess", from: "203.0.113.1").status == 401, "\(number)")
            }
            let pair = try await server.signIn("ann", "guess", from: "203.0.113.1")
            #expect(pair.status == 429 && pair.headers["retry-after"].first.flatMap { Int($0) } != nil, "\(pair.text)")
            // The right password from there has to wait too; another account does not.
            #expect(try await server.signIn("ann", from: "203.0.113.1").status == 429)
            #expect(try await server.signIn("bob", "guess", from: "203.0.113.1").status == 401)
            #expect(try await server.signIn("ann", from: "192.0.2.7").status == 200)
            for number in 0..<90 {
                _ = try await server.signIn("ann", "guess", from: "198.51.100.\(number)")
            }
            let account = try await server.signIn("ann", "guess", from: "198.51.100.200")
            #expect(account.status == 429, "\(account.text)")
            #expect(try await server.signIn("ann", from: "192.0.2.7").status == 200)
            #expect(try await server.signIn("ann", from: "2001:db8:7::2").status == 200)
            #expect(try await server.signIn("ann", from: "2001:db8:8::1").status == 429)
            // Sessions go on, also where it is refused to sign in.
            #expect(try await server.call(.GET, "/api/me", token: session, from: "203.0.113.1").status == 200)
            #expect(try await server.call(.GET, "/api/tokens", token: session, from: "203.0.113.1").status == 200)
            clock.withLock { $0 += 3_600_001 }
            #expect(try await server.signIn("ann", from: "203.0.113.1").status == 200)
        }
    }

    /// Once an hour for each, so that whoever fails cannot push other lines out of the audit log.
    @Test func signInsOverTheLimitAreNoted() async throws {
        let clock = Mutex(TestServer.now())
        try await AccountServer.run(now: { clock.withLock { $0 } }) { server in
            _ = try await server.register("ann", from: "192.0.2.7")
            for _ in 0..<20 { _ = try await server.signIn("ann", "guess", from: "203.0.113.1") }
            func lines() async throws -> [String] {
                try await server.accounts.lines(before: nil, limit: 100).map {
                    "\($0.userId) \($0.address) \($0.action) \($0.target ?? "-") \($0.result)"
                }
            }
            let first = "- 203.0.113.1 sign-ins over the limit ann rate_limited"
            #expect(try await lines() == [first])
            clock.withLock { $0 += 120_000 }
            for _ in 0..<20 { _ = try await server.signIn("ann", "guess", from: "203.0.113.1") }
            #expect(try await lines() == [first])
            for number in 0..<31 { _ = try await server.signIn("user\(number)", "guess", from: "203.0.113.2") }
            // What is no account may be a password in the wrong field.
            for _ in 0..<11 { _ = try await server.signIn("correct horse", "guess", from: "203.0.113.3") }
            let others = ["203.0.113.3", "203.0.113.2"].map { "- \($0) sign-ins over the limit - rate_limited" }
            #expect(try await lines() == others + [first])
            clock.withLock { $0 += 3_600_000 }
            for _ in 0..<11 { _ = try await server.signIn("ann", "guess", from: "203.0.113.1") }
            #expect(try await lines() == [first] + others + [first])
        }
    }

    @Test func anAddressHas30FailuresAMinute() async throws {
        try await AccountServer.run { server in
            _ = try await server.register("ann", from: "192.0.2.7")
            for number in 0..<30 { _ = try await server.signIn("user\(number)", "guess", from: "203.0.113.1") }
            let answer = try await server.signIn("user30", "guess", from: "203.0.113.1")
            #expect(answer.status == 429 && answer.text.contains("from this address"), "\(answer.text)")
            #expect(try await server.signIn("ann", from: "192.0.2.7").status == 200)
        }
    }

    @Test func aNewPasswordEndsAllOtherSessions() async throws {
        try await AccountServer.run { server in
            let here = try await server.register("ann")
            let there = try server.token(try await server.signIn("ann"))
            let rows: [(body: String, status: Int, field: String?)] = [
                (#"{"old":"wrong","new":"12345678"}"#, 403, "old"),
                (#"{"old":"\#(Self.password)","new":"1234567"}"#, 422, "new"),
                (#"{"old":"\#(Self.password)"}"#, 422, "new"), (#"{"new":"12345678"}"#, 422, "old"),
                (#"{"old":"\#(Self.password)","new":"12345678"}"#, 204, nil),
            ]
            for row in rows {
                let answer = try await server.call(.POST, "/api/password", row.body, token: here)
                #expect(answer.status == row.status && answer.field == row.field, "\(row): \(answer.text)")
            }
            #expect(try await server.status(here) == 200)
            try await waitUntil("the other session has ended") { try await server.status(there) == 401 }
            #expect(try await server.signIn("ann").status == 401)
            #expect(try await server.signIn("ann", "12345678").status == 200)
        }
    }

    @Test func aResetLinkWorksOnceForItsUser() async throws {
        try await AccountServer.run { server in
            let session = try await server.register("ann")
            _ = try await server.register("bob")
            func attempt(_ token: String, _ more: String = "") async throws -> TestClient.Answer {
                try await server.call(
                    .POST, "/api/reset", #"{"token":"\#(token)","password":"new password"\#(more)}"#)
            }
            let over = try await server.link(.reset(userId: "ann"), expires: TestServer.now() - 1)
            let link = try await server.link(.reset(userId: "ann"))
            let setup = try await server.link(.setup)
            for wrong in [over, setup, "x"] { #expect(try await attempt(wrong).status == 403, "\(wrong)") }
            #expect(try await attempt(link, #","userId":"bob""#).status == 403)
            let answer = try await attempt(link, #","userId":"ann""#)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(try await server.status(try server.token(answer)) == 200)
            try await waitUntil("the session before has ended") { try await server.status(session) == 401 }
            #expect(try await attempt(link).status == 403)
            #expect(try await server.signIn("ann", "new password").status == 200)
            try server.accounts.changeUser("bob", isDisabled: true)
            #expect(try await attempt(try await server.link(.reset(userId: "bob"))).status == 403)
        }
    }
}
