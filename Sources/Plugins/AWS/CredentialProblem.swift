/// Why there are no credentials.
struct CredentialProblem: Error, Equatable {
    /// For the operator to read; never a secret.
    var message: String
    /// The key of the configuration that is at fault.
    var key: String?

    init(_ message: String, key: String? = nil) { (self.message, self.key) = (message, key) }
}
