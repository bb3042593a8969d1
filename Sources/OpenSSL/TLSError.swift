/// Why a TLS connection did not come about, or broke.
public enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// OpenSSL could not be set up.
    case setup(reason: String)
    /// The file of trusted authorities cannot be used.
    case unreadableAuthorities(path: String, reason: String)
    /// A client's certificate or private key cannot be used.
    case unusableIdentity(path: String, reason: String)
    /// The server's certificate was not accepted; `code` is OpenSSL's `X509_V_ERR_…`.
    case untrusted(host: String, code: Int, reason: String)
    /// The server's certificate is another one than the only one that is trusted.
    case notPinned(host: String, seen: TLSFingerprint)
    /// The handshake failed for another reason, such as a server that speaks no TLS on this port.
    case handshake(host: String, reason: String)
    /// The connection closed during the handshake.
    case closedInHandshake(host: String)
    /// More than `limit` bytes were written before the handshake was done; none of them was sent.
    case tooMuchHeld(limit: Int)
    /// The established connection ended without TLS's own end (RFC 8446, 6.1): what came last may be cut off.
    case truncated(host: String)
    /// The established connection broke.
    case broken(reason: String)

    public var description: String {
        switch self {
        case .setup(let reason): "TLS cannot be set up: \(reason)"
        case .unreadableAuthorities(let path, let reason):
            "cannot read certificate authorities from '\(path)': \(reason); "
                + Self.fileAdvice(reason, path, "it must be a PEM file")
        case .unusableIdentity(let path, let reason):
            "cannot use the certificate or key in '\(path)': \(reason); "
                + Self.fileAdvice(reason, path, "both must be PEM, belong together and not be encrypted")
        case .untrusted(let host, let code, let reason):
            "the certificate of '\(host)' is not trusted: \(reason)\(Self.advice(code))"
        case .notPinned(let host, let seen):
            "the certificate of '\(host)' is another one than was pinned: \(seen); pin that one only if you have it "
                + "from the server's operator"
        case .handshake(let host, let reason):
            "no TLS with '\(host)': \(reason); "
                + (reason.contains("protocol version") || reason.contains("unsupported protocol")
                    ? "TLS 1.2 and 1.3 are spoken here" : "is this the server's TLS port?")
        case .closedInHandshake(let host): "'\(host)' closed the connection during the TLS handshake"
        case .tooMuchHeld(let limit):
            "over \(limit) bytes were written before the TLS handshake was done; wait for it before writing more"
        case .truncated(let host):
            "'\(host)' cut the connection without ending TLS; what it sent last may be incomplete"
        case .broken(let reason):
            "the TLS connection broke: \(reason)"
                + (reason.hasSuffix("certificate required") ? "; the server wants a certificate of the client" : "")
        }
    }

    /// What to do about a file: one that may not be opened is nothing that its content would mend.
    private static func fileAdvice(_ reason: String, _ path: String, _ content: String) -> String {
        switch reason {
        case "Permission denied":
            "a plugin with a sandbox reads only files that [sandbox] read in its manifest names; add it there"
        case "No such file or directory":
            path.hasPrefix("/") ? "check the path" : "give its path from the root"
        default: content
        }
    }

    /// What to do about the commonest verification results (openssl-verification-options).
    private static func advice(_ code: Int) -> String {
        switch code {
        case 10: "; the server's operator must renew it, or this machine's clock is wrong"
        case 18, 19, 20, 21: "; give the authority that signed it as the CA file"
        case 62, 64: "; connect by the name that the certificate is for"
        default: ""
        }
    }
}
