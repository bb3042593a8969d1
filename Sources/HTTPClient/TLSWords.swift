/// What libcurl quotes of OpenSSL, for people.
package enum TLSWords {
    /// OpenSSL's reasons for an answer that is no TLS.
    private static let noTLS = [
        "wrong version number", "packet length too long", "unknown protocol", "record layer failure", "http request",
        "record overflow",
    ]

    /// The text without the library's name and the number of the error, and what to do where it says that the other
    /// side does not speak TLS.
    /// - Parameter host: The other side, as `HOST:PORT`; nil where it is not known.
    package static func text(_ message: String, host: String?) -> String {
        // As "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", also behind "TLS connect error: ".
        guard let begin = message.firstRange(of: "error:")?.upperBound,
            let separator = message[begin...].firstRange(of: "::")?.upperBound
        else { return message }
        let reason = String(message[separator...])
        guard !noTLS.contains(where: reason.hasPrefix) else {
            return "\(host ?? "the other side") does not speak TLS; is it an http:// address?"
        }
        if reason.contains("alert no application protocol") {
            return "no TLS with \(host ?? "the other side"): it does not offer HTTP/1.1 (\(reason)); it may speak "
                + "HTTP/2 only: give an address that speaks HTTP/1.1"
        }
        return "no TLS with \(host ?? "the other side"): \(reason)"
    }
}
