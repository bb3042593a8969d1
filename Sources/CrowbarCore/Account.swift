/// A person's or a program's account.
public struct Account: Sendable, Equatable {
    /// Who decides about an account's role.
    public enum RoleSource: Int64, Sendable {
        /// An operator or an admin. The role stays until one of them changes it.
        case local
        /// The groups of the OpenID provider, at each sign-in.
        case oidc

        /// The word of the API.
        public var name: String { self == .local ? "local" : "oidc" }
    }

    /// The id of its user.
    public var userId: String
    /// Whether tokens of the scope `admin` work.
    public var isAdmin: Bool
    /// Who decides about the role.
    public var roleSource: RoleSource
    /// The hash of its password; nil where it has none.
    public var passwordHash: String?
    /// Unix milliseconds.
    public var created: Int64
    /// Whether none of its tokens work.
    public var isDisabled: Bool
    /// Whether the user was erased. The account then stays disabled, so that nobody gets its id.
    public var isErased: Bool
    /// Whether its registration has not ended: the log may not have the user yet.
    public var isPending: Bool

    /// Makes one.
    public init(
        userId: String, isAdmin: Bool, roleSource: RoleSource = .local, passwordHash: String? = nil, created: Int64,
        isDisabled: Bool = false, isErased: Bool = false, isPending: Bool = false
    ) {
        self.userId = userId
        self.isAdmin = isAdmin
        self.roleSource = roleSource
        self.passwordHash = passwordHash
        self.created = created
        self.isDisabled = isDisabled
        self.isErased = isErased
        self.isPending = isPending
    }
}

/// A token of an account, as far as it is stored. The text of a token is stored nowhere.
public struct AccountToken: Sendable, Equatable {
    /// Limits.
    public enum Limit {
        /// The bytes of a token's hash that make its id.
        public static let idBytes = 8
        /// How long a session lasts without use, in milliseconds.
        public static let sessionIdle: Int64 = 30 * 86_400_000
        /// How long a session lasts at most, in milliseconds.
        public static let sessionLifetime: Int64 = 365 * 86_400_000
        /// Sessions of an account. A further one ends the one that was not used for the longest time.
        public static let sessions = 64
    }

    /// Whose a token is.
    public enum Kind: Int64, Sendable {
        /// A program's.
        case token
        /// A person's who signed in.
        case session

        /// The word of the API.
        public var name: String { self == .token ? "token" : "session" }
    }

    /// The SHA-256 of its text.
    public var hash: [UInt8]
    /// Whose it is.
    public var userId: String
    /// Whether it is a session.
    public var kind: Kind
    /// What a machine token is called.
    public var name: String?
    /// What it allows.
    public var scopes: Principal.Scopes
    /// When it ends, Unix milliseconds; nil: never.
    public var expires: Int64?
    /// After how long without use it ends, in milliseconds; nil: never.
    public var idle: Int64?
    /// Unix milliseconds.
    public var created: Int64
    /// Whether it was revoked.
    public var isRevoked: Bool
    /// When it was last used, Unix milliseconds, to the minute; nil: never, or before that was noted.
    public var lastUsed: Int64?
    /// From where it was last used.
    public var address: String?
    /// The network that a new session counts as signed in from: what limits count by. It is remembered with the account
    /// and not with the token, so a token that was read from a store has none.
    public var network: String?

    /// What a person names it by: the first 16 hexadecimal digits of its hash.
    public var id: String { Self.id(ofHash: hash) }

