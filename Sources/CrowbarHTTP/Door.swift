import CrowbarCore

/// Through which listener a call comes, and so what it may be.
public enum Door: Sendable {
    /// TCP: people and programs with tokens of the accounts.
    case people
    /// The Unix socket in the data folder: callers that can read `admin.key` there. The key's SHA-256 and what only the
    /// command line can do.
    case commandLine(keyHash: [UInt8], AdminActions)

    var isCommandLine: Bool {
        if case .commandLine = self { return true }
        return false
    }
}

/// What the command line, and in part admins over TCP, do to accounts through a running server.
public struct AdminActions: Sendable {
    /// Seconds that a token may be good for: up to a hundred years.
    public static let lifetimes: ClosedRange<Int64> = 1...36_525 * 86_400

    /// Registers a user, in the log and in the accounts.
    public var addUser: @Sendable (_ name: String, _ isAdmin: Bool) async throws -> Void
    /// Makes a token of a user and gives its text; nil scopes mean all the user's.
    public var makeToken:
        @Sendable (_ user: String, _ scopes: Principal.Scopes?, _ lifetimeSeconds: Int64?) async throws -> String
    /// Ties an account to a subject of the OpenID provider; nil where there are no accounts.
    public var linkUser: (@Sendable (_ user: String, _ subject: String) async throws -> Void)?
    /// What is done to incoming hooks; nil where there are none.
    public var hooks: HookActions?
    /// One-time links, invites and sign-out; nil where there is nothing.
    public var access: AccessActions?
    /// What is shown and changed of users and tokens; nil where there is nothing.
    public var accounts: AccountAdministration?
    /// Pages of the channels, as JSON: behind a channel's id, or from the first.
    public var channels: (@Sendable (_ after: String?, _ limit: Int) async throws -> [UInt8])?
    /// How the server is, as JSON.
    public var status: (@Sendable () async throws -> [UInt8])?
    /// Erases messages and users; nil where nothing can be erased.
    public var erasure: ErasureService?

    /// Makes the actions.
    public init(
        addUser: @escaping @Sendable (_ name: String, _ isAdmin: Bool) async throws -> Void,
        makeToken:
            @escaping @Sendable (
                _ user: String, _ scopes: Principal.Scopes?, _ lifetimeSeconds: Int64?
            ) async throws -> String,
        hooks: HookActions? = nil, access: AccessActions? = nil, accounts: AccountAdministration? = nil,
        channels: (@Sendable (_ after: String?, _ limit: Int) async throws -> [UInt8])? = nil,
        status: (@Sendable () async throws -> [UInt8])? = nil
    ) {
        self.addUser = addUser
        self.makeToken = makeToken
        self.hooks = hooks
        self.access = access
        self.accounts = accounts
        self.channels = channels
        self.status = status
    }
}
