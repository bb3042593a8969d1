/// Which credentials a configuration asks for.
package struct CredentialSettings: Sendable, Equatable {
    /// `environment`, `file` or `container`; nil: the first of these that there is.
    package var kind: String?
    /// The profile of a shared credentials file.
    package var profile: String?
    /// The shared credentials file.
    package var file: String?

    package init(kind: String? = nil, profile: String? = nil, file: String? = nil) {
        self.kind = kind
        self.profile = profile
        self.file = file
    }

    /// Where the credentials come from.
    package func source(_ surroundings: Surroundings) throws(CredentialProblem) -> CredentialSource {
        let wanted = kind ?? (profile != nil || file != nil ? "file" : nil)
        return try CredentialSource(wanted, profile: profile, file: file, surroundings)
    }
}
