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

    /// Who can register now: nobody where there are no passwords.
    public var offeredRegistration: Registration { passwords ? registration : .closed }

    /// Why an invite would not work; nil if it works.
    public var inviteProblem: String? {
        if !passwords { return "this server has no passwords, so nobody can register by an invite" }
        guard registration == .closed else { return nil }
        return "registration is closed, so an invite would not work; set registration = \"invite\" in [auth] of "
            + "crowbar.toml and restart the server"
    }

    /// Makes a policy.
    public init(registration: Registration = .invite, passwords: Bool = true) {
        self.registration = registration
        self.passwords = passwords
    }
}
