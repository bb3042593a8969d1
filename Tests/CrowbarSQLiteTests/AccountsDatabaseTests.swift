import CrowbarCore
import CrowbarTesting
import Testing

@testable import CrowbarSQLite

@Suite struct AccountsDatabaseTests {
    private static let hash: [UInt8] = Array(repeating: 9, count: 32)

    private static func open(_ folder: TemporaryFolder) throws -> AccountsDatabase {
        try AccountsDatabase(path: folder.file("accounts.db"))
    }

    @Test func accountsAreThereOnce() throws {
        let accounts = try Self.open(try TemporaryFolder())
        let ann = AccountsDatabase.Account(userId: "ann", isAdmin: true, passwordHash: "scrypt$", created: 5)
        try accounts.add(ann)
        #expect(try accounts.user("ann") == ann)
        #expect(try accounts.user("bob") == nil)
        #expect(throws: AccountsDatabase.Failure.accountExists("ann")) { try accounts.add(ann) }
    }

    @Test func aHookIsThereOnceUntilItIsRevoked() throws {
        let accounts = try Self.open(try TemporaryFolder())
        let hook = AccountsDatabase.Hook(name: "ci", channelId: "general", hash: Self.hash, created: 5)
        try accounts.add(hook)
        #expect(throws: AccountsDatabase.Failure.hookExists("ci")) { try accounts.add(hook) }
        #expect(try accounts.hook(forTokenHash: Self.hash) == hook)
        #expect(try accounts.hook(forTokenHash: [1]) == nil)
        #expect(try accounts.hooks() == [hook])
        #expect(try accounts.revoke(hook: "ci"))
        #expect(try !accounts.revoke(hook: "ci"))
        #expect(try accounts.hook(forTokenHash: Self.hash) == nil)
    }

    @Test func tokensOfNobodyAndTwiceAreRefused() throws {
        let accounts = try Self.open(try TemporaryFolder())
        let token = AccountsDatabase.Token(hash: Self.hash, userId: "ann", scopes: [.read], created: 1)
        #expect(throws: AccountsDatabase.Failure.noAccount("ann")) { try accounts.storeToken(token) }
        try accounts.add(.init(userId: "ann", isAdmin: false, created: 1))
        try accounts.storeToken(token)
        #expect(throws: AccountsDatabase.Failure.tokenExists) { try accounts.storeToken(token) }
        #expect(try accounts.tokens(of: "ann") == [token])
        #expect(try accounts.tokens(of: "bob") == [])
    }

    @Test func aTokenHoldsUntilItEndsOrIsRevoked() throws {
        let accounts = try Self.open(try TemporaryFolder())
        try accounts.add(.init(userId: "ann", isAdmin: false, created: 1))
        try accounts.storeToken(
            .init(hash: Self.hash, userId: "ann", scopes: [.read, .commands], expires: 5000, created: 1))
        let ann = Principal(userId: "ann", scopes: [.read, .commands], expires: 5000)
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 4990) == ann)
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 4999) == ann)
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 5000) == nil, "also from memory")
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 9000) == nil)
        #expect(try accounts.principal(forTokenHash: [1], now: 1) == nil)
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 100) == ann)
        #expect(try accounts.revoke(tokenHash: Self.hash))
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 100) == nil)
        #expect(try !accounts.revoke(tokenHash: Self.hash))
    }

    @Test func theAdminScopeWantsAnAdminsAccount() throws {
        let accounts = try Self.open(try TemporaryFolder())
        try accounts.add(.init(userId: "ann", isAdmin: true, created: 1))
        try accounts.storeToken(.init(hash: Self.hash, userId: "ann", scopes: [.admin, .read], created: 1))
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 1)?.isAdmin == true)
        try accounts.add(.init(userId: "root", isAdmin: true, created: 1))
        try accounts.changeUser("ann", isAdmin: false)
        #expect(try accounts.principal(forTokenHash: Self.hash, now: 1)?.scopes == [.read])
    }

    @Test func anotherProcessesRevocationIsSeenInTime() throws {
        let folder = try TemporaryFolder()
        let (server, commandLine) = (try Self.open(folder), try Self.open(folder))
        try commandLine.add(.init(userId: "ann", isAdmin: false, created: 1))
        try commandLine.storeToken(.init(hash: Self.hash, userId: "ann", scopes: [.read], created: 1))
        #expect(try server.principal(forTokenHash: Self.hash, now: 1000) != nil)
        try commandLine.revoke(tokenHash: Self.hash)
        let later = 1000 + AccountsDatabase.Limit.cacheMilliseconds
        #expect(try server.principal(forTokenHash: Self.hash, now: later) == nil)
    }
}
