import CrowbarCore
import CrowbarTesting
import GRDB
import Testing

@testable import CrowbarSQLite

@Suite struct AccountsAdministrationTests {
    private static func open(_ folder: TemporaryFolder) throws -> AccountsDatabase {
        try AccountsDatabase(path: folder.file("accounts.db"))
    }

    struct Change: Sendable, CustomTestStringConvertible {
        /// The accounts before: `a` an admin, `m` a member, in capitals where disabled.
        var before: String
        /// Which account is changed, counted from 0.
        var user = 0
        var isAdmin: Bool?
        var isDisabled: Bool?
        var isRefused: Bool
        var testDescription: String { "\(before) \(user) admin \(isAdmin as Any) disabled \(isDisabled as Any)" }
    }

    private static let changes = [
        Change(before: "a", isAdmin: false, isRefused: true),
        Change(before: "a", isDisabled: true, isRefused: true),
        Change(before: "a", isAdmin: false, isDisabled: true, isRefused: true),
        Change(before: "am", isAdmin: false, isRefused: true),
        Change(before: "aA", isAdmin: false, isRefused: true),
        Change(before: "aA", isDisabled: true, isRefused: true),
        Change(before: "aa", isAdmin: false, isRefused: false),
        Change(before: "aa", isDisabled: true, isRefused: false),
        // What is not an enabled admin can go, and nothing that is no loss is refused.
        Change(before: "aA", user: 1, isAdmin: false, isRefused: false),
        Change(before: "am", user: 1, isDisabled: true, isRefused: false),
        Change(before: "a", isAdmin: true, isRefused: false),
        Change(before: "a", isDisabled: false, isRefused: false),
        Change(before: "a", isRefused: false),
        // A new server has no admin: its members can be disabled, and the first admin made.
        Change(before: "m", isDisabled: true, isRefused: false),
        Change(before: "m", isAdmin: false, isRefused: false),
        Change(before: "m", isAdmin: true, isRefused: false),
        Change(before: "A", isAdmin: false, isRefused: false),
        Change(before: "A", isDisabled: false, isRefused: false),
    ]

    @Test(arguments: changes) func theLastEnabledAdminStays(_ change: Change) throws {
        let accounts = try Self.open(try TemporaryFolder())
        for (index, kind) in change.before.enumerated() {
            try accounts.add(
                .init(
                    userId: "u\(index)", isAdmin: kind.lowercased() == "a", created: 1, isDisabled: kind.isUppercase))
        }
        let user = "u\(change.user)"
        let before = try #require(try accounts.user(user))
        func apply() throws {
            try accounts.changeUser(user, isAdmin: change.isAdmin, isDisabled: change.isDisabled)
        }
        if change.isRefused {
            #expect(throws: AccountsDatabase.Failure.lastAdmin(user)) { try apply() }
            #expect(try accounts.user(user) == before)
        } else {
            try apply()
            let after = try #require(try accounts.user(user))
            #expect(after.isAdmin == change.isAdmin ?? before.isAdmin)
            #expect(after.isDisabled == change.isDisabled ?? before.isDisabled)
        }
    }

    @Test func nobodyCannotBeChanged() throws {
        let accounts = try Self.open(try TemporaryFolder())
        #expect(throws: AccountsDatabase.Failure.noAccount("ann")) { try accounts.changeUser("ann", isAdmin: true) }
    }

    @Test func aDisabledAccountsTokensStandForNobody() throws {
        let accounts = try Self.open(try TemporaryFolder())
        try accounts.add(.init(userId: "ann", isAdmin: false, created: 1))
        let hash = [UInt8](repeating: 9, count: 32)
        try accounts.storeToken(.init(hash: hash, userId: "ann", scopes: [.read], created: 1))
        #expect(try accounts.principal(forTokenHash: hash, now: 1) != nil)
        try accounts.changeUser("ann", isDisabled: true)
        #expect(try accounts.principal(forTokenHash: hash, now: 1) == nil)
        try accounts.changeUser("ann", isDisabled: false)
        #expect(try accounts.principal(forTokenHash: hash, now: 1) != nil)
    }

