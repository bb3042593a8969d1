/// Why there is no HTTP answer, for people: what is probably wrong and what to do.
package enum HTTPWords {
    /// What was answered is not HTTP/1.
    /// - Parameter host: The other side, as `HOST:PORT`.
    package static func noHTTP(_ host: String, isTLS: Bool) -> String {
        let other = isTLS ? "HTTP/2 only" : "TLS (then the URL begins with https://), HTTP/2 only"
        return "\(host) did not answer in HTTP/1.1; it may speak \(other) or another protocol: "
            + "check the scheme and the port of the URL"
    }

    /// The connection ended before a byte of an answer.
    /// - Parameters:
    ///   - host: The other side, as `HOST:PORT`.
    ///   - reason: libcurl's words.
    package static func unanswered(_ host: String, isTLS: Bool, _ reason: String) -> String {
        let advice =
            isTLS
            ? "check that the port of the URL is one for HTTP/1.1"
            : "check the scheme and the port of the URL (a port for TLS needs https://)"
        return "\(host) closed the connection without an answer (\(reason)); where this happens every time, \(advice)"
    }
}
