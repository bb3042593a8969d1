/// What admins and the command line see and change of users and their tokens. Each answers with JSON and throws a
/// `CommandError`
/// where it is refused. No answer holds a token or its hash.
public struct AccountAdministration: Sendable {
    /// Entries of a page at most, and where the caller does not say.
    public static let page = 1_000

    /// Which users are listed.
    public struct UserQuery: Sendable, Equatable {
        /// A part of the user id or of the name, without regard to case; nil: all users.
        public var text: String?
        /// The last user id of the page before.
        public var after: String?
        /// Users at most.
        public var limit: Int

        /// Makes one.
        public init(text: String? = nil, after: String? = nil, limit: Int = page) {
            self.text = text
            self.after = after
            self.limit = limit
        }
    }

    /// Which tokens are listed.
    public struct TokenQuery: Sendable, Equatable {
        /// Whose; nil: everybody's.
        public var user: String?
        /// The id of the last token of the page before.
        public var after: String?
        /// Tokens at most.
        public var limit: Int
        /// Whether revoked ones are listed too.
        public var includesRevoked: Bool

        /// Makes one.
        public init(user: String? = nil, after: String? = nil, limit: Int = page, includesRevoked: Bool = false) {
            self.user = user
            self.after = after
            self.limit = limit
            self.includesRevoked = includesRevoked
        }
    }

    /// A page of the users, by id.
    public var listUsers: @Sendable (_ query: UserQuery) async throws -> [UInt8]
    /// One user.
    public var showUser: @Sendable (_ user: String) async throws -> [UInt8]
    /// Changes a user's role or disables it; nil leaves a thing as it is.
    public var changeUser: @Sendable (_ user: String, _ isAdmin: Bool?, _ isDisabled: Bool?) async throws -> [UInt8]
    /// A page of tokens, oldest first.
    public var listTokens: @Sendable (_ query: TokenQuery) async throws -> [UInt8]
    /// Revokes the token of an id.
    public var revokeToken: @Sendable (_ id: String) async throws -> [UInt8]

    /// Makes the actions.
    public init(
        listUsers: @escaping @Sendable (_ query: UserQuery) async throws -> [UInt8],
        showUser: @escaping @Sendable (_ user: String) async throws -> [UInt8],
        changeUser: @escaping @Sendable (_ user: String, _ isAdmin: Bool?, _ isDisabled: Bool?) async throws -> [UInt8],
        listTokens: @escaping @Sendable (_ query: TokenQuery) async throws -> [UInt8],
        revokeToken: @escaping @Sendable (_ id: String) async throws -> [UInt8]
    ) {
        self.listUsers = listUsers
        self.showUser = showUser
        self.changeUser = changeUser
        self.listTokens = listTokens
        self.revokeToken = revokeToken
    }
}
