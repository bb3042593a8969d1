/// Why there are no credentials.
package struct CredentialProblem: Error, Equatable {
    /// For the operator to read; never a secret.
    package var message: String
    /// The key of the configuration that is at fault.
    package var key: String?

    package init(_ message: String, key: String? = nil) { (self.message, self.key) = (message, key) }
}
