import CrowbarCore
import GRDB

// Accounts whose registration has not ended.
extension AccountsDatabase {
    public func account(of userId: String) async throws -> Account? { try await fetch { try Self.account($0, userId) } }

    public func account(of identity: PendingRegistration.Identity) async throws -> Account? {
        try await fetch { db in try Self.owner(db, of: identity).flatMap { try Self.account(db, $0) } }
    }

    public func identity(of userId: String) async throws -> PendingRegistration.Identity? {
        try await fetch { try Self.identity($0, of: userId) }
    }

    public func begin(
        _ registration: PendingRegistration, by admission: Admission, now: Int64
    ) async throws -> PendingRegistration? {
        try await transact { db in
            let account = registration.account
            if let identity = registration.identity {
                if let owner = try Self.owner(db, of: identity), let found = try Self.account(db, owner) {
                    return found.isPending ? try Self.pending(db, of: owner).first : nil
                }
                if let issuer = try Self.identity(db, of: account.userId)?.issuer, issuer != identity.issuer {
                    throw Failure.linkedElsewhere(issuer: issuer)
                }
                // Subjects that differ in case are different subjects.
                if try Self.account(db, account.userId) != nil { throw Failure.accountExists(account.userId) }
            } else {
                if let same = try Self.pending(db, of: account.userId).first, same.eventId == registration.eventId {
                    return same
                }
                try Self.requireFree(db, account.userId)
            }
            let used = try Self.use(db, admission, now)
            try Self.insert(db, account)
            try Self.insert(db, registration, used)
            if let identity = registration.identity { try Self.insert(db, identity, of: account.userId) }
            return registration
        }
    }

    public func finish(_ registration: PendingRegistration, session: AccountToken?) async throws {
        let userId = registration.account.userId
        try await transact { db in
            guard let account = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            if account.isPending {
                guard try Self.pending(db, of: userId).first?.eventId == registration.eventId else {
                    throw Failure.accountPending(userId)
                }
                try Self.run(db, "UPDATE accounts SET pending = 0 WHERE userId = ?", userId)
                try Self.run(db, "DELETE FROM registrations WHERE userId = ?", userId)
            }
            if let session { try Self.start(db, session) }
        }
    }

    public func rollBack(_ registration: PendingRegistration) async throws {
        let userId = registration.account.userId
        try await transact { db in
            guard try Self.pending(db, of: userId).first?.eventId == registration.eventId else { return }
            for sql in [
                """
                UPDATE invites SET used = max(0, used - 1)
                WHERE hash = (SELECT invite FROM registrations WHERE userId = ?)
                """,
                """
                INSERT OR IGNORE INTO links (hash, userId, expires)
                SELECT setup, NULL, setupExpires FROM registrations WHERE userId = ? AND setup IS NOT NULL
                """,
                "DELETE FROM registrations WHERE userId = ?", "DELETE FROM identities WHERE userId = ?",
                "DELETE FROM tokens WHERE userId = ?", "DELETE FROM accounts WHERE userId = ?",
            ] { try Self.run(db, sql, userId) }
        }
    }

    public func pendingRegistrations() async throws -> [PendingRegistration] {
        try await fetch { try Self.pending($0, of: nil) }
    }

    public func link(_ userId: String, to identity: PendingRegistration.Identity) async throws {
        try await transact { db in
            guard let account = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            if let owner = try Self.owner(db, of: identity) {
                if owner == userId { return }
                throw Failure.subjectLinked(to: owner)
            }
            if let other = try Self.identity(db, of: userId) {
                if other.issuer == identity.issuer { throw Failure.userLinked(userId, to: other.subject) }
                // The operator has changed to another provider.
                try Self.run(db, "DELETE FROM identities WHERE userId = ?", userId)
            }
            try Self.insert(db, identity, of: userId)
            // An admin stays one whatever the groups say; a member had no role that anybody gave.
            if !account.isAdmin { try Self.setRole(db, isAdmin: false, source: .oidc, of: userId) }
        }
    }

    public func setGroupRole(isAdmin: Bool, of userId: String) async throws -> Account {
        try await transact { db in
            guard var account = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
            guard account.roleSource == .oidc, account.isAdmin != isAdmin else { return account }
            try Self.setRole(db, isAdmin: isAdmin, source: .oidc, of: userId)
            account.isAdmin = isAdmin
            return account
        }
    }

