import CrowbarCore
import GRDB
import Synchronization

/// Who may call: accounts and the hashes of their tokens. Tokens themselves are never here.
///
/// The command line changes it while a server runs; the server sees that within ``Limit/cacheMilliseconds``.
public final class AccountsDatabase: Sendable {
    /// Limits.
    public enum Limit {
        /// How long a token that was found is believed without a look, so that a call need not wait for the database.
        public static let cacheMilliseconds: Int64 = 1000
        /// Tokens that are remembered at most.
        public static let cachedTokens = 4096
        /// The bytes of a token's hash that make its id.
        public static let tokenIdBytes = 8
        /// The digits of a token's id that are enough to name it.
        public static let tokenIdDigits = 4...16
        /// Accounts or tokens of a page at most.
        public static let page = 1_000
    }

    /// A person's or a program's account.
    public struct Account: Sendable, Equatable {
        /// Its user's id, and its name at the door.
        public var userId: String
        /// Whether tokens of the scope `admin` work.
        public var isAdmin: Bool
        /// The hash of its password, where it has one.
        public var passwordHash: String?
        /// Unix milliseconds.
        public var created: Int64
        /// Whether none of its tokens work.
        public var isDisabled: Bool

        /// Makes one.
        public init(
            userId: String, isAdmin: Bool, passwordHash: String? = nil, created: Int64, isDisabled: Bool = false
        ) {
            self.userId = userId
            self.isAdmin = isAdmin
            self.passwordHash = passwordHash
            self.created = created
            self.isDisabled = isDisabled
        }
    }

    /// A token, as far as it is stored.
    public struct Token: Sendable, Equatable {
        /// The hash of its text.
        public var hash: [UInt8]
        /// Whose it is.
        public var userId: String
        /// What it allows.
        public var scopes: Principal.Scopes
        /// When it ends, Unix milliseconds; nil: never.
        public var expires: Int64?
        /// Unix milliseconds.
        public var created: Int64
        /// Whether it was taken back.
        public var isRevoked: Bool
        /// When it was last used, Unix milliseconds, to the minute; nil: never, or before that was noted.
        public var lastUsed: Int64?

        /// What a person names it by: the first 16 hexadecimal digits of its hash.
        public var id: String {
            let digits = Array("0123456789abcdef".utf8)
            let text = hash.prefix(Limit.tokenIdBytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
            return String(decoding: text, as: UTF8.self)
        }

        /// Makes one.
        public init(
            hash: [UInt8], userId: String, scopes: Principal.Scopes, expires: Int64? = nil, created: Int64,
            isRevoked: Bool = false, lastUsed: Int64? = nil
        ) {
            self.hash = hash
            self.userId = userId
            self.scopes = scopes
            self.expires = expires
            self.created = created
            self.isRevoked = isRevoked
            self.lastUsed = lastUsed
        }
    }

    /// Why a change was refused.
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// There is an account of that name.
        case accountExists(String)
        /// There is none of that name.
        case noAccount(String)
        /// That token's hash is stored already.
        case tokenExists
        /// There is a hook of that name.
        case hookExists(String)
        /// Without that account there would be no enabled admin.
        case lastAdmin(String)
        /// There is no token of that id.
        case noToken(String)
        /// There are several tokens whose ids begin so.
        case ambiguousToken(String)

        public var description: String {
            switch self {
            case .accountExists(let name): "there is an account '\(name)' already"
            case .noAccount(let name): "there is no account '\(name)'"
            case .tokenExists: "that token is stored already"
            case .hookExists(let name): "there is a hook '\(name)' already; 'crowbar hooks revoke \(name)' ends it"
            case .lastAdmin(let name):
                "'\(name)' is the last enabled admin; make another user an admin first: 'crowbar user role USER admin'"
            case .noToken(let id) where id.utf8.count < Limit.tokenIdDigits.lowerBound:
                "'\(id)' is too short for a token's id: give \(Limit.tokenIdDigits.lowerBound) of its digits at least; "
                    + "'crowbar token list' shows them"
            case .noToken(let id): "there is no token '\(id)'; 'crowbar token list' shows their ids"
            case .ambiguousToken(let id): "several tokens' ids begin with '\(id)'; give all 16 digits"
            }
        }
    }

    private struct Known {
        var principal: Principal
        var expires: Int64?
        var read: Int64
    }

    /// What brings the database from each format to the next.
    static let formats = [
        """
        CREATE TABLE accounts (
            userId TEXT PRIMARY KEY, isAdmin INTEGER NOT NULL, passwordHash TEXT, created INTEGER NOT NULL);
        CREATE TABLE tokens (
            hash BLOB PRIMARY KEY, userId TEXT NOT NULL, scopes INTEGER NOT NULL, expires INTEGER,
            created INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
        CREATE INDEX tokensByUser ON tokens (userId, created);
        """,
        """
        CREATE TABLE hooks (
            name TEXT PRIMARY KEY, channelId TEXT NOT NULL, hash BLOB NOT NULL UNIQUE,
            created INTEGER NOT NULL);
        """,
        """
        ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tokens ADD COLUMN lastUsed INTEGER;
        """,
    ]

    let database: DatabaseQueue
    private let cache = Mutex<[[UInt8]: Known]>([:])
    /// When tokens were last used, as far as it is not written yet.
    let uses = Mutex<[[UInt8]: Int64]>([:])

