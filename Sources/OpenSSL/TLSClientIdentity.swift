import COpenSSL

/// A client's certificate and its private key, in PEM files.
public struct TLSClientIdentity: Equatable, Sendable {
    /// The file of the certificate, then of the authorities between it and one that the server knows.
    public var certificate: String
    /// The file of the private key, not encrypted.
    public var key: String

    /// Names the files.
    /// - Parameter key: The private key's file; the certificate's where nil.
    public init(certificate: String, key: String? = nil) {
        (self.certificate, self.key) = (certificate, key ?? certificate)
    }

    /// Tries to load them as a connection will.
    /// - Throws: ``TLSError/setup(reason:)`` or ``TLSError/unusableIdentity(path:reason:)``.
    public func check() throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw .setup(reason: OpenSSLReason.take()) }
        defer { SSL_CTX_free(context) }
        try load(into: context)
    }

    func load(into context: OpaquePointer) throws(TLSError) {
        // Without a callback OpenSSL would ask for the password of an encrypted key on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw .unusableIdentity(path: certificate, reason: OpenSSLReason.take())
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1, SSL_CTX_check_private_key(context) == 1
        else { throw .unusableIdentity(path: key, reason: OpenSSLReason.take()) }
    }
}
