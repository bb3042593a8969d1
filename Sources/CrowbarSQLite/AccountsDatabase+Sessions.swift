import CrowbarCore
import GRDB
import Synchronization

// Sessions, machine tokens and passwords.
extension AccountsDatabase: AccountStore {
    /// Networks from which a user signed in that are remembered.
    private static let addresses: Int64 = 32
    /// Revoked machine tokens of a user that are remembered.
    private static let revokedTokens: Int64 = 100
    /// How long they are remembered, in milliseconds.
    private static let addressMilliseconds: Int64 = 30 * 86_400_000

    public func signOutMark() async throws -> SignOutMark { signOuts.withLock { $0.mark } }

    public func start(_ session: AccountToken, since mark: SignOutMark?) async throws {
        try await transact { [self] db in
            try requireNoSignOut(of: session.userId, since: mark)
            try Self.start(db, session)
        }
    }

    public func start(
        _ session: AccountToken, ifPasswordHashIs passwordHash: String, since mark: SignOutMark?
    ) async throws {
        try await transact { [self] db in
            guard try Self.account(db, session.userId)?.passwordHash == passwordHash else {
                throw Failure.passwordChanged
            }
            try requireNoSignOut(of: session.userId, since: mark)
            try Self.start(db, session)
        }
    }

    private func requireNoSignOut(of userId: String, since mark: SignOutMark?) throws {
        guard let mark else { return }
        if signOuts.withLock({ $0.hasEnded(userId, since: mark) }) { throw Failure.sessionEnded }
    }

    public func add(_ token: AccountToken, by session: [UInt8]?) async throws {
        try await transact { db in
            try Self.requireUsable(db, token.userId)
            if let session, try !Self.isUnrevoked(db, session, of: token.userId) { throw Failure.sessionEnded }
            try Self.insert(db, token)
        }
    }

    public func validTokens(of userId: String, now: Int64) async throws -> [AccountToken] {
        // A full disk is no reason not to list.
        _ = try? flushUses()
        return try await fetch { db in
            let rows = try RawStatement(
                cached: """
                    SELECT \(Self.tokenColumns) FROM tokens t WHERE t.userId = ?2 AND \(Self.isValid) ORDER BY t.rowid
                    """, db)
            defer { rows.reset() }
            rows.bind(1, now)
            rows.bind(2, userId)
            var tokens: [AccountToken] = []
            while try rows.step() { tokens.append(Self.token(rows)) }
            return tokens
        }
    }

    public func revokeToken(id: String, of userId: String) async throws {
        try await transact { db in
            // Ids have 16 digits: a part of one revokes nothing.
            try Self.run(
                db,
                """
                UPDATE tokens SET revoked = 1
                WHERE userId = ?1 AND revoked = 0 AND lower(hex(substr(hash, 1, 8))) = lower(?2)
                """, userId, id)
            guard db.changesCount > 0 else { throw Failure.noToken(id) }
        }
    }

    public func hasEnabledAdmin() async throws -> Bool { try await fetch { try Self.hasEnabledAdmin($0) } }

    public func endSessions(of userId: String, except hash: [UInt8]?) async throws -> Int {
        try await transact { [self] in try endSessions($0, of: userId, except: hash) }
    }

    public func hasSignedIn(_ userId: String, from network: String, since: Int64) async throws -> Bool {
        try await fetch { db in
            let rows = try RawStatement(
                cached: "SELECT 1 FROM signIns WHERE userId = ? AND address = ? AND time >= ?", db)
            defer { rows.reset() }
            rows.bind(1, userId)
            rows.bind(2, network)
            rows.bind(3, since)
            return try rows.step()
        }
    }

    public func setPassword(
        _ passwordHash: String, of userId: String, replacing old: String, session hash: [UInt8]
    ) async throws {
        try await transact { [self] db in
            guard let account = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            guard account.passwordHash == old, try Self.isUnrevoked(db, hash, of: userId) else {
                throw Failure.passwordChanged
            }
            try Self.setPassword(db, passwordHash, of: userId)
            _ = try endSessions(db, of: userId, except: hash)
        }
    }

