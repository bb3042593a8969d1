import CrowbarCore
import OpenSSL
import Synchronization

/// What people do with local accounts: register, sign in and out, change passwords, manage their tokens.
///
/// It knows no HTTP. Refusals are ``CommandError``, or ``FailureLimits/Refusal`` for too many attempts; other errors
/// are failures of a store.
public final class LocalAccounts: Sendable {
    /// Limits.
    public enum Limit {
        /// Machine tokens that an account can make for itself.
        public static let machineTokens = 100
        /// How long a setup link works, in milliseconds.
        public static let setupLink: Int64 = 3_600_000
        /// How long a reset link works, in milliseconds.
        public static let resetLink: Int64 = 86_400_000
    }

    /// From where a call comes.
    public struct Caller: Sendable {
        /// The address, as it is shown and remembered.
        public var address: String
        /// The address, or the network that counts as one for limits.
        public var limitKey: String

        /// Makes one.
        public init(address: String, limitKey: String) {
            self.address = address
            self.limitKey = limitKey
        }
    }

    /// What a person gives to register.
    public struct Applicant: Sendable {
        /// The user id.
        public var userId: String
        /// The name; nil: the user id.
        public var name: String?
        /// The password.
        public var password: String
        /// An invite's token.
        public var invite: String?

        /// Makes one.
        public init(userId: String, name: String? = nil, password: String, invite: String? = nil) {
            self.userId = userId
            self.name = name
            self.password = password
            self.invite = invite
        }
    }

    /// The rules.
    public let policy: SignInPolicy
    /// Makes sessions and tokens.
    public let sessions: Sessions
    let store: any AccountStore
    let registrar: Registrar
    let hasher: PasswordHasher
    let now: @Sendable () -> Int64
    let limits = Mutex(FailureLimits())
    private let audit: (any AuditLog)?
    private let onAdmin: @Sendable () -> Void

    /// Makes the service.
    /// - Parameters:
    ///   - audit: Where it is noted that too many sign-ins fail; nil: nowhere.
    ///   - now: The Unix time in milliseconds.
    ///   - onAdmin: Is called when the setup link has made an admin.
    public init(
        policy: SignInPolicy, store: any AccountStore, registrar: Registrar, sessions: Sessions,
        hasher: PasswordHasher = PasswordHasher(), audit: (any AuditLog)? = nil,
        now: @escaping @Sendable () -> Int64,
        onAdmin: @escaping @Sendable () -> Void = {}
    ) {
        self.policy = policy
        self.store = store
        self.registrar = registrar
        self.sessions = sessions
        self.hasher = hasher
        self.audit = audit
        self.now = now
        self.onAdmin = onAdmin
    }

    /// Whether the server waits for its first admin, whom a setup link makes.
    public func needsSetup() async throws -> Bool {
        guard policy.passwords else { return false }
        return try await !store.hasEnabledAdmin()
    }

    // MARK: Registration

    /// Registers an account and starts its first session.
    public func register(_ applicant: Applicant, from caller: Caller) async throws -> OpenedSession {
        try requirePasswords()
        let admission = try admission(of: applicant)
        // Before anything about the id: who has no invite must not learn which ids there are, nor by the time it takes.
        if case .invite(let hash) = admission { try await attemptInvite(hash, from: caller) }
        try Self.check(applicant)
        try limits.withLock { try $0.register(from: caller.limitKey, now: now()) }
        do {
            return try await register(applicant, isAdmin: false, by: admission, from: caller)
        } catch {
            limits.withLock { $0.registrationFailed(now: now()) }
            throw error
        }
    }

    /// Registers the first admin by a setup link.
    /// - Parameter token: The token of the link.
    public func setUp(_ applicant: Applicant, token: String, from caller: Caller) async throws -> OpenedSession {
        try requirePasswords()
        try Self.check(applicant)
        let link = SHA256.hash(token.utf8)
        try await attemptLink(link, from: caller) { $0 == .setup }
        let session = try await register(applicant, isAdmin: true, by: .setup(link), from: caller)
        onAdmin()
        return session
    }

    private func admission(of applicant: Applicant) throws(CommandError) -> Admission {
        switch (policy.registration, applicant.invite) {
        case (.open, _): return .free
        case (.invite, let invite?): return .invite(SHA256.hash(invite.utf8))
        case (.invite, nil):
            throw CommandError(.forbidden, "registration needs an invite; ask an admin for one", field: "invite")
        case (.closed, _):
            throw CommandError(.forbidden, "registration is closed; ask an admin for an account")
        }
    }

    private static func check(_ applicant: Applicant) throws(CommandError) {
        if let problem = UserIdRule.problem(local: applicant.userId) {
            throw CommandError(.invalidCommand, problem, field: "userId")
        }
        try check(name: applicant.name)
        try check(password: applicant.password)
    }

