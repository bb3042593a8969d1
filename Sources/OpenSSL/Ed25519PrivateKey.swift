import COpenSSL

/// A private key of Ed25519 (RFC 8032).
// Unchecked: the key is read-only once made, and OpenSSL lets any number of threads sign by one that nobody changes.
public final class Ed25519PrivateKey: @unchecked Sendable {
    /// The length of a private key, in bytes.
    public static let length = 32
    /// The length of a public key, in bytes.
    public static let publicLength = 32
    /// The length of a signature, in bytes.
    public static let signatureLength = 64

    private let key: OpaquePointer

    /// Takes the 32 bytes of a private key; nil for any other count, or where OpenSSL has no memory.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length,
            let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return nil }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// The public key, 32 bytes; nil where OpenSSL fails.
    public var publicKey: [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Self.publicLength)
        var count = bytes.count
        return EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1 && count == bytes.count ? bytes : nil
    }

    /// The signature of a message, 64 bytes; nil where OpenSSL fails, as for want of memory.
    public func sign(_ message: [UInt8]) -> [UInt8]? {
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: Self.signatureLength)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signature.count
        else { return nil }
        return signature
    }
}