    /// Opens the accounts, or makes them.
    /// - Throws: ``StoreError``.
    public init(path: String) throws {
        database = try StoreDatabase.open(
            path: path, label: "crowbar.accounts", synchronous: "FULL",
            formats: Self.formats)
    }

    /// Adds an account.
    /// - Throws: ``Failure/accountExists(_:)``, ``StoreError``.
    public func add(_ account: Account) throws {
        try change { db in
            if try Self.account(db, account.userId) != nil { throw Failure.accountExists(account.userId) }
            let put = try RawStatement(
                cached: """
                    INSERT INTO accounts (userId, isAdmin, passwordHash, created, disabled) VALUES (?, ?, ?, ?, ?)
                    """, db)
            put.bind(1, account.userId)
            put.bind(2, account.isAdmin ? 1 : 0)
            put.bind(3, account.passwordHash)
            put.bind(4, account.created)
            put.bind(5, account.isDisabled ? 1 : 0)
            try put.run()
        }
    }

    /// The account of a user, or nil.
    /// - Throws: ``StoreError``.
    public func user(_ userId: String) throws -> Account? {
        try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { try Self.account($0, userId) }
        }
    }

    /// Stores a token's hash.
    /// - Throws: ``Failure/noAccount(_:)``, ``Failure/tokenExists``, ``StoreError``.
    public func storeToken(_ token: Token) throws {
        try change { db in
            if try Self.account(db, token.userId) == nil { throw Failure.noAccount(token.userId) }
            let put = try RawStatement(
                cached:
                    "INSERT INTO tokens (hash, userId, scopes, expires, created, revoked) VALUES (?, ?, ?, ?, ?, ?)",
                db)
            put.bind(1, blob: token.hash)
            put.bind(2, token.userId)
            put.bind(3, Int64(token.scopes.rawValue))
            put.bind(4, token.expires)
            put.bind(5, token.created)
            put.bind(6, token.isRevoked ? 1 : 0)
            do { try put.run() } catch let failure as RawStatement.Failure where failure.isDuplicate {
                throw Failure.tokenExists
            }
        }
    }

    /// Revokes a token.
    /// - Returns: Whether there was one that was valid.
    /// - Throws: ``StoreError``.
    @discardableResult
    public func revoke(tokenHash hash: [UInt8]) throws -> Bool {
        try change { db in
            let put = try RawStatement(cached: "UPDATE tokens SET revoked = 1 WHERE hash = ? AND revoked = 0", db)
            put.bind(1, blob: hash)
            try put.run()
            return db.changesCount > 0
        }
    }

    /// Whom a token stands for, or nil where it is unknown, revoked or expired, or its account is disabled.
    ///
    /// The scope `admin` is given only while the account is an admin's.
    /// - Parameter now: The Unix time in milliseconds.
    /// - Throws: ``StoreError``.
    public func principal(forTokenHash hash: [UInt8], now: Int64) throws -> Principal? {
        let known = try known(hash, now)
        guard let known, known.expires.map({ $0 > now }) ?? true else { return nil }
        noteUse(ofTokenHash: hash, now: now)
        return known.principal
    }

    private func known(_ hash: [UInt8], _ now: Int64) throws -> Known? {
        let fresh = cache.withLock { $0[hash].flatMap { Self.isFresh($0, now) ? $0 : nil } }
        if let fresh { return fresh }
        let found = try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { try Self.find($0, hash, now) }
        }
        cache.withLock {
            if $0.count >= Limit.cachedTokens { $0.removeAll(keepingCapacity: true) }
            $0[hash] = found
        }
        return found
    }

    private static func isFresh(_ known: Known, _ now: Int64) -> Bool {
        now >= known.read && now - known.read < Limit.cacheMilliseconds
    }

    private static func find(_ db: Database, _ hash: [UInt8], _ now: Int64) throws -> Known? {
        let rows = try RawStatement(
            cached: """
                SELECT t.userId, t.scopes, t.expires, a.isAdmin FROM tokens t JOIN accounts a USING (userId)
                WHERE t.hash = ? AND t.revoked = 0 AND a.disabled = 0
                """, db)
        defer { rows.reset() }
        rows.bind(1, blob: hash)
        guard try rows.step() else { return nil }
        var scopes = Principal.Scopes(rawValue: Int(rows.int(1)))
        if rows.int(3) == 0 { scopes.remove(.admin) }
        let expires = rows.isNull(2) ? nil : rows.int(2)
        return Known(
            principal: Principal(userId: rows.text(0), scopes: scopes, expires: expires), expires: expires, read: now)
    }

    static func account(_ db: Database, _ userId: String) throws -> Account? {
        let rows = try RawStatement(
            cached: "SELECT isAdmin, passwordHash, created, disabled FROM accounts WHERE userId = ?", db)
        defer { rows.reset() }
        rows.bind(1, userId)
        guard try rows.step() else { return nil }
        return Account(
            userId: userId, isAdmin: rows.int(0) != 0, passwordHash: rows.isNull(1) ? nil : rows.text(1),
            created: rows.int(2), isDisabled: rows.int(3) != 0)
    }

    /// Writes, after which nothing is believed that was remembered.
    func change<T: Sendable>(_ body: @Sendable (Database) throws -> T) throws -> T {
        // Also what was read while the change was under way must not be believed after it.
        defer { cache.withLock { $0.removeAll() } }
        return try StoreDatabase.mapErrors(of: database.path, "cannot be written") { try database.write(body) }
    }
}
