import Identity

/// What the operator says about the OpenID provider (`[auth.oidc]`).
public struct OpenIDSettings: Sendable, Equatable {
    /// The addresses of a provider that has no discovery document.
    public struct Endpoints: Sendable, Equatable {
        /// Where the page sends people to sign in.
        public var authorize: ProviderURL
        /// Where codes are exchanged.
        public var token: ProviderURL
        /// The provider's keys.
        public var keys: KeySource
        /// Where people sign out of the provider.
        public var endSession: ProviderURL?

        /// Makes them.
        public init(
            authorize: ProviderURL, token: ProviderURL, keys: KeySource, endSession: ProviderURL? = nil
        ) {
            self.authorize = authorize
            self.token = token
            self.keys = keys
            self.endSession = endSession
        }
    }

    /// Where a key set (JWKS) is read.
    public enum KeySource: Sendable, Equatable {
        case url(ProviderURL)
        /// A file's path.
        case file(String)
    }

    /// How long a session lasts if the configuration does not say, in milliseconds.
    public static let usualSession: Int64 = 12 * 3_600_000
    /// What the page's button says if the configuration does not say.
    public static let usualLabel = "Single sign-on"
    /// What the page asks the provider for if the configuration does not say.
    public static let usualScopes = "openid profile"

    /// By which rules tokens are verified: the issuer, the client's id, claims and groups.
    public var rules: TokenRules
    /// The issuer as a URL.
    public var issuer: ProviderURL
    /// The client's secret; nil for a public client, which has PKCE alone.
    public var clientSecret: ClientSecret?
    /// What the page's button says.
    public var label = OpenIDSettings.usualLabel
    /// The addresses to which the provider may send people back.
    public var redirects: [String]
    /// What the page asks the provider for, separated by spaces.
    public var scopes = OpenIDSettings.usualScopes
    /// Whether each sign-in gives the user the provider's name.
    public var syncsNames = false
    /// How long a session lasts, in milliseconds.
    public var session = OpenIDSettings.usualSession
    /// A file of CA certificates in place of the system's.
    public var caFile: String?
    /// The provider's addresses where it has no discovery document.
    public var endpoints: Endpoints?

    /// Makes settings with the usual values.
    public init(
        rules: TokenRules, issuer: ProviderURL, clientSecret: ClientSecret? = nil, redirects: [String] = []
    ) {
        self.rules = rules
        self.issuer = issuer
        self.clientSecret = clientSecret
        self.redirects = redirects
    }
}

/// A client's secret, which no description shows.
public struct ClientSecret: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    let value: String

    /// Makes one.
    public init(_ value: String) { self.value = value }

    public var description: String { "(hidden)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
