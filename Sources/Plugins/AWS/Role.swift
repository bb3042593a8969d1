import HTTPClient

/// A role that a target's requests are made as, by STS AssumeRole.
struct Role: Hashable, Sendable {
    /// The role.
    var arn: ARN
    /// What its trust policy may ask for.
    var externalId: String?
    /// The region whose STS is asked.
    var region: String
    /// Where STS is.
    var endpoint: ServiceEndpoint
}