    @Test func aTokenIsRevokedByItsIdOrTheBeginningOfIt() throws {
        let accounts = try Self.open(try TemporaryFolder())
        try accounts.add(.init(userId: "ann", isAdmin: false, created: 1))
        for second: UInt8 in [0xAB, 0xAC] {
            var hash = [UInt8](repeating: 0xCD, count: 32)
            hash[1] = second
            try accounts.storeToken(.init(hash: hash, userId: "ann", scopes: [.read], created: 1))
        }
        #expect(try accounts.tokens().map(\.id) == ["cdabcdcdcdcdcdcd", "cdaccdcdcdcdcdcd"])
        for wrong in ["", "cda", "cdad", "cdabcdcdcdcdcdcdc", "cdabcdcdcdcdcdc%", "____", "????", "zzzz", "CDAB CDCD"] {
            #expect(throws: AccountsDatabase.Failure.noToken(wrong)) { try accounts.revoke(tokenId: wrong) }
        }
        #expect(try accounts.revoke(tokenId: "CDAB").isRevoked)
        #expect(try accounts.revoke(tokenId: "cdabcdcdcdcdcdcd").id == "cdabcdcdcdcdcdcd", "again changes nothing")
        #expect(try accounts.tokens().map(\.isRevoked) == [true, false])
        #expect(try accounts.tokens(includesRevoked: false).map(\.id) == ["cdaccdcdcdcdcdcd"])
        var twin = [UInt8](repeating: 0xCD, count: 32)
        twin[1] = 0xAC
        twin[31] = 0
        try accounts.storeToken(.init(hash: twin, userId: "ann", scopes: [.read], created: 1))
        #expect(throws: AccountsDatabase.Failure.ambiguousToken("cdac")) { try accounts.revoke(tokenId: "cdac") }
        #expect(try accounts.tokens().map(\.isRevoked) == [true, false, false])
    }

    @Test func listingsComeInPagesOfOneOrder() throws {
        let accounts = try Self.open(try TemporaryFolder())
        for index in 0..<5 {
            try accounts.add(.init(userId: "u\(4 - index)", isAdmin: false, created: 1))
            var hash = [UInt8](repeating: 0, count: 32)
            hash[0] = UInt8(9 - index)
            try accounts.storeToken(.init(hash: hash, userId: "u\(4 - index)", scopes: [.read], created: 1))
        }
        var (users, after): ([String], String?) = ([], nil)
        while true {
            let page = try accounts.accounts(after: after, limit: 2, now: 1)
            if page.isEmpty { break }
            users += page.map(\.account.userId)
            after = users.last
        }
        #expect(users == ["u0", "u1", "u2", "u3", "u4"])
        var (tokens, last): ([String], String?) = ([], nil)
        while true {
            let page = try accounts.tokens(after: last, limit: 2)
            if page.isEmpty { break }
            tokens += page.map(\.id)
            last = tokens.last
        }
        #expect(tokens.map { $0.prefix(2) } == ["09", "08", "07", "06", "05"], "as they were made")
        #expect(throws: AccountsDatabase.Failure.noToken("ffffffffffffffff")) {
            try accounts.tokens(after: "ffffffffffffffff")
        }
    }

    @Test func theLastUseIsNotedAndCounted() throws {
        let folder = try TemporaryFolder()
        let accounts = try Self.open(folder)
        try accounts.add(.init(userId: "ann", isAdmin: false, created: 1))
        func hash(_ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: 32) }
        for (byte, expires): (UInt8, Int64?) in [(1, nil), (2, 50), (3, nil)] {
            try accounts.storeToken(
                .init(hash: hash(byte), userId: "ann", scopes: [.read], expires: expires, created: 1))
        }
        try accounts.revoke(tokenHash: hash(3))
        #expect(try accounts.accounts(now: 10).map(\.tokens) == [2])
        #expect(try accounts.accounts(now: 50).map(\.tokens) == [1])
        #expect(try accounts.accounts(now: 50).first?.lastUsed == nil)
        // The use at 60 is none: the token has expired.
        for now: Int64 in [20, 40, 30, 60] { _ = try accounts.principal(forTokenHash: hash(2), now: now) }
        try accounts.flushUses()
        let other = try Self.open(folder)
        #expect(try other.tokens().map(\.lastUsed) == [nil, 40, nil])
        #expect(try other.accounts(now: 60).first?.lastUsed == 40)
    }

    @Test func accountsOfAnEarlierVersionAreKept() throws {
        let folder = try TemporaryFolder()
        let hash = [UInt8](repeating: 9, count: 32)
        do {
            let old = try StoreDatabase.open(
                path: folder.file("accounts.db"), label: "old", synchronous: "FULL",
                formats: Array(AccountsDatabase.formats.prefix(2)))
            let digits = String(repeating: "09", count: 32)
            try old.write { db in
                try db.execute(sql: "INSERT INTO accounts VALUES ('ann', 1, NULL, 5)")
                try db.execute(sql: "INSERT INTO tokens VALUES (x'\(digits)', 'ann', 6, NULL, 5, 0)")
            }
        }
        let accounts = try Self.open(folder)
        #expect(try accounts.user("ann") == .init(userId: "ann", isAdmin: true, created: 5))
        #expect(try accounts.principal(forTokenHash: hash, now: 6)?.isAdmin == true)
    }
}
