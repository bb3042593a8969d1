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
        /// How often a token's last use is written at most.
        public static let useMilliseconds: Int64 = 60_000
        /// Accounts or tokens of a page at most.
        public static let page = 1_000
        /// How long the audit log keeps a line, in milliseconds.
        public static let auditMilliseconds: Int64 = 400 * 86_400_000
        /// Lines that the audit log keeps at most.
        public static let auditLines: Int64 = 1_000_000
    }

    /// An account.
    public typealias Account = CrowbarCore.Account
    /// A token, as far as it is stored.
    public typealias Token = AccountToken
    /// Why a change was refused.
    public typealias Failure = AccountFailure

    private struct Known {
        var principal: Principal
        var ends: Int64?
        var read: Int64
    }

    let database: DatabaseQueue
    private let cache = Mutex<[[UInt8]: Known]>([:])
    /// When and where tokens were last used.
    let uses = Mutex<[[UInt8]: TokenUse]>([:])
    /// Noted and asked within transactions.
    let signOuts = Mutex(SignOuts())

    /// Opens the accounts, or makes them.
    /// - Throws: ``StoreError``.
    public init(path: String) throws {
        database = try StoreDatabase.open(
            path: path, label: "crowbar.accounts", synchronous: "FULL",
            formats: Self.formats)
    }

    /// Adds an account.
    /// - Throws: ``Failure/accountExists(_:)``, ``Failure/caseTwin(_:of:)``, ``StoreError``.
    public func add(_ account: Account) throws {
        try change { db in
            try Self.requireFree(db, account.userId)
            try Self.insert(db, account)
        }
    }

    /// Makes sure that neither an account nor one that differs only in case has this id.
    /// - Throws: ``Failure/accountExists(_:)``, ``Failure/caseTwin(_:of:)``, ``StoreError``.
    public func requireFree(_ userId: String) throws {
        try StoreDatabase.mapErrors(of: database.path, "cannot be read") {
            try database.read { try Self.requireFree($0, userId) }
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
            try Self.insert(db, token)
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

    /// Whom a token stands for, or nil where it is unknown, revoked or expired, was not used for too long, or its
    /// account is disabled or pending.
    ///
    /// The scopes `admin` and `metrics` are given only while the account is an admin's.
    /// - Parameters:
    ///   - now: The Unix time in milliseconds.
    ///   - address: From where it is used.
    /// - Throws: ``StoreError``.
    public func principal(forTokenHash hash: [UInt8], now: Int64, address: String? = nil) throws -> Principal? {
        let known = try known(hash, now)
        guard let known, known.ends.map({ $0 > now }) ?? true else { return nil }
        noteUse(ofTokenHash: hash, now: now, address: address)
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
                SELECT \(tokenColumns), a.isAdmin FROM tokens t JOIN accounts a USING (userId)
                WHERE t.hash = ? AND t.revoked = 0 AND a.disabled = 0 AND a.pending = 0
                """, db)
        defer { rows.reset() }
        rows.bind(1, blob: hash)
        guard try rows.step() else { return nil }
        let token = token(rows)
        var scopes = token.scopes
        if rows.int(tokenColumnCount) == 0 { scopes.formIntersection(.member) }
        return Known(
            principal: Principal(
                userId: token.userId, scopes: scopes, expires: token.expires,
                kind: token.kind == .session ? .session : .machineToken),
            ends: token.end, read: now)
    }

    /// Writes, after which nothing is believed that was remembered.
    func change<T: Sendable>(_ body: @Sendable (Database) throws -> T) throws -> T {
        // Also what was read while the change was under way must not be believed after it.
        defer { cache.withLock { $0.removeAll() } }
        return try StoreDatabase.mapErrors(of: database.path, "cannot be written") { try database.write(body) }
    }

    /// As ``change(_:)``, without a thread that waits.
    /// - Parameter keepsCache: Whether the change is about something that is not remembered.
    func transact<T: Sendable>(
        keepsCache: Bool = false, _ body: @escaping @Sendable (Database) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncWriteWithoutTransaction { [self] db in
                let result = Result {
                    try StoreDatabase.mapErrors(of: database.path, "cannot be written") {
                        var value: T?
                        try db.inTransaction(.immediate) {
                            value = try body(db)
                            return .commit
                        }
                        guard let value else { throw StoreError.failed("a transaction ended without a value") }
                        return value
                    }
                }
                if !keepsCache { cache.withLock { $0.removeAll() } }
                continuation.resume(with: result)
            }
        }
    }

    /// Reads without a thread that waits.
    func fetch<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            database.asyncRead { [path = database.path] db in
                continuation.resume(
                    with: Result {
                        try StoreDatabase.mapErrors(of: path, "cannot be read") { try body(try db.get()) }
                    })
            }
        }
    }
}
