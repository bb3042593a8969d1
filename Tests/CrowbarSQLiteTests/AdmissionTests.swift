import CrowbarCore
import CrowbarTesting
import Testing

@testable import CrowbarSQLite

/// Invites, one-time links and pending accounts.
@Suite struct AdmissionTests {
    private static let now: Int64 = 1_700_000_000_000
    private static let identity = PendingRegistration.Identity(issuer: "https://i", subject: "Sub")

    private static func hash(_ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: 32) }

    private static func open(_ folder: TemporaryFolder? = nil) throws -> AccountsDatabase {
        let folder = try folder ?? TemporaryFolder()
        // What is open stays usable when the folder goes.
        return try withExtendedLifetime(folder) { try AccountsDatabase(path: folder.file("accounts.db")) }
    }

    private static func pending(
        _ user: String, event: String? = nil, isAdmin: Bool = false, identity: PendingRegistration.Identity? = nil
    ) -> PendingRegistration {
        PendingRegistration(
            account: Account(
                userId: user, isAdmin: isAdmin, roleSource: identity == nil ? .local : .oidc, passwordHash: "$",
                created: now), name: "Name of \(user)", eventId: event ?? "event-\(user)", identity: identity)
    }

    private static func invite(_ byte: UInt8, uses: Int64 = 1, expires: Int64 = now + 1) -> AccountInvite {
        AccountInvite(
            hash: hash(byte), uses: uses, expires: expires, created: now + Int64(byte), creator: "root", note: "for you"
        )
    }

    @Test func aPendingAccountIsNoAccountYet() async throws {
        let accounts = try Self.open()
        let pending = Self.pending("ann")
        #expect(try await accounts.begin(pending, by: .free, now: Self.now) == pending)
        #expect(try await accounts.account(of: "ann")?.isPending == true)
        let session = AccountToken.session(
            hash: Self.hash(1), userId: "ann", scopes: [.read], address: nil, now: Self.now)
        await #expect(throws: AccountFailure.accountPending("ann")) { try await accounts.start(session) }
        // A token that is there all the same does not work.
        try accounts.storeToken(AccountToken(hash: Self.hash(2), userId: "ann", scopes: [.read], created: 1))
        #expect(try accounts.principal(forTokenHash: Self.hash(2), now: Self.now) == nil)
        #expect(try await accounts.pendingRegistrations() == [pending])
        try await accounts.finish(pending, session: session)
        #expect(try accounts.principal(forTokenHash: Self.hash(1), now: Self.now)?.kind == .session)
        #expect(try await accounts.account(of: "ann")?.isPending == false)
        #expect(try await accounts.pendingRegistrations().isEmpty)
        // Again, by another that ran at the same time.
        try await accounts.finish(pending, session: nil)
        try await accounts.rollBack(pending)
        #expect(try await accounts.account(of: "ann")?.isPending == false, "what is active is not rolled back")
    }

    @Test func anIdIsTakenOnce() async throws {
        let accounts = try Self.open()
        let first = Self.pending("ann")
        _ = try await accounts.begin(first, by: .free, now: Self.now)
        #expect(try await accounts.begin(first, by: .free, now: Self.now) == first, "the same registration")
        for (user, failure): (String, AccountFailure) in [
            ("ann", .accountExists("ann")), ("Ann", .caseTwin("Ann", of: "ann")), ("ANN", .caseTwin("ANN", of: "ann")),
        ] {
            await #expect(throws: failure) {
                try await accounts.begin(Self.pending(user, event: "other"), by: .free, now: Self.now)
            }
        }
        await #expect(throws: AccountFailure.accountPending("ann")) {
            try await accounts.finish(Self.pending("ann", event: "other"), session: nil)
        }
        try await accounts.rollBack(Self.pending("ann", event: "other"))
        #expect(try await accounts.pendingRegistrations() == [first])
        try await accounts.rollBack(first)
        #expect(try await accounts.account(of: "ann") == nil)
        await #expect(throws: AccountFailure.noAccount("ann")) { try await accounts.finish(first, session: nil) }
        _ = try await accounts.begin(Self.pending("ann", event: "other"), by: .free, now: Self.now)
    }

    @Test func anInviteIsGoodForItsUses() async throws {
        let accounts = try Self.open()
        try await accounts.add(Self.invite(1, uses: 2))
        try await accounts.add(Self.invite(2, expires: Self.now))
        func begin(_ user: String, _ invite: UInt8) async throws {
            _ = try await accounts.begin(Self.pending(user), by: .invite(Self.hash(invite)), now: Self.now)
        }
        for (user, invite): (String, UInt8) in [("x", 2), ("x", 3)] {
            await #expect(throws: AccountFailure.inviteInvalid) { try await begin(user, invite) }
        }
        try await begin("ann", 1)
        // What is refused uses nothing up.
        await #expect(throws: AccountFailure.caseTwin("Ann", of: "ann")) { try await begin("Ann", 1) }
        #expect(try await accounts.invites(now: Self.now).map(\.used) == [1])
        try await begin("bob", 1)
        await #expect(throws: AccountFailure.inviteInvalid) { try await begin("cid", 1) }
        #expect(try await accounts.account(of: "cid") == nil)
        try await accounts.rollBack(Self.pending("bob"))
        try await accounts.finish(Self.pending("ann"), session: nil)
        #expect(try await accounts.invites(now: Self.now).map(\.used) == [1])
        try await begin("cid", 1)
        #expect(try await accounts.invites(now: Self.now).first?.note == "for you")
    }

    /// By two connections, as two nodes have them.
    @Test func anInviteUsedManyTimesAtOnceCountsOnce() async throws {
        for round in 0..<10 {
            let folder = try TemporaryFolder()
            let stores = [try Self.open(folder), try Self.open(folder)]
            try await stores[0].add(Self.invite(1))
            let admitted = await withTaskGroup(of: String?.self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let pending = Self.pending("user\(index)")
                        let begun = try? await stores[index % 2].begin(
                            pending, by: .invite(Self.hash(1)), now: Self.now)
                        return begun.flatMap { $0 }?.account.userId
                    }
                }
                return await group.reduce(into: [String]()) { if let user = $1 { $0.append(user) } }
            }
            #expect(admitted.count == 1, "round \(round): \(admitted)")
            #expect(try await stores[0].pendingRegistrations().map(\.account.userId) == admitted)
            #expect(try await stores[1].invites(now: Self.now).map(\.used) == [1])
        }
    }

    @Test func invitesAreListedAndRemoved() async throws {
        let accounts = try Self.open()
        for byte: UInt8 in [1, 2, 3] { try await accounts.add(Self.invite(byte, expires: Self.now + Int64(byte))) }
        #expect(try await accounts.invites(now: Self.now + 1).map(\.id) == ["0202020202020202", "0303030303030303"])
        for wrong in ["", "02020202", "%", "0202020202020203"] {
            await #expect(throws: AccountFailure.noInvite(wrong)) { try await accounts.removeInvite(id: wrong) }
        }
        try await accounts.removeInvite(id: "0202020202020202")
        await #expect(throws: AccountFailure.inviteInvalid) {
            try await accounts.begin(Self.pending("ann"), by: .invite(Self.hash(2)), now: Self.now)
        }
        // A use that is given back to an invite that was removed is lost.
        _ = try await accounts.begin(Self.pending("ann"), by: .invite(Self.hash(3)), now: Self.now)
        try await accounts.removeInvite(id: "0303030303030303")
        try await accounts.rollBack(Self.pending("ann"))
        try await accounts.removeExpired(now: Self.now + 1)
        #expect(try await accounts.invites(now: 0).isEmpty)
    }

    @Test func theSetupLinkMakesTheFirstAdminOnly() async throws {
        let accounts = try Self.open()
        let admin = Self.pending("ann", isAdmin: true)
        try await accounts.add(AccountLink(hash: Self.hash(1), purpose: .setup, expires: Self.now + 10))
        try await accounts.add(AccountLink(hash: Self.hash(2), purpose: .setup, expires: Self.now + 10))
        #expect(try await accounts.link(hash: Self.hash(1), now: Self.now) == nil, "a new one voids the old")
        #expect(try await accounts.link(hash: Self.hash(2), now: Self.now) == .setup)
        func begin(_ byte: UInt8, now: Int64 = Self.now) async throws {
            _ = try await accounts.begin(admin, by: .setup(Self.hash(byte)), now: now)
        }
        await #expect(throws: AccountFailure.linkInvalid) { try await begin(1) }
        await #expect(throws: AccountFailure.linkInvalid) { try await begin(2, now: Self.now + 10) }
        try await begin(2)
        #expect(try await accounts.link(hash: Self.hash(2), now: Self.now) == nil, "good for one use")
        try await accounts.rollBack(admin)
        #expect(try await accounts.link(hash: Self.hash(2), now: Self.now + 9) == .setup, "given back")
        #expect(try await accounts.link(hash: Self.hash(2), now: Self.now + 10) == nil, "with its end")
        try await begin(2)
        try await accounts.finish(admin, session: nil)
        await #expect(throws: AccountFailure.adminExists) {
            try await accounts.add(AccountLink(hash: Self.hash(3), purpose: .setup, expires: Self.now + 10))
        }
    }

    @Test func aSetupLinkIsVoidOnceThereIsAnAdmin() async throws {
        let accounts = try Self.open()
        try await accounts.add(AccountLink(hash: Self.hash(1), purpose: .setup, expires: Self.now + 10))
        try accounts.add(Account(userId: "root", isAdmin: true, created: 1))
        await #expect(throws: AccountFailure.adminExists) {
            try await accounts.begin(Self.pending("ann", isAdmin: true), by: .setup(Self.hash(1)), now: Self.now)
        }
        #expect(try await accounts.account(of: "ann") == nil)
    }

    @Test func aResetLinkGivesANewPasswordOnce() async throws {
        let accounts = try Self.open()
        for user in ["ann", "bob"] { try accounts.add(Account(userId: user, isAdmin: false, created: 1)) }
        func session(_ byte: UInt8, _ user: String = "ann") -> AccountToken {
            .session(hash: Self.hash(byte), userId: user, scopes: [.read], address: "a", now: Self.now)
        }
        func add(_ byte: UInt8, _ user: String = "ann") async throws {
            try await accounts.add(
                AccountLink(hash: Self.hash(byte), purpose: .reset(userId: user), expires: Self.now + 10))
        }
        func reset(_ byte: UInt8, _ session: AccountToken, now: Int64 = Self.now) async throws {
            try await accounts.reset(linkHash: Self.hash(byte), passwordHash: "$new", session: session, now: now)
        }
        try await accounts.start(session(20))
        try await add(1)
        try await add(2)
        try await add(3, "bob")
        for (byte, user, now): (UInt8, String, Int64) in [
            (1, "ann", Self.now), (2, "ann", Self.now + 10), (2, "bob", Self.now), (3, "ann", Self.now), (9, "ann", 0),
        ] { await #expect(throws: AccountFailure.linkInvalid) { try await reset(byte, session(21, user), now: now) } }
        #expect(try await accounts.link(hash: Self.hash(3), now: Self.now) == .reset(userId: "bob"))
        await #expect(throws: AccountFailure.linkInvalid) {
            try await accounts.begin(Self.pending("cid", isAdmin: true), by: .setup(Self.hash(3)), now: Self.now)
        }
        #expect(try await accounts.account(of: "ann")?.passwordHash == nil)
        try await reset(2, session(21))
        #expect(try await accounts.account(of: "ann")?.passwordHash == "$new")
        #expect(try accounts.principal(forTokenHash: Self.hash(20), now: Self.now) == nil)
        #expect(try accounts.principal(forTokenHash: Self.hash(21), now: Self.now) != nil)
        await #expect(throws: AccountFailure.linkInvalid) { try await reset(2, session(22)) }
        try accounts.changeUser("bob", isDisabled: true)
        await #expect(throws: AccountFailure.accountDisabled("bob")) { try await reset(3, session(23, "bob")) }
        await #expect(throws: AccountFailure.noAccount("cid")) { try await add(5, "cid") }
    }

    @Test func aSubjectIsRegisteredOnce() async throws {
        let accounts = try Self.open()
        let first = Self.pending("oidc:Sub", identity: Self.identity)
        #expect(try await accounts.begin(first, by: .free, now: Self.now) == first)
        // A second tab, whose token has another name.
        var second = first
        second.name = "Other"
        #expect(try await accounts.begin(second, by: .free, now: Self.now) == first)
        try await accounts.finish(first, session: nil)
        #expect(try await accounts.begin(second, by: .free, now: Self.now) == nil, "it has an account")
        #expect(try await accounts.account(of: Self.identity)?.roleSource == .oidc)
        let elsewhere = Self.pending("oidc:Sub", identity: .init(issuer: "https://j", subject: "Sub"))
        await #expect(throws: AccountFailure.linkedElsewhere(issuer: "https://i")) {
            try await accounts.begin(elsewhere, by: .free, now: Self.now)
        }
        // Subjects that differ in case are different users.
        let twin = Self.pending("oidc:sub", identity: .init(issuer: "https://i", subject: "sub"))
        #expect(try await accounts.begin(twin, by: .free, now: Self.now) == twin)
        try await accounts.rollBack(twin)
        #expect(try await accounts.account(of: .init(issuer: "https://i", subject: "sub")) == nil)
    }
}
