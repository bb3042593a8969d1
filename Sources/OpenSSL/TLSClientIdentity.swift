import COpenSSL

/// A client's certificate and its private key, in PEM files.
public enum TLSClientIdentity {
    /// Tries to load them as a connection will.
    /// - Parameters:
    ///   - certificate: The certificate, then the authorities between it and one that the server knows.
    ///   - key: The private key, not encrypted; the certificate's file where nil.
    /// - Throws: ``TLSError/setup(reason:)`` or ``TLSError/unusableIdentity(path:reason:)``.
    public static func check(certificate: String, key: String?) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw .setup(reason: OpenSSLReason.take()) }
        defer { SSL_CTX_free(context) }
        // Without a callback OpenSSL would ask for the password of an encrypted key on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw .unusableIdentity(path: certificate, reason: OpenSSLReason.take())
        }
        let keyFile = key ?? certificate
        guard SSL_CTX_use_PrivateKey_file(context, keyFile, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(context) == 1
        else { throw .unusableIdentity(path: keyFile, reason: OpenSSLReason.take()) }
    }
}