    static func setPassword(_ db: Database, _ passwordHash: String, of userId: String) throws {
        try run(db, "UPDATE accounts SET passwordHash = ? WHERE userId = ?", passwordHash, userId)
        // Whoever was sent one may not be the user who has just proved to know a password.
        try run(db, "DELETE FROM links WHERE userId = ?", userId)
    }

    private static func isUnrevoked(_ db: Database, _ hash: [UInt8], of userId: String) throws -> Bool {
        let rows = try RawStatement(
            cached: "SELECT 1 FROM tokens WHERE hash = ? AND userId = ? AND revoked = 0", db)
        defer { rows.reset() }
        rows.bind(1, blobIfPresent: hash)
        rows.bind(2, userId)
        return try rows.step()
    }

    /// Makes sure that an account can have tokens.
    static func requireUsable(_ db: Database, _ userId: String) throws {
        guard let account = try account(db, userId) else { throw Failure.noAccount(userId) }
        if account.isPending { throw Failure.accountPending(userId) }
        if account.isErased { throw Failure.accountErased(userId) }
        if account.isDisabled { throw Failure.accountDisabled(userId) }
    }

    /// Starts a session, and notes from where the user signed in.
    static func start(_ db: Database, _ session: AccountToken) throws {
        let userId = session.userId
        try requireUsable(db, userId)
        try endOldest(db, of: userId, keeping: AccountToken.Limit.sessions - 1)
        try insert(db, session)
        guard let network = session.network else { return }
        let note = try RawStatement(
            cached: """
                INSERT INTO signIns (userId, address, time) VALUES (?1, ?2, ?3)
                ON CONFLICT (userId, address) DO UPDATE SET time = max(time, excluded.time)
                """, db)
        note.bind(1, userId)
        note.bind(2, network)
        note.bind(3, session.created)
        try note.run()
        let forget = try RawStatement(
            cached: """
                DELETE FROM signIns WHERE userId = ?1 AND address IN
                    (SELECT address FROM signIns WHERE userId = ?1 ORDER BY time DESC, address LIMIT -1 OFFSET ?2)
                """, db)
        forget.bind(1, userId)
        forget.bind(2, addresses)
        try forget.run()
    }

    private static func endOldest(_ db: Database, of userId: String, keeping count: Int) throws {
        let end = try RawStatement(
            cached: """
                UPDATE tokens SET revoked = 1 WHERE hash IN
                    (SELECT hash FROM tokens WHERE userId = ?1 AND kind = 1 AND revoked = 0
                    ORDER BY max(created, ifnull(lastUsed, 0)) DESC, rowid DESC LIMIT -1 OFFSET ?2)
                """, db)
        end.bind(1, userId)
        end.bind(2, Int64(count))
        try end.run()
    }

    /// Ends sessions, and notes it for sign-ins that are under way.
    func endSessions(_ db: Database, of userId: String, except hash: [UInt8]?) throws -> Int {
        signOuts.withLock { $0.note(userId) }
        let end = try RawStatement(
            cached: """
                UPDATE tokens SET revoked = 1 WHERE userId = ?1 AND kind = 1 AND revoked = 0
                    AND (?2 IS NULL OR hash <> ?2)
                """, db)
        end.bind(1, userId)
        end.bind(2, blobIfPresent: hash)
        try end.run()
        return db.changesCount
    }

    public func removeExpired(now: Int64) async throws {
        try await transact { db in
            for (sql, time) in [
                ("DELETE FROM tokens AS t WHERE t.kind = 1 AND NOT (\(Self.isValid))", now),
                (
                    """
                    DELETE FROM tokens AS t WHERE t.kind = 0 AND t.revoked = 1 AND (
                        SELECT count(*) FROM tokens AS o
                        WHERE o.userId = t.userId AND o.kind = 0 AND o.revoked = 1 AND o.rowid > t.rowid) >= ?1
                    """, Self.revokedTokens
                ),
                ("DELETE FROM links WHERE expires <= ?1", now), ("DELETE FROM invites WHERE expires <= ?1", now),
                ("DELETE FROM signIns WHERE time < ?1", now - Self.addressMilliseconds),
                ("DELETE FROM audit WHERE time < ?1", now - Limit.auditMilliseconds),
                ("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1", Limit.auditLines),
            ] {
                let remove = try RawStatement(cached: sql, db)
                remove.bind(1, time)
                try remove.run()
            }
        }
    }
}
