import CCurl

extension Outcome {
    /// Reads what libcurl came to. Of a redirect's target only the host is kept, as its path may be secret.
    init(_ result: ccurl_result) {
        let message = result.message.map { String(cString: $0) } ?? "no reason given"
        switch result.kind {
        case CCURL_ANSWERED:
            // libcurl turns a date into seconds, and says 0 where there is no header.
            let wait = result.retry_after_s > 0 ? min(result.retry_after_s, 86_400) * 1000 : nil
            let redirect = result.redirect_url.flatMap { EndpointURL.host(String(cString: $0)) }
            self = .answered(status: result.status, retryAfter: wait, redirect: redirect)
        case CCURL_DENIED: self = .denied
        case CCURL_PROXY_FAILED: self = .failed(.proxy, Self.proxyMessage(result.proxy_status) ?? message)
        case CCURL_TIMED_OUT: self = .failed(.timedOut, message)
        case CCURL_UNRESOLVED: self = .failed(.unresolved, message)
        case CCURL_UNCONNECTED: self = .failed(.unconnected, message)
        case CCURL_TLS_FAILED: self = .failed(.tls, message + Self.advice(message, result))
        default: self = .failed(.broken, message)
        }
    }

    private static func proxyMessage(_ status: Int) -> String? {
        switch status {
        case 0: nil
        case 407: "the proxy answered 407; give via_proxy as http://USER:PASSWORD@HOST:PORT"
        default: "the proxy answered \(status)"
        }
    }

    /// What to do about a connection that ended after the receiver had asked for a client's certificate, unless it is
    /// the receiver's own certificate that is the matter.
    private static func advice(_ message: String, _ result: ccurl_result) -> String {
        if !result.was_asked || message.contains("SSL certificate problem") { return "" }
        return result.has_certificate
            ? "; the receiver does not accept client_cert"
            : "; the receiver wants a client certificate: set client_cert"
    }
}