    /// Refuses a text that cannot be a name; nil is accepted.
    static func check(name: String?) throws(CommandError) {
        if let problem = name.flatMap({ DisplayName.problem($0) }) {
            throw CommandError(.invalidCommand, problem, field: "name")
        }
    }

    private static func check(password: String, field: String = "password") throws(CommandError) {
        if let problem = PasswordHash.problem(password) { throw CommandError(.invalidCommand, problem, field: field) }
    }

    private func register(
        _ applicant: Applicant, isAdmin: Bool, by admission: Admission, from caller: Caller
    ) async throws -> OpenedSession {
        // A hash is expensive, so an id that is taken is refused before it.
        if try await store.account(of: applicant.userId) != nil { throw Self.taken(applicant.userId) }
        let hash = try await hash(applicant.password)
        let session = try sessions.prepare(applicant.userId, .local, from: caller, now: now())
        let account = Account(userId: applicant.userId, isAdmin: isAdmin, passwordHash: hash, created: now())
        let outcome = await registrar.register(
            account, name: applicant.name ?? applicant.userId, by: admission, session: session.stored)
        if let error = Self.error(outcome, applicant.userId) { throw error }
        return try await sessions.opened(session)
    }

    /// Why a registration made no account; nil where it made one.
    public static func error(_ outcome: RegistrationMachine.Outcome, _ userId: String) -> CommandError? {
        switch outcome {
        case .active: nil
        case .refused(.accountExists), .refused(.caseTwin), .userExists: taken(userId)
        case .refused(.inviteInvalid): inviteInvalid
        case .refused(.linkInvalid): CommandError(.forbidden, "\(AccountFailure.linkInvalid)", field: "token")
        case .refused(let failure): CommandError(.forbidden, "\(failure)")
        case .eventIdTaken: CommandError(.unavailable, "the user could not be registered; try again")
        case .refusedByLog(let error): error
        case .unavailable(let why): CommandError(.unavailable, why)
        }
    }

    private static func taken(_ userId: String) -> CommandError {
        CommandError(
            .userExists, "the user id '\(userId)', or one that differs only in case, is taken; choose another",
            field: "userId")
    }

    // MARK: Signing in

    /// Signs a user in by password.
    public func signIn(_ userId: String, password: String, from caller: Caller) async throws -> OpenedSession {
        try requirePasswords()
        let mark = try await store.signOutMark()
        let account = try await store.account(of: userId)
        let isRight = try await isPassword(password, of: account, userId: userId, from: caller)
        guard isRight, let account, let passwordHash = account.passwordHash else {
            throw CommandError(.unauthorized, "the user id or the password is wrong")
        }
        if account.isErased || account.isDisabled {
            throw CommandError(.forbidden, "the account is disabled; ask an admin")
        }
        do {
            return try await sessions.open(
                userId, passwordHash: passwordHash, since: mark, from: caller, now: now())
        } catch let failure as AccountFailure {
            throw Self.error(failure)
        }
    }

    /// Gives a user a new password by a reset link, ends all sessions, and starts one.
    /// - Parameter userId: Whose the link must be; nil: anybody's.
    public func reset(
        token: String, userId: String?, password: String, from caller: Caller
    ) async throws -> OpenedSession {
        try requirePasswords()
        try Self.check(password: password)
        let link = SHA256.hash(token.utf8)
        let purpose = try await attemptLink(link, from: caller) { purpose in
            guard case .reset(let owner) = purpose else { return false }
            return userId == nil || userId == owner
        }
        guard case .reset(let owner) = purpose else { throw Self.linkInvalid }
        let hash = try await hash(password)
        let session = try sessions.prepare(owner, .local, from: caller, now: now())
        do {
            try await store.reset(linkHash: link, passwordHash: hash, session: session.stored, now: now())
        } catch let failure as AccountFailure {
            throw Self.error(failure)
        }
        return try await sessions.opened(session)
    }

    /// Changes a user's password, and ends all other sessions.
    /// - Parameter session: The hash of the session that goes on.
    public func changePassword(
        of userId: String, from old: String, to new: String, session: [UInt8], at caller: Caller
    ) async throws {
        try requirePasswords()
        try Self.check(password: new, field: "new")
        let account = try await store.account(of: userId)
        guard let stored = account?.passwordHash else {
            throw CommandError(.forbidden, "the account has no password; ask an admin for a reset link")
        }
        guard try await isPassword(old, of: account, userId: userId, from: caller) else {
            throw CommandError(.forbidden, "the old password is wrong", field: "old")
        }
        do {
            try await store.setPassword(try await hash(new), of: userId, replacing: stored, session: session)
        } catch let failure as AccountFailure {
            throw Self.error(failure)
        }
    }

