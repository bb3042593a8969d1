/// Who requests are signed for.
package struct AWSCredentials: Equatable, Sendable, CustomStringConvertible {
    /// The access key's id, which is no secret.
    package var accessKeyId: String
    /// The secret access key.
    package var secretAccessKey: String
    /// The token of temporary credentials.
    package var sessionToken: String?
    /// When they end, in seconds of Unix time; nil: never.
    package var expiration: Int64?

    package init(accessKeyId: String, secretAccessKey: String, sessionToken: String? = nil, expiration: Int64? = nil) {
        self.accessKeyId = accessKeyId
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }

    /// Hides what is secret, wherever the value is printed.
    package var description: String { "\(accessKeyId)…" }
}
