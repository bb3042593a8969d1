import CrowbarCore
import GRDB
import Synchronization

// What an operator sees and changes of accounts and tokens.
extension AccountsDatabase {
    /// An account with what is known of its tokens.
    public struct ListedAccount: Sendable, Equatable {
        /// The account.
        public var account: Account
        /// How many of its machine tokens are valid.
        public var tokens: Int64
        /// How many of its sessions are valid.
        public var sessions: Int64
        /// When one of its tokens was last used, Unix milliseconds.
        public var lastUsed: Int64?
    }

    /// Changes an account's role or disables it; nil leaves a thing as it is.
    ///
    /// An enabled admin stays, so that nobody is locked out. Where there is none yet, nothing is refused for that.
    /// - Returns: The account as it is now.
    /// - Throws: ``Failure/noAccount(_:)``, ``Failure/accountErased(_:)``, ``Failure/lastAdmin(_:)``, ``StoreError``.
    @discardableResult
    public func changeUser(_ userId: String, isAdmin: Bool? = nil, isDisabled: Bool? = nil) throws -> Account {
        try change { db in
            guard let old = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            if old.isErased { throw Failure.accountErased(userId) }
            var new = old
            new.isAdmin = isAdmin ?? old.isAdmin
            if isAdmin != nil { new.roleSource = .local }
            new.isDisabled = isDisabled ?? old.isDisabled
            let wasEnabledAdmin = old.isAdmin && !old.isDisabled
            if wasEnabledAdmin, !new.isAdmin || new.isDisabled, try !Self.hasEnabledAdmin(db, besides: userId) {
                throw Failure.lastAdmin(userId)
            }
            let put = try RawStatement(
                cached: "UPDATE accounts SET isAdmin = ?, disabled = ?, roleSource = ? WHERE userId = ?", db)
            put.bind(1, new.isAdmin ? 1 : 0)
            put.bind(2, new.isDisabled ? 1 : 0)
            put.bind(3, new.roleSource.rawValue)
            put.bind(4, userId)
            try put.run()
            return new
        }
    }

    /// Disables an account, if there is one, and deletes its password, tokens, links, identity and addresses.
    /// - Returns: Whether it had tokens.
    /// - Throws: ``Failure/lastAdmin(_:)``, ``StoreError``.
    public func eraseAccount(of userId: String) throws -> Bool {
        try change { db in
            guard let account = try Self.account(db, userId) else { return false }
            if account.isAdmin, !account.isDisabled, try !Self.hasEnabledAdmin(db, besides: userId) {
                throw Failure.lastAdmin(userId)
            }
            try db.execute(sql: "PRAGMA secure_delete = ON")
            for table in ["identities", "links", "signIns"] {
                try Self.run(db, "DELETE FROM \(table) WHERE userId = ?", userId)
            }
            try Self.run(
                db,
                """
                UPDATE accounts SET disabled = 1, erased = 1, isAdmin = 0, passwordHash = NULL WHERE userId = ?
                """, userId)
            try Self.run(db, "DELETE FROM tokens WHERE userId = ?", userId)
            return db.changesCount > 0
        }
    }

    /// Whether there is an enabled admin, whose registration has ended.
    static func hasEnabledAdmin(_ db: Database, besides userId: String? = nil) throws -> Bool {
        let rows = try RawStatement(
            cached: """
                SELECT 1 FROM accounts
                WHERE isAdmin = 1 AND disabled = 0 AND pending = 0 AND (?1 IS NULL OR userId <> ?1) LIMIT 1
                """, db)
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
                        SELECT \(Self.accountColumns),
                            (SELECT count(*) FROM tokens t
                                WHERE t.userId = a.userId AND t.kind = 0 AND \(Self.isValid)),
                            (SELECT count(*) FROM tokens t
                                WHERE t.userId = a.userId AND t.kind = 1 AND \(Self.isValid)),
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
                    let next = Self.accountColumnCount
                    accounts.append(
                        ListedAccount(
                            account: Self.account(rows), tokens: rows.int(next), sessions: rows.int(next + 1),
                            lastUsed: rows.isNull(next + 2) ? nil : rows.int(next + 2)))
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
                // The numbers of rows are the order in which tokens were made: a new one gets the next after the last.
                let rows = try RawStatement(
                    cached: """
                        SELECT \(Self.tokenColumns) FROM tokens t
                        WHERE (?1 IS NULL OR t.userId = ?1) AND (?2 IS NULL OR t.rowid > ?2) AND (?3 OR t.revoked = 0)
                        ORDER BY t.rowid LIMIT ?4
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
        guard Failure.tokenIdDigits.contains(id.utf8.count), id.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            return []
        }
        let rows = try RawStatement(
            cached: """
                SELECT \(tokenColumns), t.rowid FROM tokens t
                WHERE substr(hex(t.hash), 1, length(?1)) = upper(?1) ORDER BY t.rowid LIMIT 2
                """, db)
        defer { rows.reset() }
        rows.bind(1, id)
        var tokens: [(Int64, Token)] = []
        while try rows.step() { tokens.append((rows.int(tokenColumnCount), token(rows))) }
        return tokens
    }

    /// Notes that a token was used. It is written with a later ``flushUses(all:)``, so that no call waits for the disk.
    func noteUse(ofTokenHash hash: [UInt8], now: Int64, address: String?) {
        uses.withLock { uses in
            if uses.count >= Limit.cachedTokens, uses[hash] == nil {
                uses = uses.filter { !$0.value.isWritten }
                if uses.count >= Limit.cachedTokens { return }
            }
            var use = uses[hash] ?? TokenUse(time: now)
            use.time = max(use.time, now)
            use.address = address ?? use.address
            uses[hash] = use
        }
    }

    /// Writes when and from where tokens were last used: of each at most once a minute.
    /// - Parameter all: Whether it is written however often that was done.
    /// - Throws: ``StoreError``; what was to be written is then lost, which only makes a listing less exact.
    public func flushUses(all: Bool = false) throws {
        let due = uses.withLock { uses in
            let due = uses.filter { !$0.value.isWritten && (all || $0.value.isDue) }
            for (hash, use) in due { uses[hash]?.written = use.time }
            return due
        }
        if due.isEmpty { return }
        try StoreDatabase.mapErrors(of: database.path, "cannot be written") {
            try database.write { db in
                let put = try RawStatement(
                    cached: """
                        UPDATE tokens SET lastUsed = max(ifnull(lastUsed, 0), ?1), address = ifnull(?2, address)
                        WHERE hash = ?3
                        """, db)
                for (hash, use) in due {
                    put.bind(1, use.time)
                    put.bind(2, use.address)
                    put.bind(3, blob: hash)
                    try put.run()
                }
            }
        }
    }

    /// When and from where a token was last used.
    struct TokenUse: Sendable {
        /// Unix milliseconds.
        var time: Int64
        var address: String?
        /// The time that was written last.
        var written: Int64?

        var isWritten: Bool { written == time }
        var isDue: Bool { written.map { time - $0 >= Limit.useMilliseconds } ?? true }
    }
}