    /// Ends one session, or all of a user.
    /// - Parameter hash: The session's.
    public func signOut(_ userId: String, session hash: [UInt8], all: Bool) async throws {
        if all {
            _ = try await store.endSessions(of: userId, except: nil)
        } else {
            do {
                try await store.revokeToken(id: AccountToken.id(ofHash: hash), of: userId)
            } catch AccountFailure.noToken {
                // It ended meanwhile.
            }
        }
    }

    /// Whether a password is right, within the limits for failures.
    private func isPassword(
        _ password: String, of account: Account?, userId: String, from caller: Caller
    ) async throws -> Bool {
        let time = now()
        let isKnown = try await store.hasSignedIn(
            userId, from: caller.limitKey, since: time - FailureLimits.Limit.knownAddress)
        try await attempt(userId, of: account, from: caller, isKnown: isKnown, at: time)
        func takeBack() {
            limits.withLock { $0.succeeded(userId, from: caller.limitKey, isKnown: isKnown, now: time) }
        }
        do {
            let isRight = try await hasher.isPassword(password, of: account?.passwordHash)
            if isRight { takeBack() }
            return isRight
        } catch {
            takeBack()
            throw Self.error(hashing: error)
        }
    }

    /// Counts an attempt. The first refusals are noted in the audit log, which names accounts that there are: what else
    /// is typed in place of an id may be a password.
    /// - Throws: ``FailureLimits/Refusal``.
    private func attempt(
        _ userId: String, of account: Account? = nil, from caller: Caller, isKnown: Bool, at time: Int64
    ) async throws {
        let key = caller.limitKey
        let (refusal, isNoted) = limits.withLock { limits -> (FailureLimits.Refusal?, Bool) in
            do throws(FailureLimits.Refusal) {
                try limits.attempt(userId, from: key, isKnown: isKnown, now: time)
                return (nil, false)
            } catch {
                var refusal = error
                // A link or an invite is of no account.
                if userId.isEmpty { refusal.reason = .address }
                return (refusal, limits.shouldNote(refusal, of: userId, from: key, now: time))
            }
        }
        guard let refusal else { return }
        if isNoted, let audit {
            // The refusal stands whether it can be noted or not.
            _ = try? await audit.begin(
                AuditLine(
                    time: time, userId: AuditLine.nobody, address: caller.address, action: "sign-ins over the limit",
                    target: refusal.reason == .address ? nil : account?.userId,
                    result: CommandError.Code.rateLimited.rawValue))
        }
        throw refusal
    }

    /// Refuses an invite that makes no account. That counts as a failure of the address.
    private func attemptInvite(_ hash: [UInt8], from caller: Caller) async throws {
        let time = now()
        try await attempt("", from: caller, isKnown: true, at: time)
        guard try await store.isUsable(inviteHash: hash, now: time) else { throw Self.inviteInvalid }
        limits.withLock { $0.succeeded("", from: caller.limitKey, isKnown: true, now: time) }
    }

    /// What a one-time link is for. A link that does not fit counts as a failure of the address.
    @discardableResult
    private func attemptLink(
        _ hash: [UInt8], from caller: Caller, _ fits: (AccountLink.Purpose) -> Bool
    ) async throws -> AccountLink.Purpose {
        let time = now()
        // No account has an empty id, and no limit of an account applies: nobody can block the link for others.
        try await attempt("", from: caller, isKnown: true, at: time)
        let purpose = try await store.link(hash: hash, now: time)
        guard let purpose, fits(purpose) else { throw Self.linkInvalid }
        limits.withLock { $0.succeeded("", from: caller.limitKey, isKnown: true, now: time) }
        return purpose
    }

    private static let linkInvalid = CommandError(.forbidden, "\(AccountFailure.linkInvalid)", field: "token")
    private static let inviteInvalid = CommandError(.forbidden, "\(AccountFailure.inviteInvalid)", field: "invite")

    private func requirePasswords() throws(CommandError) {
        guard policy.passwords else {
            throw CommandError(.forbidden, "this server has no passwords; sign in by the provider")
        }
    }

    private func hash(_ password: String) async throws -> String {
        do { return try await hasher.hash(password) } catch { throw Self.error(hashing: error) }
    }

    private static func error(hashing error: any Error) -> any Error {
        guard let failure = error as? PasswordHasher.Failure else { return error }
        return CommandError(.unavailable, "\(failure)")
    }

    /// A refusal of the accounts in the API's codes.
    static func error(_ failure: AccountFailure) -> CommandError {
        switch failure {
        case .accountPending: CommandError(.unavailable, "\(failure)")
        case .noToken: CommandError(.notFound, "there is no such token", field: "id")
        case .noAccount(let user): CommandError(.userNotFound, "there is no account '\(user.prefix(128))'")
        case .linkInvalid: linkInvalid
        case .passwordChanged, .sessionEnded: CommandError(.unauthorized, "\(failure)")
        default: CommandError(.forbidden, "\(failure)")
        }
    }
}
