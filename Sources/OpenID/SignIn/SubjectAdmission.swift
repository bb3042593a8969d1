import CrowbarCore
import Identity

/// What a verified token does to the accounts, as a value without I/O: the subject is registered at first sight, gets
/// the role that its groups give, and its name where names are synchronized.
struct SubjectAdmission: Sendable {
    enum Action: Sendable, Equatable {
        /// Look the subject's account up.
        case find
        /// Register the subject's account.
        case register
        /// Give or take the role of this user.
        case setRole(isAdmin: Bool, userId: String)
        /// Give this user the token's name.
        case rename(userId: String)
        case end(Result<Account, CommandError>)
    }

    enum Input: Sendable, Equatable {
        case account(Account?)
        case registered(RegistrationMachine.Outcome)
        case renamed
        case failed(CommandError)
    }

    private enum State: Equatable {
        case finding
        case registering
        /// The account is there; the role may have to change.
        case confirming
        case settingRole
        case renaming(Account)
    }

    private let token: VerifiedToken
    private let syncsNames: Bool
    private var state = State.finding

    init(_ token: VerifiedToken, syncsNames: Bool) {
        self.token = token
        self.syncsNames = syncsNames
    }

    /// What to do first.
    var first: Action { .find }

    /// What to do after an action.
    mutating func next(_ input: Input) -> Action {
        switch (state, input) {
        case (_, .failed(let error)): return .end(.failure(error))
        case (.finding, .account(nil)): return register()
        case (.finding, .account(let account?)), (.confirming, .account(let account?)):
            // Another call, or one that a crash ended, has begun to register it.
            if account.isPending { return state == .finding ? register() : retry() }
            return found(account)
        case (.settingRole, .account(let account?)): return rename(account)
        case (.registering, .registered(let outcome)): return registered(outcome)
        case (.renaming(let account), .renamed): return .end(.success(account))
        default: return retry()
        }
    }

    private mutating func register() -> Action {
        state = .registering
        return .register
    }

    private func retry() -> Action {
        .end(.failure(CommandError(.unavailable, "the account is being registered; try again in a second")))
    }

    private mutating func registered(_ outcome: RegistrationMachine.Outcome) -> Action {
        switch outcome {
        case .active:
            // Another call may have registered it, by another token.
            state = .confirming
            return .find
        case .refused(let failure): return .end(.failure(Self.error(failure)))
        case .userExists, .eventIdTaken:
            return .end(
                .failure(
                    CommandError(
                        .userExists,
                        "the user '\(token.userId)' exists without an account of this subject; an operator can run "
                            + "'crowbar user link'")))
        case .refusedByLog(let error): return .end(.failure(error))
        case .unavailable(let why):
            return .end(.failure(CommandError(.unavailable, "the account could not be registered: \(why)")))
        }
    }

    private mutating func found(_ account: Account) -> Action {
        if account.isDisabled {
            return .end(.failure(CommandError(.forbidden, "the account '\(account.userId)' is disabled")))
        }
        // Where no group makes admins any more, none of them stays one by a group.
        let isAdmin = token.isAdmin ?? false
        guard account.roleSource == .oidc, account.isAdmin != isAdmin else { return rename(account) }
        state = .settingRole
        return .setRole(isAdmin: isAdmin, userId: account.userId)
    }

    private mutating func rename(_ account: Account) -> Action {
        guard syncsNames else { return .end(.success(account)) }
        state = .renaming(account)
        return .rename(userId: account.userId)
    }

    private static func error(_ failure: AccountFailure) -> CommandError {
        switch failure {
        case .linkedElsewhere: CommandError(.forbidden, "\(failure)")
        case .accountExists(let user):
            CommandError(
                .userExists, "there is an account '\(user)' of no subject; an operator can run 'crowbar user link'")
        default: CommandError(.unavailable, "\(failure)")
        }
    }
}
