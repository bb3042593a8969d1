/// A request to one of AWS' services, unsigned.
package struct Call: Sendable {
    /// What is signed and sent; without `host`, which the endpoint brings.
    package var request: SigV4.Request
    /// Where to.
    package var endpoint: ServiceEndpoint
    /// The region that it is signed for.
    package var region: String
    /// The service that it is signed for; nil: it goes unsigned.
    package var service: String?
    /// The time for everything, in milliseconds.
    package var timeout: Int64
    /// Bytes of the answer that are read.
    package var answerLimit: Int
    /// Names of headers of the answer whose values are kept, at most two.
    package var keptHeaders: [String] = []
    /// A file of CA certificates, PEM, in place of the system's.
    package var caFile: String?
    /// Which addresses it may go to; nil: to each.
    package var addresses: AddressFilter?

    package init(
        request: SigV4.Request, endpoint: ServiceEndpoint, region: String, service: String?, timeout: Int64,
        answerLimit: Int
    ) {
        self.request = request
        self.endpoint = endpoint
        self.region = region
        self.service = service
        self.timeout = timeout
        self.answerLimit = answerLimit
    }

    /// The request's header lines, signed.
    /// - Parameter time: Unix time in seconds.
    package func lines(_ credentials: AWSCredentials?, at time: Int64) -> [String] {
        var request = request
        request.headers.append(("host", endpoint.authority))
        if let service, let credentials {
            request.headers += SigV4(credentials: credentials, region: region, service: service)
                .headers(for: request, at: time)
        }
        // libcurl's own: no "100 Continue" is waited for.
        return request.headers.map { "\($0.name): \($0.value)" } + ["expect:", "accept:"]
    }
}
