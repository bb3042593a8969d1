import CrowbarCore
import GRDB
import Synchronization

// What an operator sees and changes of accounts and tokens.
extension AccountsDatabase {
    /// An account with what is known of its tokens.
    public struct ListedAccount: Sendable, Equatable {
        /// The account.
        public var account: Account
        /// How many of its tokens are valid.
        public var tokens: Int64
        /// When one of its tokens was last used, Unix milliseconds.
        public var lastUsed: Int64?
    }

    /// Changes an account's role or disables it; nil leaves a thing as it is.
    ///
    /// An enabled admin stays, so that nobody is locked out. Where there is none yet, nothing is refused for that.
    /// - Returns: The account as it is now.
    /// - Throws: ``Failure/noAccount(_:)``, ``Failure/lastAdmin(_:)``, ``StoreError``.
    @discardableResult
    public func changeUser(_ userId: String, isAdmin: Bool? = nil, isDisabled: Bool? = nil) throws -> Account {
        try change { db in
            guard let old = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            var new = old
            new.isAdmin = isAdmin ?? old.isAdmin
            new.isDisabled = isDisabled ?? old.isDisabled
            let wasEnabledAdmin = old.isAdmin && !old.isDisabled
            if wasEnabledAdmin, !new.isAdmin || new.isDisabled, try !Self.hasEnabledAdmin(db, besides: userId) {
                throw Failure.lastAdmin(userId)
            }
            let put = try RawStatement(
                cached: "UPDATE accounts SET isAdmin = ?, disabled = ? WHERE userId = ?", db)
            put.bind(1, new.isAdmin ? 1 : 0)
            put.bind(2, new.isDisabled ? 1 : 0)
            put.bind(3, userId)
            try put.run()
            return new
        }
    }

    /// Disables an account, if there is one, and deletes its password and tokens.
    /// - Returns: Whether it had tokens.
    /// - Throws: ``Failure/lastAdmin(_:)``, ``StoreError``.
    public func eraseAccount(of userId: String) throws -> Bool {
        try change { db in
            guard let account = try Self.account(db, userId) else { return false }
            if account.isAdmin, !account.isDisabled, try !Self.hasEnabledAdmin(db, besides: userId) {
                throw Failure.lastAdmin(userId)
            }
            try db.execute(sql: "PRAGMA secure_delete = ON")
            for sql in [
                "UPDATE accounts SET disabled = 1, passwordHash = NULL WHERE userId = ?",
                "DELETE FROM tokens WHERE userId = ?",
            ] {
                let statement = try RawStatement(cached: sql, db)
                statement.bind(1, userId)
                try statement.run()
            }
            return db.changesCount > 0
        }
    }

    private static func hasEnabledAdmin(_ db: Database, besides userId: String) throws -> Bool {
        let rows = try RawStatement(
            cached: "SELECT 1 FROM accounts WHERE isAdmin = 1 AND disabled = 0 AND userId <> ? LIMIT 1", db)
        defer { rows.reset() }
        rows.bind(1, userId)
        return try rows.step()
    }

