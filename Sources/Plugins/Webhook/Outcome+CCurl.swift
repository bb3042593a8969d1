import CCurl
import Glibc
import PluginKit

extension Outcome {
    /// Reads what libcurl came to. Of a redirect's target only the host is kept, as its path may be secret.
    /// - Parameters:
    ///   - host: The receiver, as `HOST:PORT`.
    ///   - caFile: The endpoint's authorities; nil: the system's.
    ///   - answer: The first part of the answer's body.
    init(
        _ result: ccurl_result, host: String? = nil, caFile: String? = nil, answer: @autoclosure () -> [UInt8] = []
    ) {
        let message = result.message.map { String(cString: $0) } ?? "no reason given"
        switch result.kind {
        case CCURL_ANSWERED:
            let wait: Int64? =
                (200..<300).contains(result.status)
                ? nil : RequestedWait(result, body: answer()).milliseconds(of: result.status)
            let redirect = result.redirect_url.flatMap { EndpointURL.host(String(cString: $0)) }
            self = .answered(status: result.status, retryAfter: wait, redirect: redirect)
        case CCURL_DENIED: self = .denied
        case CCURL_PROXY_FAILED: self = .failed(.proxy, Self.proxyMessage(result.proxy_status) ?? message)
        case CCURL_TIMED_OUT: self = .failed(.timedOut, message)
        case CCURL_UNRESOLVED: self = .failed(.unresolved, message)
        case CCURL_UNCONNECTED: self = .failed(.unconnected, message)
        case CCURL_TLS_FAILED:
            self = .failed(.tls, TLSWords.text(message, host: host) + Self.advice(message, result, caFile))
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

    /// What OpenSSL says of a certificate that nobody who is trusted has signed (X509_verify_cert_error_string).
    private static let unknownIssuer = [
        "unable to get local issuer certificate", "unable to get issuer certificate", "self-signed certificate",
        "self signed certificate", "unable to verify the first certificate",
    ]

    /// What to do about a certificate that no authority here has signed, or about a connection that ended after the
    /// receiver had asked for a client's certificate.
    private static func advice(_ message: String, _ result: ccurl_result, _ caFile: String?) -> String {
        if unknownIssuer.contains(where: message.contains) {
            guard let caFile else {
                return "; no authority that this machine trusts has signed it: set ca_file to the PEM file of the one "
                    + "that has, or of the certificate itself"
            }
            return
                "; no authority in ca_file '\(caFile)' has signed it: give the PEM file of the one that has, or leave "
                + "ca_file out if it is a public one"
        }
        if !result.was_asked || message.contains("SSL certificate problem") { return "" }
        return result.has_certificate
            ? "; the receiver does not accept client_cert"
            : "; the receiver wants a client certificate: set client_cert"
    }
}

extension RequestedWait {
    /// Reads the headers that libcurl saw.
    init(_ result: ccurl_result, body: [UInt8]) {
        func text(_ value: UnsafePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        // libcurl turns a date into seconds, and says 0 where there is no header.
        self.init(
            retryAfter: text(result.retry_after), secondsToDate: result.retry_after_s,
            resetAfter: text(result.rate_limit_reset_after), reset: text(result.rate_limit_reset),
            date: result.date_s >= 0 ? result.date_s : Int64(Glibc.time(nil)),
            hasRateLimit: result.has_rate_limit, body: body)
    }
}
