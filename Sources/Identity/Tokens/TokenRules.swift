/// What the operator says about an OpenID provider, as far as the verification of tokens needs it.
public struct TokenRules: Sendable, Equatable {
    /// The issuer, exactly as its tokens have it in `iss`.
    public var issuer: String
    /// This application's id at the provider.
    public var clientId: String
    /// Further `aud` of access tokens.
    public var audiences: [String]
    /// The claim with the user's name; then `preferred_username`, `name` and `sub`.
    public var nameClaim: String?
    /// The claim with the user's groups.
    public var groupsClaim: String?
    /// The group whose members are admins.
    public var adminGroup: String?
    /// The group whose members may sign in; nil: everybody.
    public var requiredGroup: String?

    /// Makes rules.
    public init(
        issuer: String, clientId: String, audiences: [String] = [], nameClaim: String? = nil,
        groupsClaim: String? = nil, adminGroup: String? = nil, requiredGroup: String? = nil
    ) {
        self.issuer = issuer
        self.clientId = clientId
        self.audiences = audiences
        self.nameClaim = nameClaim
        self.groupsClaim = groupsClaim
        self.adminGroup = adminGroup
        self.requiredGroup = requiredGroup
    }
}

/// What a verified token says.
public struct VerifiedToken: Sendable, Equatable {
    /// What kind of token it is.
    public enum Kind: Sendable, Equatable {
        /// An ID token (OpenID Connect Core 1.0, section 2).
        case identity
        /// An access token of Cognito, or one after RFC 9068.
        case access
    }

    /// What kind of token it is.
    public var kind: Kind
    /// `iss`.
    public var issuer: String
    /// `sub`.
    public var subject: String
    /// The user's id, from `sub` (``UserIdRule/id(ofSubject:)``).
    public var userId: String
    /// The name that the user is shown by.
    public var name: String
    /// The user's groups.
    public var groups: [String]
    /// Whether ``TokenRules/adminGroup`` is among them; nil where the rules name no such group.
    public var isAdmin: Bool?
    /// When it ends, Unix milliseconds.
    public var expires: Int64

    /// Makes one.
    public init(
        kind: Kind, issuer: String, subject: String, userId: String, name: String, groups: [String] = [],
        isAdmin: Bool? = nil, expires: Int64
    ) {
        self.kind = kind
        self.issuer = issuer
        self.subject = subject
        self.userId = userId
        self.name = name
        self.groups = groups
        self.isAdmin = isAdmin
        self.expires = expires
    }
}
