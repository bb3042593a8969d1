/// Who may sign in, with which tokens: the port behind registration, sign-in and administration.
///
/// Each call is one transaction, durable when it returns. Refusals are ``AccountFailure``; a store throws errors of its
/// own where it cannot be read or written.
public protocol AccountStore: Sendable {
    /// The account of a user, or nil.
    func account(of userId: String) async throws -> Account?

    /// The account of a subject of an OpenID provider, or nil.
    func account(of identity: PendingRegistration.Identity) async throws -> Account?

    /// The subject of an OpenID provider that a user's account belongs to, or nil.
    func identity(of userId: String) async throws -> PendingRegistration.Identity?

    /// Whether there is an admin whose account is enabled and whose registration has ended.
    func hasEnabledAdmin() async throws -> Bool

    // Registration

    /// Stores an account that is pending and uses up what admits it.
    /// - Returns: What is pending now: this registration, or the same one (by event id or subject) of another caller;
    ///   nil where the subject has an active account already.
    /// - Throws: `accountExists`, `caseTwin`, `inviteInvalid`, `linkInvalid`, `adminExists`, `linkedElsewhere`.
    func begin(
        _ registration: PendingRegistration, by admission: Admission, now: Int64
    ) async throws -> PendingRegistration?

    /// Makes a pending account active. Where it is active already that changes nothing.
    /// - Parameter session: A session that starts in the same transaction.
    /// - Throws: `noAccount`, `tokenExists`.
    func finish(_ registration: PendingRegistration, session: AccountToken?) async throws

    /// Removes a pending account, and gives back what admitted it. Where none of this event is pending that changes
    /// nothing.
    func rollBack(_ registration: PendingRegistration) async throws

    /// The registrations that have not ended.
    func pendingRegistrations() async throws -> [PendingRegistration]

    // Signing in

    /// How many times all sessions of an account were ended. A sign-in asks before it verifies anything.
    func signOutMark() async throws -> SignOutMark

    /// Starts a session.
    /// - Parameter mark: The mark of before the credentials were verified. If all sessions of the account were ended
    ///   since, none starts. Nil where the session starts in the same step as its account.
    /// - Throws: `noAccount`, `accountPending`, `accountDisabled`, `sessionEnded`, `tokenExists`.
    func start(_ session: AccountToken, since mark: SignOutMark?) async throws

    /// Starts a session of a user whose password was verified, if the password is still the same.
    /// - Parameter passwordHash: The hash that was compared.
    /// - Throws: As ``start(_:since:)``; `passwordChanged`.
    func start(_ session: AccountToken, ifPasswordHashIs passwordHash: String, since mark: SignOutMark?) async throws

    /// Stores a machine token.
    /// - Parameter session: The hash of the session that asks, which must not have ended; nil where an operator does.
    /// - Throws: As ``start(_:since:)``.
    func add(_ token: AccountToken, by session: [UInt8]?) async throws

    /// The sessions and machine tokens of a user that are valid, oldest first.
    func validTokens(of userId: String, now: Int64) async throws -> [AccountToken]

    /// Revokes a session or machine token of a user.
    /// - Parameter id: All 16 digits of its id.
    /// - Throws: `noToken`, also where the token is another user's.
    func revokeToken(id: String, of userId: String) async throws

    /// Ends a user's sessions. Machine tokens stay.
    /// - Parameter hash: The session that goes on, or nil.
    /// - Returns: How many ended.
    func endSessions(of userId: String, except hash: [UInt8]?) async throws -> Int

    /// Whether a user signed in from a network since a time.
    /// - Parameter network: An address, or what counts as one (``AccountToken/network``).
    func hasSignedIn(_ userId: String, from network: String, since: Int64) async throws -> Bool

    /// Stores the hash of a new password, ends all sessions but one, and voids reset links.
    /// - Parameters:
    ///   - old: The hash that it replaces.
    ///   - hash: The session that goes on.
    /// - Throws: `noAccount`; `passwordChanged` if the password is another one by now, or the session has ended.
    func setPassword(
        _ passwordHash: String, of userId: String, replacing old: String, session hash: [UInt8]
    ) async throws

    /// Gives or takes the role of an account whose role the OpenID provider's groups decide about
    /// (``Account/RoleSource/oidc``). A local role stays. The last admin loses the role too: the provider's word
    /// counts, and an operator can name another admin.
    /// - Returns: The account as it is now.
    /// - Throws: `noAccount`.
    func setGroupRole(isAdmin: Bool, of userId: String) async throws -> Account

    /// Ties an account to a subject. From then on the provider's groups decide about a member's role. A subject of
    /// another issuer that the account belonged to is forgotten.
    /// - Throws: `noAccount`, `subjectLinked`, `userLinked`.
    func link(_ userId: String, to identity: PendingRegistration.Identity) async throws

    // Invites and links

    /// Stores an invite.
    func add(_ invite: AccountInvite) async throws

    /// Whether an invite can make another account.
    func isUsable(inviteHash: [UInt8], now: Int64) async throws -> Bool

    /// All invites that are not over, oldest first.
    func invites(now: Int64) async throws -> [AccountInvite]

    /// Removes an invite.
    /// - Throws: `noInvite`.
    func removeInvite(id: String) async throws

    /// Stores a one-time link. It voids the ones before: for setup all, for a reset those of the user.
    /// - Throws: `noAccount`; `adminExists` for setup.
    func add(_ link: AccountLink) async throws

    /// What a link is for; nil where it is unknown, was used, or is over.
    func link(hash: [UInt8], now: Int64) async throws -> AccountLink.Purpose?

    /// Uses up a reset link: stores the password's hash, ends all sessions, and starts one.
    /// - Parameter session: A session of the link's user.
    /// - Throws: `linkInvalid`, also where the link is another user's; `accountDisabled`, `accountPending`.
    func reset(linkHash: [UInt8], passwordHash: String, session: AccountToken, now: Int64) async throws

    /// Removes what is over: sessions, links, invites, and addresses of sign-ins of more than 30 days ago.
    func removeExpired(now: Int64) async throws
}

extension AccountStore {
    /// Starts a session, whatever was ended before.
    public func start(_ session: AccountToken) async throws { try await start(session, since: nil) }

    /// Stores a machine token that no session asked for.
    public func add(_ token: AccountToken) async throws { try await add(token, by: nil) }
}

/// What lets an account be registered.
public enum Admission: Sendable, Equatable {
    /// Registration is open, or an operator or an OpenID provider decides.
    case free
    /// An invite, by the hash of its token.
    case invite([UInt8])
    /// The setup link, by the hash of its token.
    case setup([UInt8])
}
