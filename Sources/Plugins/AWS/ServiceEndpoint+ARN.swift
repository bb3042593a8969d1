import HTTPClient

extension ServiceEndpoint {
    /// A service's own endpoint in a region; nil where the ARN's partition is not known.
    init?(service: String, of arn: ARN) {
        guard let domain = arn.domain else { return nil }
        self.init(https: "\(service).\(arn.region).\(domain)")
    }
}
