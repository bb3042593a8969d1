import CrowbarCore
import GRDB

// Invites and one-time links.
extension AccountsDatabase {
    public func add(_ invite: AccountInvite) async throws {
        try await transact { db in
            let put = try RawStatement(
                cached: """
                    INSERT INTO invites (hash, uses, used, expires, created, creator, note) VALUES (?, ?, ?, ?, ?, ?, ?)
                    """, db)
            put.bind(1, blob: invite.hash)
            put.bind(2, invite.uses)
            put.bind(3, invite.used)
            put.bind(4, invite.expires)
            put.bind(5, invite.created)
            put.bind(6, invite.creator)
            put.bind(7, invite.note)
            try put.run()
        }
    }

    public func isUsable(inviteHash hash: [UInt8], now: Int64) async throws -> Bool {
        try await fetch { db in
            let rows = try RawStatement(
                cached: "SELECT 1 FROM invites WHERE hash = ? AND used < uses AND expires > ?", db)
            defer { rows.reset() }
            rows.bind(1, blob: hash)
            rows.bind(2, now)
            return try rows.step()
        }
    }

    public func invites(now: Int64) async throws -> [AccountInvite] {
        try await fetch { db in
            let rows = try RawStatement(
                cached: """
                    SELECT hash, uses, used, expires, created, creator, note FROM invites WHERE expires > ?
                    ORDER BY created, hash
                    """, db)
            defer { rows.reset() }
            rows.bind(1, now)
            var invites: [AccountInvite] = []
            while try rows.step() {
                invites.append(
                    AccountInvite(
                        hash: Array(rows.bytes(0)), uses: rows.int(1), used: rows.int(2), expires: rows.int(3),
                        created: rows.int(4), creator: rows.text(5), note: rows.isNull(6) ? nil : rows.text(6)))
            }
            return invites
        }
    }

    public func removeInvite(id: String) async throws {
        try await transact { db in
            // Ids have 16 digits: a part of one removes nothing.
            try Self.run(db, "DELETE FROM invites WHERE lower(hex(substr(hash, 1, 8))) = lower(?)", id)
            guard db.changesCount > 0 else { throw Failure.noInvite(id) }
        }
    }

    public func add(_ link: AccountLink) async throws {
        try await transact { db in
            var user: String?
            switch link.purpose {
            case .setup:
                if try Self.hasEnabledAdmin(db) { throw Failure.adminExists }
                try Self.run(db, "DELETE FROM links WHERE userId IS NULL")
            case .reset(let userId):
                guard let account = try Self.account(db, userId) else { throw Failure.noAccount(userId) }
                if account.isErased { throw Failure.accountErased(userId) }
                try Self.run(db, "DELETE FROM links WHERE userId = ?", userId)
                user = userId
            }
            let put = try RawStatement(cached: "INSERT INTO links (hash, userId, expires) VALUES (?, ?, ?)", db)
            put.bind(1, blob: link.hash)
            put.bind(2, user)
            put.bind(3, link.expires)
            try put.run()
        }
    }

    public func link(hash: [UInt8], now: Int64) async throws -> AccountLink.Purpose? {
        try await fetch { db in
            try Self.link(db, hash, now).map { link in link.userId.map { .reset(userId: $0) } ?? .setup }
        }
    }

    public func reset(linkHash: [UInt8], passwordHash: String, session: AccountToken, now: Int64) async throws {
        let userId = session.userId
        try await transact { [self] db in
            guard try Self.link(db, linkHash, now)?.userId == userId else { throw Failure.linkInvalid }
            try Self.requireUsable(db, userId)
            try Self.remove(db, linkHash: linkHash)
            try Self.setPassword(db, passwordHash, of: userId)
            _ = try endSessions(db, of: userId, except: nil)
            try Self.start(db, session)
        }
    }

    static func link(_ db: Database, _ hash: [UInt8], _ now: Int64) throws -> (userId: String?, expires: Int64)? {
        let rows = try RawStatement(cached: "SELECT userId, expires FROM links WHERE hash = ? AND expires > ?", db)
        defer { rows.reset() }
        rows.bind(1, blob: hash)
        rows.bind(2, now)
        return try rows.step() ? (rows.isNull(0) ? nil : rows.text(0), rows.int(1)) : nil
    }

    static func remove(_ db: Database, linkHash hash: [UInt8]) throws {
        let remove = try RawStatement(cached: "DELETE FROM links WHERE hash = ?", db)
        remove.bind(1, blob: hash)
        try remove.run()
    }
}
