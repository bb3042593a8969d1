import COpenSSL

/// The hash SHA-256 (FIPS 180-4), as a value: a copy goes its own way, and nothing is allocated but the result.
public struct SHA256: Sendable {
    /// The length of a digest, in bytes.
    public static let digestLength = 32

    private var context = SHA256_CTX()

    /// Starts a hash of nothing.
    public init() { COpenSSL_sha256_init(&context) }

    /// The digest of a whole message.
    public static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.digest()
    }

    /// Takes the next bytes of the message.
    public mutating func update(_ bytes: some Sequence<UInt8>) {
        let done: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
        if done == nil { Array(bytes).withUnsafeBytes { update($0) } }
    }

    /// Takes the next bytes of the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        COpenSSL_sha256_update(&context, bytes.baseAddress, bytes.count)
    }

    /// The digest of what was taken so far; more can be taken afterwards.
    public func digest() -> [UInt8] {
        var copy = context
        return [UInt8](unsafeUninitializedCapacity: Self.digestLength) { (out, count) in
            COpenSSL_sha256_final(&copy, out.baseAddress)
            count = Self.digestLength
        }
    }
}
