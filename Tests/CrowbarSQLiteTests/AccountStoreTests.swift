import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarSQLite

@Suite struct AccountStoreTests {
    static let now: Int64 = 1_700_000_000_000
    private static let day: Int64 = 86_400_000

    static func hash(_ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: 32) }

    private static func open(_ folder: TemporaryFolder) throws -> AccountsDatabase {
        try AccountsDatabase(path: folder.file("accounts.db"))
    }

    private static func open(members: String..., admins: [String] = []) throws -> AccountsDatabase {
        let accounts = try open(try TemporaryFolder())
        for user in members { try accounts.add(Account(userId: user, isAdmin: false, created: now)) }
        for user in admins { try accounts.add(Account(userId: user, isAdmin: true, created: now)) }
        return accounts
    }

    private static func session(
        _ byte: UInt8, of user: String = "ann", lifetime: Int64? = nil, address: String? = "a", at time: Int64 = now
    ) -> AccountToken {
        .session(
            hash: hash(byte), userId: user, scopes: [.read, .commands], lifetime: lifetime, address: address, now: time)
    }

    // MARK: Sessions and tokens

    @Test func aSessionEndsWithoutUseAndAfterAYear() async throws {
        let accounts = try Self.open(members: "ann")
        try await accounts.start(Self.session(1))
        func isGood(_ day: Int64, _ milliseconds: Int64 = 0) throws -> Bool {
            let time = Self.now + day * Self.day + milliseconds
            let found = try accounts.principal(forTokenHash: Self.hash(1), now: time)
            try accounts.flushUses(all: true)
            return found?.kind == .session
        }
        #expect(try isGood(30, -1))
        #expect(try isGood(60, -2), "30 days after the last use")
        // It was last used on day 60.
        for day: Int64 in stride(from: 80, through: 360, by: 20) { #expect(try isGood(day), "day \(day)") }
        #expect(try isGood(365, -1))
        #expect(try !isGood(365), "a year")
        try await accounts.start(Self.session(2))
        #expect(try accounts.principal(forTokenHash: Self.hash(2), now: Self.now + 30 * Self.day) == nil)
        try await accounts.start(Self.session(3, lifetime: 43_200_000))
        #expect(try accounts.principal(forTokenHash: Self.hash(3), now: Self.now + 43_199_999) != nil)
        #expect(try accounts.principal(forTokenHash: Self.hash(3), now: Self.now + 43_200_000) == nil)
    }

    @Test func theLastUseIsWrittenOnceAMinute() async throws {
        let folder = try TemporaryFolder()
        let accounts = try Self.open(folder)
        try accounts.add(Account(userId: "ann", isAdmin: false, created: Self.now))
        try await accounts.start(Self.session(1, address: "first"))
        func use(_ after: Int64, _ address: String?) throws -> (Int64?, String?) {
            _ = try accounts.principal(forTokenHash: Self.hash(1), now: Self.now + after, address: address)
            try accounts.flushUses()
            let token = try Self.open(folder).tokens().first
            return (token?.lastUsed.map { $0 - Self.now }, token?.address)
        }
        #expect(try use(1_000, "b") == (1_000, "b"))
        #expect(try use(60_999, "c") == (1_000, "b"), "not within the minute")
        #expect(try use(61_000, nil) == (61_000, "c"))
        _ = try accounts.principal(forTokenHash: Self.hash(1), now: Self.now + 62_000, address: "d")
        try accounts.flushUses(all: true)
        #expect(try Self.open(folder).tokens().first?.lastUsed == Self.now + 62_000, "at the server's end")
    }

    @Test func machineTokensHaveNamesAndStayWhenSessionsEnd() async throws {
        let accounts = try Self.open(members: "ann", "bob")
        try await accounts.add(
            AccountToken(
                hash: Self.hash(1), userId: "ann", name: "ci", scopes: [.read], expires: Self.now + 9,
                created: Self.now))
        for byte: UInt8 in [2, 3, 4] { try await accounts.start(Self.session(byte)) }
        try await accounts.start(Self.session(5, of: "bob"))
        let listed = try accounts.tokens(of: "ann")
        #expect(listed.map(\.kind) == [.token, .session, .session, .session])
        #expect(listed[0].name == "ci" && listed[0].expires == Self.now + 9 && listed[0].idle == nil)
        #expect(listed[1].address == "a" && listed[1].end == Self.now + 30 * Self.day)
        #expect(try accounts.accounts(of: "ann", now: Self.now).map { [$0.tokens, $0.sessions] } == [[1, 3]])
        #expect(try await accounts.endSessions(of: "ann", except: Self.hash(3)) == 2)
        func works(_ byte: UInt8) throws -> Bool {
            try accounts.principal(forTokenHash: Self.hash(byte), now: Self.now) != nil
        }
        #expect(try [1, 2, 3, 4, 5].map { try works($0) } == [true, false, true, false, true])
        #expect(try accounts.principal(forTokenHash: Self.hash(1), now: Self.now)?.kind == .machineToken)
    }

    /// What was verified before a password changed, or a session ended, does not hold after it.
    @Test func aChangedPasswordEndsWhatTheOldOneBegan() async throws {
        let accounts = try Self.open(members: "bob")
        try accounts.add(Account(userId: "ann", isAdmin: false, passwordHash: "$old", created: Self.now))
        for byte: UInt8 in [2, 3] { try await accounts.start(Self.session(byte), ifPasswordHashIs: "$old", since: nil) }
        try await accounts.start(Self.session(5, of: "bob"))
        try await accounts.revokeToken(id: AccountToken.id(ofHash: Self.hash(2)), of: "ann")
        let link = AccountLink(hash: Self.hash(7), purpose: .reset(userId: "ann"), expires: Self.now + Self.day)
        try await accounts.add(link)
        for (hash, session) in [("$other", Self.hash(3)), ("$old", Self.hash(2)), ("$old", Self.hash(5))] {
            await #expect(throws: AccountFailure.passwordChanged) {
                try await accounts.setPassword("$new", of: "ann", replacing: hash, session: session)
            }
        }
        #expect(try await accounts.link(hash: Self.hash(7), now: Self.now) == .reset(userId: "ann"))
        try await accounts.setPassword("$new", of: "ann", replacing: "$old", session: Self.hash(3))
        #expect(try await accounts.account(of: "ann")?.passwordHash == "$new")
        #expect(try await accounts.link(hash: Self.hash(7), now: Self.now) == nil, "a link of before is void")
        #expect(try accounts.principal(forTokenHash: Self.hash(3), now: Self.now) != nil)
        await #expect(throws: AccountFailure.passwordChanged) {
            try await accounts.start(Self.session(9), ifPasswordHashIs: "$old", since: nil)
        }
        await #expect(throws: AccountFailure.noAccount("cid")) {
            try await accounts.setPassword("$new", of: "cid", replacing: "$old", session: Self.hash(3))
        }
    }

    /// What was verified before all sessions of an account ended starts no session after it.
    @Test func aSignOutEndsSignInsThatAreUnderWay() async throws {
        let accounts = try Self.open(members: "bob")
        try accounts.add(Account(userId: "ann", isAdmin: false, passwordHash: "$hash", created: Self.now))
        let link = AccountLink(hash: Self.hash(90), purpose: .reset(userId: "ann"), expires: Self.now + Self.day)
        try await accounts.start(Self.session(80))
        let endings: [(String, () async throws -> Void)] = [
            ("sign-out", { _ = try await accounts.endSessions(of: "ann", except: nil) }),
            ("sign-out of the others", { _ = try await accounts.endSessions(of: "ann", except: Self.hash(80)) }),
            (
                "a new password",
                {
                    try await accounts.start(Self.session(81))
                    try await accounts.setPassword(
                        "$hash", of: "ann", replacing: "$hash", session: Self.hash(81))
                }
            ),
            (
                "a reset link",
                {
                    try await accounts.add(link)
                    try await accounts.reset(
                        linkHash: link.hash, passwordHash: "$hash", session: Self.session(82), now: Self.now)
                }
            ),
        ]
        for (number, (name, end)) in endings.enumerated() {
            let (mark, byte) = (try await accounts.signOutMark(), UInt8(number * 8))
            try await end()
            await #expect(throws: AccountFailure.sessionEnded, "\(name)") {
                try await accounts.start(Self.session(byte), since: mark)
            }
            await #expect(throws: AccountFailure.sessionEnded, "\(name)") {
                try await accounts.start(Self.session(byte + 1), ifPasswordHashIs: "$hash", since: mark)
            }
            try await accounts.start(Self.session(byte + 2, of: "bob"), since: mark)
            let after = try await accounts.signOutMark()
            try await accounts.start(Self.session(byte + 3), since: after)
            try await accounts.start(Self.session(byte + 4), ifPasswordHashIs: "$hash", since: after)
        }
    }

    /// A token is not made for a session that ended meanwhile.
    @Test func aTokenNeedsTheSessionThatAsksForIt() async throws {
        let accounts = try Self.open(members: "ann", "bob")
        for byte: UInt8 in [1, 2] { try await accounts.start(Self.session(byte)) }
        try await accounts.start(Self.session(3, of: "bob"))
        func token(_ byte: UInt8) -> AccountToken {
            AccountToken(hash: Self.hash(byte), userId: "ann", scopes: [.read], created: Self.now)
        }
        try await accounts.revokeToken(id: AccountToken.id(ofHash: Self.hash(2)), of: "ann")
        for session: UInt8 in [2, 3, 4] {
            await #expect(throws: AccountFailure.sessionEnded, "\(session)") {
                try await accounts.add(token(10), by: Self.hash(session))
            }
        }
        try await accounts.add(token(10), by: Self.hash(1))
        #expect(try accounts.tokens(of: "ann").count { $0.kind == .token } == 1)
    }

    @Test func tokensNeedAUsableAccount() async throws {
        let accounts = try Self.open(members: "ann")
        await #expect(throws: AccountFailure.noAccount("bob")) { try await accounts.start(Self.session(1, of: "bob")) }
        try accounts.changeUser("ann", isDisabled: true)
        await #expect(throws: AccountFailure.accountDisabled("ann")) { try await accounts.start(Self.session(1)) }
        let token = AccountToken(hash: Self.hash(1), userId: "ann", scopes: [.read], created: Self.now)
        await #expect(throws: AccountFailure.accountDisabled("ann")) { try await accounts.add(token) }
        try accounts.changeUser("ann", isDisabled: false)
        try await accounts.add(token)
        await #expect(throws: AccountFailure.tokenExists) { try await accounts.add(token) }
    }

    @Test func anAccountHas64Sessions() async throws {
        let accounts = try Self.open(members: "ann")
        for byte in 0..<70 { try await accounts.start(Self.session(UInt8(byte), at: Self.now + Int64(byte))) }
        let open = try accounts.tokens(of: "ann", includesRevoked: false).map { $0.hash[0] }
        #expect(open == Array(6..<70))
    }

    @Test func whatCountsAsTheAddressIsRemembered() async throws {
        let accounts = try Self.open(members: "ann")
        try await accounts.start(
            .session(
                hash: Self.hash(1), userId: "ann", scopes: [.read], address: "2001:db8::1", network: "2001:db8::/64",
                now: Self.now))
        #expect(try await accounts.hasSignedIn("ann", from: "2001:db8::/64", since: Self.now))
        #expect(try await !accounts.hasSignedIn("ann", from: "2001:db8::1", since: Self.now))
        #expect(try accounts.tokens(of: "ann").first?.address == "2001:db8::1", "as it is shown")
    }

    @Test func addressesOfSignInsAreRemembered() async throws {
        let accounts = try Self.open(members: "ann", "bob")
        for index in 0..<40 {
            try await accounts.start(
                Self.session(UInt8(index), address: "x\(index)", at: Self.now + Int64(index)))
        }
        func knows(_ user: String, _ address: String, since: Int64 = Self.now) async throws -> Bool {
            try await accounts.hasSignedIn(user, from: address, since: since)
        }
        #expect(try await knows("ann", "x39"))
        #expect(try await knows("ann", "x8"))
        #expect(try await !knows("ann", "x7"), "32 are remembered")
        #expect(try await !knows("bob", "x39"))
        #expect(try await !knows("ann", "x39", since: Self.now + 40))
        try await accounts.removeExpired(now: Self.now + 30 * Self.day + 20)
        #expect(try await !knows("ann", "x19"))
        #expect(try await knows("ann", "x20"))
    }

    @Test func whatIsOverIsRemoved() async throws {
        let accounts = try Self.open(members: "ann")
        try await accounts.start(Self.session(1, at: Self.now))
        try await accounts.start(Self.session(2, at: Self.now + 1))
        try await accounts.start(Self.session(3, at: Self.now + 2))
        _ = try await accounts.endSessions(of: "ann", except: Self.hash(2))
        try await accounts.add(
            AccountToken(
                hash: Self.hash(4), userId: "ann", scopes: [.read], expires: Self.now + 5, created: Self.now))
        try await accounts.removeExpired(now: Self.now + 10)
        #expect(try accounts.tokens().map { $0.hash[0] } == [2, 4], "machine tokens stay in the listing")
        try await accounts.removeExpired(now: Self.now + 30 * Self.day + 1)
        #expect(try accounts.tokens().map { $0.hash[0] } == [4])
    }

    // MARK: Roles

    @Test func groupsDecideAboutTheRoleOfTheirUsersOnly() async throws {
        let accounts = try Self.open(members: "ann", admins: ["root"])
        func role(_ user: String) async throws -> String {
            let account = try await accounts.account(of: user)
            return "\(account?.isAdmin == true ? "admin" : "member") \(account?.roleSource.name ?? "-")"
        }
        _ = try await accounts.setGroupRole(isAdmin: true, of: "ann")
        #expect(try await role("ann") == "member local", "a local role stays")
        try await accounts.link("ann", to: .init(issuer: "https://i", subject: "1"))
        try await accounts.link("root", to: .init(issuer: "https://i", subject: "2"))
        #expect(try await role("ann") == "member oidc")
        #expect(try await accounts.setGroupRole(isAdmin: true, of: "ann").isAdmin)
        #expect(try await role("ann") == "admin oidc")
        #expect(try await !accounts.setGroupRole(isAdmin: false, of: "ann").isAdmin)
        #expect(try await accounts.setGroupRole(isAdmin: false, of: "root").isAdmin)
        #expect(try await role("root") == "admin local")
        try accounts.changeUser("ann", isAdmin: true)
        _ = try await accounts.setGroupRole(isAdmin: false, of: "ann")
        #expect(try await role("ann") == "admin local", "given locally")
        await #expect(throws: AccountFailure.noAccount("bob")) {
            _ = try await accounts.setGroupRole(isAdmin: true, of: "bob")
        }
    }

    @Test func aSubjectHasOneAccountAndAnAccountOneSubject() async throws {
        let accounts = try Self.open(members: "ann", "bob")
        let one = PendingRegistration.Identity(issuer: "https://i", subject: "1")
        try await accounts.link("ann", to: one)
        try await accounts.link("ann", to: one)
        #expect(try await accounts.account(of: one)?.userId == "ann")
        await #expect(throws: AccountFailure.subjectLinked(to: "ann")) { try await accounts.link("bob", to: one) }
        await #expect(throws: AccountFailure.userLinked("ann", to: "1")) {
            try await accounts.link("ann", to: .init(issuer: "https://i", subject: "2"))
        }
        await #expect(throws: AccountFailure.noAccount("cid")) {
            try await accounts.link("cid", to: .init(issuer: "https://i", subject: "3"))
        }
        // Byte for byte.
        for other in [
            PendingRegistration.Identity(issuer: "https://I", subject: "1"), .init(issuer: "https://i", subject: "1 "),
        ] { #expect(try await accounts.account(of: other) == nil) }
    }

    /// Two admins are demoted at the same time, each because there is the other.
    @Test func oneOfTwoAdminsStaysHoweverTheyGo() async throws {
        for _ in 0..<20 {
            let folder = try TemporaryFolder()
            let (first, second) = (try Self.open(folder), try Self.open(folder))
            for user in ["ann", "bob"] { try first.add(Account(userId: user, isAdmin: true, created: Self.now)) }
            let refused = await withTaskGroup(of: Bool.self) { group in
                group.addTask { (try? first.changeUser("ann", isAdmin: false)) == nil }
                group.addTask { (try? second.changeUser("bob", isDisabled: true)) == nil }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(refused == 1)
        }
    }

    @Test func accountsThatDifferOnlyInCaseAreRefused() throws {
        let accounts = try Self.open(members: "Ann")
        #expect(throws: AccountFailure.caseTwin("ann", of: "Ann")) {
            try accounts.add(Account(userId: "ann", isAdmin: false, created: 1))
        }
        #expect(throws: AccountFailure.caseTwin("ANN", of: "Ann")) { try accounts.requireFree("ANN") }
        #expect(throws: AccountFailure.accountExists("Ann")) { try accounts.requireFree("Ann") }
        try accounts.requireFree("bob")
    }

    @Test func erasingTakesAllThatIsTheUsers() async throws {
        let accounts = try Self.open(members: "ann", admins: ["root"])
        let identity = PendingRegistration.Identity(issuer: "https://i", subject: "1")
        try await accounts.link("ann", to: identity)
        try await accounts.start(Self.session(1))
        try await accounts.add(
            AccountLink(hash: Self.hash(2), purpose: .reset(userId: "ann"), expires: Self.now + 9))
        #expect(try accounts.eraseAccount(of: "ann"))
        #expect(try await accounts.account(of: identity) == nil)
        #expect(try await accounts.link(hash: Self.hash(2), now: Self.now) == nil)
        #expect(try await !accounts.hasSignedIn("ann", from: "a", since: 0))
        #expect(try accounts.tokens().isEmpty)
        #expect(try await accounts.account(of: "ann")?.isDisabled == true)
    }

    /// The rows of format 3 are kept, and mean what they meant.
    @Test func accountsOfFormat3AreKept() async throws {
        let folder = try TemporaryFolder()
        let digits = String(repeating: "09", count: 32)
        do {
            let old = try StoreDatabase.open(
                path: folder.file("accounts.db"), label: "old", synchronous: "FULL",
                formats: Array(AccountsDatabase.formats.prefix(3)))
            try await old.write { db in
                try db.execute(
                    sql: """
                        INSERT INTO accounts (userId, isAdmin, passwordHash, created, disabled)
                            VALUES ('ann', 1, NULL, 5, 0), ('Ann', 0, NULL, 6, 1);
                        INSERT INTO tokens (hash, userId, scopes, expires, created, revoked, lastUsed)
                            VALUES (x'\(digits)', 'ann', 6, NULL, 5, 0, 7);
                        INSERT INTO hooks VALUES ('ci', 'general', x'01', 5);
                        """)
            }
        }
        let accounts = try Self.open(folder)
        let (ann, twin) = (try await accounts.account(of: "ann"), try await accounts.account(of: "Ann"))
        #expect(ann == Account(userId: "ann", isAdmin: true, created: 5))
        #expect(twin == Account(userId: "Ann", isAdmin: false, created: 6, isDisabled: true))
        #expect(
            try accounts.tokens() == [
                AccountToken(hash: Self.hash(9), userId: "ann", scopes: [.read, .admin], created: 5, lastUsed: 7)
            ])
        let later = Self.now + 1_000 * Self.day
        let principal = try accounts.principal(forTokenHash: Self.hash(9), now: later)
        #expect(principal == Principal(userId: "ann", scopes: [.read, .admin]), "machine tokens do not end by disuse")
        #expect(try accounts.hooks().map(\.name) == ["ci"])
        #expect(try await accounts.pendingRegistrations().isEmpty)
    }
}
