/// Who calls, as far as a token tells.
public struct Principal: Sendable, Equatable {
    /// What a token allows.
    public struct Scopes: OptionSet, Sendable, Hashable {
        /// The bits, as accounts store them.
        public let rawValue: Int

        /// Makes scopes from their bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// May send commands.
        public static let commands = Scopes(rawValue: 1)
        /// May read events and views.
        public static let read = Scopes(rawValue: 2)
        /// May do what admins may; only for the token of an admin.
        public static let admin = Scopes(rawValue: 4)
        /// May read the server's metrics; only for the token of an admin.
        public static let metrics = Scopes(rawValue: 8)

        /// All scopes. Those of admins have no effect while the account is a member's.
        public static let all: Scopes = [.commands, .read, .admin, .metrics]
        /// The scopes of accounts that are no admin's.
        public static let member: Scopes = [.commands, .read]

        /// The scopes by the names of the command line and the API.
        public static let names: [(name: String, scope: Scopes)] = [
            ("commands", .commands), ("read", .read), ("admin", .admin), ("metrics", .metrics),
        ]
    }

    /// Whom a token was made for.
    public enum Kind: Sendable, Equatable {
        /// A person who signed in.
        case session
        /// A program.
        case machineToken
    }

    /// The user's id.
    public var userId: String
    /// What the token allows.
    public var scopes: Scopes
    /// When the token ends, Unix milliseconds; nil: not by time.
    public var expires: Int64?
    /// Whom the token was made for.
    public var kind: Kind

    /// Makes a principal.
    public init(userId: String, scopes: Scopes, expires: Int64? = nil, kind: Kind = .machineToken) {
        self.userId = userId
        self.scopes = scopes
        self.expires = expires
        self.kind = kind
    }

    /// Whether it may act for others and do what only creators and authors may.
    public var isAdmin: Bool { scopes.contains(.admin) }
}
