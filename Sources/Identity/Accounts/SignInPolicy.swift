/// Who may register, and whether passwords are used: `[auth]` of the configuration.
public struct SignInPolicy: Sendable, Equatable {
    /// Who may make an account for themselves.
    public enum Registration: String, Sendable, CaseIterable {
        /// Everybody.
        case open
        /// Who has an invite.
        case invite
        /// Nobody: admins and operators make accounts.
        case closed
    }

    /// Who may register.
    public var registration: Registration
    /// Whether people sign in by password. Without, only an OpenID provider and tokens give access.
    public var passwords: Bool

    /// Makes a policy.
    public init(registration: Registration = .closed, passwords: Bool = true) {
        self.registration = registration
        self.passwords = passwords
    }
}
