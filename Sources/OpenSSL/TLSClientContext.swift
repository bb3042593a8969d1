import COpenSSL

/// What all TLS connections of a client share: whom it trusts, what it shows of itself, and no TLS below 1.2.
// Unchecked: OpenSSL counts the references to an SSL_CTX atomically, and it is not changed after init.
public final class TLSClientContext: @unchecked Sendable {
    let pointer: OpaquePointer
    /// The fingerprint of the one certificate that is trusted; C reads it as long as the context lives.
    private let wanted: UnsafeMutablePointer<UInt8>?

    /// Prepares a context.
    /// - Parameters:
    ///   - caFile: A PEM file of the authorities to trust; the system's where nil.
    ///   - pin: The only certificate to trust, regardless of issuer, name and time; nil: the authorities.
    ///   - identity: What servers that ask are shown of the client.
    /// - Throws: ``TLSError/setup(reason:)``, ``TLSError/unreadableAuthorities(path:reason:)`` or
    ///   ``TLSError/unusableIdentity(path:reason:)``.
    public init(
        caFile: String? = nil, pin: TLSFingerprint? = nil, identity: TLSClientIdentity? = nil
    ) throws(TLSError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw .setup(reason: OpenSSLReason.take())
        }
        pointer = context
        wanted = pin.map { pin in
            let wanted = UnsafeMutablePointer<UInt8>.allocate(capacity: pin.bytes.count)
            wanted.initialize(from: pin.bytes, count: pin.bytes.count)
            return wanted
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        COpenSSL_allow_moving_writes(context)
        // Without it a server could make a write wait for a read, which the handler has no place for.
        COpenSSL_refuse_renegotiation(context)
        guard COpenSSL_require_tls12(context) == 1 else { throw .setup(reason: OpenSSLReason.take()) }
        if let identity { try identity.load(into: context) }
        if let wanted {
            COpenSSL_trust_only(context, wanted)
        } else if let caFile {
            guard SSL_CTX_load_verify_locations(context, caFile, nil) == 1 else {
                throw .unreadableAuthorities(path: caFile, reason: OpenSSLReason.take())
            }
        } else if SSL_CTX_set_default_verify_paths(context) != 1 {
            throw .setup(reason: OpenSSLReason.take())
        }
    }

    deinit {
        SSL_CTX_free(pointer)
        wanted?.deallocate()
    }
}
