import Identity
import JSONBytes
import Settings

// `[auth]`: who may register, and whether people sign in by password.
extension ConfigurationReader {
    /// Reads the rules for sign-in.
    func signIn(_ auth: SettingsReader?) throws -> SignInPolicy {
        try auth?.refuseUnknown(
            knowing: ["registration", "passwords", "anonymous_read", "oidc"], unsuggested: ["email_in_events"])
        if let auth, try auth.bool("email_in_events") == true {
            throw auth.error("email_in_events", Self.later("keeping e-mail addresses"))
        }
        return SignInPolicy(registration: try registration(auth), passwords: try passwords(auth))
    }

    private func registration(_ auth: SettingsReader?) throws -> SignInPolicy.Registration {
        let name = "CROWBAR_AUTH_REGISTRATION"
        let words = SignInPolicy.Registration.allCases.map(\.rawValue)
        func reason(_ value: String) -> String {
            let hint = NearestName.to(value, among: words).map { "; did you mean \"\($0)\"?" } ?? ""
            return "must be \"open\", \"invite\" or \"closed\"\(hint)"
        }
        if let value = environment[name] {
            guard let registration = SignInPolicy.Registration(rawValue: value) else {
                throw variable(name, reason(value))
            }
            return registration
        }
        guard let auth, let value = try auth.string("registration") else { return .invite }
        guard let registration = SignInPolicy.Registration(rawValue: value) else {
            throw auth.error("registration", reason(value))
        }
        return registration
    }

    private func passwords(_ auth: SettingsReader?) throws -> Bool {
        let name = "CROWBAR_AUTH_PASSWORDS"
        switch environment[name] {
        case "true": return true
        case "false": return false
        case nil: return try auth?.bool("passwords") ?? true
        default: throw variable(name, "must be true or false")
        }
    }
}
