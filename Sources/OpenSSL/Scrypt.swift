import COpenSSL

/// A key from a password, made expensive to guess in time and memory (scrypt; RFC 7914).
public enum Scrypt {
    /// Derives a key.
    /// - Parameters:
    ///   - cost: N, a power of two above 1.
    ///   - blockSize: r. A derivation uses about `128 * cost * blockSize` bytes of memory.
    ///   - parallelism: p.
    ///   - maxMemory: The most memory that it may use, in bytes. OpenSSL's default of 32 MiB refuses N = 2^15, r = 8.
    ///   - length: Bytes of the key, at least 1.
    /// - Returns: The key; nil where OpenSSL refuses the parameters, or has no memory.
    public static func key(
        password: [UInt8], salt: [UInt8], cost: UInt64, blockSize: UInt64, parallelism: UInt64, maxMemory: UInt64,
        length: Int
    ) -> [UInt8]? {
        guard length > 0 else { return nil }
        var key = [UInt8](repeating: 0, count: length)
        let isDone = password.withUnsafeBytes { bytes in
            EVP_PBE_scrypt(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), password.count, salt, salt.count, cost,
                blockSize, parallelism, maxMemory, &key, length)
        }
        guard isDone == 1 else {
            // What is left in the thread's queue would be taken for an error of the next TLS connection.
            ERR_clear_error()
            return nil
        }
        return key
    }
}