    private static func setRole(
        _ db: Database, isAdmin: Bool, source: Account.RoleSource, of userId: String
    ) throws {
        let put = try RawStatement(cached: "UPDATE accounts SET isAdmin = ?, roleSource = ? WHERE userId = ?", db)
        put.bind(1, isAdmin ? 1 : 0)
        put.bind(2, source.rawValue)
        put.bind(3, userId)
        try put.run()
    }

    /// What a registration used up, to be given back if it is rolled back.
    private struct Used {
        var invite: [UInt8]?
        var setup: (hash: [UInt8], expires: Int64)?
    }

    private static func use(_ db: Database, _ admission: Admission, _ now: Int64) throws -> Used {
        switch admission {
        case .free: return Used()
        case .invite(let hash):
            let put = try RawStatement(
                cached: "UPDATE invites SET used = used + 1 WHERE hash = ? AND used < uses AND expires > ?", db)
            put.bind(1, blob: hash)
            put.bind(2, now)
            try put.run()
            guard db.changesCount == 1 else { throw Failure.inviteInvalid }
            return Used(invite: hash)
        case .setup(let hash):
            guard let link = try link(db, hash, now), link.userId == nil else { throw Failure.linkInvalid }
            if try hasEnabledAdmin(db) { throw Failure.adminExists }
            try remove(db, linkHash: hash)
            return Used(setup: (hash, link.expires))
        }
    }

    private static func insert(_ db: Database, _ registration: PendingRegistration, _ used: Used) throws {
        let put = try RawStatement(
            cached: """
                INSERT INTO registrations (userId, eventId, name, mayAdopt, invite, setup, setupExpires)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """, db)
        put.bind(1, registration.account.userId)
        put.bind(2, registration.eventId)
        put.bind(3, registration.name)
        put.bind(4, registration.mayAdopt ? 1 : 0)
        put.bind(5, blobIfPresent: used.invite)
        put.bind(6, blobIfPresent: used.setup?.hash)
        put.bind(7, used.setup?.expires)
        try put.run()
    }

    private static func insert(
        _ db: Database, _ identity: PendingRegistration.Identity, of userId: String
    ) throws {
        try run(
            db, "INSERT INTO identities (issuer, sub, userId) VALUES (?, ?, ?)", identity.issuer, identity.subject,
            userId)
    }

    private static func owner(_ db: Database, of identity: PendingRegistration.Identity) throws -> String? {
        let rows = try RawStatement(cached: "SELECT userId FROM identities WHERE issuer = ? AND sub = ?", db)
        defer { rows.reset() }
        rows.bind(1, identity.issuer)
        rows.bind(2, identity.subject)
        return try rows.step() ? rows.text(0) : nil
    }

    private static func identity(_ db: Database, of userId: String) throws -> PendingRegistration.Identity? {
        let rows = try RawStatement(cached: "SELECT issuer, sub FROM identities WHERE userId = ?", db)
        defer { rows.reset() }
        rows.bind(1, userId)
        return try rows.step() ? .init(issuer: rows.text(0), subject: rows.text(1)) : nil
    }

    /// The pending registration of a user, or all.
    private static func pending(_ db: Database, of userId: String?) throws -> [PendingRegistration] {
        let rows = try RawStatement(
            cached: """
                SELECT \(accountColumns), r.name, r.eventId, r.mayAdopt, i.issuer, i.sub
                FROM registrations r JOIN accounts a USING (userId) LEFT JOIN identities i USING (userId)
                WHERE (?1 IS NULL OR r.userId = ?1) ORDER BY r.userId
                """, db)
        defer { rows.reset() }
        rows.bind(1, userId)
        var found: [PendingRegistration] = []
        let next = accountColumnCount
        while try rows.step() {
            let identity =
                rows.isNull(next + 3)
                ? nil
                : PendingRegistration.Identity(issuer: rows.text(next + 3), subject: rows.text(next + 4))
            found.append(
                PendingRegistration(
                    account: account(rows), name: rows.text(next), eventId: rows.text(next + 1), identity: identity,
                    mayAdopt: rows.int(next + 2) != 0))
        }
        return found
    }
}
