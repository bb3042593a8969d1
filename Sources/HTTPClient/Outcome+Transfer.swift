import CCurl

extension Outcome {
    /// Reads what a transfer came to whose answer matters.
    /// - Parameters:
    ///   - endpoint: Where the request went.
    ///   - keptHeaders: The headers that its target asked for.
    ///   - body: What is kept of the answer's body.
    package init(
        _ result: ccurl_result, of endpoint: ServiceEndpoint, keptHeaders: [String], body: @autoclosure () -> [UInt8]
    ) {
        let (host, isTLS) = (endpoint.authority, endpoint.scheme == "https")
        let message = result.message.map { String(cString: $0) } ?? "no reason given"
        switch result.kind {
        case CCURL_ANSWERED:
            var headers: [String: String] = [:]
            for (name, pointer) in zip(keptHeaders, [result.asked_headers.0, result.asked_headers.1]) {
                let value = pointer.map { String(cString: $0) } ?? ""
                if !value.isEmpty { headers[name] = value }
            }
            self = .answered(Answer(status: result.status, body: body(), wasCut: result.was_cut, headers: headers))
        case CCURL_TIMED_OUT: self = .failed(code: "timeout", message: message)
        case CCURL_UNRESOLVED: self = .failed(code: "dns", message: message)
        case CCURL_UNCONNECTED: self = .failed(code: "connect", message: message)
        case CCURL_DENIED: self = .failed(code: "denied", message: "\(host) has an address that is not allowed")
        case CCURL_TLS_FAILED: self = .failed(code: "tls", message: TLSWords.text(message, host: host))
        case CCURL_NO_HTTP: self = .failed(code: "transfer", message: HTTPWords.noHTTP(host, isTLS: isTLS))
        case CCURL_UNANSWERED:
            self = .failed(code: "transfer", message: HTTPWords.unanswered(host, isTLS: isTLS, message))
        default: self = .failed(code: "transfer", message: message)
        }
    }
}
