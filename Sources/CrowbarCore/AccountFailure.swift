/// Why a change of accounts was refused.
public enum AccountFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is an account of that name.
    case accountExists(String)
    /// An account's name differs only in case.
    case caseTwin(String, of: String)
    /// There is none of that name.
    case noAccount(String)
    /// The account is disabled.
    case accountDisabled(String)
    /// The user was erased, and the account stays disabled.
    case accountErased(String)
    /// The registration of the account has not ended.
    case accountPending(String)
    /// That token's hash is stored already.
    case tokenExists
    /// The password was changed, or the session ended, after they were verified.
    case passwordChanged
    /// The session that asks, or all sessions of the account, ended after the credentials were verified.
    case sessionEnded
    /// There is a hook of that name.
    case hookExists(String)
    /// Without that account there would be no enabled admin.
    case lastAdmin(String)
    /// There is no token of that id.
    case noToken(String)
    /// There are several tokens whose ids begin so.
    case ambiguousToken(String)
    /// There is no invite of that id.
    case noInvite(String)
    /// The invite is unknown, used up, or over.
    case inviteInvalid
    /// The link is unknown, was used, or is over.
    case linkInvalid
    /// A setup link was used although there is an enabled admin.
    case adminExists
    /// The user's id belongs to a subject of that issuer.
    case linkedElsewhere(issuer: String)
    /// The account belongs to another subject of the same issuer.
    case userLinked(String, to: String)
    /// The subject belongs to another account.
    case subjectLinked(to: String)

    public var description: String {
        switch self {
        case .accountExists(let name): "there is an account '\(name)' already"
        case .caseTwin(let name, let other): "'\(name)' differs only in case from the account '\(other)'"
        case .noAccount(let name): "there is no account '\(name)'"
        case .accountDisabled(let name): "the account '\(name)' is disabled"
        case .accountErased(let name): "the user '\(name)' was erased; the account cannot be used again"
        case .accountPending(let name): "the registration of '\(name)' has not ended; try again"
        case .tokenExists: "that token is stored already"
        case .passwordChanged: "the password was changed, or the session ended, a moment ago; sign in again"
        case .sessionEnded: "the sessions of this account were ended a moment ago; sign in again"
        case .hookExists(let name): "there is a hook '\(name)' already; 'crowbar hooks revoke \(name)' ends it"
        case .lastAdmin(let name):
            "'\(name)' is the last enabled admin; make another user an admin first: 'crowbar user role USER admin'"
        case .noToken(let id) where id.utf8.count < Self.tokenIdDigits.lowerBound:
            "'\(id)' is too short for a token's id: give \(Self.tokenIdDigits.lowerBound) of its digits at least; "
                + "'crowbar token list' shows them"
        case .noToken(let id): "there is no token '\(id)'; 'crowbar token list' shows their ids"
        case .ambiguousToken(let id): "several tokens' ids begin with '\(id)'; give all 16 digits"
        case .noInvite(let id): "there is no invite '\(id)'"
        case .inviteInvalid: "the invite is unknown, used up or expired; ask for a new one"
        case .linkInvalid: "the link is unknown, expired or was used; ask for a new one"
        case .adminExists: "there is an admin already; ask them for an account"
        case .linkedElsewhere(let issuer): "this subject is linked to \(issuer); run 'crowbar user link'"
        case .userLinked(let user, let subject):
            "the account '\(user)' is linked to the subject '\(subject)' of that issuer already"
        case .subjectLinked(let user): "this subject is linked to the account '\(user)'"
        }
    }

    /// The digits of a token's id that are enough to name it.
    public static let tokenIdDigits = 4...16
}
