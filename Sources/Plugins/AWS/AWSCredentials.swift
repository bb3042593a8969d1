/// Who requests are signed for.
struct AWSCredentials: Equatable, Sendable, CustomStringConvertible {
    /// The access key's id, which is no secret.
    var accessKeyId: String
    /// The secret access key.
    var secretAccessKey: String
    /// The token of temporary credentials.
    var sessionToken: String?
    /// When they end, in seconds of Unix time; nil: never.
    var expiration: Int64?

    /// Hides what is secret, wherever the value is printed.
    var description: String { "\(accessKeyId)…" }
}
