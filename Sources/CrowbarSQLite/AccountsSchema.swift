import CrowbarCore
import GRDB

// The tables of `accounts.db`, and its rows as values.
extension AccountsDatabase {
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
        """
        ALTER TABLE accounts ADD COLUMN roleSource INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE accounts ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX accountsByFoldedId ON accounts (lower(userId));
        ALTER TABLE tokens ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tokens ADD COLUMN name TEXT;
        ALTER TABLE tokens ADD COLUMN idle INTEGER;
        ALTER TABLE tokens ADD COLUMN address TEXT;
        CREATE TABLE registrations (
            userId TEXT PRIMARY KEY, eventId TEXT NOT NULL UNIQUE, name TEXT NOT NULL, mayAdopt INTEGER NOT NULL,
            invite BLOB, setup BLOB, setupExpires INTEGER) WITHOUT ROWID;
        CREATE TABLE identities (
            issuer TEXT NOT NULL, sub TEXT NOT NULL, userId TEXT NOT NULL UNIQUE, PRIMARY KEY (issuer, sub))
            WITHOUT ROWID;
        CREATE TABLE invites (
            hash BLOB PRIMARY KEY, uses INTEGER NOT NULL, used INTEGER NOT NULL, expires INTEGER NOT NULL,
            created INTEGER NOT NULL, creator TEXT NOT NULL, note TEXT) WITHOUT ROWID;
        CREATE TABLE links (hash BLOB PRIMARY KEY, userId TEXT, expires INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE signIns (
            userId TEXT NOT NULL, address TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (userId, address))
            WITHOUT ROWID;
        """,
        """
        ALTER TABLE hooks ADD COLUMN kind TEXT NOT NULL DEFAULT 'message';
        """,
        """
        ALTER TABLE accounts ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, userId TEXT NOT NULL, address TEXT NOT NULL,
            action TEXT NOT NULL, target TEXT, result TEXT NOT NULL);
        CREATE INDEX auditByTime ON audit (time);
        """,
        "ALTER TABLE audit ADD COLUMN requestId TEXT;",
    ]

    /// The columns of a token `t`, in the order of ``token(_:)``.
    static let tokenColumns = """
        t.hash, t.userId, t.scopes, t.expires, t.created, t.revoked, t.lastUsed, t.kind, t.name, t.idle, t.address
        """
    static let tokenColumnCount: Int32 = 11

    static func token(_ rows: RawStatement) -> Token {
        Token(
            hash: Array(rows.bytes(0)), userId: rows.text(1), kind: AccountToken.Kind(rawValue: rows.int(7)) ?? .token,
            name: rows.isNull(8) ? nil : rows.text(8), scopes: Principal.Scopes(rawValue: Int(rows.int(2))),
            expires: rows.isNull(3) ? nil : rows.int(3), idle: rows.isNull(9) ? nil : rows.int(9),
            created: rows.int(4), isRevoked: rows.int(5) != 0, lastUsed: rows.isNull(6) ? nil : rows.int(6),
            address: rows.isNull(10) ? nil : rows.text(10))
    }

    /// The condition for a token `t` that works at the time `?1`, as ``AccountToken/end`` says.
    static let isValid = """
        t.revoked = 0 AND (t.expires IS NULL OR t.expires > ?1)
        AND (t.idle IS NULL OR max(t.created, ifnull(t.lastUsed, 0)) + t.idle > ?1)
        """

    static func insert(_ db: Database, _ token: Token) throws {
        let put = try RawStatement(
            cached: """
                INSERT INTO tokens
                    (hash, userId, scopes, expires, created, revoked, lastUsed, kind, name, idle, address)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, db)
        put.bind(1, blob: token.hash)
        put.bind(2, token.userId)
        put.bind(3, Int64(token.scopes.rawValue))
        put.bind(4, token.expires)
        put.bind(5, token.created)
        put.bind(6, token.isRevoked ? 1 : 0)
        put.bind(7, token.lastUsed)
        put.bind(8, token.kind.rawValue)
        put.bind(9, token.name)
        put.bind(10, token.idle)
        put.bind(11, token.address)
        do { try put.run() } catch let failure as RawStatement.Failure where failure.isDuplicate {
            throw Failure.tokenExists
        }
    }

    /// The columns of an account `a`, in the order of ``account(_:)``.
    static let accountColumns = """
        a.userId, a.isAdmin, a.passwordHash, a.created, a.disabled, a.roleSource, a.pending, a.erased
        """
    static let accountColumnCount: Int32 = 8

    static func account(_ rows: RawStatement) -> Account {
        Account(
            userId: rows.text(0), isAdmin: rows.int(1) != 0,
            roleSource: Account.RoleSource(rawValue: rows.int(5)) ?? .local,
            passwordHash: rows.isNull(2) ? nil : rows.text(2), created: rows.int(3), isDisabled: rows.int(4) != 0,
            isErased: rows.int(7) != 0, isPending: rows.int(6) != 0)
    }

    static func account(_ db: Database, _ userId: String) throws -> Account? {
        let rows = try RawStatement(cached: "SELECT \(accountColumns) FROM accounts a WHERE a.userId = ?", db)
        defer { rows.reset() }
        rows.bind(1, userId)
        return try rows.step() ? account(rows) : nil
    }

    static func insert(_ db: Database, _ account: Account) throws {
        let put = try RawStatement(
            cached: """
                INSERT INTO accounts (userId, isAdmin, passwordHash, created, disabled, roleSource, pending, erased)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """, db)
        put.bind(1, account.userId)
        put.bind(2, account.isAdmin ? 1 : 0)
        put.bind(3, account.passwordHash)
        put.bind(4, account.created)
        put.bind(5, account.isDisabled ? 1 : 0)
        put.bind(6, account.roleSource.rawValue)
        put.bind(7, account.isPending ? 1 : 0)
        put.bind(8, account.isErased ? 1 : 0)
        try put.run()
    }

    /// Runs a statement with these texts bound in their order.
    static func run(_ db: Database, _ sql: String, _ texts: String...) throws {
        let statement = try RawStatement(cached: sql, db)
        for (index, text) in texts.enumerated() { statement.bind(Int32(index + 1), text) }
        try statement.run()
    }

    /// Makes sure that neither an account nor one that differs only in case has this id.
    /// - Throws: ``Failure/accountExists(_:)``, ``Failure/caseTwin(_:of:)``.
    static func requireFree(_ db: Database, _ userId: String) throws {
        if try account(db, userId) != nil { throw Failure.accountExists(userId) }
        let rows = try RawStatement(
            cached: "SELECT userId FROM accounts WHERE lower(userId) = lower(?) ORDER BY userId LIMIT 1", db)
        defer { rows.reset() }
        rows.bind(1, userId)
        if try rows.step() { throw Failure.caseTwin(userId, of: rows.text(0)) }
    }
}
