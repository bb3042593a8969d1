/// A request to one of AWS' services, unsigned.
struct Call: Sendable {
    /// What is signed and sent; without `host`, which the endpoint brings.
    var request: SigV4.Request
    /// Where to.
    var endpoint: ServiceEndpoint
    /// The region that it is signed for.
    var region: String
    /// The service that it is signed for; nil: it goes unsigned.
    var service: String?
    /// The time for everything, in milliseconds.
    var timeout: Int64
    /// Bytes of the answer that are read.
    var answerLimit: Int

    /// The request's header lines, signed.
    /// - Parameter time: Unix time in seconds.
    func lines(_ credentials: AWSCredentials?, at time: Int64) -> [String] {
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
