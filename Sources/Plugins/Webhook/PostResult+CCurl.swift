import CCurl
import Glibc
import HTTPClient
import PluginKit

extension PostResult {
    /// Reads what libcurl came to. Of a redirect's target only the host is kept, as its path may be secret.
    /// - Parameters:
    ///   - endpoint: The endpoint, as it was when the try began.
    ///   - answer: The first part of the answer's body.
    init(_ result: ccurl_result, of endpoint: Endpoint, answer: @autoclosure () -> [UInt8]) {
        let host = "\(endpoint.url.host):\(endpoint.url.port)"
        let isTLS = endpoint.url.scheme == "https"
        let message = result.message.map { String(cString: $0) } ?? "no reason given"
        let isConfirmed = (200..<300).contains(result.status)
        let type = result.content_type.map { String(cString: $0) } ?? ""
        switch result.kind {
        case CCURL_ANSWERED where endpoint.body.isChat && isConfirmed && Self.isWebPage(type, answer()):
            self = .failed(
                .webPage,
                "the receiver answered \(result.status) with a web page, probably a login page or a wrong URL; "
                    + "check the endpoint's url")
        case CCURL_ANSWERED:
            let wait = isConfirmed ? nil : RequestedWait(result, body: answer()).milliseconds(of: result.status)
            let redirect = result.redirect_url.flatMap { EndpointURL.host(String(cString: $0)) }
            self = .answered(status: result.status, retryAfter: wait, redirect: redirect)
        case CCURL_DENIED: self = .denied
        case CCURL_PROXY_FAILED: self = .failed(.proxy, Self.proxyMessage(result.proxy_status) ?? message)
        case CCURL_TIMED_OUT: self = .failed(.timedOut, message)
        case CCURL_UNRESOLVED: self = .failed(.unresolved, message)
        case CCURL_UNCONNECTED: self = .failed(.unconnected, message)
        case CCURL_TLS_FAILED:
            self = .failed(.tls, TLSWords.text(message, host: host) + Self.advice(message, result, endpoint.tls.caFile))
        case CCURL_NO_HTTP: self = .failed(.broken, HTTPWords.noHTTP(host, isTLS: isTLS))
        case CCURL_UNANSWERED: self = .failed(.broken, HTTPWords.unanswered(host, isTLS: isTLS, message))
        default: self = .failed(.broken, message)
        }
    }

    /// Whether an answer of 2xx is a page for people, which confirms nothing. Slack's own confirmation is of the type
    /// text/html too, and says `ok`, so a page is what begins with a tag.
    static func isWebPage(_ contentType: String, _ body: [UInt8]) -> Bool {
        let type = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == "text/html" || type == "application/xhtml+xml" else { return false }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = body.starts(with: mark) ? body.dropFirst(mark.count) : body[...]
        return text.first { $0 > 0x20 } == UInt8(ascii: "<")
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
        self.init(
            retryAfter: text(result.retry_after), retryAt: result.retry_at_s >= 0 ? result.retry_at_s : nil,
            resetAfter: text(result.rate_limit_reset_after), reset: text(result.rate_limit_reset),
            date: result.date_s >= 0 ? result.date_s : Int64(Glibc.time(nil)),
            hasRateLimit: result.has_rate_limit, body: body)
    }
}