    /// The first 16 hexadecimal digits of a hash, which name a token or an invite.
    public static func id(ofHash hash: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = hash.prefix(Limit.idBytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Makes one.
    public init(
        hash: [UInt8], userId: String, kind: Kind = .token, name: String? = nil, scopes: Principal.Scopes,
        expires: Int64? = nil, idle: Int64? = nil, created: Int64, isRevoked: Bool = false, lastUsed: Int64? = nil,
        address: String? = nil, network: String? = nil
    ) {
        self.hash = hash
        self.userId = userId
        self.network = network
        self.kind = kind
        self.name = name
        self.scopes = scopes
        self.expires = expires
        self.idle = idle
        self.created = created
        self.isRevoked = isRevoked
        self.lastUsed = lastUsed
        self.address = address
    }

    /// A session that begins now and ends after 30 days without use, or after a year.
    /// - Parameters:
    ///   - lifetime: Another time at which it ends whether it is used or not, in milliseconds.
    ///   - address: From where the user signed in.
    ///   - network: What limits count the address by; nil: the address.
    public static func session(
        hash: [UInt8], userId: String, scopes: Principal.Scopes, lifetime: Int64? = nil, address: String?,
        network: String? = nil, now: Int64
    ) -> AccountToken {
        let lifetime = min(lifetime ?? Limit.sessionLifetime, Limit.sessionLifetime)
        return AccountToken(
            hash: hash, userId: userId, kind: .session, scopes: scopes, expires: now + lifetime,
            idle: Limit.sessionIdle, created: now, lastUsed: now, address: address, network: network ?? address)
    }

    /// When it ends unless it is used before, Unix milliseconds; nil: never.
    public var end: Int64? {
        let idleEnd = idle.map { max(created, lastUsed ?? created) + $0 }
        guard let expires else { return idleEnd }
        return idleEnd.map { min($0, expires) } ?? expires
    }
}

/// What lets people register.
public struct AccountInvite: Sendable, Equatable {
    /// The SHA-256 of its token.
    public var hash: [UInt8]
    /// Accounts that it can make.
    public var uses: Int64
    /// Accounts that it has made, or is making.
    public var used: Int64
    /// When it ends, Unix milliseconds.
    public var expires: Int64
    /// Unix milliseconds.
    public var created: Int64
    /// The admin who made it.
    public var creator: String
    /// A note for admins.
    public var note: String?

    /// What a person names it by.
    public var id: String { AccountToken.id(ofHash: hash) }

    /// Makes one.
    public init(
        hash: [UInt8], uses: Int64, used: Int64 = 0, expires: Int64, created: Int64, creator: String,
        note: String? = nil
    ) {
        self.hash = hash
        self.uses = uses
        self.used = used
        self.expires = expires
        self.created = created
        self.creator = creator
        self.note = note
    }
}

/// A link that works once.
public struct AccountLink: Sendable, Equatable {
    /// What a link is for.
    public enum Purpose: Sendable, Equatable {
        /// Makes the first admin.
        case setup
        /// Gives a user a new password.
        case reset(userId: String)
    }

    /// The SHA-256 of its token.
    public var hash: [UInt8]
    /// What it is for.
    public var purpose: Purpose
    /// When it ends, Unix milliseconds.
    public var expires: Int64

    /// Makes one.
    public init(hash: [UInt8], purpose: Purpose, expires: Int64) {
        self.hash = hash
        self.purpose = purpose
        self.expires = expires
    }
}

/// An account that is being registered: it is stored before the user's event is, and becomes usable after it.
public struct PendingRegistration: Sendable, Equatable {
    /// A subject of an OpenID provider.
    public struct Identity: Sendable, Equatable {
        /// The provider.
        public var issuer: String
        /// The user there.
        public var subject: String

        /// Makes one.
        public init(issuer: String, subject: String) {
            self.issuer = issuer
            self.subject = subject
        }
    }

    /// The account as it will be.
    public var account: Account
    /// The name that the user is registered by.
    public var name: String
    /// The id of the event that registers the user.
    public var eventId: String
    /// The subject that it belongs to.
    public var identity: Identity?
    /// Whether the account may be given to a user whom the log knows already.
    public var mayAdopt: Bool

    /// Makes one.
    public init(account: Account, name: String, eventId: String, identity: Identity? = nil, mayAdopt: Bool = false) {
        self.account = account
        self.account.isPending = true
        self.name = name
        self.eventId = eventId
        self.identity = identity
        self.mayAdopt = mayAdopt
    }
}
