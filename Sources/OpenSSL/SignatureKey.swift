import COpenSSL

/// A public key that checks signatures.
// Unchecked: the key is read-only once made, and OpenSSL lets any number of threads verify by one that nobody changes.
public final class SignatureKey: @unchecked Sendable {
    /// What a key signs by.
    public enum Scheme: Sendable {
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2).
        case rsaSHA256
        /// ECDSA on P-256 with SHA-256; the signature is `r` and `s` in 32 bytes each (RFC 7518, 3.4).
        case p256SHA256
        /// Ed25519 (RFC 8032).
        case ed25519
    }

    /// The sizes of RSA keys that are accepted, in bits: shorter ones can be broken, longer ones cost too much time.
    public static let rsaBits = 2_048...8_192

    /// What the key signs by.
    public let scheme: Scheme
    private let key: OpaquePointer

    /// A key of RSA.
    /// - Parameters:
    ///   - modulus: Big-endian.
    ///   - exponent: Big-endian, odd, above 1, at most 8 bytes.
    /// - Returns: Nil for a key of another size, or that OpenSSL refuses.
    public convenience init?(rsaModulus modulus: [UInt8], exponent: [UInt8]) {
        let (modulus, exponent) = (modulus.drop { $0 == 0 }, exponent.drop { $0 == 0 })
        guard let first = modulus.first, let last = exponent.last, exponent.count <= 8, last & 1 == 1,
            exponent.count > 1 || last > 1, modulus.last.map({ $0 & 1 == 1 }) == true,
            Self.rsaBits.contains(modulus.count * 8 - first.leadingZeroBitCount)
        else { return nil }
        let numbers = DER.sequence(DER.integer(modulus) + DER.integer(exponent))
        self.init(.rsaSHA256, DER.sequence(DER.rsaEncryption + DER.bitString(numbers)))
    }

    /// A key on the curve P-256.
    /// - Parameters:
    ///   - x: 32 bytes, big-endian.
    ///   - y: As `x`.
    /// - Returns: Nil for numbers of another length, or a point that is not on the curve.
    public convenience init?(p256X x: [UInt8], y: [UInt8]) {
        guard x.count == 32, y.count == 32 else { return nil }
        self.init(.p256SHA256, DER.sequence(DER.p256 + DER.bitString([0x04] + x + y)))
    }

    /// A key of Ed25519, 32 bytes; nil for any other count.
    public init?(ed25519 bytes: [UInt8]) {
        guard bytes.count == 32, let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
            ERR_clear_error()
            return nil
        }
        (self.scheme, self.key) = (.ed25519, key)
    }

    private init?(_ scheme: Scheme, _ info: [UInt8]) {
        let key = info.withUnsafeBufferPointer { info in
            var start = info.baseAddress
            return d2i_PUBKEY(nil, &start, info.count)
        }
        guard let key else {
            ERR_clear_error()
            return nil
        }
        (self.scheme, self.key) = (scheme, key)
    }

    deinit { EVP_PKEY_free(key) }

    /// Whether a signature of a message is this key's.
    public func isSignature(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let signature = encoded(signature), let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        let digest = scheme == .ed25519 ? nil : EVP_sha256()
        let isRight =
            EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        // What is left in the thread's queue would be taken for an error of the next TLS connection.
        if !isRight { ERR_clear_error() }
        return isRight
    }

    /// The signature as OpenSSL expects it.
    private func encoded(_ signature: [UInt8]) -> [UInt8]? {
        switch scheme {
        case .rsaSHA256: signature
        case .ed25519: signature.count == 64 ? signature : nil
        case .p256SHA256:
            signature.count == 64
                ? DER.sequence(DER.integer(signature[..<32]) + DER.integer(signature[32...])) : nil
        }
    }
}

/// The few forms of DER (X.690) that public keys and signatures need.
private enum DER {
    /// The algorithm of RSA keys: 1.2.840.113549.1.1.1 with NULL (RFC 3279, 2.3.1).
    static let rsaEncryption: [UInt8] = [
        0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
    ]
    /// The algorithm of keys on P-256: 1.2.840.10045.2.1 with the curve 1.2.840.10045.3.1.7 (RFC 5480, 2.1).
    static let p256: [UInt8] = [
        0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D,
        0x03, 0x01, 0x07,
    ]

    static func sequence(_ content: [UInt8]) -> [UInt8] { value(0x30, content) }

    static func bitString(_ content: [UInt8]) -> [UInt8] { value(0x03, [0x00] + content) }

    /// A number without a sign, big-endian.
    static func integer(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let digits = Array(bytes.drop { $0 == 0 })
        return value(0x02, digits.first.map { $0 & 0x80 == 0 } == true ? digits : [0x00] + digits)
    }

    private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        if count < 0x80 { return [tag, UInt8(count)] + content }
        if count < 0x100 { return [tag, 0x81, UInt8(count)] + content }
        return [tag, 0x82, UInt8(count >> 8), UInt8(count & 0xFF)] + content
    }
}