    /// A page of the accounts, by user id.
    /// - Parameters:
    ///   - userId: Only this one, or nil.
    ///   - after: The last user id of the page before, or nil.
    ///   - limit: Accounts at most.
    ///   - now: The Unix time in milliseconds.
    /// - Throws: ``StoreError``.
    public func accounts(
        of userId: String? = nil, after: String? = nil, limit: Int = Limit.page, now: Int64
    ) throws -> [ListedAccount] {
        // A full disk is no reason not to list.
        _ = try? flushUses()
        return try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { db in
                let rows = try RawStatement(
                    cached: """
                        SELECT a.userId, a.isAdmin, a.passwordHash, a.created, a.disabled,
                            (SELECT count(*) FROM tokens t WHERE t.userId = a.userId AND t.revoked = 0
                                AND (t.expires IS NULL OR t.expires > ?1)),
                            (SELECT max(t.lastUsed) FROM tokens t WHERE t.userId = a.userId)
                        FROM accounts a WHERE (?2 IS NULL OR a.userId = ?2) AND (?3 IS NULL OR a.userId > ?3)
                        ORDER BY a.userId LIMIT ?4
                        """, db)
                defer { rows.reset() }
                rows.bind(1, now)
                rows.bind(2, userId)
                rows.bind(3, after)
                rows.bind(4, Int64(min(limit, Limit.page)))
                var accounts: [ListedAccount] = []
                while try rows.step() {
                    accounts.append(
                        ListedAccount(
                            account: Account(
                                userId: rows.text(0), isAdmin: rows.int(1) != 0,
                                passwordHash: rows.isNull(2) ? nil : rows.text(2), created: rows.int(3),
                                isDisabled: rows.int(4) != 0),
                            tokens: rows.int(5), lastUsed: rows.isNull(6) ? nil : rows.int(6)))
                }
                return accounts
            }
        }
    }

    /// A page of the tokens of a user, or of all, oldest first.
    /// - Parameters:
    ///   - userId: Whose; nil: everybody's.
    ///   - after: The id of the last token of the page before, or nil.
    ///   - limit: Tokens at most.
    ///   - includesRevoked: Whether revoked ones are listed too.
    /// - Throws: ``Failure/noToken(_:)`` where `after` names none, ``StoreError``.
    public func tokens(
        of userId: String? = nil, after: String? = nil, limit: Int = Limit.page, includesRevoked: Bool = true
    ) throws -> [Token] {
        // A full disk is no reason not to list.
        _ = try? flushUses()
        return try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { db in
                var start: Int64?
                if let after {
                    guard let found = try Self.tokens(db, idPrefix: after).first else { throw Failure.noToken(after) }
                    start = found.row
                }
                // Rows are never deleted, so their numbers are the order in which tokens were made.
                let rows = try RawStatement(
                    cached: """
                        SELECT hash, userId, scopes, expires, created, revoked, lastUsed FROM tokens
                        WHERE (?1 IS NULL OR userId = ?1) AND (?2 IS NULL OR rowid > ?2) AND (?3 OR revoked = 0)
                        ORDER BY rowid LIMIT ?4
                        """, db)
                defer { rows.reset() }
                rows.bind(1, userId)
                rows.bind(2, start)
                rows.bind(3, includesRevoked ? 1 : 0)
                rows.bind(4, Int64(min(limit, Limit.page)))
                var tokens: [Token] = []
                while try rows.step() { tokens.append(Self.token(rows)) }
                return tokens
            }
        }
    }

    /// Revokes the token of an id, or of the first digits of one. To revoke one again changes nothing.
    /// - Returns: The token as it is now.
    /// - Throws: ``Failure/noToken(_:)``, ``Failure/ambiguousToken(_:)``, ``StoreError``.
    @discardableResult
    public func revoke(tokenId id: String) throws -> Token {
        try change { db in
            let found = try Self.tokens(db, idPrefix: id)
            guard var token = found.first?.token else { throw Failure.noToken(id) }
            guard found.count == 1 else { throw Failure.ambiguousToken(id) }
            let put = try RawStatement(cached: "UPDATE tokens SET revoked = 1 WHERE hash = ?", db)
            put.bind(1, blob: token.hash)
            try put.run()
            token.isRevoked = true
            return token
        }
    }

    /// Up to two tokens whose ids begin so.
    private static func tokens(_ db: Database, idPrefix id: String) throws -> [(row: Int64, token: Token)] {
        guard Limit.tokenIdDigits.contains(id.utf8.count), id.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            return []
        }
        let rows = try RawStatement(
            cached: """
                SELECT hash, userId, scopes, expires, created, revoked, lastUsed, rowid FROM tokens
                WHERE substr(hex(hash), 1, length(?1)) = upper(?1) ORDER BY rowid LIMIT 2
                """, db)
        defer { rows.reset() }
        rows.bind(1, id)
        var tokens: [(Int64, Token)] = []
        while try rows.step() { tokens.append((rows.int(7), token(rows))) }
        return tokens
    }

    private static func token(_ rows: RawStatement) -> Token {
        Token(
            hash: Array(rows.bytes(0)), userId: rows.text(1), scopes: Principal.Scopes(rawValue: Int(rows.int(2))),
            expires: rows.isNull(3) ? nil : rows.int(3), created: rows.int(4), isRevoked: rows.int(5) != 0,
            lastUsed: rows.isNull(6) ? nil : rows.int(6))
    }

    /// Notes that a token was used. It is written with the next ``flushUses()``, so that no call waits for the disk.
    func noteUse(ofTokenHash hash: [UInt8], now: Int64) {
        uses.withLock { uses in
            if uses.count >= Limit.cachedTokens, uses[hash] == nil { return }
            uses[hash] = max(uses[hash] ?? now, now)
        }
    }

    /// Writes when tokens were last used.
    /// - Throws: ``StoreError``; what was to be written is then lost, which only makes a listing less exact.
    public func flushUses() throws {
        let noted = uses.withLock { uses in
            defer { uses.removeAll() }
            return uses
        }
        if noted.isEmpty { return }
        try StoreDatabase.mapErrors(of: database.path, "cannot be written") {
            try database.write { db in
                let put = try RawStatement(
                    cached: "UPDATE tokens SET lastUsed = max(ifnull(lastUsed, 0), ?) WHERE hash = ?", db)
                for (hash, time) in noted {
                    put.bind(1, time)
                    put.bind(2, blob: hash)
                    try put.run()
                }
            }
        }
    }
}
